import type { LogEntry } from '../records/transition.ts'
import { holds } from './invariants.ts'

export type Ending = 'complete' | 'fail' | 'fatal' | 'snooze' | 'limit'

/** One handler, as it knows itself. */
export interface Run {
  readonly worker: string
  readonly id: string
  readonly fence: number
  readonly attempt: number
  /** Null while it runs. */
  ended: Ending | 'aborted' | null
  /** `current` of its last report. */
  reported: number | null
  /** The code of the error that its signal was aborted with. */
  aborted: string | null
  /** Its process is no more, or has left it behind. */
  dead: boolean
  finish: (ending: Ending) => void
}

/** What the handlers themselves say has happened: the witness against store and log. */
export class HandlerJournal {
  readonly runs: Run[] = []

  /** Handlers that run in a process, abandoned ones too. */
  running(worker: string): Run[] {
    return this.runs.filter((run) => run.worker === worker && run.ended === null && !run.dead)
  }

  waiting(): Run[] {
    return this.runs.filter((run) => run.ended === null && !run.dead)
  }

  /** Whether a process has, or had, a handler that would not end: it may pass the job over. */
  mayPassOver(worker: string, id: string): boolean {
    return this.runs.some((run) =>
      run.worker === worker && run.id === id && (run.ended === null || run.aborted !== null))
  }

  begin(run: Run, concurrency: number): void {
    const beside = this.running(run.worker)
    holds(beside.length < concurrency, 'never more handlers than concurrency', { run, beside })
    const twice = beside.some(({ id }) => id === run.id)
    holds(!twice, 'no job runs twice in a process', { run, beside })
    holds(!this.runs.some(({ fence }) => fence === run.fence), 'a claim starts once', run)
    this.runs.push(run)
  }

  /** A process has stopped, and what still runs of it is nobody's concern any more. */
  leaveBehind(worker: string): void {
    for (const run of this.running(worker)) run.dead = true
  }

  /** A process was killed; what its handlers had just said may never have been heard. */
  bury(worker: string): void {
    for (const run of this.runs) if (run.worker === worker) run.dead = true
  }

  /**
   * Each start was claimed; each settlement is that of its own handler; a handler that has ended
   * and was not cut off has brought its job forward, with its last report. Only when all is quiet.
   */
  check(log: readonly LogEntry[]): void {
    const claims = new Map<number, LogEntry>()
    const endings = new Map<number, LogEntry>()
    for (const entry of log) {
      if (entry.event === 'claim') claims.set(entry.fence, entry)
      else if (entry.from === 'running' || entry.from === 'cancelling') {
        if (entry.to !== entry.from && entry.to !== 'cancelling') endings.set(entry.fence, entry)
      }
    }
    for (const run of this.runs) {
      const claim = claims.get(run.fence)
      const same = claim?.jobId === run.id && claim.attempt === run.attempt &&
        claim.by === run.worker
      holds(same, 'what starts was claimed', { run, claim })
      checkEnding(run, endings.get(run.fence))
    }
    const byFence = new Map(this.runs.map((run) => [run.fence, run]))
    for (const [fence, entry] of endings) checkCause(entry, byFence.get(fence))
  }
}

const said: Readonly<Record<Ending, readonly string[]>> = {
  complete: ['complete'], fail: ['fail'], fatal: ['fail'], snooze: ['snooze'],
  // A limit that cannot be stored holds back its own job.
  limit: ['release', 'snooze'],
}

/** What others may do to a running job before its handler has its word. */
const overtaken = ['stall', 'timeout', 'abandon', 'release']

function checkEnding(run: Run, entry: LogEntry | undefined): void {
  if (run.ended === null || run.dead) return
  holds(entry !== undefined, 'who has ended has brought the job forward', run)
  if (run.ended === 'aborted' || overtaken.includes(entry.event)) return
  holds(said[run.ended].includes(entry.event), 'the job says what its handler said', { run, entry })
  if (run.reported === null) return
  const last = entry.progress?.current
  holds(last === run.reported, 'the last progress is never lost', { run, entry })
}

function checkCause(entry: LogEntry, run: Run | undefined): void {
  if (overtaken.includes(entry.event)) return
  // It was cancelled while its parents were read: its handler never started.
  if (!run && entry.to === 'cancelled' && entry.error?.code === 'job-cancelled') return
  holds(run !== undefined && run.ended !== null, 'only a handler ends its job', { entry, run })
  holds(entry.by === run.worker, 'only its own process ends a job', { entry, run })
}
