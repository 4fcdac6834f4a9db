import type { Queue } from '../../orchestrator/queue.ts'
import type { ScheduleRule, ScheduleSpec } from '../../orchestrator/schedules/schedules.ts'
import { phases, states } from '../../../machines/vocabulary.ts'
import { invalidOption, TroupeErrorOf } from '../../errors.ts'
import { integer } from '../../records/options.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import type { Counts, WorkerInfo } from '../../stores/reading.ts'
import { checkFields } from '../body.ts'
import { param, queueOf, queuesOf } from '../call.ts'
import type { Call, Reply, Route } from '../call.ts'
import type { Visitor } from '../grant.ts'
import { actions, previewLimit } from '../protocol.ts'
import type { WireAnswer, WireQueue, WireQueues, WireSchedules, WireTimes } from '../protocol.ts'
import { checkParameters, single, toNumber } from '../query.ts'
import { Refusal } from '../refusal.ts'
import { isObject, narrow } from '../scope.ts'
import { toWireHandle } from '../wire.ts'

const queuePath = '/v1/queues/{queue}'
const schedulePath = `${queuePath}/schedules/{key}`

export const queueRoutes: readonly Route[] = [
  {
    method: 'GET', path: '/v1/queues', access: 'user', answer: 'Queues',
    summary: 'The queues that the user may read.',
    handle: async (call) => ({ json: await listQueues(call) }),
  },
  {
    method: 'GET', path: queuePath, access: 'read', answer: 'Queue',
    summary: 'A queue: its counts, its limits, whether it is paused.',
    handle: async (call) => ({
      json: await toWireQueue(queueOf(call), call.visitor, await call.house.troupe.workers()),
    }),
  },
  {
    method: 'POST', path: `${queuePath}/pause`, access: 'pause', audited: 'pause', body: 'Empty',
    summary: 'Nothing is claimed any more, in no process: paused or already-paused.',
    answer: 'Answer', handle: answering((call) => queueOf(call).pause()),
  },
  {
    method: 'POST', path: `${queuePath}/resume`, access: 'resume', audited: 'resume',
    body: 'Empty', summary: 'Takes back a pause: resumed or not-paused.', answer: 'Answer',
    handle: answering((call) => queueOf(call).resume()),
  },
  {
    method: 'GET', path: `${queuePath}/schedules`, access: 'read', answer: 'Schedules',
    summary: 'All schedules of a queue.', handle: listSchedules,
  },
  {
    method: 'GET', path: schedulePath, access: 'read', answer: 'Schedule',
    summary: 'A schedule.', handle: getSchedule,
  },
  {
    method: 'GET', path: `${schedulePath}/preview`, access: 'read', query: ['count'],
    answer: 'Times', summary: 'The next occurrences.', handle: preview,
  },
  {
    method: 'POST', path: `${queuePath}/preview`, access: 'read', body: 'Preview',
    answer: 'Times', summary: 'The next occurrences of a rule that is not stored.',
    handle: previewRule,
  },
  {
    method: 'PUT', path: schedulePath, access: 'schedule', audited: 'schedule', answer: 'Answer',
    summary: 'Stores a schedule: created, changed or unchanged.', body: 'ScheduleSpec',
    handle: upsert,
  },
  {
    method: 'POST', path: `${schedulePath}/pause`, access: 'schedule', body: 'Empty',
    audited: 'schedule-pause', summary: 'paused, already-paused or unknown.', answer: 'Answer',
    handle: answering((call) => queueOf(call).schedules.pause(param(call, 'key'))),
  },
  {
    method: 'POST', path: `${schedulePath}/resume`, access: 'schedule', body: 'Empty',
    audited: 'schedule-resume', summary: 'resumed, not-paused or unknown.', answer: 'Answer',
    handle: answering((call) => queueOf(call).schedules.resume(param(call, 'key'))),
  },
  {
    method: 'POST', path: `${schedulePath}/remove`, access: 'schedule', body: 'Empty',
    audited: 'schedule-remove', summary: 'removed or unknown.', answer: 'Answer',
    handle: answering((call) => queueOf(call).schedules.remove(param(call, 'key'))),
  },
  {
    method: 'POST', path: `${schedulePath}/trigger`, access: 'schedule', body: 'Empty',
    audited: 'schedule-trigger', summary: 'Adds a job of a schedule now.', answer: 'Handle',
    handle: trigger,
  },
]

/** A verb without a body, whose word is the answer. */
function answering(act: (call: Call) => Promise<string>): Route['handle'] {
  return async (call) => {
    checkFields(call.body, [])
    const answer = await act(call)
    call.note(answer)
    return { json: { answer } satisfies WireAnswer }
  }
}

async function listQueues(call: Call): Promise<WireQueues> {
  const { visitor, house } = call
  const readable = queuesOf(call).filter(({ name }) => visitor.may('read', name))
  const workers = await house.troupe.workers()
  return {
    queues: await Promise.all(readable.map((queue) => toWireQueue(queue, visitor, workers))),
  }
}

async function toWireQueue(
  queue: Queue<Tasks>, visitor: Visitor, workers: readonly WorkerInfo[],
): Promise<WireQueue> {
  const { name } = queue
  const [counted, status] = await Promise.all([
    visitor.bounds ? countOwn(queue, visitor) : countAll(queue), queue.status(),
  ])
  const worked = workers.flatMap(({ queues }) =>
    queues.filter((each) => each.name === name).flatMap(({ tasks }) => tasks))
  const { paused, limitedUntil, rateLimit, concurrencyPerPartition, maxQueued } = status
  return {
    name, ...counted, paused, limitedUntil, rateLimit, concurrencyPerPartition, maxQueued,
    tasks: [...new Set([...worked, ...status.tasks])].sort(),
    can: actions.filter((action) => visitor.may(action, name)),
  }
}

async function countAll(queue: Queue<Tasks>): Promise<Pick<WireQueue, 'counts'>> {
  return { counts: await queue.counts() }
}

/** Pages that the counts of a scope are made of, and jobs on each. */
const countedPages = 2
const pageSize = 1000

/** How many jobs others have is not for everybody: the newest 2,000 of the scope are counted. */
async function countOwn(
  queue: Queue<Tasks>, { bounds }: Visitor,
): Promise<Pick<WireQueue, 'counts' | 'isBounded'>> {
  const counts = Object.fromEntries([...states, ...phases].map((name) => [name, 0])) as
    { -readonly [K in keyof Counts]: number }
  const filter = narrow(bounds, {}) ?? {}
  let cursor: string | null = null
  for (let page = 0; page < countedPages && (page === 0 || cursor !== null); page += 1) {
    const found = await queue.list({
      ...filter, order: 'desc', limit: pageSize, ...(cursor === null ? {} : { cursor }),
    })
    for (const { state, phase } of found.jobs) {
      counts[state] += 1
      if (phase) counts[phase] += 1
    }
    ({ cursor } = found)
  }
  return cursor === null ? { counts } : { counts, isBounded: true }
}

/** Schedules are of the queue, and of no scope. */
function refuseScoped({ visitor }: Call): void {
  if (!visitor.bounds) return
  throw new Refusal('forbidden', 'schedules are of no scope', { action: 'schedule' })
}

async function listSchedules(call: Call): Promise<Reply> {
  refuseScoped(call)
  const schedules = await queueOf(call).schedules.list()
  const json: WireSchedules = { schedules: schedules.map((each) => call.write.schedule(each)) }
  return { json }
}

async function getSchedule(call: Call): Promise<Reply> {
  refuseScoped(call)
  const queue = queueOf(call)
  const key = param(call, 'key')
  const schedule = await queue.schedules.get(key)
  if (schedule) return { json: call.write.schedule(schedule) }
  throw new TroupeErrorOf(
    'unknown-schedule', `queue ${queue.name} has no schedule ${JSON.stringify(key)}`,
    { queue: queue.name, key },
  )
}

async function preview(call: Call): Promise<Reply> {
  refuseScoped(call)
  const { query } = call.request
  checkParameters(query, ['count'])
  const count = single(query, 'count')
  const times = await queueOf(call).schedules.preview(
    param(call, 'key'), ...(count === undefined ? [] : [toNumber(count, 'count')]),
  )
  return { json: { times } satisfies WireTimes }
}

async function previewRule(call: Call): Promise<Reply> {
  refuseScoped(call)
  checkFields(call.body, ['rule', 'count'])
  const { rule, count = 10 } = call.body
  // A text would be the key of one that is stored.
  if (!isObject(rule)) throw invalidOption('rule', 'an object with every or cron', rule)
  const times = await queueOf(call).schedules.preview(
    rule as unknown as ScheduleRule, integer(count, 'count', 1, previewLimit),
  )
  return { json: { times } satisfies WireTimes }
}

async function upsert(call: Call): Promise<Reply> {
  const key = param(call, 'key')
  const answer = await queueOf(call).schedules
    .upsert(key, call.body as unknown as ScheduleSpec<Tasks, string>)
  call.note(answer)
  return { json: { answer } satisfies WireAnswer }
}

async function trigger(call: Call): Promise<Reply> {
  checkFields(call.body, [])
  const handle = await queueOf(call).schedules.trigger(param(call, 'key'))
  call.note(handle.created ? 'created' : 'found', handle.id)
  return { status: handle.created ? 201 : 200, json: toWireHandle(handle) }
}
