import { isSettled } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import type { Change } from '../stores/store.ts'
import { holds } from './invariants.ts'

type Find = (id: string) => JobRecord | null | undefined

interface Standing {
  /** Parents that hold a job back. */
  readonly open: number
  /** One of them ends it. */
  readonly fails: boolean
  /** Of one of them nothing was ever heard. */
  readonly doubtful: boolean
}

/** `find` answers null for who is gone. */
function standing(job: JobRecord, find: Find): Standing {
  let open = 0
  let fails = false
  const doubtful = job.dependsOn.some((id) => find(id) === undefined)
  for (const id of job.dependsOn) {
    const parent = find(id)
    if (parent === undefined || parent?.state === 'completed') continue
    const over = parent === null || isSettled(parent)
    if (!over || job.onParentFailure === 'wait') open += 1
    else if (job.onParentFailure === 'fail') fails = true
  }
  const superseded = job.after === null ? null : find(job.after)
  if (superseded && !isSettled(superseded)) open += 1
  return { open, fails, doubtful }
}

/** Follows what a store tells, and sees that nobody runs, or fails, before the parents say so. */
export class Kinship {
  readonly #jobs = new Map<string, JobRecord | null>()
  readonly #find: Find = (id) => this.#jobs.get(id)

  follow({ entry, record }: Change): void {
    if (record) this.#check(entry.event, record)
    this.#jobs.set(entry.jobId, record)
  }

  /** What was told before is not known any more. */
  forget(): void {
    this.#jobs.clear()
  }

  #check(event: string, record: JobRecord): void {
    const { open, fails, doubtful } = standing(record, this.#find)
    const facts = { event, record, open, fails }
    const leaves = event === 'add' || event === 'retry' || event === 'unblock'
    const free = record.phase !== 'blocked' && leaves
    holds(!free || (open === 0 && !fails), 'no job is free before its parents let it', facts)
    holds(event !== 'parentFailed' || fails || doubtful, 'no job fails but for a parent', facts)
  }
}

/** At rest: who is blocked has somebody to wait for, and knows how many they are. */
export function checkBlocked(records: readonly JobRecord[]): void {
  const byId = new Map(records.map((record) => [record.id, record]))
  for (const record of records) {
    if (record.phase !== 'blocked') {
      const free = record.state !== 'queued' || record.openParents === 0
      holds(free, 'who is free counts none', record)
      continue
    }
    const { open, fails } = standing(record, (id) => byId.get(id) ?? null)
    const facts = { record, open, fails }
    holds(open > 0 && !fails, 'who is blocked waits for somebody', facts)
    holds(open === record.openParents, 'who is blocked knows for how many', facts)
  }
}

/** Jobs that wait by their own wish, or behind such a one, for what will not come by itself. */
export function heldByWish(records: readonly JobRecord[]): ReadonlySet<string> {
  const byId = new Map(records.map((record) => [record.id, record]))
  const held = new Set<string>()
  for (let size = -1; size < held.size;) {
    size = held.size
    for (const { id, phase, dependsOn, onParentFailure } of records) {
      if (phase !== 'blocked') continue
      const waits = dependsOn.some((parent) => {
        const record = byId.get(parent)
        const over = !record || (isSettled(record) && record.state !== 'completed')
        return held.has(parent) || (over && onParentFailure === 'wait')
      })
      if (waits) held.add(id)
    }
  }
  return held
}

/** What others wait for stays, until they have completed; who was taken out on purpose is gone. */
export function checkAwaited(
  records: readonly JobRecord[], wasRemoved: (id: string) => boolean,
): void {
  const kept = new Set(records.map(({ id }) => id))
  for (const { id, state, dependsOn } of records) {
    if (state === 'completed') continue
    const lost = dependsOn.filter((parent) => !kept.has(parent) && !wasRemoved(parent))
    holds(lost.length === 0, 'what is awaited is not pruned', { id, lost })
  }
}
