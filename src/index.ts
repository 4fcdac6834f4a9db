export { createTroupe } from './orchestrator/troupe.ts'
export type { StopOptions, Troupe, TroupeOptions } from './orchestrator/troupe.ts'
export { task } from './orchestrator/tasks.ts'
export type { InputOf, Job, ResultOf, Task, TaskDefaults, Tasks } from './orchestrator/tasks.ts'
export type { JobPage, JobSpec, ListFilter, Queue } from './orchestrator/queue.ts'
export type { QueueOptions, RetentionOptions } from './orchestrator/queue-options.ts'
export type { CancelAnswer, JobHandle, ResultOptions } from './orchestrator/handle.ts'
export type { Logger } from './orchestrator/logger.ts'
export { iterate } from './observe/iterate.ts'
export type { IterateOptions } from './observe/iterate.ts'
export type { ObserveOptions } from './observe/replay.ts'
export type { JobActorEvent, JobActorRef, JobSnapshot } from './observe/actor-ref.ts'
export type { JobRecord, TimelineEntry, TransitionEvent } from './records/job.ts'
export type { Transition } from './records/transition.ts'
export type { AddOptions } from './records/options.ts'
export type { BackoffFunction, BackoffOption } from './records/policy.ts'
export type { ProgressInput } from './records/progress.ts'
export type { StandardSchemaV1 } from './records/standard-schema.ts'
export type { Duration } from './duration.ts'
export { TroupeError, UnrecoverableError } from './errors.ts'
export type { Code, ErrorDetails, TroupeErrorOf } from './errors.ts'
export type { Env } from './env.ts'
export { memoryStore } from './stores/memory.ts'
export type { Capabilities, Counts, Store } from './stores/store.ts'
export type {
  FailureReason, JobError, Json, Phase, Progress, SettledState, State,
} from '../machines/vocabulary.ts'

import type { Queue } from './orchestrator/queue.ts'
import type { Tasks } from './orchestrator/tasks.ts'

/** The tasks of a queue: a producer imports this type only, and no handler. */
export type TasksOf<Q> = Q extends Queue<infer T extends Tasks> ? T : never
