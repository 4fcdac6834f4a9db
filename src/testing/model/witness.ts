import type { JobRecord } from '../../index.ts'
import type { Store } from '../../stores/store.ts'
import type { ClaimOrder } from '../claim-order.ts'
import { holds } from '../invariants.ts'
import { Kinship } from '../kinship.ts'

/** Hears every change as a store tells it; a fault comes to light at the next check. */
export class Witness {
  readonly #faults: unknown[] = []

  /** `order` is null where the store cannot be heard from its beginning. */
  watch(store: Store, order: ClaimOrder | null): void {
    const kinship = new Kinship()
    store.watch((event) => {
      if (event.type !== 'changes') return
      try {
        for (const change of event.changes) {
          kinship.follow(change)
          order?.follow(change)
        }
      } catch (error) {
        this.#faults.push(error)
      }
    })
  }

  check(): void {
    if (this.#faults.length > 0) throw this.#faults[0]
  }
}

/** What time has made due was done, at most `patienceMs` late. */
export function checkTime(
  records: readonly JobRecord[], now: number, patienceMs: number,
): void {
  const soon = now - 2 - patienceMs
  for (const { id, state, phase, runAt, expiresAt, lease } of records) {
    const due = phase === 'delayed' && runAt < soon
    const expired = state === 'queued' && expiresAt !== null && expiresAt < soon
    const lapsed = lease !== null && lease.until + 1000 < now - patienceMs
    const facts = { id, now, runAt, expiresAt, lease }
    holds(!due && !expired && !lapsed, 'what is due is done', facts)
  }
}

export function checkResults(records: readonly JobRecord[]): void {
  for (const { id, state, fence, result } of records) {
    const right = state !== 'completed' || result === `${id}#${fence}`
    holds(right, 'a result is that of the last attempt', { id, fence, result })
  }
}
