import type { Queue } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import type { JobRecord } from '../../records/job.ts'
import { leaves } from '../fleet-protocol.ts'
import type { Phase, State } from '../protocol.ts'

/** Jobs that are read at once; where there are more, some of each slice of their time. */
const pageSize = 1000
const slices = 16

/** Since when a job is where it is, as far as its timeline tells. */
export function sinceOf({ timeline, createdAt }: Pick<JobRecord, 'timeline' | 'createdAt'>):
number {
  const last = timeline.at(-1)
  if (!last) return createdAt
  let since = last.at
  for (let index = timeline.length - 1; timeline[index]?.to === last.to; index -= 1) {
    since = timeline[index]?.at ?? since
  }
  return since
}

/**
 * About `wanted` of the `count` jobs in a leaf, spread over the times at which they were added.
 */
export async function pickJobs(
  queue: Queue<Tasks>, place: number, count: number, wanted: number,
): Promise<readonly JobRecord[]> {
  const leaf = leaves[place]
  const filter = place < 3
    ? { state: 'queued' as State, phase: leaf as Phase } : { state: leaf as State }
  if (count <= pageSize) {
    const { jobs } = await queue.list({ ...filter, limit: pageSize })
    const every = Math.max(1, jobs.length / wanted)
    return Array.from({ length: Math.min(wanted, jobs.length) }, (_, index) =>
      jobs[Math.floor(index * every)] as JobRecord)
  }
  const [{ jobs: [first] }, { jobs: [last] }] = await Promise.all([
    queue.list({ ...filter, limit: 1 }), queue.list({ ...filter, order: 'desc', limit: 1 }),
  ])
  if (!first || !last) return []
  const found = new Map<string, JobRecord>()
  const limit = Math.ceil(wanted / slices)
  for (let slice = 0; slice < slices; slice += 1) {
    const from = first.createdAt +
      Math.floor((last.createdAt - first.createdAt) * slice / slices)
    const { jobs } = await queue.list({ ...filter, createdAt: { from }, limit })
    for (const job of jobs) found.set(job.id, job)
  }
  return [...found.values()]
}
