import type { Env } from '../env.ts'
import type { Json, Policy } from '../../machines/vocabulary.ts'
import type { JobRecord, NewJob } from '../records/job.ts'
import type { LogEntry } from '../records/transition.ts'
import type { ProgressAnswer, ProgressUpdate } from './progress-update.ts'
import type { Counts, Facts, Finding, ListQuery, LogPage, Page, WorkerInfo } from './reading.ts'
import type { Restoration, RestoreAnswer } from './restoration.ts'
import type { Setting } from './settings.ts'

/** What a store can promise. */
export interface Capabilities {
  /** What was acknowledged survives the end of the process. */
  readonly durable: boolean
  /** Several processes can work on it. */
  readonly multiProcess: boolean
  /** `watch` tells of changes that others made. */
  readonly push: boolean
  /** `insert` can take part in the caller's transaction. */
  readonly transactionalAdd: boolean
}

/** What an opened store gives and needs. */
export interface StoreContext {
  readonly env: Env
  /** Takes what is worth a line in a log: a torn tail that was cut, a lock that was taken over. */
  report(message: string, level?: 'info' | 'warn'): void
}

/** A store that is open. */
export interface StoreSession {
  /** Milliseconds since the epoch by the store's clock, or the best guess at it. */
  now(): number
}

/**
 * A transaction of the caller: anything that runs a statement on its connection. The answer holds
 * the rows, as a list or under `rows`.
 */
export interface Transaction {
  query(
    text: string, values: unknown[],
  ): PromiseLike<{ readonly rows: readonly unknown[] } | readonly unknown[]>
}

/** One id that exists already is an answer, not an error, if queue and task are the same. */
export interface InsertAnswer {
  /** False: this job was there already, under the same id or the same key of `dedupe`. */
  readonly created: boolean
  readonly record: JobRecord
}

export interface InsertOptions {
  /** Refuse with `queue-full` when a queue would have more queued jobs than this. */
  readonly maxQueued?: ReadonlyMap<string, number>
  /** Written in the same step. When its version has moved, nothing happens: the answer is []. */
  readonly setting?: { readonly key: string; readonly version: number; readonly value: Json }
  /** The jobs exist if this commits; nobody is told of them. Needs `transactionalAdd`. */
  readonly transaction?: Transaction
}

export interface CommitOptions {
  /** The commits hold if this does. Needs `transactionalAdd`. */
  readonly transaction?: Transaction
}

/** What bounds the claims of a queue in all processes together. */
export interface Limits {
  /** At most `max` starts in any window of `perMs`; of each partition, or of the whole queue. */
  readonly rate: {
    readonly max: number
    readonly perMs: number
    readonly perPartition: boolean
  } | null
  /** Running jobs of one partition; jobs without a partition count as one. */
  readonly perPartition: number | null
}

export interface ClaimRequest {
  readonly queue: string
  readonly worker: string
  /** At most so many jobs. */
  readonly limit: number
  /** So many, the first ones, have a slot; the others' `startedAt` stays null. Default all. */
  readonly startable?: number
  readonly leaseMs: number
  /** Only jobs of these tasks, with what task, queue and built-in rules say of them. */
  readonly tasks: ReadonlyMap<string, Policy>
  /** Not these: their abandoned handlers still run in this process. */
  readonly exclude: Iterable<string> & { has(id: string): boolean }
  readonly limits: Limits
}

export interface ClaimAnswer {
  readonly records: readonly JobRecord[]
  /** When time alone will admit a job that is ready now and was held back; null for none. */
  readonly nextAt: number | null
}

/**
 * What a job actor decided. The write happens only while the stored record has this fence and
 * this rev; the record's `operation` makes it harmless to repeat a write whose answer was lost.
 */
export interface Commit {
  readonly fence: number
  readonly rev: number
  readonly record: JobRecord
  readonly transition: LogEntry
}

export type CommitAnswer =
  | { readonly outcome: 'ok'; readonly record: JobRecord }
  /** Same fence, other rev: somebody else moved the job; decide again. */
  | { readonly outcome: 'conflict'; readonly record: JobRecord }
  /** Another fence, settled by others, or removed: the right to write is gone. */
  | { readonly outcome: 'lost' }

/** What one worker says of itself, and the leases that it holds. */
export interface Beat extends Omit<WorkerInfo, 'at'> {
  /** The last beat: the worker stops. */
  readonly leaving: boolean
  readonly leaseMs: number
  readonly held: readonly {
    readonly id: string
    readonly fence: number
    /** When its handler started, by the store's clock; null: it waits for a slot. */
    readonly startedAt: number | null
  }[]
}

export interface BeatAnswer {
  /** Held no more: another worker may have them. */
  readonly lost: readonly string[]
}

/** A change from outside the worker, decided by the chart inside the store. */
export type Request = JobRequest | QueueRequest

/** Removes a queue with all that is kept of it: `ignored` while jobs run, unless it is forced. */
export interface QueueRequest {
  readonly type: 'obliterate'
  readonly queue: string
  readonly by: string
  readonly force: boolean
}

export type JobRequest = { readonly id: string; readonly queue: string; readonly by: string } & (
  | { readonly type: 'cancel'; readonly reason: string | null }
  | { readonly type: 'retry' }
  | { readonly type: 'reschedule'; readonly runAt: number | null; readonly delayMs: number | null }
  /** With `spareAwaited`, jobs are left that another, unsettled one depends on. */
  | { readonly type: 'remove'; readonly spareAwaited: boolean }
)

export interface RequestAnswer {
  readonly outcome: 'moved' | 'ignored' | 'awaited' | 'unknown'
  /** The record now, or as it was when it was removed. */
  readonly record: JobRecord | null
}

/** How much of what is settled is kept, per queue. */
export interface Retention {
  readonly completed: number
  /** Failed and cancelled together. */
  readonly failed: number
  /** Nothing is pruned earlier than this after it settled. */
  readonly minAgeMs: number
  /** Transitions in the log. */
  readonly log: number
  /** Transitions older than this leave the log. */
  readonly logAgeMs: number
}

export interface SweepRequest {
  readonly by: string
  /** Upper bound of jobs changed by this call; there may be more to do. */
  readonly limit: number
  /** Queues that this process knows; others keep what they have. */
  readonly retention: ReadonlyMap<string, Retention>
}

export interface SweepAnswer {
  /** True when the limit was reached. */
  readonly more: boolean
  /** When there will be something to do, if nothing else happens; null for never. */
  readonly nextAt: number | null
}

/** A committed change: the fact, and the record it led to (null after a removal). */
export interface Change {
  readonly entry: LogEntry
  readonly record: JobRecord | null
}

/** A job as it is now; null: it was removed. */
export interface MovedJob {
  readonly id: string
  readonly queue: string
  readonly record: JobRecord | null
}

/** Jobs whose changes a watcher wants to hear of when others make them. */
export interface Interest {
  /** It runs here, or somebody here follows it. */
  has(id: string): boolean
  /** Those that somebody follows. */
  followed(): Iterable<string>
}

export type StoreEvent =
  /**
   * Committed through this session, told before the call is answered; a store that one process
   * holds tells what any session has done. `seq` is 0 where the log numbers later: see `tail`.
   */
  | { readonly type: 'changes'; readonly changes: readonly Change[] }
  /** Jobs of the watcher's interest that others have changed, as they are now. */
  | { readonly type: 'moved'; readonly jobs: readonly MovedJob[] }
  /** Jobs of a queue may be claimable now. */
  | { readonly type: 'wake'; readonly queue: string }
  /** Something falls due at `at`: a delay, a ttl, a lease. */
  | { readonly type: 'timer'; readonly at: number }
  | { readonly type: 'setting'; readonly key: string; readonly value: Json }
  /** What another log had told is in this one now: nothing has happened. */
  | { readonly type: 'retold'; readonly entries: readonly LogEntry[] }

/**
 * The storage contract. Every method is atomic; what takes a list is one write. Rejections are
 * `TroupeError`s; after a rejection nothing of the call has taken effect, unless the store is
 * remote and the answer was lost. Prove an implementation with `storeContract`.
 */
export interface Store {
  readonly name: string
  readonly capabilities: Capabilities
  open(context: StoreContext): Promise<StoreSession>
  close(): Promise<void>
  /**
   * All or nothing; jobs of one call may depend on each other. Rejects with `id-in-use` when an id
   * belongs to another queue or task, `unknown-parent`, `dependency-cycle`, `queue-full`.
   */
  insert(jobs: readonly NewJob[], options?: InsertOptions): Promise<readonly InsertAnswer[]>
  /**
   * The next ready jobs under the limits, each with a new fence: in the order of priority, of the
   * partitions' turns, of runAt and of insertion.
   */
  claim(request: ClaimRequest): Promise<ClaimAnswer>
  /** Each member stands or falls alone. */
  commit(
    commits: readonly Commit[], options?: CommitOptions,
  ): Promise<readonly CommitAnswer[]>
  /** Tells that a worker lives, and extends its leases. */
  renew(beat: Beat): Promise<BeatAnswer>
  /** Cancel, retry, reschedule, remove, obliterate: each member stands or falls alone. */
  apply(requests: readonly Request[]): Promise<readonly RequestAnswer[]>
  /**
   * Does what time has made due: due, expire, stall, prune, trim the log; and what the end of a
   * parent means for the children that were too many for its own commit.
   */
  sweep(request: SweepRequest): Promise<SweepAnswer>
  /**
   * Takes in settled jobs and log entries of another store, as they are; watchers hear of no
   * change. May be repeated. Rejects with `id-in-use` as `insert` does.
   */
  restore(part: Restoration): Promise<RestoreAnswer>
  get(ids: readonly string[]): Promise<readonly (JobRecord | undefined)[]>
  list(query: ListQuery): Promise<Page>
  /** Why a job of this queue does not run; null when there is no such job. */
  explain(queue: string, id: string, limits: Limits): Promise<Facts | null>
  /** Workers that are alive: that have beaten within one lease. */
  workers(): Promise<readonly WorkerInfo[]>
  /** By queue; of one queue, or of every queue that the store knows. */
  counts(queue: string | null): Promise<ReadonlyMap<string, Counts>>
  /** Entries behind number `after`, oldest first, at most `limit`. */
  readLog(queue: string, after: number, limit: number): Promise<LogPage>
  /**
   * Calls `listener` for each committed event from now on, one at a time: what a listener causes
   * comes after what is being told, for all listeners. The answer ends that.
   */
  watch(listener: (event: StoreEvent) => void, interest?: Interest): () => void
  /**
   * Calls `listener` with the entries of all queues' logs as they are numbered, each once and in
   * the order of its queue: all that `readLog` does not know when the promise resolves.
   */
  tail(listener: (entries: readonly LogEntry[]) => void): Promise<() => void>
  /** Tells of the jobs of a transaction that has committed: see `InsertOptions`. */
  wake(queue: string): void
  getSetting(key: string): Promise<Setting>
  /** Writes only if the version is still `version`; answers whether it did. */
  casSetting(key: string, version: number, value: Json): Promise<boolean>
  /** Stores progress of running jobs under their fence, whatever their rev. */
  progress(updates: readonly ProgressUpdate[]): Promise<readonly ProgressAnswer[]>
  /** What is amiss with the server behind the store, and what to do; not every store has one. */
  doctor?(): Promise<readonly Finding[]>
  /** Tells whom the store refuses because of this process where its gateway is; null: nowhere. */
  announce?(address: string | null): Promise<void>
}

export const noLimits: Limits = Object.freeze({ rate: null, perPartition: null })
