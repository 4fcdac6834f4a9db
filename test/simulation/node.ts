import { createTroupe, TroupeError } from 'troupe'
import type { Queue, Transition, Troupe, TroupeOptions } from 'troupe'
import { JournalBook } from '../../src/testing/history/journal-book.ts'
import { handlerOn } from './handlers.ts'
import type { Ground, Handler, Held } from './handlers.ts'
import { hasScratch } from './plan.ts'
import type { Act, Plan, QueueName } from './plan.ts'
import type { Body } from './places.ts'

export const queueName = 'images' satisfies QueueName
export const scratchName = 'scratch' satisfies QueueName

export type SimulatedQueue = Queue<{ readonly work: Handler }>

/** What a node needs of the cluster. */
export interface Cluster {
  readonly plan: Plan
  readonly held: Set<Held>
  readonly isEnding: () => boolean
  readonly trueNow: () => number
  readonly mayBeLocked: () => boolean
  readonly acted: (act: Act['act']) => void
  readonly fault: (what: string, error: unknown) => void
  readonly told: Transition[][]
  readonly inspect: NonNullable<TroupeOptions['inspect']> | null
  crash(node: Node): void
}

/** One troupe of the cluster: a process of its own, or one of several in a process. */
export class Node {
  readonly name: string
  readonly slot: number
  readonly body: Body
  readonly book: JournalBook
  /** Of the queue that may be obliterated; its times are true ones. */
  readonly scratchBook: JournalBook
  readonly lines: { readonly level: string; readonly message: string; readonly err: unknown }[] = []
  /** What each observer from the start was told; it goes on where it was after an error. */
  readonly replayed: Transition[] = []
  troupe: Troupe | null = null
  queue: SimulatedQueue | null = null
  scratch: SimulatedQueue | null = null
  started = false
  stopping = false
  stopped = false
  /** It cannot open the store, and will not try again. */
  refused: TroupeError | null = null
  readonly #cluster: Cluster
  #creating: Promise<Troupe> | null = null
  #stopped: Promise<void> | null = null

  constructor(name: string, slot: number, body: Body, cluster: Cluster) {
    this.name = name
    this.slot = slot
    this.body = body
    this.#cluster = cluster
    this.book = new JournalBook(name, name, body.clock.now)
    this.scratchBook = new JournalBook(name, name, cluster.trueNow)
  }

  get alive(): boolean {
    return !this.body.life.dead && !this.stopped
  }

  /** It can be asked for something. */
  get ready(): boolean {
    return this.alive && !this.stopping && this.queue !== null
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const { clock, life } = this.body
      clock.later(ms, () => { if (!life.dead) resolve() })
    })
  }

  /** Opens the store and starts, however often it is refused. */
  async open(): Promise<void> {
    const { plan, inspect } = this.#cluster
    const { store, env } = this.body
    const write = (level: string) => (fields: object, message: string): void => {
      this.lines.push({ level, message, err: 'err' in fields ? fields.err : undefined })
    }
    while (this.alive && !this.stopping && !this.troupe) {
      try {
        this.#creating = createTroupe({
          store, env, worker: this.name, lease: plan.leaseMs,
          logger: { warn: write('warn'), error: write('error') },
          ...(inspect ? { inspect } : {}),
        })
        this.troupe = await this.#creating
      } catch (error) {
        if (error instanceof TroupeError && error.code === 'store-damaged') {
          this.refused = error
          return
        }
        this.#expect('open', error)
        await this.sleep(100)
      }
    }
    if (!this.alive || !this.troupe || this.stopping) return
    if (hasScratch(plan)) this.scratch = this.#declareScratch(this.troupe)
    this.queue = this.#declare(this.troupe)
    this.#observe(this.troupe)
    if (plan.clients.includes(this.slot)) return
    while (this.ready && !this.started) {
      try {
        await this.troupe.start()
        this.started = true
      } catch (error) {
        this.#expect('start', error)
        await this.sleep(100)
      }
    }
  }

  #expect(what: string, error: unknown): void {
    const { code } = error instanceof TroupeError ? error : { code: null }
    if (code === 'store-failed' || code === 'stopped') return
    if (code === 'store-locked' && this.#cluster.mayBeLocked()) return
    this.#cluster.fault(`${what} of ${this.name}`, error)
  }

  #declare(troupe: Troupe): SimulatedQueue {
    const { plan } = this.#cluster
    const { rate, perPartition, concurrency, pruned, maxQueued } = plan
    return troupe.queue(queueName, {
      concurrency,
      ...(rate ? { rateLimit: rate } : {}),
      ...(perPartition ? { concurrencyPerPartition: perPartition } : {}),
      ...(maxQueued === null ? {} : { maxQueued }),
      tasks: { work: handlerOn(this.#ground(this.book)) },
      defaults: { backoff: { type: 'fixed', delay: 60, jitter: 0.5 }, cancelGrace: 300 },
      ...(pruned ? { retention: { completed: 3, failed: 3, minAge: 1000 } } : {}),
    })
  }

  #declareScratch(troupe: Troupe): SimulatedQueue {
    return troupe.queue(scratchName, {
      concurrency: this.#cluster.plan.concurrency,
      tasks: { work: handlerOn(this.#ground(this.scratchBook)) },
      defaults: { cancelGrace: 300 },
    })
  }

  #ground(book: JournalBook): Ground {
    const { held, isEnding, acted } = this.#cluster
    return {
      book, held, isEnding, acted, limited: new Set(),
      sleep: (ms) => this.sleep(ms),
      freeze: (ms) => { this.body.clock.freeze(ms) },
      crash: () => { this.#cluster.crash(this) },
      now: this.body.clock.now,
    }
  }

  #observe(troupe: Troupe): void {
    const { told } = this.#cluster
    told.push(this.replayed)
    const replay = (from: string): void => {
      troupe.observe({ queue: queueName, from }).subscribe({
        next: (entry) => { this.replayed.push(entry) },
        error: (error: unknown) => {
          this.#expect('observe', error)
          void this.sleep(50).then(() => {
            if (this.ready) replay(this.replayed.at(-1)?.cursor ?? 'start')
          })
        },
      })
    }
    replay('start')
    const follow = (): void => {
      const live: Transition[] = []
      told.push(live)
      this.queue?.transitions$.subscribe({
        next: (entry) => { live.push(entry) },
        error: (error: unknown) => {
          this.#expect('transitions$', error)
          void this.sleep(50).then(() => { if (this.ready) follow() })
        },
      })
    }
    follow()
  }

  /** Nothing counts any more that its handlers say. */
  kill(): void {
    this.book.kill()
    this.scratchBook.kill()
  }

  stop(graceMs: number): Promise<void> {
    return this.#stopped ??= this.#stop(graceMs)
  }

  async #stop(graceMs: number): Promise<void> {
    if (!this.alive) return
    this.stopping = true
    try {
      // Who is told to end while it opens the store has it open then.
      const troupe = await this.#creating?.catch(() => null)
      await troupe?.stop({ grace: graceMs })
    } catch (error) {
      this.#expect('stop', error)
    }
    this.stopped = true
    // What still runs is nobody's concern any more.
    for (const book of [this.book, this.scratchBook]) if (book.running.length > 0) book.kill()
  }
}
