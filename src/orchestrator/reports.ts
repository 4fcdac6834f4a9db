import type { Env, Timer } from '../env.ts'
import type { Progress } from '../../machines/vocabulary.ts'
import type { JobLog, LogLine } from '../records/job.ts'

/** At most one write of reports per job in this many milliseconds. */
const intervalMs = 100
const keptLines = 200
const keptCharacters = 64 * 1024

/** What a handler has reported and the store does not have yet; null: nothing new. */
export interface Report {
  readonly progress: Progress | null
  readonly log: JobLog | null
}

/**
 * Lets the first report of a job through at once, then what is new each 100 ms. The commit that
 * ends the attempt carries everything, so the last report is never lost.
 */
export class Reports {
  readonly #env: Env
  readonly #store: (report: Report) => void
  #progress: Progress | null = null
  #log: JobLog | null
  #storedProgress: Progress | null = null
  #storedLog: JobLog | null
  #timer: Timer | null = null
  #closed = false

  /** `log` is what earlier attempts have logged. */
  constructor(env: Env, log: JobLog | null, store: (report: Report) => void) {
    this.#env = env
    this.#log = log
    this.#storedLog = log
    this.#store = store
  }

  /** The latest progress of this attempt. */
  get progress(): Progress | null {
    return this.#progress
  }

  /** All lines that the job keeps. */
  get log(): JobLog | null {
    return this.#log
  }

  report(progress: Progress): void {
    if (this.#closed) return
    this.#progress = progress
    if (!this.#timer) this.#pass()
  }

  addLine(line: LogLine): void {
    if (this.#closed) return
    this.#log = extend(this.#log, line)
    if (!this.#timer) this.#pass()
  }

  /** What was passed on last was not stored: pass it on again with the next tick. */
  missed(): void {
    this.#storedProgress = null
    this.#storedLog = null
    this.#arm()
  }

  /** Nothing is passed on any more. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = null
  }

  #pass(): void {
    const report = {
      progress: this.#progress === this.#storedProgress ? null : this.#progress,
      log: this.#log === this.#storedLog ? null : this.#log,
    }
    if (!report.progress && !report.log) return
    this.#storedProgress = this.#progress
    this.#storedLog = this.#log
    this.#arm()
    this.#store(report)
  }

  #arm(): void {
    this.#timer ??= this.#env.after(intervalMs, () => {
      this.#timer = null
      this.#pass()
    })
  }
}

/** The newest lines that fit. */
function extend(log: JobLog | null, { at, attempt, text }: LogLine): JobLog {
  const line = { at, attempt, text: text.length > keptCharacters ? cut(text) : text }
  const lines = [...(log?.lines ?? []), line]
  let size = lines.reduce((sum, each) => sum + each.text.length, 0)
  let gone = 0
  while (lines.length - gone > keptLines || (size > keptCharacters && lines.length - gone > 1)) {
    size -= lines[gone]?.text.length ?? 0
    gone += 1
  }
  return { lines: lines.slice(gone), dropped: (log?.dropped ?? 0) + gone }
}

function cut(text: string): string {
  return `${text.slice(0, keptCharacters - 12).toWellFormed()} … [cut]`
}
