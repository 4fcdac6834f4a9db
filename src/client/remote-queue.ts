import type { Duration } from '../duration.ts'
import type {
  Counts, WireExplanation, WireJob, WirePage, WireQueue, WireTransition,
} from '../gateway/protocol.ts'
import type {
  BulkAnswer, BulkOptions, CancelManyOptions, CleanAnswer,
} from '../orchestrator/bulk.ts'
import type { JobFilterOptions, ListOptions } from '../orchestrator/filter.ts'
import type { JobSpec } from '../orchestrator/flow.ts'
import type { CancelAnswer } from '../orchestrator/handle.ts'
import type { AddArguments, Spec } from '../orchestrator/queue.ts'
import type { Schedule, ScheduleRule, ScheduleSpec } from '../orchestrator/schedules/schedules.ts'
import type { InputOf, ResultOf, Task, Tasks } from '../orchestrator/tasks.ts'
import type { RemoteJobHandle } from './remote-job.ts'
import type { RemoteStream } from './remote-stream.ts'

/** Tasks of which nothing is known: any name, any input, any result. */
export type AnyTasks = Record<string, Task<unknown, unknown>>

/** A committed fact about one job. `cursor` leads on behind it, for `observe({ from })`. */
export type RemoteTransition = WireTransition & { readonly cursor: string }

/**
 * A queue behind a gateway, with the names, arguments and answers of the library's own; what is
 * said there holds here. All verbs reject with `unreachable` when no answer comes, with
 * `gateway-refused` when the gateway will not have it (`details.code` says why), and with `stopped`
 * after `close()`.
 */
export interface RemoteQueue<T extends Tasks> {
  readonly name: string
  /** Every transition of this queue from now on, in the order of its log. */
  readonly transitions$: RemoteStream<RemoteTransition>
  /**
   * Stores a job. An `id` always goes along, a random one if you set none, so that a request whose
   * answer was lost is repeated without a second job.
   */
  add<K extends keyof T & string>(
    task: K, ...rest: AddArguments<InputOf<T[K]>>
  ): Promise<RemoteJobHandle<ResultOf<T[K]>>>
  /** A job of this queue for `client.flow`. */
  spec<K extends keyof T & string>(
    task: K, ...rest: AddArguments<InputOf<T[K]>>
  ): JobSpec<ResultOf<T[K]>>
  /** Stores all jobs or none; repeated as `add` is. */
  addMany<const S extends readonly Spec<T>[]>(
    jobs: S,
  ): Promise<{ -readonly [I in keyof S]: RemoteJobHandle<ResultOf<T[S[I]['task']]>> }>
  /** A handle on any job of this queue; nothing is asked before it is used. */
  job<Result = unknown>(id: string): RemoteJobHandle<Result>
  /** The record now, or null when there is none. */
  get(id: string): Promise<WireJob | null>
  /** Jobs of this queue, a page at a time, without input, result and log. */
  list(options?: ListOptions): Promise<WirePage>
  counts(): Promise<Counts>
  /** Pause and limits, and what you may do here. */
  status(): Promise<WireQueue>
  explain(id: string): Promise<WireExplanation>
  cancel(id: string, reason?: string): Promise<CancelAnswer>
  /** Not repeated when the answer is lost: the job may have failed once more since. */
  retry(id: string): Promise<'retried' | 'not-failed' | 'unknown'>
  remove(id: string): Promise<'removed' | 'live' | 'unknown'>
  reschedule(
    id: string, when: number | Date | 'now' | Extract<Duration, string>,
  ): Promise<'rescheduled' | 'not-queued' | 'unknown'>
  cancelMany(filter?: JobFilterOptions, options?: CancelManyOptions): Promise<BulkAnswer>
  retryMany(filter?: JobFilterOptions, options?: BulkOptions): Promise<BulkAnswer>
  clean(filter?: JobFilterOptions, options?: BulkOptions<CleanAnswer>): Promise<CleanAnswer>
  pause(): Promise<'paused' | 'already-paused'>
  resume(): Promise<'resumed' | 'not-paused'>
  readonly schedules: RemoteSchedules<T>
}

/** The schedules of a queue, as the library's. */
export interface RemoteSchedules<T extends Tasks> {
  upsert<K extends keyof T & string>(
    key: string, schedule: ScheduleSpec<T, K>,
  ): Promise<'created' | 'changed' | 'unchanged'>
  list(): Promise<readonly Schedule[]>
  get(key: string): Promise<Schedule | null>
  /**
   * The next `count` occurrences (default 10): of a stored schedule (1 to 1,000), or of a rule that
   * was never stored (1 to 100).
   */
  preview(keyOrRule: string | ScheduleRule, count?: number): Promise<readonly number[]>
  pause(key: string): Promise<'paused' | 'already-paused' | 'unknown'>
  resume(key: string): Promise<'resumed' | 'not-paused' | 'unknown'>
  /** Not repeated when the answer is lost: it would add a second job. */
  trigger(key: string): Promise<RemoteJobHandle>
  remove(key: string): Promise<'removed' | 'unknown'>
}
