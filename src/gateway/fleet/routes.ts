import { invalidOption } from '../../errors.ts'
import type { Queue } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import type { Call, Reply, Route } from '../call.ts'
import { eventStream } from '../event-stream.ts'
import { fleetFilters, fleetPaths } from '../fleet-protocol.ts'
import type {
  WireCharts, WireMoment, WireSeries, WireTraversals,
} from '../fleet-protocol.ts'
import { checkParameters, listOf, single } from '../query.ts'
import {
  filterAsked, numberAsked, queuesAsked, refuseScoped, spanAsked, tasksAsked, timeAsked,
} from './asking.ts'
import { fleetCharts } from './chart.ts'
import { exportLines } from './exporting.ts'
import { failureParameters, listFailures } from './failures.ts'
import { moveOf } from './fold.ts'
import { Watcher } from './watcher.ts'

const atParameters = ['time', 'windowMs', 'queue', 'task']
const seriesParameters = ['from', 'to', 'points', 'queue', 'task']
const exportParameters = ['from', 'to', 'queue', 'task']
const traversalParameters = ['edge', 'queue', 'task', 'limit']

/** Any span that a log may go back. */
const longestMs = 8_640_000_000_000_000

export const fleetRoutes: readonly Route[] = [
  {
    method: 'GET', path: fleetPaths.charts, access: 'user', answer: 'FleetCharts',
    summary: 'The statecharts of a job and of a queue, as they run.',
    handle: () => ({ json: fleetCharts satisfies WireCharts }),
  },
  {
    method: 'GET', path: fleetPaths.stream, access: 'user', answer: 'FleetEvents',
    type: 'text/event-stream', query: fleetFilters, handle: openFleet,
    summary: 'Server-sent events: how many jobs there are where, and what moves.',
  },
  {
    method: 'GET', path: fleetPaths.at, access: 'user', answer: 'FleetMoment', query: atParameters,
    summary: 'The fleet at a moment that the log keeps.', handle: showMoment,
  },
  {
    method: 'GET', path: fleetPaths.series, access: 'user', answer: 'FleetSeries',
    query: seriesParameters, summary: 'What was completed and failed over time.',
    handle: showSeries,
  },
  {
    method: 'GET', path: fleetPaths.export, access: 'user', answer: 'FleetExport',
    type: 'application/x-ndjson', query: exportParameters,
    summary: 'The transitions of a span of time, one a line.', handle: exportSpan,
  },
  {
    method: 'GET', path: fleetPaths.failures, access: 'user', answer: 'FleetFailures',
    query: failureParameters, summary: 'The jobs that failed last.', handle: listFailures,
  },
  {
    method: 'GET', path: fleetPaths.traversals, access: 'user', answer: 'FleetTraversals',
    query: traversalParameters, summary: 'The last transitions along an edge of the chart.',
    handle: listTraversals,
  },
]

function openFleet(call: Call): Reply {
  const { house, visitor, request } = call
  const { fleet, settings: { env } } = house
  checkParameters(request.query, fleetFilters)
  const asked = filterAsked(call)
  return eventStream(call, (sink) => {
    const watcher = new Watcher(visitor, asked, sink, env.monotonic(), () => {
      fleet.leave(watcher)
    })
    return watcher
  }, (watcher) => fleet.serve(watcher))
}

async function showMoment(call: Call): Promise<Reply> {
  const { query } = call.request
  const { fleet, settings: { env } } = call.house
  refuseScoped(call)
  checkParameters(query, atParameters)
  const json: WireMoment = await fleet.past.at(
    queuesAsked(call), timeAsked(query, 'time', env.now()),
    numberAsked(query, 'windowMs', 10_000, 1, longestMs), tasksAsked(query),
  )
  return { json }
}

async function showSeries(call: Call): Promise<Reply> {
  const { query } = call.request
  const { fleet, settings: { env } } = call.house
  refuseScoped(call)
  checkParameters(query, seriesParameters)
  const queues = queuesAsked(call)
  const now = env.now()
  const given = single(query, 'from')
  const { from, to } = given === undefined
    ? {
        from: await fleet.past.keptFrom(queues) ?? now - 3_600_000,
        to: timeAsked(query, 'to', now),
      }
    : spanAsked(query, now)
  const points = numberAsked(query, 'points', 240, 1, 1000)
  const json: WireSeries = await fleet.past.series(
    queues, Math.min(from, to - 1), to, points, tasksAsked(query),
  )
  return { json }
}

function exportSpan(call: Call): Reply {
  const { query } = call.request
  refuseScoped(call)
  checkParameters(query, exportParameters)
  const queues = queuesAsked(call)
  const { from, to } = spanAsked(query, call.house.settings.env.now())
  const tasks = listOf(query, 'task')
  return {
    status: 200,
    headers: {
      'content-type': 'application/x-ndjson',
      'content-disposition': 'attachment; filename="fleet.jsonl"',
    },
    stream: (sink) => { void exportLines(call, sink, { queues, tasks, from, to }) },
  }
}

async function listTraversals(call: Call): Promise<Reply> {
  const { visitor, request: { query }, house: { fleet } } = call
  checkParameters(query, traversalParameters)
  const name = single(query, 'edge')
  const edge = fleetCharts.job.edges.find(({ id }) => id === name)
  if (!edge) throw invalidOption('edge', "the id of an edge of the job's chart", name ?? 'nothing')
  const limit = numberAsked(query, 'limit', 20, 1, 100)
  const queues = queuesAsked(call)
  const tasks = listOf(query, 'task')
  const moves = new Set(edge.moves)
  // Of a scope, as many as are looked at; some of them are of others.
  const { found, stoppedAt } = await fleet.past.latest(queues, (transition) =>
    (!tasks || tasks.includes(transition.task)) && moves.has(moveOf(transition)),
  visitor.bounds ? scopedSearch : limit)
  const seen = visitor.bounds ? await ownOnly(call, queues, found) : found
  const json: WireTraversals = {
    edge: edge.id, stoppedAt: visitor.bounds ? null : stoppedAt,
    transitions: seen.slice(0, limit).map((transition) => call.write.transition(transition)),
  }
  return { json }
}

const scopedSearch = 500

/** Of jobs that are no more, nobody knows whose they were. */
async function ownOnly<T extends { readonly queue: string; readonly jobId: string }>(
  { visitor }: Call, queues: readonly Queue<Tasks>[], all: readonly T[],
): Promise<readonly T[]> {
  const byName = new Map(queues.map((queue) => [queue.name, queue] as const))
  const records = await Promise.all(all.map(async ({ queue, jobId }) =>
    byName.get(queue)?.get(jobId)))
  return all.filter((_, place) => {
    const record = records[place]
    return record && visitor.sees(record)
  })
}
