import type { Env } from '../env.ts'
import type { Json, Policy, Progress, State, Phase } from '../../machines/vocabulary.ts'
import type { JobRecord, NewJob } from '../records/job.ts'
import type { LogEntry } from '../records/transition.ts'

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
  report(message: string): void
}

/** A store that is open. */
export interface StoreSession {
  /** Milliseconds since the epoch by the store's clock, or the best guess at it. */
  now(): number
}

/** One id that exists already is an answer, not an error, if queue and task are the same. */
export interface InsertAnswer {
  readonly created: boolean
  readonly record: JobRecord
}

export interface ClaimRequest {
  readonly queue: string
  readonly worker: string
  /** At most so many jobs. */
  readonly limit: number
  readonly leaseMs: number
  /** Only jobs of these tasks, with what task, queue and built-in rules say of them. */
  readonly tasks: ReadonlyMap<string, Policy>
  /** Not these: their abandoned handlers still run in this process. */
  readonly exclude: { has(id: string): boolean }
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
export interface Beat {
  readonly worker: string
  readonly queues: readonly string[]
  readonly tasks: readonly string[]
  readonly leaseMs: number
  readonly held: readonly { readonly id: string; readonly fence: number }[]
}

export interface BeatAnswer {
  /** Held no more: another worker may have them. */
  readonly lost: readonly string[]
}

/** A change from outside the worker, decided by the chart inside the store. */
export type Request = { readonly id: string; readonly queue: string; readonly by: string } & (
  | { readonly type: 'cancel'; readonly reason: string | null }
  | { readonly type: 'retry' }
  | { readonly type: 'reschedule'; readonly runAt: number | null; readonly delayMs: number | null }
  | { readonly type: 'remove' }
)

export interface RequestAnswer {
  readonly outcome: 'moved' | 'ignored' | 'unknown'
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

export interface ListQuery {
  readonly queue: string
  readonly states: readonly State[] | null
  readonly phase: Phase | null
  readonly task: string | null
  readonly limit: number
  /** Opaque; from the page before. */
  readonly cursor: string | null
}

export interface Page {
  /** In the order of insertion. */
  readonly records: readonly JobRecord[]
  readonly cursor: string | null
}

/** Jobs of a queue now; `ready`, `delayed` and `blocked` add up to `queued`. */
export type Counts = { readonly [K in State | Phase]: number }

export interface LogPage {
  readonly entries: readonly LogEntry[]
  /** The oldest and the newest number that the log keeps; `oldest` is `newest + 1` when empty. */
  readonly oldest: number
  readonly newest: number
}

export interface ProgressUpdate {
  readonly id: string
  readonly fence: number
  readonly by: string
  readonly progress: Progress
}

/** The record after the update, or null: another fence, or not running. */
export type ProgressAnswer = JobRecord | null

/** A committed change: the fact, and the record it led to (null after a removal). */
export interface Change {
  readonly entry: LogEntry
  readonly record: JobRecord | null
}

export type StoreEvent =
  /** Committed, in the order of the queues' logs. */
  | { readonly type: 'changes'; readonly changes: readonly Change[] }
  /** Jobs of a queue may be claimable now. */
  | { readonly type: 'wake'; readonly queue: string }
  /** Something falls due at `at`: a delay, a ttl, a lease. */
  | { readonly type: 'timer'; readonly at: number }
  | { readonly type: 'setting'; readonly key: string; readonly value: Json }

export interface Setting {
  readonly value: Json
  /** 0 when it was never set. */
  readonly version: number
}

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
  /** All or nothing. Rejects with `id-in-use` when an id belongs to another queue or task. */
  insert(jobs: readonly NewJob[]): Promise<readonly InsertAnswer[]>
  /** The next ready jobs in the order of (priority, runAt, insertion), each with a new fence. */
  claim(request: ClaimRequest): Promise<readonly JobRecord[]>
  /** Each member stands or falls alone. */
  commit(commits: readonly Commit[]): Promise<readonly CommitAnswer[]>
  /** Tells that a worker lives, and extends its leases. */
  renew(beat: Beat): Promise<BeatAnswer>
  /** Cancel, retry, reschedule, remove: each member stands or falls alone. */
  apply(requests: readonly Request[]): Promise<readonly RequestAnswer[]>
  /** Does what time has made due: due, expire, stall, prune, trim the log. */
  sweep(request: SweepRequest): Promise<SweepAnswer>
  get(ids: readonly string[]): Promise<readonly (JobRecord | undefined)[]>
  list(query: ListQuery): Promise<Page>
  /** By queue; of one queue, or of every queue that the store knows. */
  counts(queue: string | null): Promise<ReadonlyMap<string, Counts>>
  /** Entries behind number `after`, oldest first, at most `limit`. */
  readLog(queue: string, after: number, limit: number): Promise<LogPage>
  /**
   * Calls `listener` for each committed event from now on, one at a time: what a listener causes
   * comes after what is being told, for all listeners. The answer ends that.
   */
  watch(listener: (event: StoreEvent) => void): () => void
  getSetting(key: string): Promise<Setting>
  /** Writes only if the version is still `version`; answers whether it did. */
  casSetting(key: string, version: number, value: Json): Promise<boolean>
  /** Stores progress of running jobs under their fence, whatever their rev. */
  progress(updates: readonly ProgressUpdate[]): Promise<readonly ProgressAnswer[]>
}

/** The key of a queue's durable settings. */
export function queueSettingKey(queue: string): string {
  return `queue:${queue}`
}

/** Whether the durable setting of a queue says that it is paused. */
export function isPausedSetting(value: Json): boolean {
  return typeof value === 'object' && value !== null && 'paused' in value && value.paused === true
}
