import type { JobRecord } from '../records/job.ts'
import type { LogEntry } from '../records/transition.ts'
import type { Erasure } from './erasures.ts'
import type { StoredRow } from './picture.ts'
import type { Row } from './row.ts'
import type { Setting } from './settings.ts'
import type { Start } from './starts.ts'
import type { StoreEvent } from './store.ts'

/** The counters of a whole store. They never fall. */
export interface Counters {
  readonly fence: number
  readonly order: number
}

/** One change of one row, or an entry that another log had told. */
export type Touch = RowTouch | {
  readonly row: null
  readonly before: null
  readonly record: null
  readonly entry: LogEntry
  readonly implied?: never
}

/** What a row was (null: nothing), what it became, and the fact for the log. */
export interface RowTouch {
  readonly row: Row
  readonly before: JobRecord | null
  readonly record: JobRecord | null
  readonly entry: LogEntry | null
  /** It follows from an `Erasure` of its group: a journal need not say it. */
  readonly implied?: boolean
}

/** All that one group of operations changed: what a journal must hold, and what to publish. */
export interface Group {
  readonly settings: ReadonlyMap<string, Setting>
  readonly counters: Counters
  /** By queue: what its rate limit has to remember. */
  readonly starts: ReadonlyMap<string, readonly Start[]>
  /** By queue. */
  readonly erasures: ReadonlyMap<string, Erasure>
  readonly events: readonly StoreEvent[]
}

/** Everything as it was at one moment; records never change in place. */
export interface Snapshot {
  readonly rows: Iterable<StoredRow>
  readonly settings: ReadonlyMap<string, Setting>
  readonly counters: Counters
  /** The newest number in the log of each queue. */
  readonly logs: ReadonlyMap<string, number>
  readonly starts: ReadonlyMap<string, readonly Start[]>
}
