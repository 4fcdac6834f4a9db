/**
 * The words that every other file uses. One word per idea; nothing here depends on anything.
 * A chart, a record, a wire message and a page all speak with these unions.
 */

/** The six states of a job. The last three are settled. */
export const states = [
  'queued', 'running', 'cancelling', 'completed', 'failed', 'cancelled',
] as const
export type State = (typeof states)[number]

/** The three phases of `queued`: claimable, waiting for `runAt`, waiting for other jobs. */
export const phases = ['ready', 'delayed', 'blocked'] as const
export type Phase = (typeof phases)[number]

export const settledStates = ['completed', 'failed', 'cancelled'] as const
export type SettledState = (typeof settledStates)[number]

/** Why a job is `failed`. */
export const failureReasons = [
  'error', 'timeout', 'expired', 'stalled', 'dependency', 'invalid-input',
] as const
export type FailureReason = (typeof failureReasons)[number]

/** What a child does when a parent fails, is cancelled or is removed. */
export const parentFailurePolicies = ['fail', 'run', 'wait'] as const
export type ParentFailurePolicy = (typeof parentFailurePolicies)[number]

/** Any value that JSON can carry, unchanged, in both directions. */
export type Json =
  | string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** How far a job has come. `percent` is derived when `total` is known. */
export interface Progress {
  readonly current: number
  readonly total: number | null
  readonly message: string | null
  readonly percent: number | null
}

/** A thrown value in a form that JSON keeps. `truncated` says that something was cut. */
export interface JobError {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: JobError
  readonly truncated?: true
}

/** The time-limited right to run a job, given by a claim. */
export interface Lease {
  readonly worker: string
  /** Milliseconds since the epoch, by the store's clock. */
  readonly until: number
}

/** How long to wait before another attempt; `custom` is computed by the task's own function. */
export type Backoff =
  | { readonly type: 'fixed'; readonly delayMs: number; readonly jitter: number }
  | {
      readonly type: 'exponential'
      readonly delayMs: number
      readonly maxMs: number
      readonly jitter: number
    }
  | { readonly type: 'custom' }

/** The rules of one job as they were resolved when it was claimed. */
export interface Policy {
  readonly retries: number
  readonly backoff: Backoff
  readonly timeoutMs: number | null
  readonly maxStalls: number
  readonly cancelGraceMs: number
}
