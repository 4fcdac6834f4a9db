import { TroupeErrorOf } from '../../errors.ts'
import type { JobRecord, TimelineEntry } from '../../records/job.ts'
import { timelineLimit } from '../../records/job.ts'
import { leafOf } from '../../records/step.ts'
import { toLogEntry } from '../../records/transition.ts'
import type { LogEntry } from '../../records/transition.ts'
import type { Erasure } from '../erasures.ts'
import type { Counters, Group, Touch } from '../group.ts'
import type { Rows } from '../rows.ts'
import type { Setting } from '../settings.ts'
import type { Start } from '../starts.ts'
import { encodeFrame } from './frame.ts'

/** One group in a journal: all of it, or none. */
export interface StoredGroup {
  readonly group: number
  readonly changes: readonly StoredChange[]
  readonly settings?: Readonly<Record<string, Setting>>
  readonly counters: Counters
  readonly starts?: Readonly<Record<string, readonly Start[]>>
  /** By queue; to be done behind the changes. */
  readonly erasures?: Readonly<Record<string, Erasure>>
}

/** `[seq, at, event, from, by]`: what the image of the record does not say of its transition. */
type Fact = readonly [
  seq: number, at: number, event: LogEntry['event'], from: LogEntry['from'], by: string,
]

/**
 * A row was added (`add`: its record), written (`set`: what differs from the record before, and
 * always what the log entry repeats), or dropped. The entry stands in full when it does not follow
 * from the record; a change that is no transition has none. What another log had told (`retold`)
 * is an entry alone.
 */
type StoredChange = { readonly entry?: LogEntry } & (
  | { readonly order: number; readonly add: JobRecord; readonly fact?: Fact }
  | { readonly order: number; readonly set: Image; readonly fact?: Fact }
  | { readonly drop: string }
  | { readonly retold: true }
)

type Image = Partial<JobRecord> & Pick<JobRecord, 'id'>

/** Longer lines could not be read back as one string. In characters. */
const longestLine = 128 * 1024 * 1024

/** Turns the changes of a group into its line, while the group is being made. */
export class GroupEncoder {
  #text = ''
  #count = 0
  #separator = ''

  /** Characters so far. */
  get size(): number {
    return this.#text.length
  }

  /** Takes in the changes that came since the last call. */
  take(touches: readonly Touch[]): void {
    for (; this.#count < touches.length; this.#count += 1) {
      const touch = touches[this.#count] as Touch
      if (touch.implied) continue
      this.#text += `${this.#separator}${JSON.stringify(toStored(touch))}`
      this.#separator = ','
      if (this.#text.length > longestLine) throw tooLarge(this.#text.length)
    }
  }

  finish(number: number, group: Group): Buffer {
    const { settings, counters, starts, erasures } = group
    const head = [
      settings.size === 0
        ? '' : `"settings":${JSON.stringify(Object.fromEntries(settings))},`,
      starts.size === 0 ? '' : `"starts":${JSON.stringify(Object.fromEntries(starts))},`,
      erasures.size === 0
        ? '' : `"erasures":${JSON.stringify(Object.fromEntries(erasures))},`,
    ].join('')
    const text = this.#text
    this.reset()
    return encodeFrame(
      `{"group":${number},${head}"counters":${JSON.stringify(counters)},"changes":[${text}]}`,
    )
  }

  reset(): void {
    this.#text = ''
    this.#count = 0
    this.#separator = ''
  }
}

function tooLarge(length: number): TroupeErrorOf<'too-large'> {
  return new TroupeErrorOf(
    'too-large', 'one operation changes more than a line of the journal can hold; make it smaller',
    { path: 'jobs', bytes: length, limit: longestLine },
  )
}

function toStored(touch: Touch): StoredChange {
  if (touch.row === null) return { retold: true, entry: touch.entry }
  const { row, before, record, entry } = touch
  if (record === null) {
    const { id } = row.record
    return entry ? { drop: id, entry } : { drop: id }
  }
  const { order } = row
  if (entry === null) {
    // A job that was settled elsewhere has come without a transition.
    if (before === null) return { order, add: record }
    return { order, set: toImage(record, before, null) }
  }
  const { seq, at, event, from, by } = entry
  const said = follows(record, entry)
    ? { fact: [seq, at, event, from, by] as const }
    : { entry }
  return before === null
    ? { order, add: record, ...said }
    : { order, set: toImage(record, before, entry), ...said }
}

/** Whether the entry says nothing of the job but what the record says. */
function follows(record: JobRecord, entry: LogEntry): boolean {
  return entry.rev === record.rev && entry.to === record.state && entry.phase === record.phase &&
    entry.attempt === record.attempt && entry.fence === record.fence &&
    entry.reason === record.reason && entry.progress === record.progress &&
    entry.error === record.error && entry.task === record.task && entry.jobId === record.id &&
    entry.queue === record.queue
}

function toImage(record: JobRecord, before: JobRecord, entry: LogEntry | null): Image {
  const { id, queue, task, state, phase, rev, attempt, fence } = record
  const image: Record<string, unknown> = { id, queue, task, state, phase, rev, attempt, fence }
  for (const key in record) {
    const value = record[key as keyof JobRecord]
    if (value !== before[key as keyof JobRecord] && key !== 'timeline') image[key] = value
  }
  for (const key of repeated) if (record[key] !== null) image[key] = record[key]
  if (entry && !extendsTimeline(record, before, entry)) image['timeline'] = record.timeline
  return image as unknown as Image
}

/** Null when they are absent, because the log entry must follow from the image alone. */
const repeated = ['reason', 'progress', 'error'] as const
const nothing = { reason: null, progress: null, error: null } as const

function lineOf(record: JobRecord, { at, event, by }: LogEntry): TimelineEntry {
  return { at, event, to: leafOf(record), attempt: record.attempt, by }
}

/** Whether `toTimeline` would make the timeline of `record` out of the one before. */
function extendsTimeline(record: JobRecord, before: JobRecord, entry: LogEntry): boolean {
  const { timeline } = record
  const old = before.timeline
  if (timeline === old) return entry.event === 'progress'
  const last = timeline.at(-1)
  return entry.event !== 'progress' && last !== undefined &&
    timeline.length === Math.min(old.length + 1, timelineLimit) &&
    timeline.at(-2) === old.at(-1) &&
    last.at === entry.at && last.event === entry.event && last.to === leafOf(record) &&
    last.attempt === record.attempt && last.by === entry.by
}

function toTimeline(
  before: JobRecord, record: JobRecord, entry: LogEntry,
): readonly TimelineEntry[] {
  if (entry.event === 'progress') return before.timeline
  const kept = before.timeline.length < timelineLimit
    ? before.timeline : before.timeline.slice(1 - timelineLimit)
  return [...kept, lineOf(record, entry)]
}

function entryOf(change: StoredChange): LogEntry | undefined {
  if (change.entry || 'drop' in change || 'retold' in change || !change.fact) return change.entry
  const [seq, at, event, from, by] = change.fact
  const image = ('add' in change ? change.add : change.set) as JobRecord
  const entry: { -readonly [K in keyof LogEntry]: LogEntry[K] } =
    toLogEntry(image, event, from, at, by)
  entry.seq = seq
  entry.reason ??= null
  entry.progress ??= null
  entry.error ??= null
  return entry
}

/** The log entries of a group. */
export function entriesOf({ changes }: StoredGroup): LogEntry[] {
  return changes.flatMap((change) => entryOf(change) ?? [])
}

/**
 * Puts a group's after-images in their places, and answers its log entries. Throws when the
 * images do not fit what is there.
 */
export function applyGroup(rows: Rows, group: StoredGroup): LogEntry[] {
  const entries: LogEntry[] = []
  for (const change of group.changes) {
    const entry = entryOf(change)
    if (entry) entries.push(entry)
    if ('retold' in change) continue
    if ('drop' in change) {
      if (!rows.byId.has(change.drop)) throw new Error(`no job ${change.drop} to drop`)
      rows.restoreDrop(change.drop)
    } else if ('add' in change) rows.restore(change.add, change.order)
    else rows.restore(merge(rows, change.set, change.order, entry), change.order)
  }
  for (const [key, setting] of Object.entries(group.settings ?? {})) {
    rows.restoreSetting(key, setting)
  }
  for (const [queue, erasure] of erasuresOf(group)) rows.restoreErasure(queue, erasure)
  for (const [queue, starts] of Object.entries(group.starts ?? {})) {
    rows.restoreStarts(queue, starts)
  }
  rows.restoreCounters(group.counters)
  return entries
}

/** What a group says of the end of queues. */
export function erasuresOf({ erasures }: StoredGroup): readonly (readonly [string, Erasure])[] {
  return Object.entries(erasures ?? {})
}

function merge(
  rows: Rows, image: Image, order: number, entry: LogEntry | undefined,
): JobRecord {
  const row = rows.byId.get(image.id)
  if (row?.order !== order) throw new Error(`no job ${image.id} to change`)
  const record: JobRecord = { ...row.record, ...nothing, ...image }
  if (image.timeline || !entry) return record
  return { ...record, timeline: toTimeline(row.record, record, entry) }
}
