import type { Queue } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import { checkFields } from '../body.ts'
import { param, queueOf, recordOf, unknownJob } from '../call.ts'
import type { Call, Reply, Route } from '../call.ts'
import { listParameters } from '../protocol.ts'
import type { JobAction, WireAnswer, WirePage } from '../protocol.ts'
import { checkParameters, toListOptions } from '../query.ts'
import { narrow } from '../scope.ts'
import { isShown } from '../wire.ts'

const job = '/v1/queues/{queue}/jobs/{id}'

/** Each action on one job: the fields of its body, and what it does. */
const verbs: {
  readonly [A in JobAction]: {
    readonly fields: readonly string[]
    readonly act: (
      queue: Queue<Tasks>, id: string, body: Call['body'],
    ) => Promise<string>
  }
} = {
  cancel: {
    fields: ['reason'], act: (queue, id, { reason }) => queue.cancel(id, reason as string),
  },
  retry: { fields: [], act: (queue, id) => queue.retry(id) },
  remove: { fields: [], act: (queue, id) => queue.remove(id) },
  reschedule: {
    fields: ['when'], act: (queue, id, { when }) => queue.reschedule(id, when as number),
  },
}

export const jobRoutes: readonly Route[] = [
  {
    method: 'GET', path: '/v1/queues/{queue}/jobs', access: 'read',
    summary: 'Lists jobs, a page at a time.', query: [...listParameters, 'meta.'],
    answer: 'Page', handle: list,
  },
  {
    method: 'GET', path: job, access: 'read', summary: 'A job as it is now.', answer: 'Job',
    handle: get,
  },
  {
    method: 'GET', path: `${job}/explain`, access: 'read', answer: 'Explanation',
    summary: 'Why a job does not run, or since when it does.', handle: explain,
  },
  {
    method: 'POST', path: `${job}/cancel`, access: 'cancel', audited: 'cancel', body: 'Cancel',
    summary: 'Asks for the end of a job: cancelled, cancelling, settled or unknown.',
    answer: 'Answer', handle: verb('cancel'),
  },
  {
    method: 'POST', path: `${job}/retry`, access: 'retry', audited: 'retry', body: 'Empty',
    summary: 'Gives a failed or cancelled job a new life: retried, not-failed or unknown.',
    answer: 'Answer', handle: verb('retry'),
  },
  {
    method: 'POST', path: `${job}/remove`, access: 'remove', audited: 'remove', body: 'Empty',
    summary: 'Takes a job that is not running out of the store: removed, live or unknown.',
    answer: 'Answer', handle: verb('remove'),
  },
  {
    method: 'POST', path: `${job}/reschedule`, access: 'reschedule', audited: 'reschedule',
    body: 'Reschedule', summary: 'Moves a queued job: rescheduled, not-queued or unknown.',
    answer: 'Answer', handle: verb('reschedule'),
  },
]

async function list(call: Call): Promise<Reply> {
  const { visitor, write, request } = call
  const queue = queueOf(call)
  const asked = toListOptions(request.query)
  const options = narrow(visitor.bounds, asked)
  if (!options) return { json: { jobs: [], cursor: null, stopped: null } satisfies WirePage }
  const { jobs, cursor, stopped } = await queue.list(options)
  const { text } = asked
  // A secret that was taken out of the answer must not be found by searching for it.
  const shown = text === undefined
    ? jobs : jobs.filter((record) => isShown(write.job(record), text))
  const page: WirePage = { jobs: shown.map((record) => write.line(record)), cursor, stopped }
  return { json: page }
}

async function get(call: Call): Promise<Reply> {
  checkParameters(call.request.query, [])
  const record = await recordOf(call)
  if (!record) throw unknownJob(param(call, 'id'))
  return { json: call.write.job(record) }
}

async function explain(call: Call): Promise<Reply> {
  const id = param(call, 'id')
  const queue = queueOf(call)
  if (call.visitor.bounds && !await recordOf(call)) throw unknownJob(id)
  const explanation = await queue.explain(id)
  if (explanation.why === 'unknown') throw unknownJob(id)
  return { json: call.write.explanation(explanation) }
}

function verb(action: JobAction): Route['handle'] {
  const { fields, act } = verbs[action]
  return async (call) => {
    checkFields(call.body, fields)
    const id = param(call, 'id')
    const isTheirs = !call.visitor.bounds || await recordOf(call) !== null
    const answer = isTheirs ? await act(queueOf(call), id, call.body) : 'unknown'
    call.note(answer, id)
    return { json: { answer } satisfies WireAnswer }
  }
}
