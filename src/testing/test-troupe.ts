import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { createTroupe } from '../orchestrator/troupe.ts'
import type { Troupe, TroupeOptions } from '../orchestrator/troupe.ts'
import type { Logger } from '../orchestrator/logger.ts'
import type { JobRecord } from '../records/job.ts'
import type { Transition } from '../records/transition.ts'
import { memoryStore } from '../stores/memory.ts'
import type { Store } from '../stores/store.ts'
import { ClaimGate } from './claim-gate.ts'
import { failure } from './differences.ts'
import { JournalBook } from './history/journal-book.ts'
import { ofQueue } from './history/journal.ts'
import type { History } from './history/journal.ts'
import { readLog, readRecords } from './history/reading.ts'
import { describeLeft, describeRunning, listUnsettled } from './left-over.ts'
import { Life } from './mortal.ts'
import { scripted } from './scripted.ts'
import type { ScriptedHandler, ScriptStep } from './scripted.ts'
import { VirtualEnv } from './virtual-env.ts'

export interface TestTroupeOptions extends Omit<TroupeOptions, 'env'> {
  /** Where chance begins; the same seed and the same steps give the same run. Default 1. */
  readonly seed?: number
  /** When time begins. Default 1 January 2026, 00:00 UTC. */
  readonly now?: number | Date
  /** Virtual time, when you make it yourself, with a `MemoryDisk` for instance. */
  readonly env?: VirtualEnv
  /** Another troupe that this one works beside, as a second process on its store and time. */
  readonly beside?: TestTroupe
}

/** A warning or an error that a troupe has written to its log. */
export interface LoggedLine {
  readonly level: 'warn' | 'error'
  readonly message: string
  readonly error: unknown
}

export interface Within {
  /** How much virtual time may pass. */
  readonly within?: Duration
}

const idleWithin: Duration = '1h'
const settledWithin: Duration = '24h'

/** A troupe whose time is virtual. Make it with `testTroupe()`. */
export class TestTroupe {
  /** An ordinary troupe: declare queues and add jobs as in production. */
  readonly troupe: Troupe
  /** Its clock, ids and chance. */
  readonly env: VirtualEnv
  readonly store: Store
  readonly #gate: ClaimGate
  readonly #life: Life
  readonly #book: JournalBook
  readonly #lines: LoggedLine[]
  #stopped: Promise<void> | null = null

  /** @internal */
  constructor(parts: {
    readonly troupe: Troupe
    readonly env: VirtualEnv
    readonly store: Store
    readonly gate: ClaimGate
    readonly life: Life
    readonly book: JournalBook
    readonly lines: LoggedLine[]
  }) {
    this.troupe = parts.troupe
    this.env = parts.env
    this.store = parts.store
    this.#gate = parts.gate
    this.#life = parts.life
    this.#book = parts.book
    this.#lines = parts.lines
  }

  /** Virtual time, in milliseconds since the epoch. */
  get now(): number {
    return this.env.now()
  }

  /** Lets jobs run from now on, as many at once as their queues allow. */
  async start(): Promise<void> {
    this.#gate.open()
    await this.until(this.troupe.start())
    this.#wake()
    await this.env.settle()
  }

  /** Moves time forward, timer by timer; what is due happens on the way. */
  async advance(time: Duration): Promise<void> {
    await this.env.advance(parseDuration(time, 'advance'))
  }

  /**
   * Moves time on until `work` is done, and answers with what it gave. Throws an `AssertionError`
   * when that does not come to be `within` an hour of virtual time.
   */
  async until<T>(work: Promise<T>, { within = idleWithin }: Within = {}): Promise<T> {
    let done = false
    const ended = (): void => { done = true }
    work.then(ended, ended)
    await this.env.settle()
    const end = this.env.monotonic() + parseDuration(within, 'within')
    while (!done && this.env.monotonic() < end) {
      await this.env.advanceToNext(end - this.env.monotonic())
    }
    if (done) return work
    throw failure(`nothing came of it within ${within}\n${describeRunning(this.#book.running)}`)
  }

  /**
   * Runs jobs until none runs and none can be claimed. Time moves as far as handlers and rate
   * limits need it; jobs that wait for their time stay. Starts the troupe, if need be. Throws an
   * `AssertionError` when handlers still run after `within`, an hour if you do not say otherwise.
   */
  async runUntilIdle({ within = idleWithin }: Within = {}): Promise<void> {
    await this.start()
    for (let claims = -1; claims !== this.#gate.claims;) {
      claims = this.#gate.claims
      await this.until(Promise.all(this.troupe.queues().map((queue) => queue.idle())), { within })
      await this.env.settle()
    }
  }

  /**
   * Runs jobs until every job of the declared queues has settled: retries, delays and snoozes are
   * waited for, but not jobs that wait for a failed parent by their own wish. Throws an
   * `AssertionError` that says why the rest does not run, when that does not come to be within 24
   * hours of virtual time, or `within`.
   */
  async runUntilSettled({ within = settledWithin }: Within = {}): Promise<void> {
    await this.start()
    const end = this.env.monotonic() + parseDuration(within, 'within')
    for (;;) {
      const left = await listUnsettled(this.store, this.troupe.queues())
      if (left.length === 0) return
      const rest = end - this.env.monotonic()
      if (rest <= 0) throw failure(await describeLeft(this.troupe, left, within))
      await this.env.advanceToNext(rest)
    }
  }

  /**
   * Runs the one job that is first in line, to the end of its attempt, and answers its record.
   * Until `start` or `runUntilIdle` is called no other job starts. Throws an `AssertionError` when
   * no job can be claimed, and when the handler still runs after `within` (an hour).
   */
  async runOne({ within = idleWithin }: Within = {}): Promise<JobRecord> {
    this.#gate.admit(1)
    await this.until(this.troupe.start())
    this.#wake()
    await this.env.settle()
    const claimed = this.#gate.last
    this.#gate.admit(0)
    if (!claimed) {
      const left = await listUnsettled(this.store, this.troupe.queues())
      throw failure(await describeLeft(this.troupe, left, null))
    }
    const end = this.env.monotonic() + parseDuration(within, 'within')
    for (;;) {
      const record = await this.record(claimed)
      if (record.fence !== claimed.fence || record.lease === null) return record
      const rest = end - this.env.monotonic()
      if (rest <= 0) {
        const running = describeRunning(this.#book.running)
        throw failure(`job ${claimed.id} still runs after ${within}\n${running}`)
      }
      await this.env.advanceToNext(rest)
    }
  }

  /** The record of a job now. Throws an `AssertionError` when there is none. */
  async record({ id }: { readonly id: string }): Promise<JobRecord> {
    const [record] = await this.store.get([id])
    if (!record) throw failure(`there is no job ${id}`)
    return record
  }

  /** The transitions of a job, or of all jobs of a queue, as far as the log keeps them. */
  async transitions(
    of: { readonly id: string; readonly queue: string } | { readonly name: string },
  ): Promise<readonly Transition[]> {
    if ('name' in of) return readLog(this.store, of.name)
    return (await readLog(this.store, of.queue)).filter(({ jobId }) => jobId === of.id)
  }

  /** A handler that does what its steps say; see `ScriptStep`. */
  scripted<Input = unknown>(...steps: readonly ScriptStep<Input>[]): ScriptedHandler<Input> {
    return scripted({ env: this.env, crash: () => { this.crash() } }, steps)
  }

  /** What `checkHistory` takes: log, records and this process's handlers of one queue. */
  async history(queue: string, others: readonly TestTroupe[] = []): Promise<History> {
    if (this.#life.dead) throw failure('this process has crashed: ask one that lives')
    const status = await this.troupe.queue(queue).status()
    const journals = [this, ...others].map((each) => ofQueue(each.#book.journal, queue))
    return {
      log: await readLog(this.store, queue), records: await readRecords(this.store, queue),
      journals, pruned: true,
      bounds: {
        concurrency: status.concurrency,
        limits: { rate: status.rateLimit, perPartition: status.concurrencyPerPartition },
      },
    }
  }

  /** Warnings and errors that were logged and not taken yet. `stop` fails while there are any. */
  takeLogged(): readonly LoggedLine[] {
    return this.#lines.splice(0)
  }

  /** The process is no more, from one moment to the next. Its store and time go on. */
  crash(): void {
    this.#life.kill()
    this.#book.kill()
    this.#stopped = Promise.resolve()
  }

  /**
   * Stops the troupe; what still runs is aborted and given back. Throws an `AssertionError` when a
   * handler was still running, a timer is left, or something was logged that nobody has taken.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    await this.env.settle()
    const { running } = this.#book
    await this.until(this.troupe.stop({ grace: 0 }))
    await this.env.settle()
    const faults: string[] = []
    if (running.length > 0) faults.push(describeRunning(running))
    const { pendingTimers } = this.#life
    if (pendingTimers > 0) faults.push(`timers that nobody has taken back: ${pendingTimers}`)
    for (const { level, message, error } of this.takeLogged()) {
      const cause = error instanceof Error ? `: ${error.message}` : ''
      faults.push(`logged (${level}): ${message}${cause}`)
    }
    if (faults.length > 0) throw failure(`the troupe was not at rest:\n  ${faults.join('\n  ')}`)
  }

  #wake(): void {
    for (const { name } of this.troupe.queues()) this.store.wake(name)
  }
}

/**
 * A troupe for tests, by default on a memory store: its time stands still until you move it, ids
 * count up, and chance is seeded. Nothing runs before `start`, `runOne` or one of the others that
 * run jobs. End each test with `await t.stop()`.
 */
export async function testTroupe(options: TestTroupeOptions = {}): Promise<TestTroupe> {
  const { seed, now, env: given, beside, store: place, ...rest } = options
  const env = given ?? beside?.env ?? new VirtualEnv({
    ...(seed === undefined ? {} : { seed }), ...(now === undefined ? {} : { now }),
  })
  const store = place ?? beside?.store ?? memoryStore()
  const life = new Life()
  const gate = new ClaimGate(life.store(store))
  const worker = options.worker ?? `worker:${env.id()}`
  const book = new JournalBook(worker, worker, () => env.now())
  const lines: LoggedLine[] = []
  const troupe = await createTroupe({
    logger: collecting(lines), ...rest, worker,
    store: gate.store, env: life.env(env, env.disk),
    middleware: [book.middleware, ...options.middleware ?? []],
  })
  return new TestTroupe({ troupe, env, store, gate, life, book, lines })
}

function collecting(lines: LoggedLine[]): Logger {
  const write = (level: LoggedLine['level']) => (fields: object, message: string): void => {
    lines.push({ level, message, error: 'err' in fields ? fields.err : undefined })
  }
  return { warn: write('warn'), error: write('error') }
}
