export { createTroupe } from './orchestrator/troupe.ts'
export type { StopOptions, Troupe, TroupeOptions } from './orchestrator/troupe.ts'
export { task } from './orchestrator/tasks.ts'
export type {
  InputOf, ModuleTask, ResultOf, Task, TaskDefaults, Tasks,
} from './orchestrator/tasks.ts'
export type { Job, Middleware, Parent, RunningJob } from './orchestrator/job.ts'
export type { Queue, QueueStatus, Spec, WithTransaction } from './orchestrator/queue.ts'
export type {
  QueueSchedules, Schedule, ScheduleRule, ScheduleSpec,
} from './orchestrator/schedules/schedules.ts'
export type { After, Flow, FlowHandles, JobSpec } from './orchestrator/flow.ts'
export type { JobFilterOptions, JobPage, ListOptions, TimeSpan } from './orchestrator/filter.ts'
export type {
  BulkAnswer, BulkOptions, CancelManyOptions, CleanAnswer,
} from './orchestrator/bulk.ts'
export type { Explanation } from './orchestrator/explain.ts'
export type { Telemetry } from './orchestrator/telemetry.ts'
export type { TransitionLine, TransitionWord } from './orchestrator/transition-log.ts'
export type {
  QueueOptions, RateLimitOption, RetentionOptions,
} from './orchestrator/queue-options.ts'
export type { CancelAnswer, JobHandle, ResultOptions } from './orchestrator/handle.ts'
export type { Logger } from './orchestrator/logger.ts'
export { iterate } from './observe/iterate.ts'
export type { IterateOptions } from './observe/iterate.ts'
export type { ObserveOptions } from './observe/replay.ts'
export type { JobActorEvent, JobActorRef, JobSnapshot } from './observe/actor-ref.ts'
export type {
  JobLog, JobRecord, LogLine, TimelineEntry, TransitionEvent,
} from './records/job.ts'
export type { Transition } from './records/transition.ts'
export type { AddOptions, DedupeOption } from './records/options.ts'
export type { BackoffFunction, BackoffOption } from './records/policy.ts'
export type { ProgressInput } from './records/progress.ts'
export type { StandardSchemaV1 } from './records/standard-schema.ts'
export type { Duration } from './duration.ts'
export { TroupeError, UnrecoverableError } from './errors.ts'
export type { Code, ErrorDetails, TroupeErrorOf } from './errors.ts'
export type { Env } from './env.ts'
export { memoryStore } from './stores/memory.ts'
export type { Capabilities, Change, Store, Transaction } from './stores/store.ts'
export type { Counts, Finding, WorkerInfo } from './stores/reading.ts'
export type {
  FailureReason, JobError, Json, Phase, Progress, SettledState, State,
} from '../machines/vocabulary.ts'

import type { Queue } from './orchestrator/queue.ts'
import type { Tasks } from './orchestrator/tasks.ts'

/** The tasks of a queue: a producer imports this type only, and no handler. */
export type TasksOf<Q> = Q extends Queue<infer T extends Tasks> ? T : never
