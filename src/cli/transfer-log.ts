import type { LogEntry } from '../records/transition.ts'
import type { Store } from '../stores/store.ts'
import type { TransferEntry } from './transfer-lines.ts'

/** What an import did with the log. */
export interface LogFigures {
  /** Entries of the log that are in the target's now. */
  transitions: number
  /** What stays in the file. */
  readonly left: { transitions: number }
}

const batchSize = 500

/**
 * Carries the log of an export over, into queues whose log is empty; a log that begins with the
 * same entries is one that an import before has carried. Lives whose beginning the old log had
 * trimmed are left: who folds the log would count them from nothing.
 */
export class LogImport {
  readonly #store: Store | null
  readonly #dryRun: boolean
  readonly #figures: LogFigures
  readonly #note: (text: string) => void
  readonly #leftOut = new Set<string>()
  /** Jobs whose add the log has told. */
  readonly #begun = new Set<string>()
  /** Behind which number the next entries of a queue belong; null: its log takes no more. */
  readonly #ends = new Map<string, number | null>()
  #batch: LogEntry[] = []

  constructor(
    store: Store | null, dryRun: boolean, figures: LogFigures, note: (text: string) => void,
  ) {
    this.#store = store
    this.#dryRun = dryRun
    this.#figures = figures
    this.#note = note
  }

  /** What the log tells of this job stays in the file. */
  leaveOut(id: string): void {
    this.#leftOut.add(id)
  }

  async take(entry: TransferEntry): Promise<void> {
    const { jobId, event, queue } = entry
    if (event === 'add') this.#begun.add(jobId)
    if (!this.#store || this.#leftOut.has(jobId) || !this.#begun.has(jobId)) {
      this.#figures.left.transitions += 1
      return
    }
    const [first] = this.#batch
    if (first && (this.#batch.length >= batchSize || first.queue !== queue)) await this.flush()
    this.#batch.push({ ...entry, cursor: '' })
  }

  async flush(): Promise<void> {
    const entries = this.#batch
    const [first] = entries
    this.#batch = []
    if (!first || !this.#store) return
    const { queue } = first
    const behind = await this.#endOf(this.#store, queue)
    if (behind === null || !await this.#retell(this.#store, queue, behind, entries)) {
      this.#figures.left.transitions += entries.length
      return
    }
    this.#ends.set(queue, behind + entries.length)
    this.#figures.transitions += entries.length
  }

  async #endOf(store: Store, queue: string): Promise<number | null> {
    const known = this.#ends.get(queue)
    if (known !== undefined) return known
    return (await store.readLog(queue, 0, 1)).oldest - 1
  }

  async #retell(
    store: Store, queue: string, behind: number, entries: readonly LogEntry[],
  ): Promise<boolean> {
    if (this.#dryRun) return true
    const { logged } = await store.restore({ queue, jobs: [], log: { behind, entries } })
    if (logged) return true
    this.#note(this.#ends.has(queue)
      ? `troupe: not all of the log of queue ${queue} was carried: others have written to it`
      : `troupe: the log of queue ${queue} was left: the target has one of its own`)
    this.#ends.set(queue, null)
    return false
  }
}
