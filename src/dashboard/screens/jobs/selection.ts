import { signal } from '@preact/signals'
import type { WireJobLine } from '../../../gateway/protocol.ts'
import { rowKey } from './slot.ts'

/** What is chosen: some rows, or everything that the filter matches, seen or not. */
export type Chosen =
  | { readonly all: false; readonly lines: ReadonlyMap<string, WireJobLine> }
  | { readonly all: true }

export const nothing: Chosen = { all: false, lines: new Map() }
export const chosen = signal<Chosen>(nothing)

export function isChosen(line: WireJobLine): boolean {
  const now = chosen.value
  return now.all || now.lines.has(rowKey(line))
}

export function toggle(line: WireJobLine, shown: readonly WireJobLine[]): void {
  const now = chosen.value
  const lines = new Map(now.all ? shown.map((each) => [rowKey(each), each] as const) : now.lines)
  if (!lines.delete(rowKey(line))) lines.set(rowKey(line), line)
  chosen.value = { all: false, lines }
}

export function choose(lines: readonly WireJobLine[]): void {
  chosen.value = { all: false, lines: new Map(lines.map((line) => [rowKey(line), line])) }
}
