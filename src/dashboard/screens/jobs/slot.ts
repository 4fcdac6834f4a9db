import type { WireJobLine } from '../../../gateway/protocol.ts'
import type { Found, Position } from './merging.ts'

/** A job of the list. `isGone`: it no longer is what was asked for, and stays where it was. */
export interface Row {
  readonly line: WireJobLine
  readonly isGone: boolean
}

/** One page of a list. */
export interface Slot {
  readonly begin: Position
  readonly next: Position
  readonly length: number
  /** Null when it was let go, to be asked for again when it is looked at. */
  readonly rows: readonly Row[] | null
  /** It was asked for backwards: `next` leads to what is in front of it. */
  readonly isBack: boolean
}

export function rowKey({ queue, id }: { readonly queue: string; readonly id: string }): string {
  return `${queue}\0${id}`
}

export function idsOf(rows: readonly Row[] | null): string {
  return (rows ?? []).map(({ line }) => line.id).join()
}

export function toSlot(begin: Position, { lines, next }: Found, isBack: boolean): Slot {
  const rows = lines.map((line) => ({ line, isGone: false }))
  return { begin, next, length: rows.length, rows, isBack }
}

/** The same rows as they are now. `isFull`: what is not on the page any more may still be there. */
export function renewed(slot: Slot, found: Found, isFull: boolean): Slot {
  if (slot.rows === null) return { ...toSlot(slot.begin, found, slot.isBack), next: slot.next }
  const now = new Map(found.lines.map((line) => [rowKey(line), line]))
  const rows = slot.rows.map(({ line, isGone }) => {
    const fresh = now.get(rowKey(line))
    return { line: fresh ?? line, isGone: isFull ? isGone : fresh === undefined }
  })
  return { ...slot, rows }
}
