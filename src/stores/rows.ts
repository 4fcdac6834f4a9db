import type { JobEvent } from '../../machines/job-events.ts'
import { withAllFields } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import { ignored, step } from '../records/step.ts'
import type { LogEntry } from '../records/transition.ts'
import { Erasures, forgetLog } from './erasures.ts'
import type { Erasure } from './erasures.ts'
import type { Counters, Group, Snapshot, Touch } from './group.ts'
import { Picture } from './picture.ts'
import { Places } from './places.ts'
import type { QueueRows } from './queue-rows.ts'
import type { Row } from './row.ts'
import type { Setting } from './settings.ts'
import type { Start } from './starts.ts'
import type { Change, StoreEvent } from './store.ts'

const noSetting: Setting = Object.freeze({ value: null, version: 0 })

/**
 * Rows with their indexes, and what the current group of operations did to them. A group ends
 * with `take` (it holds) or with `rollback` (its write has failed, and all is as before).
 */
export class Rows {
  readonly #places = new Places()
  readonly byId: ReadonlyMap<string, Row> = this.#places.byId
  readonly queues: ReadonlyMap<string, QueueRows> = this.#places.queues
  readonly delayed = this.#places.delayed
  readonly expiring = this.#places.expiring
  readonly dependents = this.#places.dependents
  readonly #settings = new Map<string, Setting>()
  #fence = 0
  #order = 0

  #changes: Change[] = []
  #touched: Touch[] = []
  #oldSettings = new Map<string, Setting>()
  #oldFence = 0
  #started = new Map<string, number>()
  #erasures = new Erasures()
  #retold: LogEntry[] = []

  queue(name: string): QueueRows {
    return this.#places.queue(name)
  }

  /** For reading: who asks for a queue does not make it known. */
  find(name: string): QueueRows {
    return this.#places.find(name)
  }

  nextFence(): number {
    return this.#fence += 1
  }

  insert(record: JobRecord, entry: LogEntry): void {
    const row: Row = {
      record, order: this.#order += 1, slot: -1, expirySlot: -1, gone: true,
    }
    this.#touched.push({ row, before: null, record, entry })
    this.#places.place(row, record)
    this.#note(entry, record)
  }

  /** Lets the chart decide and writes what it says; false when it ignores the event. */
  step(row: Row, event: JobEvent): boolean {
    const moved = step(row.record, event)
    if (moved === ignored) return false
    this.write(row, moved.record, moved.transition)
    return true
  }

  /** Replaces the record of a row by what a transition made of it. */
  write(row: Row, record: JobRecord, entry: LogEntry): void {
    this.#touched.push({ row, before: row.record, record, entry })
    this.#places.place(row, record)
    this.#note(entry, record)
  }

  /** Replaces the record of a row by one of the same rev: the change is no transition. */
  amend(row: Row, record: JobRecord): void {
    this.#touched.push({ row, before: row.record, record, entry: null })
    this.#places.place(row, record)
  }

  /** Takes in a settled job as it is: here, nothing has happened to it. */
  receive(record: JobRecord): void {
    const row: Row = {
      record, order: this.#order += 1, slot: -1, expirySlot: -1, gone: true,
    }
    this.#touched.push({ row, before: null, record, entry: null })
    this.#places.place(row, record)
    // The next claim of the job must have a higher one.
    this.#fence = Math.max(this.#fence, record.fence)
    // There may be more than retention keeps.
    this.#places.timerAt = 0
  }

  /** Takes in what another log had told; the entry becomes this log's own. */
  retell(entry: LogEntry): void {
    this.#touched.push({ row: null, before: null, record: null, entry })
    this.queue(entry.queue).log.append(entry)
    this.#retold.push(entry)
  }

  /** A claim that the rate limit of its queue counts. */
  start(queue: string, start: Start): void {
    this.queue(queue).starts.add(start)
    this.#started.set(queue, (this.#started.get(queue) ?? 0) + 1)
  }

  /**
   * Takes out all that is kept of a queue, the newest job first: `toTombstone` tells of each. Its
   * log, and the starts that it has counted, are forgotten when the group holds.
   */
  erase(name: string, toTombstone: (record: JobRecord) => LogEntry): void {
    const queue = this.find(name)
    if (queue.isEmpty && queue.starts.list().length === 0) return
    for (const row of queue.rowsBefore(null)) this.drop(row, toTombstone(row.record), true)
    this.#erasures.add(queue, this.#order, this.#started.get(name) ?? 0)
  }

  /** Queues that the present group erases. */
  get erased(): Iterable<string> {
    return this.#erasures.byQueue.keys()
  }

  /** Takes a row out: with a tombstone, or silently when retention does it. */
  drop(row: Row, tombstone: LogEntry | null, implied = false): void {
    this.#touched.push({ row, before: row.record, record: null, entry: tombstone, implied })
    this.#places.place(row, null)
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
    const { byQueue } = this.#erasures
    if (this.#touched.length + this.#oldSettings.size + byQueue.size === 0) return null
    return {
      settings: new Map([...this.#oldSettings.keys()].map((key) => [key, this.setting(key)])),
      counters: { fence: this.#fence, order: this.#order },
      starts: new Map([...this.#started].map(([name, count]) =>
        [name, this.#erasures.startsOf(this.queue(name), count)])),
      erasures: byQueue,
      events: this.#events(),
    }
  }

  /** The group that was taken holds. */
  accept(): void {
    for (const { row } of this.#touched) {
      if (row?.gone) this.queues.get(row.record.queue)?.compact()
    }
    for (const [name, erasure] of this.#erasures.byQueue) {
      const queue = this.queue(name)
      const starts = this.#erasures.startsOf(queue, this.#started.get(name) ?? 0)
      queue.starts.clear()
      this.restoreStarts(name, starts)
      forgetLog(queue.log, erasure)
    }
    this.#begin()
  }

  /** Undoes everything since the last `accept`, newest first. */
  rollback(): void {
    for (const { entry } of this.#changes.toReversed()) this.queue(entry.queue).log.undo()
    for (const { queue } of this.#retold) this.queue(queue).log.undo()
    for (const { row, before } of this.#touched.toReversed()) {
      if (!row) continue
      this.#places.place(row, before)
      // Its parents may have ended before this group, and the counting was undone.
      if (before?.phase === 'blocked') this.dependents.blocked(row)
    }
    for (const [key, old] of this.#oldSettings) this.#settings.set(key, old)
    for (const [name, count] of this.#started) {
      for (let left = count; left > 0; left -= 1) this.queue(name).starts.undo()
      this.queue(name).lanes.releaseAll()
    }
    // The order number need not fall: only its sequence matters.
    this.#fence = this.#oldFence
    this.#begin()
  }

  /** One at a time: its rows can be read until `endSnapshot`. Only between groups. */
  snapshot(): Snapshot {
    const { queues } = this
    const lists = [...queues.values()].map((queue) => queue.all())
    this.#places.picture = new Picture(lists, this.#order)
    return {
      rows: this.#places.picture,
      settings: new Map(this.#settings),
      counters: { fence: this.#fence, order: this.#order },
      logs: new Map([...queues].map(([name, { log }]) => [name, log.newest])),
      starts: new Map([...queues].flatMap(([name, { starts }]) => {
        const kept = starts.list()
        return kept.length === 0 ? [] : [[name, kept] as const]
      })),
    }
  }

  endSnapshot(): void {
    this.#places.picture = null
  }

  /** Puts a stored row in its place, over an older one of the same id. */
  restore(record: JobRecord, order: number): void {
    const old = this.byId.get(record.id)
    const row = old?.order === order
      ? old : { record, order, slot: -1, expirySlot: -1, gone: true }
    if (old && old !== row) this.#places.place(old, null)
    this.#places.place(row, withAllFields(record))
    // A file that was edited by hand may hold more than its counters know.
    this.restoreCounters({ fence: record.fence, order })
    this.#begin()
  }

  restoreDrop(id: string): void {
    const row = this.byId.get(id)
    if (row) this.#places.place(row, null)
    this.#begin()
  }

  restoreSetting(key: string, setting: Setting): void {
    this.#settings.set(key, setting)
  }

  restoreStarts(queue: string, starts: readonly Start[]): void {
    for (const start of starts) this.queue(queue).starts.add(start)
  }

  /** Does what a stored group says of the end of a queue, once its other changes are there. */
  restoreErasure(name: string, { order }: Erasure): void {
    const queue = this.queue(name)
    for (const row of queue.rowsBefore(order + 1)) this.#places.place(row, null)
    queue.starts.clear()
    this.#begin()
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
    this.#started = new Map()
    this.#erasures = new Erasures()
    this.#retold = []
    this.#places.woken = new Set()
    this.#places.timerAt = Number.POSITIVE_INFINITY
  }

  #note(entry: LogEntry, record: JobRecord | null): void {
    this.queue(entry.queue).log.append(entry)
    this.#changes.push({ entry, record })
  }

  #events(): StoreEvent[] {
    const events: StoreEvent[] = []
    if (this.#changes.length > 0) events.push({ type: 'changes', changes: this.#changes })
    if (this.#retold.length > 0) events.push({ type: 'retold', entries: this.#retold })
    for (const key of this.#oldSettings.keys()) {
      events.push({ type: 'setting', key, value: this.setting(key).value })
    }
    const { woken, timerAt } = this.#places
    for (const queue of woken) events.push({ type: 'wake', queue })
    if (this.dependents.hasUnjudged) events.push({ type: 'timer', at: 0 })
    else if (timerAt < Number.POSITIVE_INFINITY) events.push({ type: 'timer', at: timerAt })
    return events
  }
}
