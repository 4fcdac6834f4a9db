import type { Env } from '../env.ts'
import type { Change, Limits, Retention, Store } from '../stores/store.ts'
import type { ActorOptions } from './actors.ts'
import type { Committer } from './committer.ts'
import type { RunLogic } from './job-actor.ts'
import type { Middleware } from './job.ts'
import type { Lease } from './lease.ts'
import type { Outage } from './outage.ts'
import type { ReportWriter } from './report-writer.ts'
import type { Sandbox } from './sandbox/sandbox.ts'
import type { TaskDefinition } from './tasks.ts'

export type Inspect = NonNullable<ActorOptions<RunLogic>['inspect']>

/** What one process does for its queues. */
export interface Workshop {
  readonly env: Env
  readonly store: Store
  readonly worker: string
  readonly lease: Lease
  readonly outage: Outage
  readonly committer: Committer
  readonly reportWriter: ReportWriter
  readonly middleware: readonly Middleware[]
  readonly sandbox: Sandbox
  readonly inspect: Inspect | undefined
  readonly now: () => number
  readonly newOperation: () => string
  /** A handler has committed this in a transaction of its own; the store has not told of it. */
  readonly committed: (change: Change) => void
  readonly report: (message: string, error: unknown) => void
}

export interface QueueSettings {
  readonly name: string
  readonly concurrency: number
  readonly tasks: ReadonlyMap<string, TaskDefinition>
  readonly retention: Retention
  readonly limits: Limits
  readonly maxQueued: number | null
  readonly resultLimit: number
}
