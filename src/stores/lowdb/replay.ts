import type { Disk } from '../../env.ts'
import { forgetLog } from '../erasures.ts'
import type { Rows } from '../rows.ts'
import type { Checkpoint } from './checkpoint.ts'
import { isTorn, readFrame } from './frame.ts'
import { applyGroup, entriesOf, erasuresOf } from './record-codec.ts'
import type { StoredGroup } from './record-codec.ts'
import { damaged, Segment, segmentNumbers, segmentPath } from './segment.ts'
import type { SegmentEnd, SegmentHeader } from './segment.ts'

/** What replaying the journal found. Nothing on the disk has been changed. */
export interface Replayed {
  readonly segments: readonly Segment[]
  /** Files that nothing refers to any more. */
  readonly leftovers: readonly string[]
  /** The last group that counts, and the last number that was given. */
  readonly after: number
  readonly base: number
  /** A number that no segment has had. */
  readonly next: number
  /** Bytes of groups that are not in the checkpoint. */
  readonly bytes: number
  /** The segment whose end is an interrupted append, with its length. */
  readonly torn: { readonly path: string; readonly from: number; readonly length: number } | null
  /** What was skipped on the way. */
  readonly notes: readonly string[]
  readonly erasing: Erasing
}

/** Segments in which queues were erased: they keep older ones from bringing back their logs. */
export type Erasing = Map<Segment, Set<string>>

export function noteErasure(erasing: Erasing, segment: Segment, queue: string): void {
  const queues = erasing.get(segment)
  if (queues) queues.add(queue)
  else erasing.set(segment, new Set([queue]))
}

/** A segment that is about to be read; what counts in it is known from the one behind it. */
interface Opened {
  readonly segment: Segment
  readonly bytes: Buffer
  readonly header: SegmentHeader
  readonly start: number
}

/** Reads the segments, oldest first, into rows that hold the checkpoint. */
export class Replay {
  readonly #disk: Disk
  readonly #directory: string
  readonly #rows: Rows
  readonly #checkpoint: Checkpoint | null
  readonly #group: number
  /** The last group that each segment must hold, by the checkpoint. */
  readonly #listed: ReadonlyMap<number, number>
  readonly #newest: number
  readonly #segments: Segment[] = []
  readonly #leftovers: string[] = []
  readonly #notes: string[] = []
  readonly #erasing: Erasing = new Map()
  #after = 0
  #base = 0
  #bytes = 0
  /** What the segment before named as the next one. */
  #expected = 0
  #torn: Replayed['torn'] = null

  constructor(disk: Disk, directory: string, rows: Rows, checkpoint: Checkpoint | null) {
    this.#disk = disk
    this.#directory = directory
    this.#rows = rows
    this.#checkpoint = checkpoint
    this.#group = checkpoint?.group ?? 0
    this.#listed = new Map(checkpoint?.segments.map(({ segment, last }) => [segment, last]))
    this.#newest = Math.max(0, ...this.#listed.keys())
  }

  async run(): Promise<Replayed> {
    const present = segmentNumbers(await this.#disk.list(this.#directory))
    for (const number of this.#listed.keys()) {
      if (!present.includes(number)) throw this.#missing(number)
    }
    let previous: Opened | null = null
    for (const number of present) {
      // Older than the checkpoint and not listed in it: retention has given it up.
      if (number < this.#newest && !this.#listed.has(number)) {
        this.#leftovers.push(segmentPath(this.#directory, number))
        continue
      }
      const opened = await this.#open(number)
      if (!opened) continue
      if (previous) this.#read(previous, opened)
      previous = opened
    }
    if (previous) this.#read(previous, null)
    if (this.#expected > this.#newest) throw this.#missing(this.#expected)
    this.#finishLogs()
    return {
      segments: this.#segments, leftovers: this.#leftovers, notes: this.#notes, torn: this.#torn,
      erasing: this.#erasing,
      after: Math.max(this.#after, this.#group), bytes: this.#bytes,
      base: Math.max(this.#base, this.#group),
      next: Math.max(this.#newest, present.at(-1) ?? 0) + 1,
    }
  }

  #missing(number: number): Error {
    return damaged(segmentPath(this.#directory, number), 0, 'this segment is missing')
  }

  /** Null for a file that was made and never used. */
  async #open(number: number): Promise<Opened | null> {
    const segment = new Segment(this.#directory, number)
    const bytes = (await this.#disk.read(segment.path)) ?? Buffer.alloc(0)
    const frame = readFrame(bytes, 0)
    if (!frame && isTorn(bytes) && !this.#listed.has(number)) {
      this.#leftovers.push(segment.path)
      return null
    }
    const header = frame?.value as Partial<SegmentHeader> | undefined
    if (header?.segment !== number || header.after === undefined || header.base === undefined) {
      throw damaged(segment.path, 0, 'its first line is not the header of this segment')
    }
    return { segment, bytes, header: header as SegmentHeader, start: frame?.end ?? 0 }
  }

  #read(opened: Opened, next: Opened | null): void {
    const { segment, header, bytes } = opened
    this.#checkBeginning(opened)
    this.#segments.push(segment)
    const limit = Math.min(next?.header.after ?? Number.POSITIVE_INFINITY, this.#endOf(segment))
    let offset = opened.start
    let number = header.base
    segment.bytes = offset
    this.#base = Math.max(this.#base, number)
    while (offset < bytes.length) {
      const frame = readFrame(bytes, offset)
      const value = frame?.value as Partial<StoredGroup & SegmentEnd> | undefined
      if (value?.next !== undefined) {
        this.#expected = value.next
        break
      }
      // The header of the next segment says that what follows was rejected.
      if (number >= limit || this.#after === limit) break
      if (!frame || !value) {
        this.#stop(opened, offset, next)
        break
      }
      number += 1
      if (value.group !== number) throw damaged(segment.path, offset, `group ${number} is missing`)
      this.#apply(segment, value as StoredGroup, offset)
      if (number > this.#group) this.#bytes += frame.end - offset
      offset = frame.end
      segment.bytes = offset
      segment.last = number
      this.#after = number
    }
    this.#base = Math.max(this.#base, number)
    if (segment.last < (this.#listed.get(segment.number) ?? 0)) {
      throw damaged(segment.path, offset, `group ${segment.last + 1} is missing`)
    }
  }

  /** What a segment held when the checkpoint was made; the newest one may have grown since. */
  #endOf({ number }: Segment): number {
    const last = this.#listed.get(number)
    return last === undefined || number === this.#newest ? Number.POSITIVE_INFINITY : last
  }

  /** Groups between two segments may be missing only when the checkpoint has them. */
  #checkBeginning({ segment, header }: Opened): void {
    const { after } = header
    if (this.#expected > this.#newest && this.#expected < segment.number) {
      throw this.#missing(this.#expected)
    }
    this.#expected = 0
    if (after < this.#after || (after > this.#after && after > this.#group)) {
      throw damaged(segment.path, 0, `group ${this.#after + 1} is missing in front of it`)
    }
    this.#after = after
  }

  #apply(segment: Segment, group: StoredGroup, offset: number): void {
    try {
      const entries = group.group > this.#group
        ? applyGroup(this.#rows, group) : entriesOf(group)
      for (const entry of entries) {
        segment.note(entry)
        this.#rows.queue(entry.queue).log.restore(entry)
      }
      for (const [queue, erasure] of erasuresOf(group)) {
        forgetLog(this.#rows.queue(queue).log, erasure)
        noteErasure(this.#erasing, segment, queue)
      }
    } catch (error) {
      throw damaged(segment.path, offset, (error as Error).message)
    }
  }

  /** Bytes that are no group, before the groups that count have come to their end. */
  #stop({ segment, bytes }: Opened, offset: number, next: Opened | null): void {
    if (!next && isTorn(bytes.subarray(offset))) {
      this.#torn = { path: segment.path, from: offset, length: bytes.length }
      return
    }
    // A disk that failed here may have lost older bytes of the same sector; a full checkpoint
    // followed, so that only history is missing.
    const failed = next !== null && next.header.base > next.header.after
    if (!failed || next.header.after > this.#group) {
      throw damaged(segment.path, offset, 'these bytes are no group')
    }
    this.#notes.push(`${segment.path} lost its end, from byte ${offset}, when the disk failed`)
  }

  /** A log whose segments are gone goes on behind the number that the checkpoint knows. */
  #finishLogs(): void {
    for (const [queue, newest] of this.#checkpoint?.logs ?? []) {
      const { log } = this.#rows.queue(queue)
      if (log.newest < newest) log.startAt(newest)
    }
  }
}
