import { join } from 'node:path'
import { TroupeErrorOf } from '../../errors.ts'
import type { LogEntry } from '../../records/transition.ts'

/**
 * The first line of a segment. The groups before it that count end with number `after`; whatever
 * an older segment holds behind that was rejected. Its own groups are `base + 1`, `base + 2` …
 */
export interface SegmentHeader {
  readonly segment: number
  readonly after: number
  readonly base: number
}

/** The last line of a segment that was left in good order: what follows it. */
export interface SegmentEnd {
  readonly next: number
}

/** A segment as the checkpoint lists it: its last group, 0 for none. */
export interface ListedSegment {
  readonly segment: number
  readonly last: number
}

/** What a store remembers of a segment. */
export class Segment {
  readonly number: number
  readonly path: string
  /** The last group in it that counts, 0 for none. */
  last = 0
  /** Up to here its bytes are good and on the disk. */
  bytes = 0
  /** The newest number of each queue's log that is in it. */
  readonly newest = new Map<string, number>()

  constructor(directory: string, number: number) {
    this.number = number
    this.path = segmentPath(directory, number)
  }

  note(entry: LogEntry): void {
    this.newest.set(entry.queue, entry.seq)
  }

  listed(): ListedSegment {
    return { segment: this.number, last: this.last }
  }
}

const segmentName = /^(\d{8,15})\.jsonl$/

export function segmentPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(8, '0')}.jsonl`)
}

/** The numbers of the segments among the names of a directory, in order. */
export function segmentNumbers(names: readonly string[]): number[] {
  return names
    .flatMap((name) => segmentName.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
}

/** The error for bytes that make no sense. */
export function damaged(file: string, offset: number, problem: string): Error {
  return new TroupeErrorOf(
    'store-damaged',
    `${file} is damaged at byte ${offset}: ${problem}. Nothing was changed; restore the file ` +
      'from a backup',
    { file, offset },
  )
}
