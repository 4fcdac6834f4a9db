import type { JobRecord } from '../../records/job.ts'
import type { LogEntry } from '../../records/transition.ts'
import { holds } from '../invariants.ts'
import { checkBlocked } from '../kinship.ts'
import type { History } from './journal.ts'

/** When a job first came to an end, by number in the log. */
interface Ends {
  readonly added: number
  completed: number
  /** Otherwise than well, or removed. */
  badly: number
  /** Who had the name before, and was removed. */
  readonly former: Ends | null
}

function endsOf(log: readonly LogEntry[]): Map<string, Ends> {
  const ends = new Map<string, Ends>()
  for (const { jobId, event, to, seq } of log) {
    const known = ends.get(jobId)
    if (!known || event === 'add') {
      const former = known ?? null
      ends.set(jobId, { added: seq, completed: Infinity, badly: Infinity, former })
    } else if (to === 'completed') known.completed = Math.min(known.completed, seq)
    else if (to === 'failed' || to === 'cancelled' || to === null) {
      known.badly = Math.min(known.badly, seq)
    }
  }
  return ends
}

/** Nobody starts before the last parent has ended as it must; nobody fails but for a parent. */
export function checkParents({ log, records }: History): void {
  const ends = endsOf(log)
  const children = new Map(records
    .filter(({ dependsOn }) => dependsOn.length > 0).map((record) => [record.id, record]))
  for (const entry of log) {
    const child = children.get(entry.jobId)
    if (!child) continue
    if (entry.event === 'claim') {
      for (const id of child.dependsOn) checkParent(child, entry, id, ends.get(id))
    } else if (entry.event === 'parentFailed') {
      const cause = child.dependsOn.some((id) => {
        const parent = ends.get(id)
        return !parent || parent.added > entry.seq || parent.badly < entry.seq
      })
      holds(cause, 'a child fails because a parent did', { entry, dependsOn: child.dependsOn })
    }
  }
}

/**
 * What is known of a parent may be nothing: it was added before the log begins, or elsewhere, or
 * one of the same name was added after it had been removed. Who is free stays so when a parent is
 * removed and added again.
 */
function checkParent(
  { onParentFailure }: JobRecord, claim: LogEntry, parent: string, ends: Ends | undefined,
): void {
  if (!ends || ends.added > claim.seq) return
  let over = false
  for (let each: Ends | null = ends; each && !over; each = each.former) {
    over = each.completed < claim.seq || (onParentFailure === 'run' && each.badly < claim.seq)
  }
  holds(over, 'a child starts when its parents have ended', { claim, parent, ends })
}

export function checkStranded({ records }: History): void {
  checkBlocked(records)
}
