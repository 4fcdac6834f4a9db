import { holds } from '../invariants.ts'
import type { LogEntry } from '../../records/transition.ts'
import type { History } from './journal.ts'

/** The partition of each job; the log does not tell. */
function partitionsOf({ records }: History): (entry: LogEntry) => string | null {
  const partitions = new Map(records.map(({ id, partition }) => [id, partition]))
  return ({ jobId }) => partitions.get(jobId) ?? null
}

/** No window of the rate limit holds more claims than it may, by the store's clock. */
export function checkRate(history: History): void {
  const rate = history.bounds.limits?.rate
  if (!rate) return
  const partitionOf = partitionsOf(history)
  const starts = new Map<string | null, number[]>()
  for (const entry of history.log) {
    if (entry.event !== 'claim') continue
    const lane = rate.perPartition ? partitionOf(entry) : null
    const times = starts.get(lane)
    if (times) times.push(entry.at)
    else starts.set(lane, [entry.at])
  }
  for (const [partition, times] of starts) {
    times.sort((a, b) => a - b)
    times.forEach((at, index) => {
      const next = times[index + rate.max]
      const apart = next === undefined || next - at >= rate.perMs
      holds(apart, 'no window holds more starts than max', { partition, rate, at, next })
    })
  }
}

/** No partition ever has more live jobs than it may, at any point of the log. */
export function checkPartitions(history: History): void {
  const bound = history.bounds.limits?.perPartition ?? null
  if (bound === null) return
  const partitionOf = partitionsOf(history)
  const live = new Map<string | null, Set<string>>()
  for (const entry of history.log) {
    const partition = partitionOf(entry)
    let jobs = live.get(partition)
    if (!jobs) live.set(partition, jobs = new Set())
    if (entry.to === 'running' || entry.to === 'cancelling') jobs.add(entry.jobId)
    else jobs.delete(entry.jobId)
    const facts = { partition, bound, live: [...jobs], entry }
    holds(jobs.size <= bound, 'a partition stays within its bound', facts)
  }
}
