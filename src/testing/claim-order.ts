import { isLive } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import type { Change } from '../stores/store.ts'
import { holds } from './invariants.ts'

interface Place {
  readonly record: JobRecord
  readonly order: number
}

/** What is known of a partition; moments are numbers of changes. */
interface Partition {
  /** Its jobs that are ready or run, and those that run. */
  present: number
  running: number
  /** When it was claimed from for the last time; before that: when it was first there. */
  served: number
  /** When it was there again after it had nothing. */
  arrived: number
  hasBeenServed: boolean
}

/**
 * Follows a store from its beginning and sees that each claim takes the first that is ready:
 * by priority, by the turns of the partitions, by time and insertion; and none over the bound.
 */
export class ClaimOrder {
  readonly #ready = new Map<string, Place>()
  readonly #records = new Map<string, JobRecord>()
  readonly #partitions = new Map<string | null, Partition>()
  /** Insert numbers. */
  readonly #orders = new Map<string, number>()
  readonly #isExcluded: (worker: string, id: string) => boolean
  readonly #bound: number
  #inserted = 0
  #moment = 0

  /**
   * `isExcluded` tells whether a worker may pass a job over: its abandoned handler runs there, or
   * it has no such task. `bound` is how many jobs of a partition may run.
   */
  constructor(
    isExcluded: (worker: string, id: string) => boolean, bound = Number.POSITIVE_INFINITY,
  ) {
    this.#isExcluded = isExcluded
    this.#bound = bound
  }

  follow({ entry, record }: Change): void {
    this.#moment += 1
    if (entry.event === 'add') this.#orders.set(entry.jobId, this.#inserted += 1)
    if (entry.event === 'claim') this.#checkClaim(entry.jobId, entry.by, entry.at)
    // The new one first: who begins to run has been there all the time.
    this.#count(record, 1)
    this.#count(this.#records.get(entry.jobId), -1)
    if (record) this.#records.set(record.id, record)
    else this.#records.delete(entry.jobId)
    if (record?.phase === 'ready') {
      this.#ready.set(record.id, { record, order: this.#orders.get(record.id) ?? 0 })
    } else this.#ready.delete(entry.jobId)
    if (record && entry.event === 'claim') {
      const partition = this.#partition(record.partition)
      partition.served = this.#moment
      partition.hasBeenServed = true
      holds(partition.running <= this.#bound, 'no partition runs over its bound', record)
    }
  }

  #checkClaim(id: string, worker: string, now: number): void {
    const claimed = this.#ready.get(id)
    holds(claimed !== undefined, 'only what is ready is claimed', id)
    for (const other of this.#ready.values()) {
      const { expiresAt, partition } = other.record
      const open = !this.#isExcluded(worker, other.record.id) &&
        this.#partition(partition).running < this.#bound &&
        (expiresAt === null || expiresAt > now)
      holds(!open || !this.#isBefore(other, claimed), 'claims go in order', { other, claimed })
    }
  }

  #count(record: JobRecord | null | undefined, change: 1 | -1): void {
    if (!record) return
    const partition = this.#partition(record.partition)
    if (isLive(record)) partition.running += change
    if (!isLive(record) && record.phase !== 'ready') return
    if (partition.present === 0) partition.arrived = this.#moment
    partition.present += change
  }

  #partition(name: string | null): Partition {
    let partition = this.#partitions.get(name)
    if (!partition) {
      partition = {
        present: 0, running: 0, served: this.#moment, arrived: this.#moment, hasBeenServed: false,
      }
      this.#partitions.set(name, partition)
    }
    return partition
  }

  #isBefore(a: Place, b: Place): boolean {
    if (a.record.priority !== b.record.priority) return a.record.priority < b.record.priority
    if (a.record.partition !== b.record.partition) {
      // A partition that had nothing for a while may be a newcomer, or have its old place.
      const first = this.#partition(a.record.partition)
      const second = this.#partition(b.record.partition)
      // Which of two that never had a turn comes first is up to the store.
      if (!first.hasBeenServed && !second.hasBeenServed) return false
      return Math.max(first.served, first.arrived) < second.served
    }
    if (a.record.runAt !== b.record.runAt) return a.record.runAt < b.record.runAt
    return a.order < b.order
  }
}
