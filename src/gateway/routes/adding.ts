import { TroupeError } from '../../errors.ts'
import type { JobHandle } from '../../orchestrator/handle.ts'
import type { Flow } from '../../orchestrator/flow.ts'
import type { Queue, Spec } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import { checkFields } from '../body.ts'
import { allow, findQueue, queueOf } from '../call.ts'
import type { Call, Reply, Route } from '../call.ts'
import type { WireFlowHandles, WireHandle, WireHandles } from '../protocol.ts'
import { Refusal } from '../refusal.ts'
import { checkId, checkParents, idTaken, isObject, stamp } from '../scope.ts'
import { toWireHandle } from '../wire.ts'

export const addingRoutes: readonly Route[] = [
  {
    method: 'POST', path: '/v1/queues/{queue}/jobs', access: 'add', audited: 'add',
    summary: 'Adds a job.', body: 'Add', answer: 'Handle', handle: add,
  },
  {
    method: 'POST', path: '/v1/queues/{queue}/batch', access: 'add', audited: 'add-many',
    summary: 'Adds many jobs, all or none.', body: 'AddMany', answer: 'Handles', handle: addMany,
  },
  {
    method: 'POST', path: '/v1/flow', access: 'each', audited: 'flow',
    summary: 'Adds jobs of any queues that come after each other, all or none.',
    body: 'Flow', answer: 'FlowHandles', handle: addFlow,
  },
]

/** A job as a body describes it, checked as far as the library cannot. */
interface Draft {
  readonly task: string
  readonly input: unknown
  readonly options: { readonly [name: string]: unknown }
}

async function toDraft(
  call: Call, queue: Queue<Tasks>, given: unknown, path: string,
): Promise<Draft> {
  if (!isObject(given)) throw new Refusal('invalid-body', `${path} must be an object`, { path })
  const { visitor } = call
  const prefix = path === '' ? '' : `${path}.`
  const { task, input } = given
  if (typeof task !== 'string') {
    throw new Refusal('invalid-body', `${prefix}task must be the name of a task`, {
      path: `${prefix}task`,
    })
  }
  const options = stamp(visitor.bounds, given['options'], `${prefix}options`)
  await checkId(visitor, queue, task, options)
  await checkParents(visitor, call.house.troupe.queues(), options, `${prefix}options`)
  return { task, input, options }
}

async function add(call: Call): Promise<Reply> {
  const queue = queueOf(call)
  checkFields(call.body, ['task', 'input', 'options'])
  const { task, input, options } = await toDraft(call, queue, call.body, '')
  const handle: JobHandle = await hushed(call, queue.name, () =>
    queue.add(task, input as never, options as never))
  call.note(handle.created ? 'created' : `found ${handle.foundIn ?? ''}`, handle.id)
  return created(toWireHandle(handle), [handle])
}

async function addMany(call: Call): Promise<Reply> {
  const queue = queueOf(call)
  checkFields(call.body, ['jobs'])
  const { jobs } = call.body
  if (!Array.isArray(jobs)) {
    throw new Refusal('invalid-body', 'jobs must be an array', { path: 'jobs' })
  }
  const drafts: Draft[] = []
  for (const [index, job] of (jobs as readonly unknown[]).entries()) {
    const path = `jobs[${index}]`
    if (isObject(job)) checkJobFields(job, path)
    drafts.push(await toDraft(call, queue, job, path))
  }
  const specs = drafts.map(({ task, input, options }) => ({ ...options, task, input }))
  const handles: readonly JobHandle[] = await hushed(call, queue.name, () =>
    queue.addMany(specs as unknown as readonly Spec<Tasks>[]))
  const made = handles.filter((handle) => handle.created).length
  call.note(`created ${made}, found ${handles.length - made}`)
  return created({ jobs: handles.map(toWireHandle) } satisfies WireHandles, handles)
}

async function addFlow(call: Call): Promise<Reply> {
  checkFields(call.body, ['jobs', 'after'])
  const { jobs, after = {} } = call.body
  if (!isObject(jobs)) {
    throw new Refusal('invalid-body', 'jobs must be an object by keys of your choice', {
      path: 'jobs',
    })
  }
  const specs = new Map<string, Flow[string]>()
  for (const [key, job] of Object.entries(jobs)) {
    const path = `jobs.${key}`
    if (!isObject(job) || typeof job['queue'] !== 'string') {
      throw new Refusal('invalid-body', `${path}.queue must be the name of a queue`, { path })
    }
    checkJobFields(job, path, ['queue'])
    const queue = findQueue(call, job['queue'])
    allow(call.visitor, 'add', queue.name)
    const { task, input, options } = await toDraft(call, queue, job, path)
    specs.set(key, queue.spec(task, input, options))
  }
  const handles = await hushed(call, '', () =>
    call.house.troupe.flow(Object.fromEntries(specs), after as never))
  const answer: Record<string, WireHandle> = {}
  for (const [key, handle] of Object.entries(handles)) answer[key] = toWireHandle(handle)
  const all = Object.values(handles)
  call.note(`created ${all.filter((handle) => handle.created).length} of ${all.length}`)
  return created({ jobs: answer } satisfies WireFlowHandles, all)
}

function checkJobFields(
  job: { readonly [name: string]: unknown }, path: string, more: readonly string[] = [],
): void {
  const known = ['task', 'input', 'options', ...more]
  const unknown = Object.keys(job).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const shown = `${path}.${unknown.slice(0, 100)}`
  throw new Refusal('invalid-body', `${shown} is no field of a job; known: ${known.join(', ')}`, {
    path: shown,
  })
}

/** An `id-in-use` names the queue and the task of the job that has the id. */
async function hushed<T>(call: Call, queue: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof TroupeError) || error.code !== 'id-in-use') throw error
    const { visitor } = call
    if (!visitor.bounds && visitor.knows(error.details.queue)) throw error
    throw idTaken(error.details.id, queue, '')
  }
}

function created(json: unknown, handles: readonly JobHandle[]): Reply {
  return { status: handles.some((handle) => handle.created) ? 201 : 200, json }
}
