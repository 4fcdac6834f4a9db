import { isLive } from '../../records/job.ts'
import type { JobRecord } from '../../records/job.ts'
import type { LogEntry } from '../../records/transition.ts'
import { holds } from '../invariants.ts'

/** The bounds of the model's queue, in all its processes together. */
export const rate = { max: 6, per: 100 }
export const perPartition = 2

function startsOf(log: readonly LogEntry[]): number[] {
  return log.filter(({ event }) => event === 'claim').map(({ at }) => at)
}

function runningOf(records: readonly JobRecord[]): Map<string | null, number> {
  const running = new Map<string | null, number>()
  for (const record of records.filter(isLive)) {
    running.set(record.partition, (running.get(record.partition) ?? 0) + 1)
  }
  return running
}

export function checkLimits(log: readonly LogEntry[], records: readonly JobRecord[]): void {
  const starts = startsOf(log)
  starts.forEach((at, index) => {
    const next = starts[index + rate.max]
    const apart = next === undefined || next >= at + rate.per
    holds(apart, 'no window holds more than max', { at, next })
  })
  for (const [partition, count] of runningOf(records)) {
    holds(count <= perPartition, 'no partition is over its bound', { partition, count })
  }
}

/** The ready jobs that no limit keeps from running now. */
export function admitted(
  log: readonly LogEntry[], records: readonly JobRecord[], now: number,
): readonly JobRecord[] {
  if (startsOf(log).filter((at) => at > now - rate.per).length >= rate.max) return []
  const running = runningOf(records)
  return records.filter(({ phase, partition }) =>
    phase === 'ready' && (running.get(partition) ?? 0) < perPartition)
}

/** Who supersedes another one starts when that one has settled. */
export function checkSuccessors(log: readonly LogEntry[], records: readonly JobRecord[]): void {
  for (const { id, after } of records) {
    if (after === null) continue
    const added = log.findIndex(({ event, jobId }) => event === 'add' && jobId === id)
    const claimed = log.findIndex(({ event, jobId }, index) =>
      index > added && event === 'claim' && jobId === id)
    if (claimed < 0) continue
    const settled = log.slice(added, claimed).some(({ jobId, to }) => jobId === after &&
      (to === null || to === 'completed' || to === 'failed' || to === 'cancelled'))
    holds(settled, 'who supersedes waits for the one before', { id, after })
  }
}
