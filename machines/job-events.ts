import type {
  JobError, Json, Lease, ParentFailurePolicy, Policy, Progress,
} from './vocabulary.ts'

/** The part of a record that the chart reads and writes; all times are epoch milliseconds. */
export interface JobContext {
  readonly createdAt: number
  readonly runAt: number
  readonly ttlMs: number | null
  readonly expiresAt: number | null
  readonly startedAt: number | null
  readonly settledAt: number | null
  /** Starts that were charged, in this life. */
  readonly attempt: number
  /** Failed and timed-out attempts in this life; what `retries` bounds. */
  readonly failures: number
  /** Lapsed leases in this life; what `maxStalls` bounds. */
  readonly stalls: number
  /** Claims in this life that lapsed before the handler started, and cost nothing. */
  readonly releases: number
  readonly fence: number
  readonly lease: Lease | null
  readonly policy: Policy | null
  readonly openParents: number
  readonly onParentFailure: ParentFailurePolicy
  readonly progress: Progress | null
  readonly result: Json
  readonly error: JobError | null
  readonly reason: string | null
  readonly by: string | null
}

/** What every event says. */
export interface Fact {
  /** The moment, by the store's clock. */
  readonly now: number
  /** Who caused it: `worker:…`, `api`, `sweep`, or a user's name. */
  readonly by: string
}
interface Ending extends Fact {
  /** The last progress that was not stored yet joins the commit that ends the attempt. */
  readonly progress: Progress | null
}
interface Failing extends Ending {
  readonly error: JobError
  /** In [0, 1): spreads the backoff. */
  readonly random: number
  /** The answer of a custom backoff function, if the task has one. */
  readonly computedMs: number | null
}

/** Everything that can happen to a job. `now` and all chance travel inside. */
export type JobEvent =
  | (Fact & {
      readonly type: 'claim'
      readonly fence: number
      readonly lease: Lease
      readonly policy: Policy
      /** False when the claim goes to a buffer and the handler starts later. */
      readonly started: boolean
    })
  | (Ending & { readonly type: 'complete'; readonly result: Json })
  | (Failing & {
      readonly type: 'fail'
      readonly reason: 'error' | 'invalid-input'
      readonly retryable: boolean
    })
  | (Failing & { readonly type: 'timeout' })
  | (Ending & { readonly type: 'snooze'; readonly runAt: number })
  | (Ending & { readonly type: 'release' })
  | (Ending & { readonly type: 'abandon' })
  | (Fact & { readonly type: 'stall' })
  | (Fact & { readonly type: 'progress'; readonly progress: Progress })
  | (Fact & { readonly type: 'cancel'; readonly reason: string | null })
  | (Fact & { readonly type: 'due' })
  | (Fact & { readonly type: 'countParents'; readonly openParents: number })
  | (Fact & { readonly type: 'unblock' })
  | (Fact & { readonly type: 'expire' })
  | (Fact & {
      readonly type: 'parentFailed'
      readonly parent: string
      readonly how: 'failed' | 'cancelled' | 'removed'
    })
  | (Fact & { readonly type: 'reschedule'; readonly runAt: number })
  | (Fact & {
      readonly type: 'retry'
      /** Jobs that the new life has to wait for. */
      readonly openParents: number
    })

export type JobEventType = JobEvent['type']

/** One sentence for each event: shown in the docs and on the charts. */
export const jobEventDescriptions: { readonly [T in JobEventType]: string } = {
  claim: 'A worker with a free slot takes the job; the attempt and the fence rise.',
  complete: 'The handler returned a result.',
  fail: 'The handler threw, or the input did not fit the schema.',
  timeout: 'The attempt ran longer than its timeout.',
  snooze: 'The handler asked to run again later; no retry is spent.',
  release: 'The claim is handed back; nothing is charged.',
  abandon: 'The handler went on after its grace; the job moves on without it.',
  stall: 'The lease lapsed: the worker died or lost the store.',
  progress: 'The handler reported how far it is.',
  cancel: 'Somebody asked for the end of the job.',
  due: 'The time in runAt has come.',
  countParents: 'A parent ended or began a new life; others are still open.',
  unblock: 'The last parent that the job waited for has ended.',
  expire: 'The ttl passed before the first start.',
  parentFailed: 'A parent failed, was cancelled or was removed.',
  reschedule: 'Somebody moved runAt.',
  retry: 'Somebody gives a failed or cancelled job a new life.',
}
