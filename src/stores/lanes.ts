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
  readonly task: string
  /** Position among the lanes of its task, or among those that are held back. */
  slot: number
  /** Its partition is at a limit until then, or with Infinity until a job of it ends; else null. */
  heldUntil: number | null
}

type LaneHeap = Heap<'slot', Lane>

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

function freeBefore(a: Lane, b: Lane): boolean {
  return (a.heldUntil ?? 0) < (b.heldUntil ?? 0)
}

/** The ready jobs of a queue, in lanes by partition and task, and whose turn it is. */
export class Lanes {
  readonly #partitions = new Map<string | null, Partition>()
  readonly #tasks = new Map<string, LaneHeap>()
  /** By task: lanes that need not be looked at before their time, however many they are. */
  readonly #held = new Map<string, LaneHeap>()
  #turn = 0
  #heldAt = 0
  #heldBy = ''

  push(row: Row): void {
    const lane = this.#lane(row)
    lane.rows.push(row)
    if (lane.rows.peek() === row && lane.heldUntil === null) this.#settle(lane)
  }

  remove(row: Row): void {
    const { task, partition } = row.record
    const lane = this.#partitions.get(partition)?.lanes.get(task)
    if (!lane) return
    const first = lane.rows.peek() === row
    lane.rows.remove(row)
    if (lane.heldUntil === null) {
      if (first) this.#settle(lane)
    } else if (lane.rows.size === 0) this.#free(lane)
  }

  /** A job of the partition began to run, or ended. */
  ran(name: string | null, change: 1 | -1): void {
    const partition = this.#partition(name)
    partition.running += change
    if (change > 0) return
    for (const lane of partition.lanes.values()) {
      if (lane.heldUntil === Number.POSITIVE_INFINITY) this.#free(lane)
    }
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
    for (const lane of partition.lanes.values()) if (lane.heldUntil === null) this.#settle(lane)
  }

  /** Takes a lane out of the order: its partition is at a limit, until `until`. */
  hold(lane: Lane, until: number): void {
    this.#tasks.get(lane.task)?.remove(lane)
    lane.heldUntil = until
    let held = this.#held.get(lane.task)
    if (!held) this.#held.set(lane.task, held = new Heap('slot', freeBefore))
    held.push(lane)
  }

  /**
   * Puts back what was held until `now`: all of it when the clock was set back, or when other
   * limits (`by` tells them apart) are asked for than those that held it.
   */
  release(now: number, by: string): void {
    const all = now < this.#heldAt || by !== this.#heldBy
    this.#heldAt = now
    this.#heldBy = by
    for (const held of this.#held.values()) {
      for (let lane = held.peek(); lane; lane = held.peek()) {
        if (!all && (lane.heldUntil ?? 0) > now) break
        this.#free(lane)
      }
    }
  }

  /** Puts back all that is held. */
  releaseAll(): void {
    this.release(this.#heldAt, '')
  }

  /** The time from which time alone admits a job of these tasks; undefined when none is held. */
  heldUntil(tasks: Iterable<string>): number | undefined {
    let first: number | undefined
    for (const task of tasks) {
      const until = this.#held.get(task)?.peek()?.heldUntil ?? null
      if (until !== null) first = Math.min(first ?? until, until)
    }
    return first
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
      const rows: RowHeap = new Heap('slot', claimsBefore)
      lane = { partition, task, rows, slot: -1, heldUntil: null }
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

  #free(lane: Lane): void {
    this.#held.get(lane.task)?.remove(lane)
    lane.heldUntil = null
    this.#settle(lane)
  }

  /** Puts a lane where its first job belongs now. */
  #settle(lane: Lane): void {
    let lanes = this.#tasks.get(lane.task)
    if (!lanes) this.#tasks.set(lane.task, lanes = new Heap('slot', turnsBefore))
    lanes.remove(lane)
    if (lane.rows.size > 0) lanes.push(lane)
  }
}
