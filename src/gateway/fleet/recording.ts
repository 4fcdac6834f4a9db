import { importLimit, leaves } from '../fleet-protocol.ts'
import type {
  WireChartEdge, WireExportHead, WireExportLine, WireMoment, WireSeries,
} from '../fleet-protocol.ts'
import { edgesByMove, Fold, nowhere } from './fold.ts'

/** Transitions between two remembered counts. */
const stride = 1024

export type RecordedMoment = Extract<WireMoment, { readonly kept: true }>

/** Why a line is none of an export. */
export interface ImportFault {
  /** From 1 on. */
  readonly line: number
  readonly why: 'too-many-lines' | 'no-json' | 'no-transition'
}

/** Transitions of a span of time, small enough for a page to keep 200,000: 12 bytes each. */
export class Recording {
  readonly #edges: readonly WireChartEdge[]
  readonly #fold: Fold
  readonly #times: number[] = []
  readonly #from: number[] = []
  readonly #to: number[] = []
  readonly #edge: number[] = []
  /** Counts before each `stride` of transitions. */
  readonly #marks: number[][] = []
  /** The lowest that each leaf fell to: below nothing, when jobs were there before. */
  readonly #lowest = leaves.map(() => 0)
  #isKnown = false

  constructor(edges: readonly WireChartEdge[], head: WireExportHead | null = null) {
    this.#edges = edges
    this.#isKnown = !!head?.counts
    this.#fold = new Fold(edges, {
      counts: head?.counts ?? leaves.map(() => 0), edges: edges.map(() => 0), waiting: [],
    }, edgesByMove(edges))
  }

  get length(): number {
    return this.#times.length
  }

  /** Of the first transition; null without any. */
  get begin(): number | null {
    return this.#times[0] ?? null
  }

  get end(): number | null {
    return this.#times.at(-1) ?? null
  }

  add(line: WireExportLine): void {
    if (this.length % stride === 0) this.#marks.push([...this.#fold.counts])
    const { from, to, edge } = this.#fold.apply(line)
    // Clocks of processes differ a little; the log's order counts.
    this.#times.push(Math.max(line.at, this.end ?? line.at))
    this.#from.push(from)
    this.#to.push(to)
    this.#edge.push(edge)
    if (from === nowhere) return
    this.#lowest[from] = Math.min(this.#lowest[from] ?? 0, this.#fold.counts[from] ?? 0)
  }

  /** The fleet right after all that happened until `time`. */
  moment(time: number, windowMs = 10_000): RecordedMoment {
    const end = this.#after(time)
    const start = this.#after(time - windowMs)
    const edges = new Map<number, number>()
    for (let index = start; index < end; index += 1) {
      const edge = this.#edge[index] ?? nowhere
      if (edge !== nowhere) edges.set(edge, (edges.get(edge) ?? 0) + 1)
    }
    return {
      kept: true, time, windowMs, counts: this.#countsBefore(end),
      edges: [...edges].sort(([a], [b]) => a - b),
      next: this.#times[end] ?? null,
      previous: this.#times[this.#before(time) - 1] ?? null,
    }
  }

  series(from: number, to: number, points: number): WireSeries {
    const stepMs = Math.max(1, Math.ceil((to - from) / points))
    const size = Math.max(1, Math.ceil((to - from) / stepMs))
    const completed = Array.from({ length: size }, () => 0)
    const failed = Array.from({ length: size }, () => 0)
    const done = leaves.indexOf('completed')
    const lost = leaves.indexOf('failed')
    for (let index = this.#before(from); index < this.#before(to); index += 1) {
      const span = Math.floor(((this.#times[index] ?? 0) - from) / stepMs)
      if (this.#to[index] === this.#from[index]) continue
      if (this.#to[index] === done) completed[span] = (completed[span] ?? 0) + 1
      if (this.#to[index] === lost) failed[span] = (failed[span] ?? 0) + 1
    }
    return { from, to, stepMs, completed, failed, keptFrom: this.begin }
  }

  get edges(): readonly WireChartEdge[] {
    return this.#edges
  }

  /** Without a head nobody knows what was there before: the fewest jobs that explain the rest. */
  #countsBefore(end: number): number[] {
    const mark = Math.min(Math.floor(end / stride), this.#marks.length - 1)
    const counts = [...(this.#marks[mark] ?? this.#fold.counts)]
    for (let index = Math.max(mark, 0) * stride; index < end; index += 1) {
      const from = this.#from[index] ?? nowhere
      const to = this.#to[index] ?? nowhere
      if (from !== nowhere) counts[from] = (counts[from] ?? 0) - 1
      if (to !== nowhere) counts[to] = (counts[to] ?? 0) + 1
    }
    return this.#isKnown
      ? counts : counts.map((count, place) => count - (this.#lowest[place] ?? 0))
  }

  /** The place behind all transitions until `time`. */
  #after(time: number): number {
    return this.#before(time + 1)
  }

  /** The place of the first transition at `time` or later; times are whole milliseconds. */
  #before(time: number): number {
    let low = 0
    let high = this.#times.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#times[middle] ?? 0) < time) low = middle + 1
      else high = middle
    }
    return low
  }
}

/**
 * Reads the lines of an export; empty ones are passed over. It ends at the first line that is
 * none, or behind 200,000: the recording then holds what came before.
 */
export function readExport(lines: Iterable<string>, edges: readonly WireChartEdge[]): {
  readonly recording: Recording
  readonly fault: ImportFault | null
} {
  let recording: Recording | null = null
  let number = 0
  for (const text of lines) {
    number += 1
    if (text.trim() === '') continue
    const fault = (why: ImportFault['why']): ReturnType<typeof readExport> =>
      ({ recording: recording ?? new Recording(edges), fault: { line: number, why } })
    const value = parse(text)
    if (value === undefined) return fault('no-json')
    if (!recording && isHead(value)) {
      recording = new Recording(edges, value)
      continue
    }
    if (!isLine(value)) return fault('no-transition')
    recording ??= new Recording(edges)
    if (recording.length >= importLimit) return fault('too-many-lines')
    recording.add(value)
  }
  return { recording: recording ?? new Recording(edges), fault: null }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isHead(value: unknown): value is WireExportHead {
  if (typeof value !== 'object' || value === null) return false
  const { export: name, counts } = value as Partial<WireExportHead>
  return name === 'troupe-fleet' && (counts === null ||
    (Array.isArray(counts) && counts.length === leaves.length &&
      counts.every((count) => Number.isSafeInteger(count))))
}

function isLine(value: unknown): value is WireExportLine {
  if (typeof value !== 'object' || value === null) return false
  const { at, jobId, event, from, to } = value as Partial<WireExportLine>
  const isState = (state: unknown): boolean => state === null || typeof state === 'string'
  return Number.isSafeInteger(at) && typeof jobId === 'string' && typeof event === 'string' &&
    isState(from) && isState(to)
}
