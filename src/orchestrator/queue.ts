import type { Observable } from 'rxjs'
import type { Duration } from '../duration.ts'
import type { JobRecord } from '../records/job.ts'
import type { AddOptions } from '../records/options.ts'
import type { Transition } from '../records/transition.ts'
import type { Counts } from '../stores/reading.ts'
import type { Transaction } from '../stores/store.ts'
import type { BulkAnswer, BulkOptions, CancelManyOptions, CleanAnswer } from './bulk.ts'
import type { Explanation } from './explain.ts'
import type { JobFilterOptions, JobPage, ListOptions } from './filter.ts'
import type { JobSpec } from './flow.ts'
import type { CancelAnswer, JobHandle } from './handle.ts'
import type { QueueSchedules } from './schedules/schedules.ts'
import type { InputField, InputOf, JsonSafe, ResultOf, Tasks } from './tasks.ts'

/** One job of `addMany`: the task, its input, and the options of `add`. */
export type Spec<T extends Tasks> = {
  [K in keyof T & string]: AddOptions & { readonly task: K } & InputField<InputOf<T[K]>>
}[keyof T & string]

/** What `add` takes besides what is kept with the job. */
export interface WithTransaction {
  /**
   * A transaction of yours: the job exists if, and only if, it commits. Anything that runs a
   * statement on its connection will do. Nobody is told of the job before: `wake()` of the handle
   * starts it at once after the commit, without it a worker finds it within 5 s. Only on the
   * PostgreSQL store.
   */
  readonly transaction?: Transaction
}

export type AddArguments<Input, Options = AddOptions> = undefined extends Input
  ? [input?: JsonSafe<Input>, options?: Options]
  : [input: JsonSafe<Input>, options?: Options]

/** What holds for a queue now. */
export interface QueueStatus {
  /** `pause()` holds for every process. */
  readonly paused: boolean
  /** A handler has said that a limit was reached: no claims before, epoch milliseconds; or null. */
  readonly limitedUntil: number | null
  readonly rateLimit: {
    readonly max: number
    readonly perMs: number
    readonly perPartition: boolean
  } | null
  readonly concurrencyPerPartition: number | null
  readonly maxQueued: number | null
  /** This process: the tasks that it has handlers for, and how many of these may run at once. */
  readonly tasks: readonly string[]
  readonly concurrency: number
  /** This process: handlers that run, abandoned ones included. */
  readonly running: number
  /** This process: the state of the control chart. */
  readonly state: string
}

/** A named stream of jobs. `T` maps its tasks to their handlers. */
export interface Queue<T extends Tasks> {
  readonly name: string
  /** Every transition of this queue from now on, in the order of its log. */
  readonly transitions$: Observable<Transition>
  /** Stores a job; resolves when it is stored, as durably as the store can. */
  add<K extends keyof T & string>(
    task: K, ...rest: AddArguments<InputOf<T[K]>, AddOptions & WithTransaction>
  ): Promise<JobHandle<ResultOf<T[K]>>>
  /** A job of this queue for `troupe.flow`; nothing is checked or stored before that. */
  spec<K extends keyof T & string>(
    task: K, ...rest: AddArguments<InputOf<T[K]>>
  ): JobSpec<ResultOf<T[K]>>
  /** Stores all jobs or none. A fault names the index of its job. */
  addMany<const S extends readonly Spec<T>[]>(
    jobs: S, options?: WithTransaction,
  ): Promise<{ -readonly [I in keyof S]: JobHandle<ResultOf<T[S[I]['task']]>> }>
  /** A handle on any job of this queue; nothing is read before it is used. */
  job<Result = unknown>(id: string): JobHandle<Result>
  /** The record now, or null when there is none. */
  get(id: string): Promise<JobRecord | null>
  /** Jobs of this queue, a page at a time; `cursor` of a page leads to the next one. */
  list(options?: ListOptions): Promise<JobPage>
  /** Jobs by state and phase; what a process has claimed and holds for its next slot is running. */
  counts(): Promise<Counts>
  /** Pause and limits as they are now, and what this process does for the queue. */
  status(): Promise<QueueStatus>
  /** Why a job does not run, or since when it does: as a sentence, and as data. */
  explain(id: string): Promise<Explanation>
  /** Asks for the end of a job, wherever it runs. */
  cancel(id: string, reason?: string): Promise<CancelAnswer>
  /** Gives a failed or cancelled job a new life. */
  retry(id: string): Promise<'retried' | 'not-failed' | 'unknown'>
  /** Takes a job that is not running out of the store. */
  remove(id: string): Promise<'removed' | 'live' | 'unknown'>
  /**
   * Cancels the jobs of a filter, those that are not settled, in batches of 500, the newest first.
   * Like all bulk verbs it leaves alone what is added meanwhile, and a refusal of the store leaves
   * the batches before it done.
   */
  cancelMany(filter?: JobFilterOptions, options?: CancelManyOptions): Promise<BulkAnswer>
  /** Retries the jobs of a filter, those that failed or were cancelled: the oldest first. */
  retryMany(filter?: JobFilterOptions, options?: BulkOptions): Promise<BulkAnswer>
  /**
   * Removes the jobs of a filter, in batches of 500, the newest first: settled ones, unless the
   * filter names another state or a phase. Running jobs stay, and jobs that others depend on:
   * `awaited` counts these.
   */
  clean(filter?: JobFilterOptions, options?: BulkOptions<CleanAnswer>): Promise<CleanAnswer>
  /**
   * Removes the queue from the store: its jobs, log, settings and schedules. Answers `'running'`,
   * and does nothing, while jobs run; with `force` these lose their lease and are aborted.
   */
  obliterate(options?: { readonly force?: boolean }): Promise<'obliterated' | 'running'>
  /** Stored rules that add jobs. */
  readonly schedules: QueueSchedules<T>
  /** Moves a queued job: to a time (epoch ms or Date), by a duration (`'10s'`), or to `'now'`. */
  reschedule(
    id: string, when: number | Date | 'now' | Extract<Duration, string>,
  ): Promise<'rescheduled' | 'not-queued' | 'unknown'>
  /** Durable and for every process: once it has answered no job is claimed. What runs goes on. */
  pause(): Promise<'paused' | 'already-paused'>
  /** Takes back `pause`, `job.limitReached`, and a `drain` of this process. */
  resume(): Promise<'resumed' | 'not-paused'>
  /**
   * This process: claims no more, resolves when what runs here has ended; stays paused here.
   * Throws `not-started`.
   */
  drain(): Promise<void>
  /**
   * Resolves when nothing runs here and nothing more can be claimed, now or when a rate limit
   * has passed. Throws `not-started`.
   */
  idle(): Promise<void>
}
