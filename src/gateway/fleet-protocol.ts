import type { JobError, Phase, State } from '../../machines/vocabulary.ts'
import type { WireTransition } from './protocol.ts'

/**
 * The wire format of the fleet: what a page needs to show all jobs at once, now or at a moment
 * that the log keeps. It costs the same however many jobs there are.
 */

/** Where a job can be, in the order in which counts and ages are sent. */
export const leaves = [
  'ready', 'delayed', 'blocked', 'running', 'cancelling', 'completed', 'failed', 'cancelled',
] as const
export type Leaf = Phase | Exclude<State, 'queued'>

/** Paths behind the place where the gateway is mounted; all are GETs. */
export const fleetPaths = {
  /** `WireCharts`. */
  charts: '/v1/fleet/charts',
  /** `?queue=a,b&task=a,b&partition=a`: server-sent events, see `FleetEvents`. */
  stream: '/v1/fleet/stream',
  /** `?time=&windowMs=&queue=&task=`: `WireMoment`. */
  at: '/v1/fleet/at',
  /** `?from=&to=&points=&queue=&task=`: `WireSeries`. */
  series: '/v1/fleet/series',
  /** `?from=&to=&queue=&task=`: `WireExportHead`, then `WireExportLine`s; JSON lines. */
  export: '/v1/fleet/export',
  /**
   * `?queue=&task=&partition=&until=&limit=`: `WireFailures`, the newest first; limit 1 to 100,
   * default 10. With `until` (epoch ms) those that the log tells of, of whatever partition.
   */
  failures: '/v1/fleet/failures',
  /** `?edge=&queue=&task=&limit=`: `WireTraversals`; limit 1 to 100, default 20. */
  traversals: '/v1/fleet/traversals',
} as const

/** Parameters of the stream; a list means any of these. */
export const fleetFilters = ['queue', 'task', 'partition'] as const

/** The charts as the machines that run define them. */
export interface WireCharts {
  readonly job: WireChart
  readonly queue: WireChart
}

export interface WireChart {
  /** What it is the chart of: `job`, `queue`. */
  readonly id: string
  readonly description: string
  readonly nodes: readonly WireChartNode[]
  /** Frames name them by their place in this list. */
  readonly edges: readonly WireChartEdge[]
}

export interface WireChartNode {
  /** `ready`, `running`; `start` is the dot from which the first edge comes. */
  readonly id: string
  /** The frame around it. */
  readonly parent: string | null
  readonly description: string
  readonly kind: 'start' | 'frame' | 'state' | 'final'
  readonly tags: readonly string[]
}

/** One drawn edge: transitions with the same source, target and meaning share it. */
export interface WireChartEdge {
  /** `running-delayed-fail`: stable; the geometry goes by it. */
  readonly id: string
  /** Several where the same event leads from several states to one: `failed`, `cancelled`. */
  readonly sources: readonly string[]
  readonly target: string
  /** In the colour of: `failure`, `claim` (running), `complete` (completed); all else is grey. */
  readonly kind: 'failure' | 'claim' | 'complete' | 'plain'
  readonly events: readonly WireChartEvent[]
  /** What decides between this edge and another of the same event: `retries left`; or null. */
  readonly guard: string | null
  /** Moves of jobs that run along it, `event:from>to`; see `moveOf` in `fleet/fold.ts`. */
  readonly moves: readonly string[]
}

export interface WireChartEvent {
  readonly name: string
  /** In words: `parent failed`. */
  readonly label: string
  readonly description: string
  /** Names of the guards as the machine has them; empty without. */
  readonly guards: readonly string[]
}

/** What `GET /v1/fleet/stream` sends; counts and ages are in the order of `leaves`. */
export interface FleetEvents {
  /** First, and again when there is another queue: forget what came before. */
  readonly 'fleet.opened': WireFleetOpened
  /** At most four times a second, and only when something changed. */
  readonly 'fleet.frame': WireFrame
  /** Once a second, when something changed. */
  readonly 'fleet.ages': WireAges
  /** Once a second, the lines that changed, as many as there is room for: others come later. */
  readonly 'fleet.queues': WireQueueLines
  /** The gateway stops, or cannot read; come back in a while. */
  readonly 'fleet.closing': { readonly retryMs: number }
}

export interface WireFleetOpened {
  readonly at: number
  /** Names of the queues that the user may read and the filter lets pass; lines go by the place. */
  readonly queues: readonly string[]
  /** Ids of the job chart's edges; `edges` of a frame go by the place. */
  readonly edges: readonly string[]
  readonly counts: readonly number[]
  /**
   * Of a filter by task or partition, or of a user's scope, the newest 2,000 jobs of a queue and
   * those that move from now on are counted (at most 20,000 in all). True: there are more.
   */
  readonly isBounded: boolean
  /** Before this moment the log keeps nothing (epoch ms); null: it keeps nothing at all. */
  readonly keptFrom: number | null
  /** Whether this user may ask for what was: a user with a scope may not. */
  readonly hasHistory: boolean
  /** All lines. */
  readonly lines: readonly WireQueueLine[]
}

export interface WireFrame {
  /** Epoch ms, by the gateway's clock. */
  readonly at: number
  /** Jobs in each leaf. */
  readonly counts: readonly number[]
  /** What was taken since the last frame: place of the edge, and how often. Others: not at all. */
  readonly edges: readonly (readonly [edge: number, times: number])[]
  /** Sent when it becomes true: see `WireFleetOpened`. */
  readonly isBounded?: true
}

export interface WireAges {
  readonly at: number
  /**
   * Milliseconds that the jobs of each leaf have been in it: p50 and p95, of up to 2,048 jobs of
   * the leaf that were picked by their ids; null for an empty leaf, or one of which nothing is
   * known yet.
   */
  readonly ages: readonly (readonly [p50: number, p95: number] | null)[]
}

export interface WireQueueLines {
  readonly at: number
  readonly lines: readonly WireQueueLine[]
}

/** A tuple, for it is sent often. */
export type WireQueueLine = readonly [
  /** Its place in `queues` of `fleet.opened`. */
  queue: number,
  /** Ready, delayed and blocked. */
  waiting: number,
  running: number,
  /** Completed a second, over the last 10 s. */
  throughput: number,
  /** When the oldest ready job was added (epoch ms); null: none is ready, or not known. */
  oldestAt: number | null,
  /** 1: paused for every process. */
  paused: 0 | 1,
  /** A handler or the rate limit said: nothing before (epoch ms); null: no limit is reached. */
  limitedUntil: number | null,
]

/**
 * The fleet at a moment. The log says of which task a job is, not of which partition: a filter by
 * task is heeded, and what was there before the log begins is then estimated from what happens
 * later.
 */
export type WireMoment =
  | {
      readonly kept: true
      readonly time: number
      readonly counts: readonly number[]
      /** What was taken in `windowMs` before `time`; divide for a rate. Default 10 s. */
      readonly edges: readonly (readonly [edge: number, times: number])[]
      readonly windowMs: number
      /** The time of the next and of the last transition around it, for steps; null: none. */
      readonly next: number | null
      readonly previous: number | null
    }
  /** The log does not go back so far: it begins at `keptFrom`, or is empty with null. */
  | { readonly kept: false; readonly time: number; readonly keptFrom: number | null }

/** For the scrubber: `points` spans of `stepMs` from `from` on. */
export interface WireSeries {
  readonly from: number
  readonly to: number
  readonly stepMs: number
  /** Completed in each span; null where the log no longer keeps it. */
  readonly completed: readonly (number | null)[]
  /** Failed for good in each span. */
  readonly failed: readonly (number | null)[]
  readonly keptFrom: number | null
}

/** The first line of an export. */
export interface WireExportHead {
  readonly export: 'troupe-fleet'
  readonly version: 1
  readonly from: number
  readonly to: number
  /** In the order of `leaves`: right before the first line; null when filtered by task. */
  readonly counts: readonly number[] | null
}

/** A transition of an export; those of one queue are in order, and all go by time. */
export type WireExportLine = WireTransition & {
  /** The phase that was left, where `from` and `event` do not tell it. */
  readonly left?: Phase
}

/** Lines that a page takes of an export. */
export const importLimit = 200_000

/** A job that is `failed` now, or was at the moment that was asked for. */
export interface WireFailure {
  readonly queue: string
  readonly id: string
  readonly task: string
  readonly label: string | null
  readonly at: number
  readonly reason: string | null
  readonly attempt: number
  readonly error: Pick<JobError, 'name' | 'message' | 'code'> | null
}
export interface WireFailures {
  readonly failures: readonly WireFailure[]
  /** Failed jobs that are kept in all; null for some of them, or for those of the past. */
  readonly kept: number | null
}

export interface WireTraversals {
  readonly edge: string
  /** The newest first. */
  readonly transitions: readonly WireTransition[]
  /** The search ended there: older ones were not looked for (epoch ms); null: all was read. */
  readonly stoppedAt: number | null
}

/** Coordinates of a chart in pixels at scale 1. `src/dashboard/chart/geometry.ts` holds them. */
export interface ChartGeometry {
  readonly width: number
  readonly height: number
  /** What corners of `path` are rounded with. */
  readonly cornerRadius: number
  /** By the id of the node; `start` is the box around the dot. */
  readonly nodes: { readonly [id: string]: ChartBox }
  /** By the id of the edge. */
  readonly edges: { readonly [id: string]: EdgeGeometry }
}

export interface ChartBox {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly parent: string | null
}

export interface EdgeGeometry {
  /** An SVG path from the first source to the target, with its round corners. */
  readonly path: string
  /** The corners of `path`, both ends included. */
  readonly points: readonly (readonly [x: number, y: number])[]
  /** Paths from the other sources to where they meet the first one. */
  readonly joins: readonly string[]
  /** None where there is no room: then the edge's name is told in its title only. */
  readonly labels: readonly LabelGeometry[]
  /** The middle of a long straight part: the place of a numbered disc. */
  readonly badge: readonly [x: number, y: number]
}

/** One line of a label. */
export interface LabelGeometry {
  /** Where the text stands: `y` is its baseline. 12 px type. */
  readonly x: number
  readonly y: number
  readonly anchor: 'start' | 'middle' | 'end'
  /** Names of events, `fail · timeout`; empty where the line has the guard or rate only. */
  readonly text: string
  /** In brackets, in a lighter tone; null for none. */
  readonly guard: string | null
  /** Whether the rate stands behind it, in bold. */
  readonly hasRate: boolean
  /** The room that is kept for it, the widest rate (`99.9k/s`) included. */
  readonly box: Omit<ChartBox, 'parent'>
}

/** `wide`: the fleet; `compact`: one job; `narrow`: 360 px, one column. */
export interface ChartGeometries {
  readonly wide: ChartGeometry
  readonly compact: ChartGeometry
  readonly narrow: ChartGeometry
}
