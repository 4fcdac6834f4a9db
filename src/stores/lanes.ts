import { Heap } from './heap.ts'
import { claimsBefore } from './row.ts'
import type { Row, RowHeap } from './row.ts'

/** What belongs together for limits and fairness; jobs without a partition are one, too. */
export interface Partition {
  readonly name: string | null
  /** The number of its last turn: the lowest is next. */
  turn: number
  /** Its jobs that run or are being cancelled. */
  running: number
  readonly lanes: Map<string, Lane>
}

/** The ready jobs of one task in one partition, in the order in which they are claimed. */
export interface Lane {
  readonly partition: Partition
  readonly rows: RowHeap
  /** Position among the lanes of its task; -1 when it is empty or set aside. */
  slot: number
}

/** Priority first; among equals the partition that was served longest ago. */
function turnsBefore(a: Lane, b: Lane): boolean {
  const left = a.rows.peek() as Row
  const right = b.rows.peek() as Row
  if (left.record.priority !== right.record.priority) {
    return left.record.priority < right.record.priority
  }
  if (a.partition.turn !== b.partition.turn) return a.partition.turn < b.partition.turn
  return claimsBefore(left, right)
}

/** The ready jobs of a queue, in lanes by partition and task, and whose turn it is. */
export class Lanes {
  readonly #partitions = new Map<string | null, Partition>()
  readonly #tasks = new Map<string, Heap<'slot', Lane>>()
  #turn = 0

  push(row: Row): void {
    const { task } = row.record
    const lane = this.#lane(row)
    lane.rows.push(row)
    if (lane.rows.peek() === row) this.#settle(lane, task)
  }

  remove(row: Row): void {
    const { task, partition } = row.record
    const lane = this.#partitions.get(partition)?.lanes.get(task)
    if (!lane) return
    const first = lane.rows.peek() === row
    lane.rows.remove(row)
    if (first) this.#settle(lane, task)
  }

  /** A job of the partition began to run, or ended. */
  ran(partition: string | null, change: 1 | -1): void {
    this.#partition(partition).running += change
  }

  running(partition: string | null): number {
    return this.#partitions.get(partition)?.running ?? 0
  }

  /** The lane from which a worker with these tasks claims next. */
  next(tasks: Iterable<string>): Lane | undefined {
    let best: Lane | undefined
    for (const task of tasks) {
      const lane = this.#tasks.get(task)?.peek()
      if (lane && (!best || turnsBefore(lane, best))) best = lane
    }
    return best
  }

  /** The partition has had its turn. */
  served(partition: Partition): void {
    // Turns matter only among several; most queues have one.
    if (this.#partitions.size < 2) return
    partition.turn = this.#turn += 1
    for (const [task, lane] of partition.lanes) if (lane.slot >= 0) this.#settle(lane, task)
  }

  /** Takes a lane out of the order until `putBack`: its partition is at a limit. */
  setAside(lane: Lane): void {
    this.#tasks.get((lane.rows.peek() as Row).record.task)?.remove(lane)
  }

  putBack(lane: Lane): void {
    const first = lane.rows.peek()
    if (first) this.#settle(lane, first.record.task)
  }

  /**
   * Partitions can be as many as tenants: one that is empty and idle goes, and loses its turn. To
   * be called when a job has left it for good, and not on its way from one place to another.
   */
  forget(name: string | null): void {
    const partition = this.#partitions.get(name)
    if (name === null || !partition || partition.running > 0) return
    for (const lane of partition.lanes.values()) if (lane.rows.size > 0) return
    this.#partitions.delete(name)
  }

  #lane(row: Row): Lane {
    const { task } = row.record
    const partition = this.#partition(row.record.partition)
    let lane = partition.lanes.get(task)
    if (!lane) {
      lane = { partition, rows: new Heap('slot', claimsBefore), slot: -1 }
      partition.lanes.set(task, lane)
    }
    return lane
  }

  #partition(name: string | null): Partition {
    let partition = this.#partitions.get(name)
    if (!partition) {
      // A newcomer goes to the end of the line, or new ones without end would starve the rest.
      partition = { name, turn: this.#turn += 1, running: 0, lanes: new Map() }
      this.#partitions.set(name, partition)
    }
    return partition
  }

  /** Puts a lane where its first job belongs now. */
  #settle(lane: Lane, task: string): void {
    let lanes = this.#tasks.get(task)
    if (!lanes) this.#tasks.set(task, lanes = new Heap('slot', turnsBefore))
    lanes.remove(lane)
    if (lane.rows.size > 0) lanes.push(lane)
  }
}
