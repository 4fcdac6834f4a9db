import { isLive } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import type { Change } from '../stores/store.ts'

/** How long the attempt that a transition begins or ends has waited and run; null: neither. */
export interface Timings {
  /** From the moment at which the job could run to its claim. */
  readonly waitMs: number | null
  /** From the claim to the end of the attempt, whatever that was. */
  readonly runMs: number | null
}

const none: Timings = Object.freeze({ waitMs: null, runMs: null })

/** A claim has a wait; what ends an attempt has the same wait, and a run. */
export function timingsOf({ entry, record }: Change): Timings {
  const ended = isRunning(entry.from) && !isRunning(entry.to)
  if (!record || (entry.event !== 'claim' && !ended)) return none
  const index = record.timeline.findLastIndex(({ event }) => event === 'claim')
  const claim = record.timeline[index]
  if (!claim) return none
  const waitedSince = readySince(record, index)
  return {
    waitMs: waitedSince === null ? null : Math.max(0, claim.at - waitedSince),
    runMs: ended ? Math.max(0, entry.at - claim.at) : null,
  }
}

function isRunning(state: JobRecord['state'] | null): boolean {
  return state !== null && isLive({ state })
}

/** Only what is ready is claimed: the entry before a claim is the one that made the job ready. */
function readySince({ timeline, runAt }: JobRecord, claim: number): number | null {
  const ready = timeline[claim - 1]
  if (!ready) return null
  // `due` comes when somebody notices, which may be later than the time itself. An attempt that
  // ends with another one to come has put the time of that one in the place of its own.
  return ready.event === 'due' && runAt <= ready.at ? runAt : ready.at
}
