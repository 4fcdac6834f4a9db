import type { JobRecord } from '../records/job.ts'
import type { LogEntry } from '../records/transition.ts'
import type { LogPage } from './reading.ts'

/** A part of one queue of another store. */
export interface Restoration {
  readonly queue: string
  /** Settled jobs of this queue. Those that are there already, by id, stay as they are. */
  readonly jobs: readonly JobRecord[]
  /** Null: nothing of the log. */
  readonly log: RestoredLog | null
}

export interface RestoredLog {
  /**
   * The entries get the numbers behind this one, and are taken only if the log ends there. The
   * first ones are for an empty log: times in a log do not fall.
   */
  readonly behind: number
  /** Entries of this queue, oldest first; their own numbers and cursors do not matter. */
  readonly entries: readonly LogEntry[]
}

export interface RestoreAnswer {
  /** For each job: whether it is new; false: it was there. */
  readonly created: readonly boolean[]
  /**
   * Whether the entries are in the log at their place, by this call or by an earlier one; false
   * when none were given.
   */
  readonly logged: boolean
}

/** An id stands for one job of one queue and task. */
export function isOther(
  job: Pick<JobRecord, 'queue' | 'task'>, other: Pick<JobRecord, 'queue' | 'task'>,
): boolean {
  return job.queue !== other.queue || job.task !== other.task
}

/** An entry as another log takes it. */
export function toRetold(entry: LogEntry): LogEntry {
  return { ...entry, seq: 0, cursor: '' }
}

/** Whether the place of the entries is free, or they are there; `page`: what the log has there. */
export function judgeLog(
  { behind, entries }: RestoredLog, page: LogPage,
): 'free' | 'there' | 'taken' {
  if (page.newest === behind) return 'free'
  const isThere = entries.every((entry, index) => {
    const other = page.entries[index]
    return other?.seq === behind + index + 1 && isSame(entry, other)
  })
  return isThere ? 'there' : 'taken'
}

function isSame(a: LogEntry, b: LogEntry): boolean {
  return a.jobId === b.jobId && a.rev === b.rev && a.event === b.event && a.at === b.at
}
