import type { Env, Timer } from '../../env.ts'
import type { ProgressInput } from '../../records/progress.ts'
import type { ThreadReport } from './protocol.ts'

/** At most so many messages go out in one window, so that no handler floods the process. */
const windowMs = 100
const messagesPerWindow = 50
/** A record keeps no more lines, and no more characters of a line. */
const keptLines = 200
const keptCharacters = 64 * 1024

/**
 * Sends reports out of a thread: each at once, even from a loop that never awaits, until there are
 * too many of them; then the latest progress and the newest lines, once per window.
 */
export class ThreadReports {
  readonly #env: Pick<Env, 'after' | 'monotonic'>
  readonly #send: (report: ThreadReport) => void
  #progress: ProgressInput | null = null
  #lines: string[] = []
  #skipped = 0
  #windowAt = Number.NEGATIVE_INFINITY
  #sent = 0
  #timer: Timer | null = null
  #closed = false

  constructor(env: Pick<Env, 'after' | 'monotonic'>, send: (report: ThreadReport) => void) {
    this.#env = env
    this.#send = send
  }

  report(progress: ProgressInput): void {
    this.#progress = progress
    this.#pass()
  }

  addLine(line: string): void {
    // One more than is kept: the record marks what it had to cut.
    this.#lines.push(line.slice(0, keptCharacters + 1))
    if (this.#lines.length > keptLines) {
      this.#lines.shift()
      this.#skipped += 1
    }
    this.#pass()
  }

  /** What waits goes out, and nothing after it. */
  close(): void {
    this.#flush()
    this.#closed = true
  }

  #pass(): void {
    if (this.#closed) return
    const now = this.#env.monotonic()
    if (now - this.#windowAt >= windowMs) {
      this.#windowAt = now
      this.#sent = 0
    }
    if (this.#sent < messagesPerWindow) this.#flush()
    else this.#timer ??= this.#env.after(windowMs, () => { this.#flush() })
  }

  #flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    const progress = this.#progress
    const lines = this.#skipped === 0
      ? this.#lines : [`${this.#skipped} lines were skipped`, ...this.#lines]
    this.#progress = null
    this.#lines = []
    this.#skipped = 0
    if (progress === null && lines.length === 0) return
    this.#sent += 1
    this.#send({ progress, lines })
  }
}
