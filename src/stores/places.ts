import { isLive, isSettled } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import { Dependents } from './dependents.ts'
import { Heap } from './heap.ts'
import type { Picture } from './picture.ts'
import { QueueRows } from './queue-rows.ts'
import type { Row, RowHeap } from './row.ts'

/** Stands for each queue that nothing was ever written to. */
const emptyQueue = new QueueRows('')

/** All that a job's children want to know of it. */
function endOf(record: JobRecord | null): JobRecord['state'] | 'open' | 'gone' {
  if (record === null) return 'gone'
  return isSettled(record) ? record.state : 'open'
}

/** Every index that rows are in, and the one way to move a row among them. */
export class Places {
  readonly byId = new Map<string, Row>()
  readonly queues = new Map<string, QueueRows>()
  readonly dependents = new Dependents()
  readonly delayed: RowHeap = new Heap(
    'slot', (a: Row, b: Row) => a.record.runAt < b.record.runAt ||
      (a.record.runAt === b.record.runAt && a.order < b.order),
  )
  readonly expiring = new Heap(
    'expirySlot', (a: Row, b: Row) => (a.record.expiresAt ?? 0) < (b.record.expiresAt ?? 0),
  )
  /** A picture that is being read, and must be shown each row before it changes. */
  picture: Picture | null = null
  /** Queues in which jobs became ready, and the earliest time at which something falls due. */
  woken = new Set<string>()
  timerAt = Number.POSITIVE_INFINITY

  queue(name: string): QueueRows {
    let queue = this.queues.get(name)
    if (!queue) this.queues.set(name, queue = new QueueRows(name))
    return queue
  }

  /** For reading: who asks for a queue does not make it known. */
  find(name: string): QueueRows {
    return this.queues.get(name) ?? emptyQueue
  }

  /** Moves a row from the indexes of its old record to those of the next one. */
  place(row: Row, next: JobRecord | null): void {
    this.picture?.keep(row)
    const before = row.gone ? null : row.record
    const queue = this.queue(row.record.queue)
    if (before) this.#leave(row, before, queue)
    this.#relink(row, before, next)
    if (next === null) {
      if (before) queue.drop()
      row.gone = true
      this.byId.delete(row.record.id)
    } else {
      if (row.gone) {
        row.gone = false
        this.byId.set(next.id, row)
        queue.add(row)
      }
      row.record = next
      this.#enter(row, next, queue)
      if (next.phase === 'blocked' && before?.phase !== 'blocked') this.dependents.blocked(row)
    }
    if (before) queue.lanes.forget(before.partition)
    if (endOf(before) !== endOf(next)) this.dependents.moved(row.record.id)
  }

  /** A parent is awaited until its child has completed: a failed child may be retried. */
  #relink(row: Row, before: JobRecord | null, next: JobRecord | null): void {
    const linked = before !== null && before.state !== 'completed'
    const links = next !== null && next.state !== 'completed'
    if (linked === links) return
    if (linked) this.dependents.leave(row)
    else this.dependents.join(next as JobRecord, row)
  }

  #leave(row: Row, record: JobRecord, queue: QueueRows): void {
    const { state, phase } = record
    queue.counts[state] -= 1
    if (phase !== null) queue.counts[phase] -= 1
    if (phase === 'ready') queue.lanes.remove(row)
    else if (phase === 'delayed') this.delayed.remove(row)
    this.expiring.remove(row)
    queue.letGo(row)
    if (queue.live.delete(row)) {
      queue.lanes.ran(record.partition, -1)
      // Somebody with a free slot may have been held back by the bound of its partition.
      if (queue.bounded && queue.counts.ready > 0) this.woken.add(queue.name)
    }
    queue.completed.delete(row)
    queue.failed.delete(row)
  }

  #enter(row: Row, record: JobRecord, queue: QueueRows): void {
    queue.counts[record.state] += 1
    if (record.phase !== null) queue.counts[record.phase] += 1
    if (record.phase === 'ready') {
      queue.lanes.push(row)
      this.woken.add(record.queue)
    } else if (record.phase === 'delayed') {
      this.delayed.push(row)
      this.timerAt = Math.min(this.timerAt, record.runAt)
    }
    if (record.state === 'queued' && record.expiresAt !== null) {
      this.expiring.push(row)
      this.timerAt = Math.min(this.timerAt, record.expiresAt)
    }
    queue.hold(row)
    if (isLive(record)) {
      queue.live.add(row)
      queue.lanes.ran(record.partition, 1)
      if (record.lease) this.timerAt = Math.min(this.timerAt, record.lease.until)
    } else if (isSettled(record)) {
      (record.state === 'completed' ? queue.completed : queue.failed).add(row)
    }
  }
}
