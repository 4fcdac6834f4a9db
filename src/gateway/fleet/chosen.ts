import type { Env } from '../../env.ts'
import type { JobFilterOptions } from '../../orchestrator/filter.ts'
import type { Queue } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import type { JobRecord } from '../../records/job.ts'
import type { Transition } from '../../records/transition.ts'
import { leaves } from '../fleet-protocol.ts'
import type { Bounds } from '../grant.ts'
import { isWithin } from '../grant.ts'
import { narrow } from '../scope.ts'
import { Ages } from './ages.ts'
import { nowhere, placeOf } from './fold.ts'
import type { Step } from './fold.ts'
import { sinceOf } from './seeding.ts'
import type { Source } from './source.ts'

/** Which jobs; null means any. */
export interface Choice {
  readonly tasks: readonly string[] | null
  readonly partitions: readonly string[] | null
  readonly bounds: Bounds | null
}

interface Tracked {
  readonly queue: string
  readonly place: number
  readonly rev: number
}

/** A job of which nobody knows yet whether it is one of them. */
interface Unknown {
  readonly queue: Queue<Tasks>
  readonly edges: Map<number, number>
}

/** Jobs of a queue that are read, and of all of them that are followed. */
const readPages = 2
const pageSize = 1000
const trackedLimit = 20_000
/** Jobs whose partition is looked up: at a time, and waiting for it. */
const lookedUpAtOnce = 125
const unknownLimit = 2000
const strangersLimit = 50_000
/** Retention removes jobs and tells nobody: they are read again. */
const shortestRestMs = 15_000
const restFactor = 50
const running = leaves.indexOf('running')

/** Some jobs of queues, by task, partition or scope: each of them is followed. */
export class ChosenSource implements Source {
  readonly ages = new Ages()
  readonly #queues: ReadonlyMap<string, Queue<Tasks>>
  readonly #choice: Choice
  readonly #env: Env
  readonly #needsRecord: boolean
  readonly #jobs = new Map<string, Tracked>()
  readonly #counts = leaves.map(() => 0)
  /** Removed while the jobs were read. */
  #removed: Set<string> | null = null
  readonly #unknown = new Map<string, Unknown>()
  readonly #strangers = new Set<string>()
  #edges = new Map<number, number>()
  #isBounded = false
  #isClosed = false
  #restUntil = 0
  #isReading = false

  constructor(queues: ReadonlyMap<string, Queue<Tasks>>, choice: Choice, env: Env) {
    this.#queues = queues
    this.#choice = choice
    this.#env = env
    this.#needsRecord = choice.partitions !== null || choice.bounds !== null
  }

  get isBounded(): boolean {
    return this.#isBounded
  }

  get counts(): readonly number[] {
    return [...this.#counts]
  }

  of(queue: string): readonly [waiting: number, running: number] {
    let waiting = 0
    let live = 0
    for (const { queue: own, place } of this.#jobs.values()) {
      if (own !== queue) continue
      if (place < 3) waiting += 1
      if (place === running) live += 1
    }
    return [waiting, live]
  }

  async begin(): Promise<void> {
    const start = this.#env.monotonic()
    this.#removed = new Set()
    const before = new Set(this.#jobs.keys())
    let isWhole = true
    for (const queue of this.#queues.values()) {
      for (const filter of this.#filters()) {
        isWhole = await this.#read(queue, filter, before) && isWhole
      }
    }
    // What is not there any more was removed by retention, or is older than what is read.
    if (isWhole) for (const id of before) this.#put(id, null)
    this.#isBounded = !isWhole
    this.#removed = null
    const now = this.#env.monotonic()
    this.#restUntil = now + Math.max(shortestRestMs, (now - start) * restFactor)
  }

  move(transition: Transition, step: Step): void {
    const { queue, jobId, task, event } = transition
    const { tasks } = this.#choice
    const own = this.#queues.get(queue)
    if (!own || (tasks && !tasks.includes(task))) return
    if (event === 'add') this.#strangers.delete(jobId)
    if (!this.#needsRecord || this.#jobs.has(jobId)) {
      this.#follow(transition, step)
      this.#count(step.edge, 1)
      return
    }
    if (this.#strangers.has(jobId) || transition.to === null) return
    const unknown = this.#unknown.get(jobId)
    if (unknown) unknown.edges.set(step.edge, (unknown.edges.get(step.edge) ?? 0) + 1)
    else if (this.#unknown.size >= unknownLimit) this.#isBounded = true
    else this.#unknown.set(jobId, { queue: own, edges: new Map([[step.edge, 1]]) })
  }

  async work(): Promise<void> {
    if (this.#isReading || this.#isClosed) return
    this.#isReading = true
    try {
      const some = [...this.#unknown].slice(0, lookedUpAtOnce)
      await Promise.all(some.map(([id, unknown]) => this.#lookUp(id, unknown)))
      if (this.#env.monotonic() >= this.#restUntil) await this.begin()
    } finally {
      this.#isReading = false
    }
  }

  takeEdges(): ReadonlyMap<number, number> {
    const edges = this.#edges
    this.#edges = new Map()
    return edges
  }

  close(): void {
    this.#isClosed = true
    this.#jobs.clear()
    this.#unknown.clear()
  }

  #follow({ jobId, queue, rev, at }: Transition, { to }: Step): void {
    const known = this.#jobs.get(jobId)
    if (known && known.rev >= rev) return
    this.ages.move(jobId, known?.place ?? nowhere, to, at)
    if (to === nowhere) this.#removed?.add(jobId)
    this.#put(jobId, to === nowhere ? null : { queue, place: to, rev })
  }

  async #lookUp(id: string, { queue, edges }: Unknown): Promise<void> {
    const record = await queue.get(id)
    this.#unknown.delete(id)
    if (!record || this.#isClosed) return
    if (!this.#isOne(record)) {
      this.#strangers.add(id)
      const [oldest] = this.#strangers
      if (this.#strangers.size > strangersLimit && oldest !== undefined) {
        this.#strangers.delete(oldest)
      }
      return
    }
    this.#note(record)
    for (const [edge, times] of edges) this.#count(edge, times)
  }

  #isOne({ partition, meta }: JobRecord): boolean {
    const { partitions, bounds } = this.#choice
    return isWithin(bounds, partition, meta) &&
      (partitions === null || (partition !== null && partitions.includes(partition)))
  }

  #note(record: JobRecord): void {
    const { id, queue, rev, state, phase } = record
    const known = this.#jobs.get(id)
    if (this.#removed?.has(id) || (known && known.rev >= rev)) return
    const place = placeOf(state, phase)
    this.ages.move(id, known?.place ?? nowhere, place, sinceOf(record))
    this.#put(id, { queue, place, rev })
  }

  #put(id: string, next: Tracked | null): void {
    const known = this.#jobs.get(id)
    if (known) this.#counts[known.place] = (this.#counts[known.place] ?? 0) - 1
    if (!next) {
      if (known) this.ages.move(id, known.place, nowhere, 0)
      this.#jobs.delete(id)
      return
    }
    this.#jobs.set(id, next)
    this.#counts[next.place] = (this.#counts[next.place] ?? 0) + 1
    if (this.#jobs.size <= trackedLimit) return
    this.#isBounded = true
    const [oldest] = this.#jobs.keys()
    if (oldest !== undefined) this.#put(oldest, null)
  }

  #count(edge: number, times: number): void {
    if (edge !== nowhere) this.#edges.set(edge, (this.#edges.get(edge) ?? 0) + times)
  }

  /** Answers whether all of them were read. */
  async #read(
    queue: Queue<Tasks>, filter: JobFilterOptions, unseen: Set<string>,
  ): Promise<boolean> {
    let cursor: string | null = null
    for (let page = 0; page < readPages; page += 1) {
      if (this.#isClosed || this.#jobs.size >= trackedLimit) return false
      const found = await queue.list({
        ...filter, order: 'desc', limit: pageSize, ...(cursor === null ? {} : { cursor }),
      })
      for (const record of found.jobs) {
        unseen.delete(record.id)
        this.#note(record)
      }
      ({ cursor } = found)
      if (cursor === null) return true
    }
    return false
  }

  /** A list takes one task and one partition. */
  #filters(): readonly JobFilterOptions[] {
    const { tasks, partitions, bounds } = this.#choice
    return (tasks ?? [null]).flatMap((task) => (partitions ?? [null]).flatMap((partition) =>
      narrow(bounds, {
        ...(task === null ? {} : { task }), ...(partition === null ? {} : { partition }),
      }) ?? []))
  }
}
