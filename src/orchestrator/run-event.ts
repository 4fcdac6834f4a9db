import type { JobRecord } from '../records/job.ts'
import type { Change, CommitAnswer } from '../stores/store.ts'
import type { Outcome } from './attempt.ts'

/** What happens to a live job, one at a time, through the actor's mailbox. */
export type RunEvent =
  | { readonly type: 'handler.ended'; readonly outcome: Outcome }
  /** The queue knows of the limit that the handler reached. */
  | { readonly type: 'limit.set' }
  /** What became of an end in a transaction of the handler's. */
  | { readonly type: 'reviewed'; readonly change: Change | null; readonly record: JobRecord | null }
  | { readonly type: 'time.up' }
  | { readonly type: 'grace.up' }
  /** The store says that the job is now so: somebody else moved it, or our own commit. */
  | { readonly type: 'changed'; readonly record: JobRecord | null }
  | { readonly type: 'answered'; readonly answer: CommitAnswer }
  | { readonly type: 'lease.lost' }
  /** The process stops: the handler has `graceMs` to end, then the job is given back. */
  | { readonly type: 'stop'; readonly graceMs: number }
