import { backoffMs } from '../../machines/backoff.ts'
import type { JobEvent } from '../../machines/job-events.ts'
import type { Progress } from '../../machines/vocabulary.ts'
import { parseDuration } from '../duration.ts'
import type { Env } from '../env.ts'
import type { JobRecord } from '../records/job.ts'
import { toJobError } from '../records/job-error.ts'
import { builtInPolicy } from '../records/policy.ts'
import type { Outcome } from './attempt.ts'
import type { TaskDefinition } from './tasks.ts'

/** How an attempt came to its end. */
export interface Ending {
  readonly record: JobRecord
  readonly definition: TaskDefinition
  /** Null: the handler has not ended. */
  readonly outcome: Outcome | null
  /** The latest that the handler reported. */
  readonly progress: Progress | null
  readonly timedOut: boolean
  readonly stopping: boolean
  /** Why the handler was aborted, if it was. */
  readonly reason: Error | null
}

interface Here {
  readonly env: Env
  readonly worker: string
  readonly now: () => number
  report(message: string, error: unknown): void
}

/** The event that tells the chart of the ending. */
export function endingEvent(ending: Ending, here: Here): JobEvent {
  const { record, outcome, progress, timedOut, stopping, reason } = ending
  const fact = { now: here.now(), by: here.worker, progress }
  if (outcome?.type === 'complete') return { type: 'complete', ...fact, result: outcome.result }
  if (outcome?.type === 'snooze') {
    return { type: 'snooze', ...fact, runAt: fact.now + outcome.waitMs }
  }
  // Not from `cancelling`: there the chart makes `cancelled` of all of these.
  const cancelling = record.state === 'cancelling'
  if (!cancelling && timedOut) {
    return { type: 'timeout', ...fact, ...chance(ending, reason, here), error: toJobError(reason) }
  }
  if (!cancelling && stopping) return { type: 'release', ...fact }
  if (!outcome) return { type: 'abandon', ...fact }
  if (outcome.type === 'limit') return { type: 'release', ...fact }
  const { error, reason: why, retryable, thrown } = outcome
  return { type: 'fail', ...fact, ...chance(ending, thrown, here), error, reason: why, retryable }
}

/** Chance and the user's own backoff are settled here; the chart only reads them. */
function chance(
  { record, definition }: Ending, thrown: unknown, here: Here,
): { readonly random: number; readonly computedMs: number | null } {
  const random = here.env.random()
  if (record.policy?.backoff.type !== 'custom') return { random, computedMs: null }
  const { computeBackoff } = definition
  const failures = record.failures + 1
  try {
    if (!computeBackoff) throw new Error('the task has no backoff function any more')
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    return { random, computedMs: parseDuration(computeBackoff(failures, error), 'backoff') }
  } catch (error) {
    here.report(`the backoff of task ${record.task} failed; 1 s × 2^n is used`, error)
    return { random, computedMs: backoffMs(builtInPolicy.backoff, failures, random, null) }
  }
}
