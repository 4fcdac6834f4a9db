import { cycleError, unknownParent } from '../records/graph-errors.ts'
import type { NewJob } from '../records/job.ts'
import type { Rows } from './rows.ts'

/** The jobs of one call by id. */
type Batch = ReadonlyMap<string, { readonly job: NewJob; readonly index: number }>

/**
 * The indexes of the jobs, parents before their children. Throws `unknown-parent` for a parent
 * that is neither in the store nor among the jobs, and `dependency-cycle`.
 */
export function inOrderOfParents(jobs: readonly NewJob[], rows: Rows): readonly number[] {
  const indexes = [...jobs.keys()]
  if (jobs.every(({ dependsOn }) => dependsOn.length === 0)) return indexes
  const batch = new Map<string, { job: NewJob; index: number }>()
  for (const [index, job] of jobs.entries()) {
    if (!rows.byId.has(job.id) && !batch.has(job.id)) batch.set(job.id, { job, index })
  }
  checkKnown(batch, rows)
  const walk = new Walk(batch, rows)
  // First those that wait for none of the others: in the order in which they were given.
  const first = [...batch.values()].filter(({ job }) => !job.dependsOn.some((id) => batch.has(id)))
  for (const { job } of [...first, ...batch.values()]) walk.visit(job.id)
  // Those that are not new keep their answer; when they get it does not matter.
  const ordered = new Set(walk.done.flatMap((id) => batch.get(id)?.index ?? []))
  return [...ordered, ...indexes.filter((index) => !ordered.has(index))]
}

function checkKnown(batch: Batch, rows: Rows): void {
  for (const { job, index } of batch.values()) {
    for (const [position, id] of job.dependsOn.entries()) {
      if (batch.has(id) || rows.byId.has(id)) continue
      const path = `jobs[${index}].dependsOn[${position}]`
      throw unknownParent(path, id)
    }
  }
}

/** Depth first, without recursion: a graph can be as deep as it has jobs. */
class Walk {
  readonly done: string[] = []
  readonly #batch: Batch
  readonly #rows: Rows
  /** Jobs of the store wait for one of these: its id was there before, and was removed. */
  readonly #closesCircles: boolean
  readonly #visited = new Set<string>()

  constructor(batch: Batch, rows: Rows) {
    this.#batch = batch
    this.#rows = rows
    this.#closesCircles = [...batch.keys()].some((id) => rows.dependents.isAwaited(id))
  }

  visit(root: string): void {
    if (this.#visited.has(root)) return
    const path: { readonly id: string; readonly left: string[] }[] = []
    const onPath = new Set<string>()
    const enter = (id: string): void => {
      this.#visited.add(id)
      onPath.add(id)
      path.push({ id, left: [...this.#parents(id)] })
    }
    enter(root)
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const next = top.left.pop()
      if (next === undefined) {
        path.pop()
        onPath.delete(top.id)
        this.done.push(top.id)
      } else if (onPath.has(next)) {
        const ids = path.map(({ id }) => id)
        throw cycleError([...ids.slice(ids.indexOf(next)), next])
      } else if (!this.#visited.has(next)) enter(next)
    }
  }

  /** A job that has failed waits again when it is retried; only one that completed never will. */
  #parents(id: string): readonly string[] {
    const fresh = this.#batch.get(id)?.job.dependsOn
    if (fresh) return fresh
    const record = this.#closesCircles ? this.#rows.byId.get(id)?.record : undefined
    return record === undefined || record.state === 'completed' ? [] : record.dependsOn
  }
}
