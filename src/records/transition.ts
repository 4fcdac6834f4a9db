import { TroupeErrorOf } from '../errors.ts'
import type { JobError, Phase, Progress, State } from '../../machines/vocabulary.ts'
import type { JobRecord, TransitionEvent } from './job.ts'

/** A committed fact about one job, as the log keeps it. */
export interface LogEntry {
  /** Number in the queue's log: 1, 2, 3 …; 0 until the log has numbered it. */
  seq: number
  readonly at: number
  readonly queue: string
  readonly jobId: string
  readonly rev: number
  readonly task: string
  readonly event: TransitionEvent
  /** Null for the first transition of a job. */
  readonly from: State | null
  /** Null for a removal. */
  readonly to: State | null
  readonly phase: Phase | null
  readonly attempt: number
  readonly fence: number
  /** Who caused it. */
  readonly by: string
  readonly reason: string | null
  readonly progress: Progress | null
  readonly error: JobError | null
  /** For observers; empty until somebody observes. */
  cursor: string
}

/** A committed fact about one job, as observers get it. */
export interface Transition extends Readonly<LogEntry> {
  /** Opaque. Give it to `observe({ from })` to go on behind this transition. */
  readonly cursor: string
}

/** The entry that tells how `record` came to be what it is. */
export function toLogEntry(
  record: JobRecord, event: TransitionEvent, from: State | null, at: number, by: string,
): LogEntry {
  return {
    seq: 0,
    at,
    queue: record.queue,
    jobId: record.id,
    rev: record.rev,
    task: record.task,
    event,
    from,
    to: record.state,
    phase: record.phase,
    attempt: record.attempt,
    fence: record.fence,
    by,
    reason: record.reason,
    progress: record.progress,
    error: record.error,
    cursor: '',
  }
}

/** The entry of a job that was taken out of the store. */
export function toTombstone(record: JobRecord, at: number, by: string): LogEntry {
  const entry = toLogEntry(record, 'remove', record.state, at, by)
  return { ...entry, rev: record.rev + 1, to: null, phase: null }
}

/** Positions in the logs of queues: behind which `seq` of each queue an observer stands. */
export type Position = ReadonlyMap<string, number>

export function toCursor(position: Position): string {
  return [...position].map(([queue, seq]) => cursorOf(queue, seq)).join(',')
}

/** The cursor of somebody who watches one queue only. */
export function cursorOf(queue: string, seq: number): string {
  return `${/^[\w-]+$/.test(queue) ? queue : encodeURIComponent(queue)}:${seq}`
}

export function parseCursor(cursor: string): Map<string, number> {
  const position = new Map<string, number>()
  for (const part of cursor === '' ? [] : cursor.split(',')) {
    const match = /^([^:,]+):(\d{1,15})$/.exec(part)
    const queue = match?.[1] === undefined ? undefined : decode(match[1])
    if (queue === undefined) {
      throw new TroupeErrorOf(
        'invalid-cursor', 'the cursor is not one that a transition carried',
        { cursor: cursor.slice(0, 200) },
      )
    }
    position.set(queue, Number(match?.[2]))
  }
  return position
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
