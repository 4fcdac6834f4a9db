import type { JobError, Progress, State } from '../../machines/vocabulary.ts'
import type { TransitionEvent } from '../records/job.ts'
import type { LogEntry } from '../records/transition.ts'
import type { Change } from '../stores/store.ts'
import type { Logger } from './logger.ts'
import { timingsOf } from './timings.ts'
import type { Timings } from './timings.ts'

/**
 * What a transition is called in logs and metrics. The word says what happened, `state` what the
 * job is now: `timed-out` and `stalled` jobs are `queued` again or `failed`.
 */
export type TransitionWord =
  | 'added' | 'claimed' | 'progress' | 'completed'
  /** The attempt failed; `retrying` has another one to come. */
  | 'failed' | 'retrying' | 'timed-out' | 'stalled' | 'expired'
  | 'snoozed' | 'released'
  /** `cancelling`: the handler was told. `cancelled`: the end. */
  | 'cancelling' | 'cancelled'
  /** `runAt` has come; the parents have ended; one of several parents has ended. */
  | 'due' | 'unblocked' | 'blocked'
  /** By hand: `runAt` was moved, a new life was given, the job was taken out. */
  | 'rescheduled' | 'retried' | 'removed'

/** The fields of the line that a transition gives. Times in milliseconds. */
export interface TransitionLine extends Timings {
  readonly queue: string
  readonly jobId: string
  readonly task: string
  readonly label: string | null
  readonly attempt: number
  /** Null: the job was removed. */
  readonly state: State | null
  /** Who caused it. */
  readonly by: string
  /** Why the job failed, or was cancelled. */
  readonly reason: string | null
  /** Number in the queue's log; 0 where the store numbers later. */
  readonly seq: number
  /** Only on a line that tells of a failure; the message is cut at 1,024 characters. */
  readonly error?: { readonly name: string; readonly message: string }
  /** Only on a line that tells of progress. */
  readonly progress?: Progress
}

const words: { readonly [E in TransitionEvent]: TransitionWord } = {
  add: 'added', claim: 'claimed', progress: 'progress', complete: 'completed', fail: 'failed',
  timeout: 'timed-out', stall: 'stalled', expire: 'expired', parentFailed: 'failed',
  snooze: 'snoozed', release: 'released', abandon: 'cancelled', cancel: 'cancelling', due: 'due',
  unblock: 'unblocked', countParents: 'blocked', reschedule: 'rescheduled', retry: 'retried',
  remove: 'removed',
}

const failures: ReadonlySet<TransitionEvent> = new Set(['fail', 'timeout', 'parentFailed'])
const messageLimit = 1024

/** The word for a transition. */
export function wordOf({ event, to }: Pick<LogEntry, 'event' | 'to'>): TransitionWord {
  if (to === 'cancelled') return 'cancelled'
  return event === 'fail' && to === 'queued' ? 'retrying' : words[event]
}

/** Writes the line of a transition: progress for `debug`, all else for `info`, if there is one. */
export function logTransition(logger: Logger, change: Change): void {
  const level = change.entry.event === 'progress' ? 'debug' : 'info'
  logger[level]?.(toLine(change), `queue.job.${wordOf(change.entry)}`)
}

function toLine(change: Change): TransitionLine {
  const { queue, jobId, task, attempt, to, by, reason, seq, event, error, progress } = change.entry
  return {
    queue, jobId, task, label: change.record?.label ?? null, attempt, state: to, by, reason, seq,
    ...timingsOf(change),
    ...(error && failures.has(event) ? { error: brief(error) } : {}),
    ...(progress && event === 'progress' ? { progress } : {}),
  }
}

function brief({ name, message }: JobError): NonNullable<TransitionLine['error']> {
  const cut = (text: string): string => text.slice(0, messageLimit).toWellFormed()
  return { name: cut(name), message: cut(message) }
}
