import type { NewJob } from '../../records/job.ts'
import { policy } from '../records.ts'
import { must } from './bench.ts'
import type { Bench } from './bench.ts'

export const endings = ['failed', 'cancelled', 'removed'] as const

/** A job whose task is its id, so that each job of a test can be claimed alone. */
export function kin(
  id: string, dependsOn: readonly string[] = [], patch: Partial<NewJob> = {},
): Partial<NewJob> {
  return { id, task: id, dependsOn, ...patch }
}

/** Brings a job that is ready to an end, or takes a waiting one away. */
export async function end(
  bench: Bench, id: string, how: 'completed' | (typeof endings)[number], queue = 'images',
): Promise<void> {
  if (how === 'cancelled' || how === 'removed') {
    const type = how === 'removed' ? 'remove' : 'cancel'
    await bench.store.apply([{ ...bench.request(id, { type }), queue }])
    return
  }
  const [record] = await bench.claim({ queue, tasks: new Map([[id, policy]]) })
  await (how === 'completed' ? bench.complete(must(record)) : bench.fail(must(record)))
}

/** Where each job is: its phase or state, with the number of parents that a blocked one counts. */
export async function whereabouts(bench: Bench, ...ids: readonly string[]): Promise<string[]> {
  const records = await bench.store.get(ids)
  return records.map((record) => {
    if (!record) return 'gone'
    return record.phase === 'blocked' ? `blocked ${record.openParents}`
      : record.phase ?? record.state
  })
}

/** `event id` of everything in the logs of these queues that was done because of parents. */
export async function causedByParents(bench: Bench, queue = 'images'): Promise<string[]> {
  const entries = await bench.log(queue)
  return entries.filter(({ by }) => by === 'parents').map(({ event, jobId }) => `${event} ${jobId}`)
}
