import { isLive, isSettled } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import type { LogEntry } from '../records/transition.ts'
import { Heap } from './heap.ts'
import { Picture } from './picture.ts'
import type { StoredRow } from './picture.ts'
import { QueueRows } from './queue-rows.ts'
import type { Row, RowHeap } from './queue-rows.ts'
import type { Change, Setting, StoreEvent } from './store.ts'

/** The counters of a whole store. They never fall. */
export interface Counters {
  readonly fence: number
  readonly order: number
}

/** One change of one row: what it was (null: nothing), what it became, and the fact for the log. */
export interface Touch {
  readonly row: Row
  readonly before: JobRecord | null
  readonly record: JobRecord | null
  readonly entry: LogEntry | null
}

/** All that one group of operations changed: what a journal must hold, and what to publish. */
export interface Group {
  readonly settings: ReadonlyMap<string, Setting>
  readonly counters: Counters
  readonly events: readonly StoreEvent[]
}

/** Everything as it was at one moment; records never change in place. */
export interface Snapshot {
  readonly rows: Iterable<StoredRow>
  readonly settings: ReadonlyMap<string, Setting>
  readonly counters: Counters
  /** The newest number in the log of each queue. */
  readonly logs: ReadonlyMap<string, number>
}

const noSetting: Setting = Object.freeze({ value: null, version: 0 })
/** Stands for each queue that nothing was ever written to. */
const emptyQueue = new QueueRows('')

/**
 * Rows with their indexes, and what the current group of operations did to them. A group ends
 * with `take` (it holds) or with `rollback` (its write has failed, and all is as before).
 */
export class Rows {
  readonly byId = new Map<string, Row>()
  readonly queues = new Map<string, QueueRows>()
  readonly delayed: RowHeap = new Heap(
    'slot', (a: Row, b: Row) => a.record.runAt < b.record.runAt ||
      (a.record.runAt === b.record.runAt && a.order < b.order),
  )
  readonly expiring = new Heap(
    'expirySlot', (a: Row, b: Row) => (a.record.expiresAt ?? 0) < (b.record.expiresAt ?? 0),
  )
  readonly #settings = new Map<string, Setting>()
  #fence = 0
  #order = 0

  #picture: Picture | null = null
  #changes: Change[] = []
  #touched: Touch[] = []
  #oldSettings = new Map<string, Setting>()
  #oldFence = 0
  #woken = new Set<string>()
  #timerAt = Number.POSITIVE_INFINITY

  queue(name: string): QueueRows {
    let queue = this.queues.get(name)
    if (!queue) this.queues.set(name, queue = new QueueRows(name))
    return queue
  }

  /** For reading: who asks for a queue does not make it known. */
  find(name: string): QueueRows {
    return this.queues.get(name) ?? emptyQueue
  }

  nextFence(): number {
    return this.#fence += 1
  }

  insert(record: JobRecord, entry: LogEntry): void {
    const row: Row = {
      record, order: this.#order += 1, slot: -1, expirySlot: -1, gone: true,
    }
    this.#touched.push({ row, before: null, record, entry })
    this.#place(row, record)
    this.#note(entry, record)
  }

  /** Replaces the record of a row. Without an entry the change is no transition. */
  write(row: Row, record: JobRecord, entry: LogEntry): void {
    this.#touched.push({ row, before: row.record, record, entry })
    this.#place(row, record)
    this.#note(entry, record)
  }

  /** Takes a row out: with a tombstone, or silently when retention does it. */
  drop(row: Row, tombstone: LogEntry | null): void {
    this.#touched.push({ row, before: row.record, record: null, entry: tombstone })
    this.#place(row, null)
    if (tombstone) this.#note(tombstone, null)
  }

  setting(key: string): Setting {
    return this.#settings.get(key) ?? noSetting
  }

  writeSetting(key: string, setting: Setting): void {
    if (!this.#oldSettings.has(key)) this.#oldSettings.set(key, this.setting(key))
    this.#settings.set(key, setting)
  }

  /** What the group has changed so far, in order. */
  get touches(): readonly Touch[] {
    return this.#touched
  }

  /** Ends the group: what it did, or null when it did nothing. */
  take(): Group | null {
    if (this.#touched.length === 0 && this.#oldSettings.size === 0) return null
    const group: Group = {
      settings: new Map([...this.#oldSettings.keys()].map((key) => [key, this.setting(key)])),
      counters: { fence: this.#fence, order: this.#order },
      events: this.#events(),
    }
    return group
  }

  /** The group that was taken holds. */
  accept(): void {
    for (const { row } of this.#touched) {
      if (row.gone) this.queues.get(row.record.queue)?.compact()
    }
    this.#begin()
  }

  /** Undoes everything since the last `accept`, newest first. */
  rollback(): void {
    for (const { entry } of this.#changes.toReversed()) this.queue(entry.queue).log.undo()
    for (const { row, before } of this.#touched.toReversed()) this.#place(row, before)
    for (const [key, old] of this.#oldSettings) this.#settings.set(key, old)
    // The order number need not fall: only its sequence matters.
    this.#fence = this.#oldFence
    this.#begin()
  }

  /** One at a time: its rows can be read until `endSnapshot`. Only between groups. */
  snapshot(): Snapshot {
    const { queues } = this
    this.#picture = new Picture([...queues.values()].map((queue) => queue.all()), this.#order)
    return {
      rows: this.#picture,
      settings: new Map(this.#settings),
      counters: { fence: this.#fence, order: this.#order },
      logs: new Map([...queues].map(([name, { log }]) => [name, log.newest])),
    }
  }

  endSnapshot(): void {
    this.#picture = null
  }

  /** Puts a stored row in its place, over an older one of the same id. */
  restore(record: JobRecord, order: number): void {
    const old = this.byId.get(record.id)
    const row = old?.order === order
      ? old
      : { record, order, slot: -1, expirySlot: -1, gone: true }
    if (old && old !== row) this.#place(old, null)
    this.#place(row, record)
    this.#begin()
  }

  restoreDrop(id: string): void {
    const row = this.byId.get(id)
    if (row) this.#place(row, null)
    this.#begin()
  }

  restoreSetting(key: string, setting: Setting): void {
    this.#settings.set(key, setting)
  }

  restoreCounters({ fence, order }: Counters): void {
    this.#fence = Math.max(this.#fence, fence)
    this.#order = Math.max(this.#order, order)
    this.#oldFence = this.#fence
  }

  /** After a restoration or a rollback: what is settled is found by age again. */
  sortSettled(): void {
    for (const queue of this.queues.values()) queue.sortSettled()
  }

  #begin(): void {
    this.#changes = []
    this.#touched = []
    this.#oldSettings = new Map()
    this.#oldFence = this.#fence
    this.#woken = new Set()
    this.#timerAt = Number.POSITIVE_INFINITY
  }

  #note(entry: LogEntry, record: JobRecord | null): void {
    this.queue(entry.queue).log.append(entry)
    this.#changes.push({ entry, record })
  }

  #events(): StoreEvent[] {
    const events: StoreEvent[] = []
    if (this.#changes.length > 0) events.push({ type: 'changes', changes: this.#changes })
    for (const key of this.#oldSettings.keys()) {
      events.push({ type: 'setting', key, value: this.setting(key).value })
    }
    for (const queue of this.#woken) events.push({ type: 'wake', queue })
    if (this.#timerAt < Number.POSITIVE_INFINITY) events.push({ type: 'timer', at: this.#timerAt })
    return events
  }

  /** Moves a row from the indexes of its old record to those of the next one. */
  #place(row: Row, next: JobRecord | null): void {
    this.#picture?.keep(row)
    const queue = this.queue(row.record.queue)
    if (!row.gone) this.#leave(row, queue)
    if (next === null) {
      if (!row.gone) queue.drop()
      row.gone = true
      this.byId.delete(row.record.id)
      return
    }
    if (row.gone) {
      row.gone = false
      this.byId.set(next.id, row)
      queue.add(row)
    }
    row.record = next
    this.#enter(row, queue)
  }

  #leave(row: Row, queue: QueueRows): void {
    const { state, phase, task } = row.record
    queue.counts[state] -= 1
    if (phase !== null) queue.counts[phase] -= 1
    if (phase === 'ready') queue.readyOf(task).remove(row)
    else if (phase === 'delayed') this.delayed.remove(row)
    this.expiring.remove(row)
    queue.live.delete(row)
    queue.completed.delete(row)
    queue.failed.delete(row)
  }

  #enter(row: Row, queue: QueueRows): void {
    const { record } = row
    queue.counts[record.state] += 1
    if (record.phase !== null) queue.counts[record.phase] += 1
    if (record.phase === 'ready') {
      queue.readyOf(record.task).push(row)
      this.#woken.add(record.queue)
    } else if (record.phase === 'delayed') {
      this.delayed.push(row)
      this.#timerAt = Math.min(this.#timerAt, record.runAt)
    }
    if (record.state === 'queued' && record.expiresAt !== null) {
      this.expiring.push(row)
      this.#timerAt = Math.min(this.#timerAt, record.expiresAt)
    }
    if (isLive(record)) {
      queue.live.add(row)
      if (record.lease) this.#timerAt = Math.min(this.#timerAt, record.lease.until)
    } else if (isSettled(record)) {
      (record.state === 'completed' ? queue.completed : queue.failed).add(row)
    }
  }
}
