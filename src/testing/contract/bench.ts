import { systemEnv } from '../../env.ts'
import type { JobEvent, JobEventType } from '../../../machines/job-events.ts'
import type { JobRecord, NewJob } from '../../records/job.ts'
import { ignored, step } from '../../records/step.ts'
import type { LogEntry } from '../../records/transition.ts'
import type { Counts, LogPage } from '../../stores/reading.ts'
import { noLimits } from '../../stores/store.ts'
import type {
  Change, ClaimAnswer, ClaimRequest, Commit, CommitAnswer, JobRequest, RequestAnswer, Retention,
  Store, StoreEvent, SweepAnswer, SweepRequest,
} from '../../stores/store.ts'
import { jobEvent, listQuery, newJob, policy } from '../records.ts'
import type { EventOf } from '../records.ts'
import type { VirtualEnv } from '../virtual-env.ts'

/** One place where jobs are kept, and the clock that goes there. */
export interface StoreHome {
  readonly env: VirtualEnv
  /** A store on what is kept there, not open yet. For memory it is always the same one. */
  store(): Store
}

/** Makes a new and empty place. */
export type StoreFactory = () => StoreHome | Promise<StoreHome>

/** What a test of the contract works with. */
export type OpenBench = () => Promise<Bench>

export const leaseMs = 30_000

export const keepAll: Retention = {
  completed: 1_000_000, failed: 1_000_000, minAgeMs: 0, log: 1_000_000, logAgeMs: 1e12,
}

type RequestPatch =
  | { readonly type: 'cancel'; readonly reason?: string | null }
  | { readonly type: 'retry' }
  | { readonly type: 'reschedule'; readonly runAt?: number; readonly delayMs?: number }
  | { readonly type: 'remove'; readonly spareAwaited?: boolean }

/** How long a shared store may take to number what was committed, in real time. */
const numberingMs = 10_000

/** An open store with short words for what the tests do, and all that it told its watcher. */
export class Bench {
  readonly env: VirtualEnv
  readonly events: StoreEvent[] = []
  readonly #home: StoreHome
  #store: Store
  /** How many changes of each queue were told: so many numbers its log must reach. */
  readonly #committed = new Map<string, number>()
  /** What the tail has told since the store was opened, and where it began. */
  readonly #tailed = new Map<string, LogEntry[]>()
  readonly #tailedFrom = new Map<string, number>()

  private constructor(home: StoreHome, store: Store) {
    this.#home = home
    this.env = home.env
    this.#store = store
  }

  static async open(factory: StoreFactory): Promise<Bench> {
    const home = await factory()
    const bench = new Bench(home, home.store())
    await bench.#open()
    return bench
  }

  get store(): Store {
    return this.#store
  }

  async #open(): Promise<void> {
    await this.#store.open({ env: this.env, report: () => undefined })
    this.#store.watch((event) => {
      this.events.push(event)
      for (const { entry } of event.type === 'changes' ? event.changes : []) {
        this.#committed.set(entry.queue, (this.#committed.get(entry.queue) ?? 0) + 1)
      }
    })
    await this.#store.tail((entries) => {
      for (const entry of entries) {
        const told = this.#tailed.get(entry.queue) ?? []
        this.#tailed.set(entry.queue, told)
        told.push(entry)
      }
    })
    for (const queue of this.#committed.keys()) {
      this.#tailedFrom.set(queue, (await this.#store.readLog(queue, 0, 0)).newest)
    }
  }

  /** Closes the store and opens what it has left behind. */
  async reopen(): Promise<void> {
    await this.#store.close()
    this.events.length = 0
    this.#tailed.clear()
    const next = this.#home.store()
    const same = next === this.#store
    this.#store = next
    if (!same) return this.#open()
    await next.open({ env: this.env, report: () => undefined })
    for (const queue of this.#committed.keys()) {
      this.#tailedFrom.set(queue, (await next.readLog(queue, 0, 0)).newest)
    }
  }

  /** Whether this process alone can work on what is kept there. */
  get embedded(): boolean {
    return !this.#store.capabilities.multiProcess
  }

  /**
   * The events that nothing but a change may cause. Who shares a store may be woken for nothing,
   * as often as the store likes.
   */
  get news(): readonly StoreEvent[] {
    return this.embedded
      ? this.events
      : this.events.filter(({ type }) => type !== 'wake' && type !== 'timer')
  }

  /** The changes that the watcher was told of. */
  get changes(): readonly Change[] {
    return this.events.flatMap((event) => (event.type === 'changes' ? event.changes : []))
  }

  async add(patch: Partial<NewJob> = {}): Promise<JobRecord> {
    const [answer] = await this.store.insert([newJob(patch)])
    return must(answer).record
  }

  async addMany(patches: readonly Partial<NewJob>[]): Promise<readonly JobRecord[]> {
    const answers = await this.store.insert(patches.map((patch) => newJob(patch)))
    return answers.map(({ record }) => record)
  }

  async claim(patch: Partial<ClaimRequest> = {}): Promise<readonly JobRecord[]> {
    return (await this.claimed(patch)).records
  }

  /** The whole answer of a claim. */
  claimed(patch: Partial<ClaimRequest> = {}): Promise<ClaimAnswer> {
    return this.store.claim({
      queue: 'images', worker: 'worker:w1', limit: 1000, leaseMs,
      tasks: new Map([['resize', policy]]), exclude: new Set(), limits: noLimits, ...patch,
    })
  }

  /** The record of a job that was added and claimed. */
  async running(patch: Partial<NewJob> = {}): Promise<JobRecord> {
    const { id } = await this.add(patch)
    return must((await this.claim()).find((record) => record.id === id))
  }

  event<T extends JobEventType>(type: T, patch: Partial<EventOf<T>> = {}): EventOf<T> {
    return jobEvent(type, { now: this.env.now(), by: 'worker:w1', ...patch })
  }

  /** What an actor would commit when `event` comes; not sent yet. */
  decide(record: JobRecord, event: JobEvent): Commit {
    const moved = step(record, event, this.env.id())
    if (moved === ignored) throw new Error(`${event.type} is ignored in ${record.state}`)
    return { fence: record.fence, rev: record.rev, ...moved }
  }

  async commit(record: JobRecord, event: JobEvent): Promise<CommitAnswer> {
    const [answer] = await this.store.commit([this.decide(record, event)])
    return must(answer)
  }

  complete(record: JobRecord): Promise<CommitAnswer> {
    return this.commit(record, this.event('complete'))
  }

  /** Fails without a retry. */
  fail(record: JobRecord): Promise<CommitAnswer> {
    return this.commit(record, this.event('fail', { retryable: false }))
  }

  request(id: string, patch: RequestPatch): JobRequest {
    const address = { id, queue: 'images', by: 'ann' }
    switch (patch.type) {
      case 'cancel': return { ...address, reason: null, ...patch }
      case 'reschedule': return { ...address, runAt: null, delayMs: null, ...patch }
      case 'remove': return { ...address, spareAwaited: false, ...patch }
      default: return { ...address, ...patch }
    }
  }

  async apply(id: string, patch: RequestPatch): Promise<RequestAnswer> {
    const [answer] = await this.store.apply([this.request(id, patch)])
    return must(answer)
  }

  sweep(patch: Partial<SweepRequest> = {}): Promise<SweepAnswer> {
    return this.store.sweep({
      by: 'sweep', limit: 1000, retention: new Map([['images', keepAll]]), ...patch,
    })
  }

  /** Sweeps with a retention that differs from "keep all" in what is given. */
  retain(patch: Partial<Retention>): Promise<SweepAnswer> {
    return this.sweep({ retention: new Map([['images', { ...keepAll, ...patch }]]) })
  }

  async get(id: string): Promise<JobRecord | undefined> {
    const [record] = await this.store.get([id])
    return record
  }

  async log(queue = 'images'): Promise<readonly LogEntry[]> {
    return (await this.readLog(queue, 0, 1_000_000)).entries
  }

  /** A page of the log, once all that was committed has its number. */
  async readLog(queue: string, after: number, limit: number): Promise<LogPage> {
    const committed = this.#committed.get(queue) ?? 0
    const page = (): Promise<LogPage> => this.store.readLog(queue, after, limit)
    return poll(page, ({ newest }) => newest >= committed, `${queue} has ${committed} numbers`)
  }

  /** What the tail has told of a queue, once that is all that the log knows. */
  async tail(queue = 'images'): Promise<readonly LogEntry[]> {
    const { newest } = await this.readLog(queue, 0, 0)
    const told = (): readonly LogEntry[] => this.#tailed.get(queue) ?? []
    const from = this.#tailedFrom.get(queue) ?? 0
    return poll(async () => told(), (entries) => (entries.at(-1)?.seq ?? from) >= newest,
      `the tail of ${queue} tells ${newest}`)
  }

  async list(queue = 'images'): Promise<readonly JobRecord[]> {
    return (await this.store.list(listQuery({ queue }))).records
  }

  async counts(queue = 'images'): Promise<Counts> {
    return must((await this.store.counts(queue)).get(queue))
  }

  /** What a test compares to see that nothing has happened. */
  async picture(): Promise<unknown> {
    const { newest } = await this.readLog('images', 0, 0)
    return { jobs: await this.list(), newest, events: this.news.length }
  }
}

/** Asks until it is so; an embedded store is asked once. */
async function poll<T>(
  ask: () => Promise<T>, holds: (answer: T) => boolean, promise: string,
): Promise<T> {
  const end = systemEnv.monotonic() + numberingMs
  for (;;) {
    const answer = await ask()
    if (holds(answer)) return answer
    if (systemEnv.monotonic() > end) throw new Error(`not within ${numberingMs} ms: ${promise}`)
    await new Promise<void>((resolve) => { systemEnv.after(2, resolve) })
  }
}

export function must<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('there is no such value')
  return value
}

export function ids(records: readonly { readonly id: string }[]): string[] {
  return records.map(({ id }) => id)
}
