import type { CancelAnswer, Json, SettledState } from '../../index.ts'
import type { JobRecord } from '../../records/job.ts'
import type { LogEntry } from '../../records/transition.ts'
import type { Limits } from '../../stores/store.ts'
import type { Ending } from '../handler-journal.ts'

/** What one process knows by itself, as it happens: a line is written before anything follows. */
export type JournalLine = {
  /** For a journal of several queues. */
  readonly queue?: string
} & (
  /** A handler begins. */
  | {
      readonly what: 'start'
      readonly id: string
      readonly fence: number
      readonly attempt: number
      readonly at: number
    }
  /** It is about to end so; the end of a process leaves it without this line. */
  | {
      readonly what: 'end'
      readonly id: string
      readonly fence: number
      readonly at: number
      readonly ending: Ending | 'aborted'
      /** What it returns, if it completes. */
      readonly result: Json
      /** `current` of its last report. */
      readonly reported: number | null
      /** The code that its signal was aborted with. */
      readonly aborted: string | null
    }
  /** `add` has answered. */
  | { readonly what: 'added'; readonly id: string }
  /** `cancel` has answered. */
  | { readonly what: 'cancel'; readonly id: string; readonly answer: CancelAnswer }
  /** `retry` has answered that there is a new life. */
  | { readonly what: 'retried'; readonly id: string }
  /** `result()` has answered. */
  | {
      readonly what: 'seen'
      readonly id: string
      readonly state: SettledState
      readonly result: Json
    }
)

export interface Journal {
  /** Each process that ever ran has a name of its own here. */
  readonly process: string
  /** How it is called in the log; after a restart there may be two of the same name. */
  readonly worker: string
  /** It was killed, or left behind what did not end: what it had just said may be unheard. */
  readonly killed: boolean
  readonly lines: readonly JournalLine[]
}

/** All that is known of one queue from its first entry on, at a moment when all is quiet. */
export interface History {
  readonly log: readonly LogEntry[]
  readonly records: readonly JobRecord[]
  readonly journals: readonly Journal[]
  /** What observers were told: each a piece of the log. */
  readonly told?: readonly (readonly LogEntry[])[]
  readonly bounds: {
    /** Handlers at once, in each process. */
    readonly concurrency: number
    readonly limits?: Limits
  }
  /** Settled jobs may have been pruned. Default false. */
  readonly pruned?: boolean
}

export type LineOf<What extends JournalLine['what']> = Extract<JournalLine, { readonly what: What }>

/** The lines of one kind, with the journal that each comes from. */
export function linesOf<What extends JournalLine['what']>(
  { journals }: Pick<History, 'journals'>, what: What,
): { readonly journal: Journal; readonly line: LineOf<What> }[] {
  return journals.flatMap((journal) => journal.lines
    .filter((line): line is LineOf<What> => line.what === what)
    .map((line) => ({ journal, line })))
}

/** What a journal of several queues says of one of them. */
export function ofQueue(journal: Journal, name: string): Journal {
  return { ...journal, lines: journal.lines.filter(({ queue }) => queue === name) }
}

/** One line of text to a line; a torn last one never was said. */
export function parseLines(text: string): JournalLine[] {
  return text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as JournalLine)
}

/** The entries of each job, in the order of the log. */
export function byJob(log: readonly LogEntry[]): Map<string, LogEntry[]> {
  const jobs = new Map<string, LogEntry[]>()
  for (const entry of log) {
    const entries = jobs.get(entry.jobId)
    if (entries) entries.push(entry)
    else jobs.set(entry.jobId, [entry])
  }
  return jobs
}
