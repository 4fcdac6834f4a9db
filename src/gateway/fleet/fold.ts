import { leaves } from '../fleet-protocol.ts'
import type { WireChartEdge, WireExportLine } from '../fleet-protocol.ts'
import type { Phase, State } from '../protocol.ts'

/**
 * Transitions become counts and edges here, in the gateway and in the page alike: nothing is
 * imported that a browser has not got.
 */

/** What a fold looks at of a transition. */
export type Folded = Pick<
  WireExportLine, 'jobId' | 'event' | 'from' | 'to' | 'phase' | 'left'
>

/** What a transition did: places in `leaves`, or -1 for nowhere; the edge's place, or -1. */
export interface Step {
  readonly from: number
  readonly to: number
  readonly edge: number
}

/** A fold at a moment. */
export interface Keyframe {
  /** Jobs in each leaf, in the order of `leaves`. */
  readonly counts: readonly number[]
  /** How often each edge of the chart was taken so far. */
  readonly edges: readonly number[]
  /** Jobs that are delayed or blocked: their phase is not told when they leave it. */
  readonly waiting: readonly (readonly [jobId: string, leaf: number])[]
}

const places: ReadonlyMap<string, number> = new Map(leaves.map((leaf, place) => [leaf, place]))
export const nowhere = -1
const ready = 0
const delayed = 1
const blocked = 2

/** Jobs whose phase is remembered; of more, the oldest are taken for ready. */
const waitingLimit = 100_000

/** The place in `leaves` of a job in this state. */
export function placeOf(state: State | null, phase: Phase | null): number {
  const leaf = state === 'queued' ? phase ?? 'ready' : state
  return leaf === null ? nowhere : places.get(leaf) ?? nowhere
}

/** How a chart's edge names what happened: `fail:running>delayed`. */
export function moveOf({ event, from, to, phase }: Folded): string {
  return `${event}:${from ?? ''}>${leaves[placeOf(to, phase)] ?? ''}`
}

/** The place of the edge that each move runs along. */
export function edgesByMove(edges: readonly WireChartEdge[]): ReadonlyMap<string, number> {
  return new Map(edges.flatMap(({ moves }, place) => moves.map((move) => [move, place] as const)))
}

/** Which phase these events are of; the others come in any. */
const phaseOfEvent: { readonly [event: string]: number } = {
  claim: ready, due: delayed, unblock: blocked, countParents: blocked, parentFailed: blocked,
}

/** Folds the transitions of jobs, in the order of their queues' logs. */
export class Fold {
  readonly counts: number[]
  readonly edges: number[]
  readonly #byMove: ReadonlyMap<string, number>
  readonly #waiting: Map<string, number>

  /** From nothing, or on from a keyframe. */
  constructor(
    edges: readonly WireChartEdge[], from: Keyframe | null = null,
    byMove: ReadonlyMap<string, number> = edgesByMove(edges),
  ) {
    this.counts = from ? [...from.counts] : leaves.map(() => 0)
    this.edges = from ? [...from.edges] : edges.map(() => 0)
    this.#byMove = byMove
    this.#waiting = new Map(from?.waiting)
  }

  apply(entry: Folded): Step {
    const { jobId } = entry
    const from = this.#left(entry)
    const to = placeOf(entry.to, entry.phase)
    const edge = this.#byMove.get(moveOf(entry)) ?? nowhere
    if (from !== to) {
      if (from !== nowhere) this.counts[from] = (this.counts[from] ?? 0) - 1
      if (to !== nowhere) this.counts[to] = (this.counts[to] ?? 0) + 1
      if (to === delayed || to === blocked) this.note(jobId, to)
      else if (from === delayed || from === blocked) this.#waiting.delete(jobId)
    }
    if (edge !== nowhere) this.edges[edge] = (this.edges[edge] ?? 0) + 1
    return { from, to, edge }
  }

  /** A job is known to be in this leaf, although no transition has told it. */
  note(jobId: string, leaf: number): void {
    if (leaf !== delayed && leaf !== blocked) return
    this.#waiting.set(jobId, leaf)
    if (this.#waiting.size <= waitingLimit) return
    const [oldest] = this.#waiting.keys()
    if (oldest !== undefined) this.#waiting.delete(oldest)
  }

  keyframe(): Keyframe {
    return {
      counts: [...this.counts], edges: [...this.edges], waiting: [...this.#waiting],
    }
  }

  #left({ event, from, jobId, left }: Folded): number {
    if (from !== 'queued') return placeOf(from, null)
    if (left !== undefined) return placeOf('queued', left)
    return phaseOfEvent[event] ?? this.#waiting.get(jobId) ?? ready
  }
}

/**
 * The phase that a transition left, where nothing but the job's past tells it and it was not
 * `ready`: what an entry has to carry so that it can be folded without that past.
 */
export function toldPhase({ event, from }: Folded, step: Step): Phase | undefined {
  if (from !== 'queued' || phaseOfEvent[event] !== undefined) return undefined
  if (step.from !== delayed && step.from !== blocked) return undefined
  return leaves[step.from]
}
