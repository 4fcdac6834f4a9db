import type { Limits } from './store.ts'

/** A claim that a rate limit counts: when, and of which partition. */
export type Start = readonly [at: number, partition: string | null]

/** A line that is joined at its end and left at its front, at a price that does not grow. */
class Line<T> {
  #items: T[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  at(index: number): T | undefined {
    return this.#items[this.#head + index]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  /** Takes the newest out. */
  pop(): T | undefined {
    return this.size === 0 ? undefined : this.#items.pop()
  }

  /** Takes the oldest out. */
  shift(): void {
    this.#head += 1
    if (this.#head < 1024 || this.#head * 2 < this.#items.length) return
    this.#items = this.#items.slice(this.#head)
    this.#head = 0
  }

  /** The newest `count`, oldest first. */
  newest(count: number): readonly T[] {
    return this.#items.slice(this.#items.length - Math.min(count, this.size))
  }
}

/**
 * The starts of a queue that still count for its rate limit: a window that slides, so that no
 * window of that length ever holds more than the limit. Times never fall.
 */
export class Starts {
  #starts = new Line<Start>()
  readonly #times = new Map<string | null, Line<number>>()

  add(start: Start): void {
    this.#starts.push(start)
    const [at, partition] = start
    let times = this.#times.get(partition)
    if (!times) this.#times.set(partition, times = new Line())
    times.push(at)
  }

  /** Takes the newest back. */
  undo(): void {
    const start = this.#starts.pop()
    if (!start) return
    const times = this.#times.get(start[1])
    times?.pop()
    if (times?.size === 0) this.#times.delete(start[1])
  }

  clear(): void {
    this.#starts = new Line()
    this.#times.clear()
  }

  /** The newest `count`, oldest first; all by default. */
  list(count = this.#starts.size): readonly Start[] {
    return this.#starts.newest(count)
  }

  /**
   * When the limit admits one more start of this partition: a time that is not later than `now`
   * means at once, Infinity never.
   */
  nextAt(rate: NonNullable<Limits['rate']>, partition: string | null, now: number): number {
    if (rate.max === 0) return Number.POSITIVE_INFINITY
    this.#setBack(now)
    this.#forget(now - rate.perMs)
    const times = rate.perPartition ? this.#times.get(partition) : this.#starts
    const count = times?.size ?? 0
    if (count < rate.max) return now
    // With a limit that was lowered, more than one has to leave the window.
    const oldest = times?.at(count - rate.max) ?? now
    return (typeof oldest === 'number' ? oldest : oldest[0]) + rate.perMs
  }

  #forget(until: number): void {
    for (let start = this.#starts.at(0); start && start[0] <= until; start = this.#starts.at(0)) {
      this.#starts.shift()
      const times = this.#times.get(start[1])
      times?.shift()
      if (times?.size === 0) this.#times.delete(start[1])
    }
  }

  /** A clock that was set back must hold nobody longer than one window. */
  #setBack(now: number): void {
    const newest = this.#starts.at(this.#starts.size - 1)
    if (!newest || newest[0] <= now) return
    const starts = this.list()
    this.clear()
    for (const [at, partition] of starts) this.add([Math.min(at, now), partition])
  }
}
