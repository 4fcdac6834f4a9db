import { setTimeout as sleep } from 'node:timers/promises'
import { createTroupe, TroupeError } from 'troupe'
import type { AddOptions, Job, JobHandle, JobSpec, Queue, Store, Transition, Troupe } from 'troupe'
import { postgresStore } from 'troupe/stores/postgres'
import { JournalBook } from '../../src/testing/history/journal-book.ts'
import type { History } from '../../src/testing/history/journal.ts'
import { readLog, readRecords } from '../../src/testing/history/reading.ts'

interface Input {
  readonly number: number
  readonly ms: number
}
type Tasks = { readonly work: (job: Job<Input>) => unknown }

/** Seeded chance: mulberry32. */
export function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Adds, cancels, retries, waits and observes from a process that is never killed. */
export class Client {
  readonly #store: Store
  readonly #troupe: Troupe
  readonly #random: () => number
  readonly #books = new Map<string, JournalBook>()
  readonly #told = new Map<string, Transition[]>()
  readonly #pending = new Set<Promise<unknown>>()
  readonly #faults: unknown[] = []
  /** Errors of the store that reached a caller, who had to try again. */
  readonly refusals: string[] = []
  #number = 0
  #watching = true

  private constructor(store: Store, troupe: Troupe, random: () => number) {
    this.#store = store
    this.#troupe = troupe
    this.#random = random
  }

  static async open(url: string, schema: string, random: () => number): Promise<Client> {
    const store = postgresStore(url, { schema })
    return new Client(store, await createTroupe({ store, worker: 'client' }), random)
  }

  get added(): number {
    return this.#number
  }

  queue(name: string): Queue<Tasks> {
    return this.#troupe.queue<Tasks>(name)
  }

  /** Observes from the start; begins again where it was when it is told of an error. */
  observe(name: string): void {
    const told: Transition[] = []
    this.#told.set(name, told)
    const follow = (from: string): void => {
      this.#troupe.observe({ queue: name, from }).subscribe({
        next: (transition) => { told.push(transition) },
        error: (error: unknown) => {
          this.refusals.push(`observe: ${String(error)}`)
          setTimeout(() => { if (this.#watching) follow(told.at(-1)?.cursor ?? 'start') }, 50)
        },
      })
    }
    follow('start')
  }

  /** Adds some jobs that know nothing of each other. */
  async addSome(name: string, count: number, options: AddOptions = {}): Promise<void> {
    const jobs = Array.from({ length: count }, () => this.#next(options))
    const handles = await this.#insist(() => this.queue(name).addMany(
      jobs.map((job) => ({ task: 'work' as const, ...job })),
    ))
    this.#follow(name, handles)
  }

  /** Adds a diamond: one, two that wait for it, and one that waits for both. */
  async addFlow(name: string): Promise<void> {
    const spec = (): JobSpec => {
      const { input, ...rest } = this.#next({
        onParentFailure: this.#random() < 0.5 ? 'run' : 'fail',
      })
      return this.queue(name).spec('work', input, rest)
    }
    const jobs = { top: spec(), left: spec(), right: spec(), bottom: spec() }
    const after = { left: ['top'], right: ['top'], bottom: ['left', 'right'] } as const
    const handles = await this.#insist(() => this.#troupe.flow(jobs, after))
    this.#follow(name, Object.values(handles))
  }

  #next(options: AddOptions): AddOptions & { id: string; input: Input } {
    const number = this.#number += 1
    const ms = 1 + Math.floor(this.#random() * 20)
    return { ...options, id: `c-${number}`, input: { number, ms } }
  }

  /** What was refused may be there all the same: the same ids again settle it. */
  async #insist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (!(error instanceof TroupeError) || error.code !== 'store-failed') throw error
        this.refusals.push(`${error.code}: ${error.message}`)
        await sleep(50)
      }
    }
  }

  #follow(name: string, handles: readonly JobHandle<unknown>[]): void {
    const book = this.#book(name)
    for (const handle of handles) {
      book.added(handle.id)
      this.#keep(this.#wait(book, handle))
      const dice = this.#random()
      if (dice < 0.06) this.#keep(this.#cancel(book, handle, this.#random() * 300))
    }
  }

  async #wait(book: JournalBook, handle: JobHandle<unknown>): Promise<void> {
    const { id } = handle
    try {
      const result = await this.#insist(() => handle.result())
      book.write({ what: 'seen', id, state: 'completed', result: result as never })
    } catch (error) {
      if (!(error instanceof TroupeError) || !error.code.startsWith('job-')) throw error
      const state = error.code === 'job-failed' ? 'failed' : 'cancelled'
      book.write({ what: 'seen', id, state, result: null })
      if (this.#random() > 0.2) return
      const answer = await this.#insist(() => this.queue(handle.queue).retry(id))
      if (answer === 'retried') book.write({ what: 'retried', id })
    }
  }

  async #cancel(book: JournalBook, handle: JobHandle<unknown>, ms: number): Promise<void> {
    await sleep(ms)
    book.cancel(handle.id, await this.#insist(() => handle.cancel('not needed')))
  }

  #book(name: string): JournalBook {
    const book = this.#books.get(name) ?? new JournalBook('client')
    this.#books.set(name, book)
    return book
  }

  #keep(work: Promise<unknown>): void {
    const kept = work.finally(() => { this.#pending.delete(kept) })
    // What goes wrong is told by `settled`.
    kept.catch((error: unknown) => { this.#faults.push(error) })
    this.#pending.add(kept)
  }

  /** Jobs of all queues that have not settled. */
  async unsettled(names: readonly string[]): Promise<number> {
    const counts = await Promise.all(
      names.map((name) => this.#insist(() => this.queue(name).counts())),
    )
    return counts.reduce(
      (sum, { queued, running, cancelling }) => sum + queued + running + cancelling, 0,
    )
  }

  /**
   * Waits until all is settled and everybody who waited was told. Answers what is amiss when
   * nothing has come of it for `patienceMs`; null when all is well.
   */
  async settled(names: readonly string[], patienceMs: number): Promise<string | null> {
    let last = ''
    let since = performance.now()
    for (;;) {
      const unsettled = await this.unsettled(names)
      if (this.#faults.length > 0) return `callers were let down: ${this.#faults.join('\n')}`
      const waiting = this.#pending.size
      if (unsettled + waiting === 0) return null
      const now = `${unsettled} jobs are not settled, ${waiting} callers wait`
      if (now !== last) since = performance.now()
      else if (performance.now() - since > patienceMs) return `${now}: ${await this.#why(names)}`
      last = now
      await sleep(100)
    }
  }

  async #why(names: readonly string[]): Promise<string> {
    const lines: string[] = []
    for (const name of names) {
      const { jobs } = await this.queue(name).list({
        state: ['queued', 'running', 'cancelling'], limit: 5,
      })
      for (const { id } of jobs) lines.push((await this.queue(name).explain(id)).text)
    }
    return lines.join(' | ')
  }

  /** What is known of a queue when all is quiet and the log has numbered all of it. */
  async history(name: string): Promise<Pick<History, 'log' | 'records' | 'told' | 'journals'>> {
    const end = Date.now() + 15_000
    for (;;) {
      const records = await readRecords(this.#store, name)
      const log = await readLog(this.#store, name)
      const told = this.#told.get(name) ?? []
      const revs = records.reduce((sum, { rev }) => sum + rev, 0)
      const whole = log.length === revs && told.length === revs
      if (whole || Date.now() > end) {
        return { records, log, told: [told], journals: [this.#book(name).journal] }
      }
      await sleep(100)
    }
  }

  async close(): Promise<void> {
    this.#watching = false
    await this.#troupe.stop({ grace: 0 })
  }
}
