import type { JobFilterOptions } from '../../orchestrator/filter.ts'
import type { JobRecord } from '../../records/job.ts'
import type { Transition } from '../../records/transition.ts'
import type { Call, Reply } from '../call.ts'
import type { WireFailure, WireFailures } from '../fleet-protocol.ts'
import { checkParameters } from '../query.ts'
import { narrow } from '../scope.ts'
import {
  filterAsked, numberAsked, queuesAsked, refuseScoped, tasksAsked, timeAsked,
} from './asking.ts'

export const failureParameters = ['queue', 'task', 'partition', 'until', 'limit']

/** The jobs that failed last: those that are `failed` now, or had failed at a moment. */
export async function listFailures(call: Call): Promise<Reply> {
  const { query } = call.request
  checkParameters(query, failureParameters)
  const limit = numberAsked(query, 'limit', 10, 1, 100)
  const json: WireFailures = query.has('until')
    ? await failuresUntil(call, timeAsked(query, 'until', 0), limit)
    : await failuresNow(call, limit)
  return { json }
}

async function failuresNow(call: Call, limit: number): Promise<WireFailures> {
  const { visitor } = call
  const filters = filtersOf(call)
  const isAny = filters.length === 1 && Object.keys(filters[0] ?? {}).length === 1
  const found: JobRecord[] = []
  let kept = 0
  for (const queue of queuesAsked(call)) {
    const { failed } = visitor.bounds ? { failed: 1 } : await queue.counts()
    kept += failed
    if (failed === 0) continue
    for (const filter of filters) {
      const page = await queue.list({ ...filter, sort: 'settledAt', order: 'desc', limit })
      found.push(...page.jobs)
    }
  }
  found.sort((a, b) => (b.settledAt ?? 0) - (a.settledAt ?? 0))
  return {
    failures: found.slice(0, limit).map((record) => toFailure(call, record)),
    kept: isAny ? kept : null,
  }
}

/** A list takes one task and one partition. */
function filtersOf(call: Call): readonly JobFilterOptions[] {
  const { tasks, partitions } = filterAsked(call)
  return (tasks ?? [null]).flatMap((task) => (partitions ?? [null]).flatMap((partition) =>
    narrow(call.visitor.bounds, {
      state: 'failed', ...(task === null ? {} : { task }),
      ...(partition === null ? {} : { partition }),
    }) ?? []))
}

function toFailure(call: Call, record: JobRecord): WireFailure {
  const { queue, id, task, label, reason, attempt, error } = call.write.line(record)
  return { queue, id, task, label, at: record.settledAt ?? 0, reason, attempt, error }
}

/** From the log, which keeps neither partitions nor labels: these are those of now. */
async function failuresUntil(call: Call, until: number, limit: number): Promise<WireFailures> {
  const { house: { fleet }, request: { query } } = call
  refuseScoped(call)
  const queues = queuesAsked(call)
  const tasks = tasksAsked(query)
  const { found } = await fleet.past.latest(queues, ({ to, from, task }) =>
    to === 'failed' && from !== 'failed' && (!tasks || tasks.includes(task)), limit, until)
  const byName = new Map(queues.map((queue) => [queue.name, queue] as const))
  const failures = await Promise.all(found.map(async (transition) => {
    const record = await byName.get(transition.queue)?.get(transition.jobId)
    return toPastFailure(call, transition, record ?? null)
  }))
  return { failures, kept: null }
}

function toPastFailure(
  call: Call, transition: Transition, record: JobRecord | null,
): WireFailure {
  const { queue, jobId, task, at, reason, attempt, error } = call.write.transition(transition)
  const label = record ? call.write.line(record).label : null
  return {
    queue, id: jobId, task, label, at, reason, attempt,
    error: error && {
      name: error.name, message: error.message,
      ...(error.code === undefined ? {} : { code: error.code }),
    },
  }
}
