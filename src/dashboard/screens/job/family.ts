import type { State, WireJob, WireJobLine } from '../../../gateway/protocol.ts'
import type { Phase } from '../../../../machines/vocabulary.ts'
import { client } from '../../shell/session.ts'

/** A job that this one waits for, or that waits for this one. */
export interface Relative {
  readonly id: string
  /** Null where it was not found: removed, or of a queue that was not looked at. */
  readonly job: Pick<WireJobLine, 'queue' | 'task' | 'label' | 'state' | 'phase'> | null
}
export interface Family {
  readonly parents: readonly Relative[]
  readonly children: readonly Relative[]
}

/** Queues that are looked at, the job's own first, and jobs of each. */
const queuesRead = 8
const jobsRead = 200

/**
 * Relatives among the jobs that were added around the same time: a record names those that it
 * waits for without their queues, and nothing lists those that wait for it.
 */
export async function findFamily(job: WireJob, queues: readonly string[]): Promise<Family> {
  const wanted = new Set(job.dependsOn)
  const read = [job.queue, ...queues.filter((name) => name !== job.queue)].slice(0, queuesRead)
  const found = new Map<string, WireJobLine>()
  const children = new Map<string, WireJobLine>()
  await Promise.all(read.map(async (name) => {
    const queue = client.queue(name)
    const lists = [
      queue.list({ createdAt: { from: job.createdAt }, limit: jobsRead }),
      ...(job.state === 'completed' ? []
        : [queue.list({ phase: 'blocked', order: 'desc', limit: jobsRead })]),
      ...(wanted.size === 0 ? []
        : [queue.list({ createdAt: { to: job.createdAt + 1 }, order: 'desc', limit: jobsRead })]),
    ]
    for (const page of await Promise.all(lists)) {
      for (const line of page.jobs) {
        if (wanted.has(line.id)) found.set(line.id, line)
        if (line.dependsOn.includes(job.id)) children.set(line.id, line)
      }
    }
  }))
  return {
    parents: job.dependsOn.map((id) => ({ id, job: found.get(id) ?? null })),
    children: [...children.values()].map((line) => ({ id: line.id, job: line })),
  }
}

export type Shown = State | Phase
