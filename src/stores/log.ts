import type { LogEntry } from '../records/transition.ts'
import type { LogPage } from './reading.ts'

/** The log of one queue: numbered without a gap, trimmed only at its head. */
export class Log {
  #entries: LogEntry[] = []
  /** Entries before this index are trimmed; the array is compacted now and then. */
  #head = 0
  #newest = 0

  get newest(): number {
    return this.#newest
  }

  /** The oldest number that is kept; `newest + 1` when there is none. */
  get oldest(): number {
    return this.#newest - this.#size + 1
  }

  /** The time of the oldest entry. */
  get oldestAt(): number | undefined {
    return this.#entries[this.#head]?.at
  }

  /** Numbers and keeps an entry. */
  append(entry: LogEntry): void {
    this.#newest += 1
    entry.seq = this.#newest
    this.#entries.push(entry)
  }

  /** Puts back an entry that has its number; after a gap the older ones are forgotten. */
  restore(entry: LogEntry): void {
    if (entry.seq <= this.#newest && this.#entries.length > this.#head) return
    if (entry.seq !== this.#newest + 1) this.startAt(entry.seq - 1)
    this.append(entry)
  }

  /** An empty log whose next entry gets number `newest + 1`. */
  startAt(newest: number): void {
    this.#entries = []
    this.#head = 0
    this.#newest = newest
  }

  /** Takes the newest entry back, when its write has failed. */
  undo(): void {
    this.#entries.pop()
    // The group that is taken back may have trimmed its own entries.
    this.#head = Math.min(this.#head, this.#entries.length)
    this.#newest -= 1
  }

  read(after: number, limit: number): LogPage {
    const { oldest } = this
    const start = this.#head + Math.max(0, after + 1 - oldest)
    return {
      entries: this.#entries.slice(start, start + limit), oldest, newest: this.#newest,
    }
  }

  /** Forgets the oldest: all over `keep`, and all from before `before`. Answers how many. */
  trim(keep: number, before: number): number {
    const start = this.#head
    while (
      this.#size > keep ||
      (this.#size > 0 && (this.#entries[this.#head] as LogEntry).at < before)
    ) this.#head += 1
    const trimmed = this.#head - start
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
    return trimmed
  }

  get #size(): number {
    return this.#entries.length - this.#head
  }
}
