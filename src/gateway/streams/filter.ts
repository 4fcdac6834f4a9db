import type { Json } from '../../../machines/vocabulary.ts'
import type { StreamFilter } from '../protocol.ts'
import { isWithin } from '../grant.ts'
import type { Bounds } from '../grant.ts'
import type { StreamEvent } from './ring.ts'

/** What of a job never changes while it is there, and no transition says. */
export interface Identity {
  readonly partition: string | null
  readonly meta: Json
  readonly createdAt: number
}

/** What lets one kind of client's events pass. Equal ones have equal keys. */
export class Audience {
  readonly key: string
  /** The queues that it hears of, by name. */
  readonly queues: ReadonlySet<string>
  /** Whether more has to be known of a job than its transitions say. */
  readonly needsIdentity: boolean
  readonly #filter: StreamFilter
  readonly #bounds: Bounds | null

  constructor(filter: StreamFilter, queues: readonly string[], bounds: Bounds | null) {
    const { job, task, state, partition, meta } = filter
    this.key = JSON.stringify([[...queues].sort(), job, task, state, partition, meta, bounds])
    this.queues = new Set(queues)
    this.needsIdentity = bounds !== null || partition !== null || meta !== null
    this.#filter = filter
    this.#bounds = bounds
  }

  /** As far as the transition itself tells. */
  mayHear({ queue, jobId, task, to }: StreamEvent): boolean {
    const { job, task: tasks, state } = this.#filter
    return this.queues.has(queue) && (job === null || job.includes(jobId)) &&
      (tasks === null || tasks.includes(task)) &&
      (state === null || (to !== null && state.includes(to)))
  }

  /** As far as the job's identity tells; nothing is heard of a job that nobody knows any more. */
  hears(identity: Identity | null): boolean {
    if (!identity) return false
    const { partition, meta } = this.#filter
    const named = identity.partition
    return isWithin(this.#bounds, named, identity.meta) &&
      (partition === null || (named !== null && partition.includes(named))) &&
      (meta === null || isWithin({ partition: null, meta }, named, identity.meta))
  }
}
