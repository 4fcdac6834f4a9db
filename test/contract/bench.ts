import type { JobEvent, JobEventType } from '../../machines/job-events.ts'
import type { JobRecord, NewJob } from '../../src/records/job.ts'
import { ignored, step } from '../../src/records/step.ts'
import type { LogEntry } from '../../src/records/transition.ts'
import type { Counts } from '../../src/stores/reading.ts'
import { noLimits } from '../../src/stores/store.ts'
import type {
  Change, ClaimAnswer, ClaimRequest, Commit, CommitAnswer, JobRequest, RequestAnswer, Retention,
  Store, StoreEvent, SweepAnswer, SweepRequest,
} from '../../src/stores/store.ts'
import { jobEvent, listQuery, newJob, policy } from '../support/records.ts'
import type { EventOf } from '../support/records.ts'
import type { VirtualEnv } from '../support/virtual-env.ts'

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

/** An open store with short words for what the tests do, and all that it told its watcher. */
export class Bench {
  readonly env: VirtualEnv
  readonly events: StoreEvent[] = []
  readonly #home: StoreHome
  #store: Store

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
    this.#store.watch((event) => { this.events.push(event) })
  }

  /** Closes the store and opens what it has left behind. */
  async reopen(): Promise<void> {
    await this.#store.close()
    this.events.length = 0
    const next = this.#home.store()
    const same = next === this.#store
    this.#store = next
    if (same) await next.open({ env: this.env, report: () => undefined })
    else await this.#open()
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
    return (await this.store.readLog(queue, 0, 1_000_000)).entries
  }

  async list(queue = 'images'): Promise<readonly JobRecord[]> {
    return (await this.store.list(listQuery({ queue }))).records
  }

  async counts(queue = 'images'): Promise<Counts> {
    return must((await this.store.counts(queue)).get(queue))
  }

  /** What a test compares to see that nothing has happened. */
  async picture(): Promise<unknown> {
    const { newest } = await this.store.readLog('images', 0, 0)
    return { jobs: await this.list(), newest, events: this.events.length }
  }
}

export function must<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('there is no such value')
  return value
}

export function ids(records: readonly { readonly id: string }[]): string[] {
  return records.map(({ id }) => id)
}
