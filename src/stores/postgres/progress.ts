import { isLive } from '../../records/job.ts'
import type { ProgressAnswer, ProgressUpdate } from '../progress-update.ts'
import { lockJobs } from './loading.ts'
import type { Work } from './work.ts'

/** Progress and log lines of running jobs: under the fence, whatever the rev. */
export async function storeProgress(
  work: Work, updates: readonly ProgressUpdate[],
): Promise<readonly ProgressAnswer[]> {
  const held = await lockJobs(work.run, work.schema, updates.map(({ id }) => id))
  return updates.map(({ id, fence, by, progress, log }) => {
    let stored = held.get(id)
    if (stored?.record.fence !== fence || !isLive(stored.record)) return null
    if (log !== null) stored = work.amend(stored, { ...stored.record, log })
    if (progress !== null) {
      stored = work.step(stored, { type: 'progress', now: work.now, by, progress }) ?? stored
    }
    held.set(id, stored)
    return stored.record
  })
}
