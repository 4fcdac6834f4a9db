import { isSettled } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import type { JobEvent } from '../../machines/job-events.ts'
import type { Row } from './row.ts'

/** What the parents of a job mean for it. */
export interface Judgement {
  /** Jobs that it still has to wait for. */
  readonly open: number
  /** A parent that ended otherwise than well, if that ends the job. */
  readonly failed: { readonly parent: string; readonly how: 'failed' | 'cancelled' | 'removed' } |
    null
}

type Links = Pick<JobRecord, 'dependsOn' | 'after' | 'onParentFailure'>
/** All that matters of a parent. */
type Parent = Pick<JobRecord, 'state'>

/** Whether a job with these links waits for `parent`, or fails with it. */
export function linkTo(
  job: Pick<Links, 'onParentFailure'>, parent: Parent | undefined,
): 'open' | 'closed' | 'failed' {
  if (parent?.state === 'completed') return 'closed'
  if (parent && !isSettled(parent)) return 'open'
  if (job.onParentFailure === 'run') return 'closed'
  return job.onParentFailure === 'wait' ? 'open' : 'failed'
}

/** Judges by the present state of all parents; what happened on the way does not matter. */
export function judge(job: Links, find: (id: string) => Parent | undefined): Judgement {
  let open = 0
  let failed: Judgement['failed'] = null
  for (const id of job.dependsOn) {
    const parent = find(id)
    const link = linkTo(job, parent)
    if (link === 'open') open += 1
    else if (link === 'failed') {
      const state = parent?.state
      failed ??= {
        parent: id, how: state === 'failed' || state === 'cancelled' ? state : 'removed',
      }
    }
  }
  const predecessor = job.after === null ? undefined : find(job.after)
  if (predecessor && !isSettled(predecessor)) open += 1
  return { open, failed }
}

/** The event that brings a blocked job in line with its parents; null when it is. */
export function eventFor(
  record: JobRecord, { open, failed }: Judgement, now: number,
): JobEvent | null {
  const by = 'parents'
  if (failed) return { type: 'parentFailed', now, by, ...failed }
  if (open === 0) return { type: 'unblock', now, by }
  return open === record.openParents ? null : { type: 'countParents', now, by, openParents: open }
}

/** Who depends on whom, and which blocked jobs have to be judged again. */
export class Dependents {
  readonly #children = new Map<string, Set<Row>>()
  readonly #unjudged = new Set<Row>()

  get hasUnjudged(): boolean {
    return this.#unjudged.size > 0
  }

  /** Some job that has not completed depends on this one. */
  isAwaited(id: string): boolean {
    return this.#children.has(id)
  }

  /** `record` is what the row is about to hold. */
  join(record: JobRecord, row: Row): void {
    for (const id of parentsOf(record)) {
      const children = this.#children.get(id)
      if (children) children.add(row)
      else this.#children.set(id, new Set([row]))
    }
  }

  leave(row: Row): void {
    for (const id of parentsOf(row.record)) {
      const children = this.#children.get(id)
      children?.delete(row)
      if (children?.size === 0) this.#children.delete(id)
    }
  }

  /** A job began to wait for its parents, or counts them as it did before. */
  blocked(row: Row): void {
    this.#unjudged.add(row)
  }

  /** A job has settled, lives again, is gone, or is there again. */
  moved(id: string): void {
    if (this.#children.size === 0) return
    for (const row of this.#children.get(id) ?? []) this.#unjudged.add(row)
  }

  /** Takes the jobs that may not be in line with their parents any more, new ones as they come. */
  * takeUnjudged(): Generator<Row> {
    for (const row of this.#unjudged) {
      this.#unjudged.delete(row)
      yield row
    }
  }
}

function parentsOf({ dependsOn, after }: JobRecord): readonly string[] {
  return after === null ? dependsOn : [...dependsOn, after]
}
