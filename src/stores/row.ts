import type { JobRecord } from '../records/job.ts'
import type { Heap } from './heap.ts'

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

/** The order of claims inside a partition. */
export function claimsBefore(a: Row, b: Row): boolean {
  const left = a.record
  const right = b.record
  if (left.priority !== right.priority) return left.priority < right.priority
  if (left.runAt !== right.runAt) return left.runAt < right.runAt
  return a.order < b.order
}
