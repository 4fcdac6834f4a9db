import { cycleError, unknownParent } from '../records/graph-errors.ts'
import type { NewJob } from '../records/job.ts'
import { Heap } from './heap.ts'
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
  for (const id of batch.keys()) walk.visit(id)
  // Those that are not new keep their answer; when they get it does not matter.
  const ordered = new Set(inGivenOrder(batch))
  return [...ordered, ...indexes.filter((index) => !ordered.has(index))]
}

interface Place {
  readonly index: number
  readonly children: Place[]
  open: number
  slot: number
}

/** Of those whose parents have their place, the one that was given first is next. */
function inGivenOrder(batch: Batch): number[] {
  const places = new Map<string, Place>()
  for (const [id, { index }] of batch) places.set(id, { index, children: [], open: 0, slot: -1 })
  const free = new Heap<'slot', Place>('slot', (a, b) => a.index < b.index)
  for (const [id, { job }] of batch) {
    const place = places.get(id) as Place
    for (const parent of job.dependsOn) {
      const above = places.get(parent)
      above?.children.push(place)
      if (above) place.open += 1
    }
    if (place.open === 0) free.push(place)
  }
  const order: number[] = []
  for (let place = free.peek(); place; place = free.peek()) {
    free.remove(place)
    order.push(place.index)
    for (const child of place.children) {
      child.open -= 1
      if (child.open === 0) free.push(child)
    }
  }
  return order
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
