import type { Json, Phase, State } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../records/job.ts'
import type { LogEntry } from '../records/transition.ts'

/**
 * What a list can be sorted by: `createdAt` means the order of insertion. Equal ones are in the
 * order of insertion, too, in a descending list in the opposite one.
 */
export const sortKeys = ['createdAt', 'runAt', 'settledAt', 'priority'] as const
export type SortKey = (typeof sortKeys)[number]

/** From `from` on, and before `to`; epoch milliseconds. */
export interface TimeRange {
  readonly from: number | null
  readonly to: number | null
}

/** Which jobs; null means any. */
export interface JobFilter {
  readonly queue: string
  readonly states: readonly State[] | null
  readonly phase: Phase | null
  readonly task: string | null
  readonly partition: string | null
  /** The job's meta has these properties with these values. */
  readonly meta: { readonly [key: string]: Json } | null
  /** In id, label, input, meta, result or error, in large or small letters. */
  readonly text: string | null
  readonly created: TimeRange | null
  readonly settled: TimeRange | null
}

export interface ListQuery extends JobFilter {
  readonly sort: SortKey
  readonly descending: boolean
  readonly limit: number
  /** Opaque; from the page before. */
  readonly cursor: string | null
}

export interface Page {
  readonly records: readonly JobRecord[]
  readonly cursor: string | null
  /**
   * A search for text ends after 10,000 rows or 100 ms: before the page was full, when this says
   * where. `cursor` goes on from there.
   */
  readonly stopped: { readonly scanned: number; readonly createdAt: number } | null
}

/** What the store knows of why a job does not run. */
export interface Facts {
  readonly record: JobRecord
  readonly paused: boolean
  /** A handler has said that a limit was reached: no claims before. */
  readonly limitedUntil: number | null
  /** The rate limit holds it back: until then, or with null for ever (`max: 0`). */
  readonly rate: { readonly until: number | null } | null
  /** Running jobs of its partition. */
  readonly partitionRunning: number
  /** Ready jobs that are claimed before it. */
  readonly ahead: number
  /** Jobs of `dependsOn` and `after`; `record` is null when it was removed. */
  readonly parents: readonly {
    readonly id: string
    readonly record: JobRecord | null
    /** The job waits for this one. */
    readonly open: boolean
  }[]
}

/** Jobs of a queue now; `ready`, `delayed` and `blocked` add up to `queued`. */
export type Counts = { readonly [K in State | Phase]: number }

export interface LogPage {
  readonly entries: readonly LogEntry[]
  /** The oldest and the newest number that the log keeps; `oldest` is `newest + 1` when empty. */
  readonly oldest: number
  readonly newest: number
}

/** A worker as its last beat tells. */
export interface WorkerInfo {
  readonly worker: string
  /** The queues that it has declared, with the tasks that it has handlers for. */
  readonly queues: readonly { readonly name: string; readonly tasks: readonly string[] }[]
  readonly version: string
  readonly startedAt: number
  /** Handlers that run, abandoned ones included. */
  readonly running: number
  /** The time of the last beat. */
  readonly at: number
}

/** One thing that a doctor looked at. */
export interface Finding {
  /** What was looked at, in a word: `schema`, `clock`, `workers`, … */
  readonly check: string
  readonly level: 'ok' | 'warning' | 'error'
  /** What was found, with its figures. */
  readonly found: string
  /** What to do about it; null where nothing need be done. */
  readonly advice: string | null
}
