import { TroupeError } from 'troupe'
import type { JobHandle } from 'troupe'
import type { Call, Diary } from './diary.ts'
import { insist } from './insist.ts'
import { fill, isScheduleCommand, keepSchedule } from './more-commands.ts'
import type { Node } from './node.ts'
import type { Command, JobPlan } from './plan.ts'

/** What a refused command may be told: anything else is a fault of the product. */
const refusals: readonly string[] = [
  'store-failed', 'stopped', 'unknown-parent', 'dependency-cycle', 'id-in-use', 'queue-full',
  'not-started', 'unknown-job', 'job-failed', 'job-cancelled', 'job-removed', 'timeout',
  'unknown-schedule',
]

type Asked = Exclude<Command, { type: 'finish' | 'join' }>

/** Does what a user would, and writes down what was answered. */
export async function perform(command: Asked, node: Node, diary: Diary): Promise<void> {
  const call = diary.ask(command, node.name)
  try {
    diary.answer(call, await act(command, node, call))
  } catch (error) {
    if (!(error instanceof TroupeError)) return diary.fault(command.type, error)
    call.refusal = error.code
    if (!refusals.includes(error.code)) diary.fault(command.type, error)
  }
}

async function act(command: Asked, node: Node, call: Call): Promise<unknown> {
  const { queue, book } = node
  if (!queue) return null
  if (isScheduleCommand(command)) return keepSchedule(command, node, call)
  switch (command.type) {
    case 'add': return add(node, command.jobs, call)
    case 'flow': return addFlow(node, command.jobs, call)
    case 'fill': return fill(command, node, call)
    case 'obliterate': return node.scratch?.obliterate({ force: command.force })
    case 'cancel': {
      const answer = await queue.cancel(command.id, 'not needed')
      book.cancel(command.id, answer)
      return answer
    }
    case 'retry': {
      const answer = await queue.retry(command.id)
      if (answer === 'retried') book.write({ what: 'retried', id: command.id })
      return answer
    }
    case 'remove': return queue.remove(command.id)
    case 'reschedule': return queue.reschedule(command.id, `${command.ms}ms`)
    case 'wait for': return waitFor(node, queue.job(command.id))
    case 'pause': return queue.pause()
    case 'resume': return queue.resume()
    case 'drain': return queue.drain()
    case 'clean': return queue.clean()
    case 'cancel many': return queue.cancelMany({ partition: 'x' })
    case 'retry many': return queue.retryMany()
  }
}

async function add(node: Node, jobs: readonly JobPlan[], call: Call): Promise<void> {
  const { queue, book } = node
  const [only] = jobs
  if (!queue || !only) return
  if (jobs.length === 1) {
    const { id, acts, options, parents } = only
    const handle = await insist(node, call, () =>
      queue.add('work', { acts }, { ...options, id, ...after(parents) }))
    book.added(handle.id)
    return
  }
  const handles = await insist(node, call, () => queue.addMany(jobs.map((job) => ({
    task: 'work' as const, input: { acts: job.acts }, ...job.options, id: job.id,
    ...after(job.parents),
  }))))
  book.added(...handles.map(({ id }) => id))
}

function after(parents: readonly string[]): { readonly dependsOn?: readonly string[] } {
  return parents.length > 0 ? { dependsOn: parents } : {}
}

async function addFlow(node: Node, jobs: readonly JobPlan[], call: Call): Promise<void> {
  const { queue, troupe, book } = node
  if (!queue || !troupe) return
  const specs = Object.fromEntries(jobs.map(({ id, acts, options }) => {
    // The jobs of a flow are not to be found under keys of their own.
    const { dedupe: _dedupe, ...rest } = options
    return [id, queue.spec('work', { acts }, { ...rest, id })]
  }))
  const [top, left, right, bottom] = jobs.map(({ id }) => id)
  const edges: Record<string, string[]> = {}
  if (top && left) edges[left] = [top]
  if (top && right) edges[right] = [top]
  if (left && right && bottom) edges[bottom] = [left, right]
  const handles = await insist(node, call, () => troupe.flow(specs, edges))
  book.added(...Object.values(handles).map(({ id }) => id))
}

async function waitFor(node: Node, handle: JobHandle<unknown>): Promise<void> {
  const { book } = node
  const { id } = handle
  try {
    const result = await handle.result()
    book.write({ what: 'seen', id, state: 'completed', result: String(result) })
  } catch (error) {
    if (!(error instanceof TroupeError)) throw error
    if (error.code === 'job-failed') book.write({ what: 'seen', id, state: 'failed', result: null })
    if (error.code === 'job-cancelled') {
      book.write({ what: 'seen', id, state: 'cancelled', result: null })
    }
    throw error
  }
}
