import { phases, states } from '../../machines/vocabulary.ts'
import type { Phase, State } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../records/job.ts'
import { Heap } from './heap.ts'
import { Log } from './log.ts'
import type { Counts } from './store.ts'

/** A job in the table: its record, and where the indexes keep it. */
export interface Row {
  record: JobRecord
  /** Insert number: the last tie-break of the claim order, and the order of lists. */
  readonly order: number
  /** Position in the heap of its place: ready or delayed. */
  slot: number
  /** Position in the heap of jobs that can expire. */
  expirySlot: number
  /** Taken out of the table. */
  gone: boolean
}

export type RowHeap = Heap<'slot', Row>

function claimsBefore(a: Row, b: Row): boolean {
  const left = a.record
  const right = b.record
  if (left.priority !== right.priority) return left.priority < right.priority
  if (left.runAt !== right.runAt) return left.runAt < right.runAt
  return a.order < b.order
}

/** The rows of one queue, indexed by what claims, lists, counts and retention ask for. */
export class QueueRows {
  readonly name: string
  readonly log = new Log()
  /** Live rows: running or cancelling. */
  readonly live = new Set<Row>()
  /** Settled rows, the oldest first. */
  readonly completed = new Set<Row>()
  readonly failed = new Set<Row>()
  readonly counts: Record<keyof Counts, number>
  /** By insert number; rows that are gone are dropped from it now and then. */
  #ordered: Row[] = []
  #gone = 0
  readonly #ready = new Map<string, RowHeap>()

  constructor(name: string) {
    this.name = name
    this.counts = Object.fromEntries(
      [...states, ...phases].map((key) => [key, 0]),
    ) as Record<State | Phase, number>
  }

  readyOf(task: string): RowHeap {
    let heap = this.#ready.get(task)
    if (!heap) this.#ready.set(task, heap = new Heap('slot', claimsBefore))
    return heap
  }

  /** The next row that a worker with these tasks may claim. */
  next(tasks: Iterable<string>): Row | undefined {
    let best: Row | undefined
    for (const task of tasks) {
      const row = this.#ready.get(task)?.peek()
      if (row && (!best || claimsBefore(row, best))) best = row
    }
    return best
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
