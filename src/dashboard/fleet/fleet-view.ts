import { computed } from '@preact/signals'
import { leaves } from '../../gateway/fleet-protocol.ts'
import type { Leaf, WireMoment } from '../../gateway/fleet-protocol.ts'
import type { EdgeFigures } from '../chart/chart-edge.tsx'
import type { NodeFigures } from '../chart/chart-node.tsx'
import type { FleetFeed } from './feed.ts'
import { frame, history, moment } from './travel.ts'

/** The fleet as it is drawn: now, or at a moment of the log. */
export interface FleetView {
  readonly node: (id: string) => NodeFigures
  readonly edge: (id: string) => EdgeFigures
  /** Jobs that wait; null: not known. */
  readonly queued: number | null
  readonly perSecond: number
}

/** Below this a pulse runs for each transition. */
export const pulseLimit = 50

function liveView(feed: FleetFeed): FleetView {
  const counts = feed.counts.value
  const flows = feed.flows.value
  const ever = feed.everTaken.value
  const ages = feed.ages.value
  const past = feed.past.value
  let perSecond = 0
  for (const flow of flows.values()) perSecond += flow.perSecond
  return {
    queued: queuedOf(counts),
    perSecond,
    node: (id) => {
      const place = leaves.indexOf(id as Leaf)
      return {
        count: counts[place] ?? 0, ages: ages[place] ?? null, past: past[place] ?? [],
      }
    },
    edge: (id) => {
      const flow = flows.get(id)
      return {
        perSecond: flow?.perSecond ?? 0,
        isNever: ever !== null && !ever.has(id),
        taken: flow?.taken ?? 0,
      }
    },
  }
}

function momentView(feed: FleetFeed, shown: WireMoment & { readonly kept: true }): FleetView {
  const log = history.value
  const times = new Map(shown.edges.map(([place, count]) => [log?.edges[place] ?? '', count]))
  const seconds = shown.windowMs / 1000
  const ever = log?.taken ?? feed.everTaken.value
  let perSecond = 0
  for (const count of times.values()) perSecond += count / seconds
  return {
    queued: queuedOf(shown.counts),
    perSecond,
    node: (id) => ({
      count: shown.counts[leaves.indexOf(id as Leaf)] ?? 0, ages: null, past: [],
    }),
    edge: (id) => ({
      perSecond: (times.get(id) ?? 0) / seconds,
      isNever: ever !== null && !ever.has(id),
      taken: 0,
    }),
  }
}

function queuedOf(counts: readonly number[]): number {
  return (counts[0] ?? 0) + (counts[1] ?? 0) + (counts[2] ?? 0)
}

/** Nothing is known: not yet, or no more. */
const unknown: FleetView = {
  queued: null,
  perSecond: 0,
  node: () => ({ count: null, ages: null, past: [] }),
  edge: () => ({ perSecond: null, isNever: false, taken: 0 }),
}

/** What is drawn, whenever it changes. While a moment is asked for, the last one stays. */
export function shownView(feed: FleetFeed) {
  let last = unknown
  return computed(() => {
    const shown = frame.value
    if (moment.value === null) last = feed.opened.value === null ? unknown : liveView(feed)
    else if (shown?.kept) last = momentView(feed, shown)
    else if (shown) last = unknown
    return last
  })
}
