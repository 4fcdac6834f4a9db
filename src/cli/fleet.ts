import type { JobError } from '../../machines/vocabulary.ts'
import type {
  BulkAnswer, BulkOptions, CancelManyOptions, CleanAnswer,
} from '../orchestrator/bulk.ts'
import type { Explanation } from '../orchestrator/explain.ts'
import type { JobFilterOptions, ListOptions } from '../orchestrator/filter.ts'
import type { CancelAnswer } from '../orchestrator/handle.ts'
import type { Queue, QueueStatus } from '../orchestrator/queue.ts'
import type { QueueSchedules, Schedule } from '../orchestrator/schedules/schedules.ts'
import type { Tasks } from '../orchestrator/tasks.ts'
import type { JobRecord } from '../records/job.ts'
import type { Transition } from '../records/transition.ts'
import type { Counts, Finding, WorkerInfo } from '../stores/reading.ts'
import type { Store } from '../stores/store.ts'
import type { State } from '../../machines/vocabulary.ts'

/** A job as every target shows it. */
export type JobView = Omit<
  JobRecord, 'operation' | 'trace' | 'releases' | 'options' | 'parentKeys'
>

/** A job of a list. */
export type JobLine = Omit<JobView, 'input' | 'result' | 'log' | 'timeline' | 'error'> & {
  readonly error: Pick<JobError, 'name' | 'message' | 'code'> | null
}

export interface JobLines {
  readonly jobs: readonly JobLine[]
  readonly cursor: string | null
  readonly stopped: { readonly scanned: number; readonly createdAt: number } | null
}

export interface Added {
  readonly id: string
  readonly queue: string
  readonly created: boolean
  readonly foundIn: State | null
}

/** Options of `add` and of a schedule, as they were typed: the target checks them. */
export type Typed = Readonly<Record<string, unknown>>

/** The schedules of a queue, whatever its tasks are. */
export interface FleetSchedules extends Pick<
  QueueSchedules<Tasks>, 'pause' | 'resume' | 'remove'
> {
  upsert(key: string, schedule: Typed): Promise<'created' | 'changed' | 'unchanged'>
  list(): Promise<readonly Schedule[]>
  get(key: string): Promise<Schedule | null>
  preview(key: string, count?: number): Promise<readonly number[]>
  trigger(key: string): Promise<Added>
}

/** A queue of the target, whatever its tasks are. */
export interface FleetQueue extends Pick<
  Queue<Tasks>, 'name' | 'retry' | 'remove' | 'reschedule' | 'pause' | 'resume'
> {
  add(task: string, input: unknown, options: Typed): Promise<Added>
  addMany(jobs: readonly Typed[]): Promise<readonly Added[]>
  get(id: string): Promise<JobView | null>
  list(options?: ListOptions): Promise<JobLines>
  counts(): Promise<Counts>
  status(): Promise<Pick<QueueStatus, 'paused' | 'limitedUntil'>>
  explain(id: string): Promise<Omit<Explanation, 'record'>>
  cancel(id: string, reason?: string): Promise<CancelAnswer>
  cancelMany(filter: JobFilterOptions, options: CancelManyOptions): Promise<BulkAnswer>
  retryMany(filter: JobFilterOptions, options: BulkOptions): Promise<BulkAnswer>
  clean(filter: JobFilterOptions, options: BulkOptions<CleanAnswer>): Promise<CleanAnswer>
  readonly schedules: FleetSchedules
}

export interface TransitionListener {
  next(transition: Transition): void
  error(error: unknown): void
  complete(): void
}

/** What the commands need of their target: a store, or the gateway of a process. */
export interface Fleet {
  /** How messages call it. */
  readonly name: string
  /** Others work on it while it is open here. */
  readonly isShared: boolean
  /** The store itself; null: it is behind a gateway. */
  readonly store: Store | null
  /** The queues there are. */
  names(): Promise<readonly string[]>
  queue(name: string): FleetQueue
  /** The queue that has a job of this id, or null. */
  queueOf(id: string): Promise<FleetQueue | null>
  workers(): Promise<readonly WorkerInfo[]>
  doctor(): Promise<readonly Finding[]>
  /** The job when it has settled; null when it was removed before, or never there. */
  settled(queue: string, id: string): Promise<JobView | null>
  /** Transitions from now on, of one queue or of all; the answer ends that. */
  transitions(queue: string | null, listener: TransitionListener): () => void
  close(): Promise<void>
}
