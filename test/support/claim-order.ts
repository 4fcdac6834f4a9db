import type { JobRecord } from '../../src/records/job.ts'
import type { Change } from '../../src/stores/store.ts'
import { holds } from './invariants.ts'

interface Place {
  readonly record: JobRecord
  readonly order: number
}

/** Follows a store from its beginning and sees that each claim takes the first that is ready. */
export class ClaimOrder {
  readonly #ready = new Map<string, Place>()
  /** Insert numbers. */
  readonly #orders = new Map<string, number>()
  readonly #isExcluded: (worker: string, id: string) => boolean
  #inserted = 0

  /** `isExcluded` tells whether a worker may pass a job over: its abandoned handler runs there. */
  constructor(isExcluded: (worker: string, id: string) => boolean) {
    this.#isExcluded = isExcluded
  }

  follow({ entry, record }: Change): void {
    if (entry.event === 'add') this.#orders.set(entry.jobId, this.#inserted += 1)
    if (entry.event === 'claim') this.#checkClaim(entry.jobId, entry.by, entry.at)
    if (record?.phase === 'ready') {
      this.#ready.set(record.id, { record, order: this.#orders.get(record.id) ?? 0 })
    } else this.#ready.delete(entry.jobId)
  }

  #checkClaim(id: string, worker: string, now: number): void {
    const claimed = this.#ready.get(id)
    holds(claimed !== undefined, 'only what is ready is claimed', id)
    for (const other of this.#ready.values()) {
      const { expiresAt } = other.record
      const open = !this.#isExcluded(worker, other.record.id) &&
        (expiresAt === null || expiresAt > now)
      holds(!open || !isBefore(other, claimed), 'claims go in order', { other, claimed })
    }
  }
}

function isBefore(a: Place, b: Place): boolean {
  if (a.record.priority !== b.record.priority) return a.record.priority < b.record.priority
  if (a.record.runAt !== b.record.runAt) return a.record.runAt < b.record.runAt
  return a.order < b.order
}
