import type { JobError, SettledState } from '../../machines/vocabulary.ts'
import type { Duration } from '../duration.ts'
import type { ProgressInput } from '../records/progress.ts'
import type { Transaction } from '../stores/store.ts'

/** What a handler gets: one attempt of one job. */
export interface Job<out Input = unknown> {
  readonly id: string
  readonly queue: string
  readonly task: string
  /** A copy of the stored input (or the schema's output); the handler may change it. */
  readonly input: Input
  /** 1 for the first start. */
  readonly attempt: number
  /**
   * Rises with every claim in the store and never repeats: hand it to an outside system, and let
   * that refuse a write with a smaller one.
   */
  readonly fence: number
  readonly label: string | null
  readonly meta: unknown
  readonly partition: string | null
  /** The jobs of `dependsOn` as they ended, in that order. */
  readonly parents: readonly Parent[]
  /** Aborts on cancel, timeout, a lost lease or stop; its `reason` is a `TroupeError`. */
  readonly signal: AbortSignal
  /**
   * Reports how far the job is; never waits. A number means percent. The latest report wins: at
   * most one is stored each 100 ms, and the last one always. Throws `invalid-option` for a report
   * that makes no sense; does nothing after the attempt has ended.
   */
  progress(report: ProgressInput): void
  /** Throws `signal.reason` once the signal has aborted: call it between steps. */
  throwIfCancelled(): void
  /**
   * Keeps a line with the job: the newest 200 lines, up to 65,536 characters. Never waits; what is
   * logged after the attempt has ended is dropped.
   */
  log(line: string): void
  /** Ends this attempt and runs the job again after `wait`, without spending a retry. */
  snooze(wait: Duration): never
  /**
   * An outside limit was reached: hands this job back, uncharged and in its place in line, and no
   * job of the queue is claimed for `wait` (at least 100 ms), in any process; `queue.resume()`
   * takes that back.
   */
  limitReached(wait: Duration): never
  /**
   * Ends the job in a transaction of yours: its end, with this result, and what you write in the
   * transaction hold together, or not at all. The transaction is yours to commit; anything with
   * `query(text, values)` on its connection will do. What the handler returns then counts only if
   * the transaction was rolled back. Rejects with `job-cancelled` or `lease-lost` when the job may
   * not be completed any more: roll back then. Only on the PostgreSQL store, and not in a sandbox.
   */
  complete(transaction: Transaction, result?: unknown): Promise<void>
}

/** A job as what runs handlers sees it. */
export interface RunningJob extends Job {
  /** Where the job was added, for tracing. */
  readonly trace: string | null
  /** Calls `listener` when the handler has ended, or nobody waits for it any more. */
  onEnd(listener: () => void): void
}

/** A parent of a job, as it was when the attempt began. */
export interface Parent {
  readonly id: string
  /** Its name in the flow; null outside of a flow. */
  readonly key: string | null
  readonly queue: string | null
  readonly task: string | null
  /** `retried`: it had ended otherwise than well and lives again; `removed`: it is gone. */
  readonly state: SettledState | 'retried' | 'removed'
  /** What it returned; null unless it completed. */
  readonly result: unknown
  readonly error: JobError | null
}

/**
 * Goes around each attempt: calls `next` once for what is inside, and answers with its result or
 * another. What it throws fails the attempt. `job.snooze` and `job.limitReached` pass through it
 * as a `TroupeError` with code `snoozed` or `limit-reached`: let them go on.
 */
export type Middleware = (job: Job, next: () => Promise<unknown>) => unknown
