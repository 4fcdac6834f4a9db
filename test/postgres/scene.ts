import { createTroupe } from 'troupe'
import type { Job, Queue, Store, Troupe, TroupeOptions } from 'troupe'
import { postgresStore } from 'troupe/stores/postgres'
import { checkHistory } from '../../src/testing/history.ts'
import { JournalBook } from '../../src/testing/history/journal-book.ts'
import { readLog, readRecords } from '../../src/testing/history/reading.ts'
import type { Ground } from '../support/postgres/use-postgres.ts'

type Work = (job: Job<number>) => unknown
export type WorkQueue = Queue<{ readonly work: Work }>

/** One process: its own session of the store, and what its handlers know. */
export interface Process {
  readonly troupe: Troupe
  readonly queue: WorkQueue
  readonly book: JournalBook
  /** Warnings and errors that it has logged. */
  readonly lines: readonly string[]
}

const concurrency = 5

/** Processes on one schema, all inside of this one. */
export class Scene {
  readonly #url: string
  readonly #schema: string
  readonly #ground: Ground
  readonly #processes: Process[] = []
  readonly #stores: Store[] = []

  constructor(ground: Ground, url: string, schema: string) {
    this.#ground = ground
    this.#url = url
    this.#schema = schema
  }

  /** Without `work` it only adds and watches. `url` may lead through a proxy. */
  async open(
    work: Work | null = null,
    { url = this.#url, ...options }: TroupeOptions & { readonly url?: string } = {},
  ): Promise<Process> {
    const store = postgresStore(url, { schema: this.#schema })
    const worker = `w${this.#stores.length}`
    const lines: string[] = []
    const write = (_fields: object, message: string): void => { lines.push(message) }
    const troupe = await createTroupe({
      store, worker, logger: { warn: write, error: write }, ...options,
    })
    this.#ground.onClose(() => troupe.stop({ grace: 0 }))
    const book = new JournalBook(worker)
    const queue = work
      ? troupe.queue('q', {
          concurrency, tasks: { work: book.around(work) },
          defaults: { retries: 2, backoff: 10 },
        })
      : troupe.queue<{ readonly work: Work }>('q')
    if (work) await troupe.start()
    const process = { troupe, queue, book, lines }
    this.#stores.push(store)
    this.#processes.push(process)
    return process
  }

  /** Holds all that has happened to the promises; all must be over. */
  async check(): Promise<void> {
    const [store] = this.#stores
    if (!store) throw new Error('nobody was there')
    checkHistory({
      log: await readLog(store, 'q'),
      records: await readRecords(store, 'q'),
      journals: this.#processes.map(({ book }) => book.journal),
      bounds: { concurrency },
    })
  }
}
