import { phases, states } from '../../machines/vocabulary.ts'
import type { Phase, State } from '../../machines/vocabulary.ts'
import { isSettled } from '../records/job.ts'
import { Lanes } from './lanes.ts'
import { Log } from './log.ts'
import type { Counts } from './reading.ts'
import type { Row } from './row.ts'
import { Starts } from './starts.ts'

const nobody: ReadonlySet<Row> = new Set()

function keyOf(task: string, key: string): string {
  return `${task}\0${key}`
}

/** The rows of one queue, indexed by what claims, lists, counts and retention ask for. */
export class QueueRows {
  readonly name: string
  readonly log = new Log()
  readonly lanes = new Lanes()
  readonly starts = new Starts()
  /** Jobs that hold a key of `dedupe`, by task and key. */
  readonly #holders = new Map<string, Set<Row>>()
  /** Claims are bounded by partition. */
  bounded = false
  /** Live rows: running or cancelling. */
  readonly live = new Set<Row>()
  /** Settled rows, the oldest first. */
  readonly completed = new Set<Row>()
  readonly failed = new Set<Row>()
  readonly counts: Record<keyof Counts, number>
  /** By insert number; rows that are gone are dropped from it now and then. */
  #ordered: Row[] = []
  #gone = 0

  constructor(name: string) {
    this.name = name
    this.counts = Object.fromEntries(
      [...states, ...phases].map((key) => [key, 0]),
    ) as Record<State | Phase, number>
  }

  add(row: Row): void {
    const last = this.#ordered.at(-1)
    // After a rollback a row comes back that may still be in the list.
    if (last && last.order >= row.order) {
      if (this.#ordered[this.#indexFrom(row.order)] !== row) {
        this.#ordered.splice(this.#indexFrom(row.order), 0, row)
      } else this.#gone -= 1
    } else this.#ordered.push(row)
  }

  drop(): void {
    this.#gone += 1
  }

  /** Nothing is kept of it but the number of its last transition. */
  get isEmpty(): boolean {
    return this.#gone === this.#ordered.length && this.log.oldest > this.log.newest
  }

  /** Jobs with this key of `dedupe` that are not settled, or hold it for a time. */
  holdersOf(task: string, key: string): ReadonlySet<Row> {
    return this.#holders.get(keyOf(task, key)) ?? nobody
  }

  hold(row: Row): void {
    const { task, dedupe } = row.record
    if (!dedupe || (isSettled(row.record) && dedupe.until === null)) return
    const key = keyOf(task, dedupe.key)
    const holders = this.#holders.get(key)
    if (holders) holders.add(row)
    else this.#holders.set(key, new Set([row]))
  }

  letGo(row: Row): void {
    const { task, dedupe } = row.record
    if (!dedupe) return
    const key = keyOf(task, dedupe.key)
    const holders = this.#holders.get(key)
    holders?.delete(row)
    if (holders?.size === 0) this.#holders.delete(key)
  }

  /** Forgets rows that are gone, when they are many. Only between groups of operations. */
  compact(): void {
    if (this.#gone < 1024 || this.#gone * 2 < this.#ordered.length) return
    this.#ordered = this.#ordered.filter((row) => !row.gone)
    this.#gone = 0
  }

  /** Puts the settled rows in the order in which they settled. */
  sortSettled(): void {
    for (const rows of [this.completed, this.failed]) {
      const sorted = [...rows].sort((a, b) => (a.record.settledAt ?? 0) - (b.record.settledAt ?? 0))
      rows.clear()
      for (const row of sorted) rows.add(row)
    }
  }

  /** Rows in the order of insertion, behind insert number `after`. */
  * rowsAfter(after: number): Generator<Row> {
    for (let index = this.#indexFrom(after + 1); index < this.#ordered.length; index += 1) {
      const row = this.#ordered[index] as Row
      if (!row.gone) yield row
    }
  }

  /** Rows in the opposite order, in front of insert number `before`; null means all. */
  * rowsBefore(before: number | null): Generator<Row> {
    const start = before === null ? this.#ordered.length : this.#indexFrom(before)
    for (let index = start - 1; index >= 0; index -= 1) {
      const row = this.#ordered[index] as Row
      if (!row.gone) yield row
    }
  }

  /** A copy of the list of all rows, some of them gone. */
  all(): readonly Row[] {
    return this.#ordered.slice()
  }

  /** The index of the first row whose insert number is `order` or more. */
  #indexFrom(order: number): number {
    let low = 0
    let high = this.#ordered.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#ordered[middle] as Row).order < order) low = middle + 1
      else high = middle
    }
    return low
  }
}
