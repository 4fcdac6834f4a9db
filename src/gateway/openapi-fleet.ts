import { phases } from '../../machines/vocabulary.ts'
import type { SchemaName } from './call.ts'
import type {
  FleetEvents, WireAges, WireChart, WireChartEdge, WireChartEvent, WireChartNode, WireCharts,
  WireExportHead, WireExportLine, WireFailure, WireFailures, WireFleetOpened, WireFrame, WireMoment,
  WireQueueLines, WireSeries, WireTraversals,
} from './fleet-protocol.ts'
import {
  complete, decimal, described, error, flag, list, nullable, oneOf, ref, state, text, time,
  tuple, whole,
} from './openapi-words.ts'
import type { PartName, Schema } from './openapi-words.ts'
import type { WireTransition } from './protocol.ts'

/** How often each edge was taken. */
const edgeTimes = list(tuple(whole, whole))
const counts = list(whole)
const perSpan = list(nullable(whole))

/** Of a queue: place, waiting, running, throughput, oldestAt, paused, limitedUntil. */
const line = tuple(
  whole, whole, whole, decimal, nullable(time), { enum: [0, 1] }, nullable(time),
)

const transition: { readonly [K in Exclude<keyof WireTransition, 'skipped'>]: Schema } = {
  seq: whole, at: time, queue: text, jobId: text, rev: whole, task: text, event: text,
  from: nullable(state), to: nullable(state), phase: nullable({ enum: phases }), attempt: whole,
  fence: whole, by: text, reason: nullable(text), progress: nullable({ type: 'object' }),
  error: nullable({ type: 'object' }),
}
const skipped = whole

const events: { readonly [E in keyof FleetEvents]: Schema } = {
  'fleet.opened': described<WireFleetOpened>({
    at: time, queues: list(text), edges: list(text), counts, isBounded: flag,
    keptFrom: nullable(time), hasHistory: flag, lines: list(line),
  }),
  'fleet.frame': described<WireFrame>(
    { at: time, counts, edges: edgeTimes }, { isBounded: { const: true } },
  ),
  'fleet.ages': described<WireAges>({ at: time, ages: list(nullable(tuple(decimal, decimal))) }),
  'fleet.queues': described<WireQueueLines>({ at: time, lines: list(line) }),
  'fleet.closing': described<FleetEvents['fleet.closing']>({ retryMs: whole }),
}

type Kept<K extends boolean> = Extract<WireMoment, { readonly kept: K }>

/** What the routes of the fleet answer. */
export const fleetSchemas: {
  readonly [N in Extract<SchemaName, `Fleet${string}`> | Extract<PartName, 'Transition' | 'Chart'>]:
  Schema
} = {
  Transition: complete(transition, { skipped }),
  Chart: described<WireChart>({
    id: text, description: text,
    nodes: list(described<WireChartNode>({
      id: text, parent: nullable(text), description: text,
      kind: { enum: ['start', 'frame', 'state', 'final'] }, tags: list(text),
    })),
    edges: list(described<WireChartEdge>({
      id: text, sources: list(text), target: text,
      kind: { enum: ['failure', 'claim', 'complete', 'plain'] },
      events: list(described<WireChartEvent>({
        name: text, label: text, description: text, guards: list(text),
      })),
      guard: nullable(text), moves: list(text),
    })),
  }),
  FleetCharts: described<WireCharts>({ job: ref('Chart'), queue: ref('Chart') }),
  FleetEvents: {
    description: `The data of each event: ${Object.keys(events).join(', ')}.`,
    ...oneOf(...Object.values(events)),
  },
  FleetMoment: oneOf(
    described<Kept<true>>({
      kept: { const: true }, time, counts, edges: edgeTimes, windowMs: whole,
      next: nullable(time), previous: nullable(time),
    }),
    described<Kept<false>>({ kept: { const: false }, time, keptFrom: nullable(time) }),
  ),
  FleetSeries: described<WireSeries>({
    from: time, to: time, stepMs: decimal, completed: perSpan, failed: perSpan,
    keptFrom: nullable(time),
  }),
  FleetExport: {
    description: 'The first line, and each of the others.',
    ...oneOf(
      described<WireExportHead>({
        export: { const: 'troupe-fleet' }, version: { const: 1 }, from: time, to: time,
        counts: nullable(counts),
      }),
      described<WireExportLine>(transition, { skipped, left: { enum: phases } }),
    ),
  },
  FleetFailures: described<WireFailures>({
    failures: list(described<WireFailure>({
      queue: text, id: text, task: text, label: nullable(text), at: time, reason: nullable(text),
      attempt: whole, error: nullable(error),
    })),
    kept: nullable(whole),
  }),
  FleetTraversals: described<WireTraversals>({
    edge: text, transitions: list(ref('Transition')), stoppedAt: nullable(time),
  }),
}
