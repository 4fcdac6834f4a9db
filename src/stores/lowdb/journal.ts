import type { Disk, DiskFile } from '../../env.ts'
import type { Touch } from '../group.ts'
import { encodeFrame } from './frame.ts'
import { Segment } from './segment.ts'
import type { ListedSegment, SegmentEnd, SegmentHeader } from './segment.ts'

/** Writes groups into segments: files that only grow, one line a group. */
export class Journal {
  readonly #disk: Disk
  readonly #directory: string
  /** Those of which the log still needs something, and the one that is written, in order. */
  #segments: Segment[]
  #next: number
  #file: DiskFile | null = null

  /** `next` must be higher than the number of any file that is there. */
  constructor(disk: Disk, directory: string, segments: readonly Segment[], next: number) {
    this.#disk = disk
    this.#directory = directory
    this.#segments = [...segments]
    this.#next = next
  }

  /** The segment that can be appended to; null before the first `begin` and after a failure. */
  get current(): Segment | null {
    return this.#file ? this.#segments.at(-1) ?? null : null
  }

  get segments(): readonly Segment[] {
    return this.#segments
  }

  /**
   * Makes a new segment the current one. When it fails, the current one stays as it was, unless
   * the disk may bring back the new one: then there is none.
   */
  async begin(after: number, base: number): Promise<void> {
    const segment = new Segment(this.#directory, this.#next)
    this.#next += 1
    const header: SegmentHeader = { segment: segment.number, after, base }
    const line = encodeFrame(JSON.stringify(header))
    const file = await this.#disk.open(segment.path, 'exclusive')
    try {
      await file.append(line)
      await file.datasync()
      await this.#disk.syncDirectory(this.#directory)
    } catch (error) {
      await quietly(file.close())
      // A removal is undone by a power cut that comes too soon, and the header would be believed:
      // what the current segment takes from now on would count as rejected.
      const emptied = await quietly(this.#disk.truncate(segment.path, 0))
      await quietly(this.#disk.remove(segment.path))
      if (!emptied) await this.close()
      throw error
    }
    const old = this.#file
    segment.bytes = line.length
    this.#segments.push(segment)
    this.#file = file
    if (old) await leave(old, segment.number)
  }

  /** Resolves when the group is on the disk. After a rejection, `abandon` the segment. */
  async append(line: Buffer, group: number, touches: readonly Touch[]): Promise<void> {
    const segment = this.#segments.at(-1)
    if (!segment || !this.#file) throw new Error('no segment to append to')
    await this.#file.append(line)
    await this.#file.datasync()
    segment.bytes += line.length
    segment.last = group
    for (const { entry } of touches) if (entry) segment.note(entry)
  }

  /**
   * Gives up the current segment, which has failed, and takes from the disk what it holds of the
   * group that failed: a failed sync says nothing about what has reached the disk, and a second
   * one would not either. Answers whether that group is certainly gone.
   */
  async abandon(after: number, base: number): Promise<boolean> {
    const segment = this.current
    if (!segment || !this.#file) return true
    await quietly(this.#file.close())
    this.#file = null
    if (await quietly(this.#disk.truncate(segment.path, segment.bytes))) return true
    return quietly(this.begin(after, base))
  }

  /** Forgets and removes segments, oldest first; what cannot be removed is left behind. */
  async drop(segments: ReadonlySet<Segment>): Promise<void> {
    this.#segments = this.#segments.filter((segment) => !segments.has(segment))
    for (const { path } of segments) await quietly(this.#disk.remove(path))
  }

  listed(without: ReadonlySet<Segment>): ListedSegment[] {
    return this.#segments
      .filter((segment) => !without.has(segment))
      .map((segment) => segment.listed())
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    if (file) await quietly(file.close())
  }
}

/** Needs no sync: without this line the next segment still says that it follows. */
async function leave(file: DiskFile, next: number): Promise<void> {
  const end: SegmentEnd = { next }
  await quietly(file.append(encodeFrame(JSON.stringify(end))))
  await quietly(file.close())
}

/** Whether it worked, for work that may fail. */
async function quietly(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch {
    return false
  }
}
