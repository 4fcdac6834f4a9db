import type { Duration } from '../duration.ts'
import type { Queue } from '../orchestrator/queue.ts'
import type { Tasks } from '../orchestrator/tasks.ts'
import type { Troupe } from '../orchestrator/troupe.ts'
import type { JobRecord } from '../records/job.ts'
import type { Store } from '../stores/store.ts'
import type { RunningHandler } from './history/journal-book.ts'
import { readRecords } from './history/reading.ts'
import { heldByWish } from './kinship.ts'

/** How many are told of in a message. */
const shown = 5

/**
 * The jobs of these queues that have not settled, the oldest ones of each; without those that wait
 * by their own wish for a parent that has failed.
 */
export async function listUnsettled(
  store: Store, queues: readonly Queue<Tasks>[],
): Promise<JobRecord[]> {
  const pages = await Promise.all(queues.map((queue) =>
    queue.list({ state: ['queued', 'running', 'cancelling'], limit: 50 })))
  const left = pages.flatMap(({ jobs }) => jobs)
  if (left.some(({ phase }) => phase !== 'blocked')) return left
  const all = await Promise.all(queues.map(({ name }) => readRecords(store, name)))
  const held = heldByWish(all.flat())
  return left.filter(({ id }) => !held.has(id))
}

/** Why these jobs do not run, or go on, in the words of `explain`. */
export async function describeLeft(
  troupe: Troupe, left: readonly JobRecord[], within: Duration | null,
): Promise<string> {
  const title = within === null ? 'no job can be claimed' : `not all has settled within ${within}`
  if (left.length === 0) return `${title}: nothing is queued`
  const lines = await Promise.all(left.slice(0, shown).map(async ({ id, queue, task }) => {
    const { text } = await troupe.queue(queue).explain(id)
    return `  job ${id} of ${queue}, task ${task}: ${text}`
  }))
  const more = left.length > shown ? [`  and ${left.length - shown} more`] : []
  return [`${title}:`, ...lines, ...more].join('\n')
}

/** The handlers that run, one to a line. */
export function describeRunning(running: readonly RunningHandler[]): string {
  if (running.length === 0) return 'no handler runs'
  const lines = running.slice(0, shown).map(({ job: { id, queue, task, attempt }, startedAt }) =>
    `job ${id} of ${queue}, task ${task}: attempt ${attempt} still runs, ` +
      `since ${new Date(startedAt).toISOString()}`)
  const more = running.length > shown ? [`and ${running.length - shown} more`] : []
  return [...lines, ...more].join('\n')
}
