import type { Env } from '../env.ts'
import type { JobRecord } from '../records/job.ts'
import type { TaskDefinition } from './tasks.ts'

/** Jobs that wait here at most. */
const mostJobs = 500
/** So much work may wait: what the process has done within about this time. */
const reachMs = 100

/** A job that is claimed and waits for a slot. */
export interface Waiting {
  record: JobRecord
  readonly definition: TaskDefinition
  /** When the lease was last known to hold, by the process's own monotonic clock. */
  leaseSince: number
}

/**
 * Claimed jobs that wait for a slot, so that a slot need not wait for a store that is far away.
 * Their number follows the pace of the queue: long jobs are never hoarded.
 */
export class Prefetch {
  readonly #env: Pick<Env, 'monotonic'>
  readonly #enabled: boolean
  readonly #waiting = new Map<string, Waiting>()
  /** Jobs that ended here, in the present stretch of time and in the one before. */
  #stretch = 0
  #ended = 0
  #endedBefore = 0

  constructor(env: Pick<Env, 'monotonic'>, enabled: boolean) {
    this.#env = env
    this.#enabled = enabled
  }

  get size(): number {
    return this.#waiting.size
  }

  get(id: string): Waiting | undefined {
    return this.#waiting.get(id)
  }

  ids(): Iterable<string> {
    return this.#waiting.keys()
  }

  list(): readonly Waiting[] {
    return [...this.#waiting.values()]
  }

  add(waiting: Waiting): void {
    this.#waiting.set(waiting.record.id, waiting)
  }

  /** Takes out the one that waits longest. */
  next(): Waiting | undefined {
    const [first] = this.#waiting.values()
    if (first) this.#waiting.delete(first.record.id)
    return first
  }

  remove(id: string): void {
    this.#waiting.delete(id)
  }

  /** Takes all out. */
  clear(): readonly Waiting[] {
    const all = this.list()
    this.#waiting.clear()
    return all
  }

  /** A handler has ended. */
  noteEnd(): void {
    this.#roll()
    this.#ended += 1
  }

  /** How many jobs a claim may bring beyond the free slots, when `left` will still wait then. */
  room(left: number): number {
    if (!this.#enabled) return 0
    const bound = this.#bound()
    return left * 2 <= bound ? bound - left : 0
  }

  /** What ended within the last 100 ms, if the one stretch went as the other. */
  #bound(): number {
    const now = this.#roll()
    const ago = (now % reachMs) / reachMs
    return Math.min(mostJobs, Math.floor(this.#ended + this.#endedBefore * (1 - ago)))
  }

  #roll(): number {
    const now = this.#env.monotonic()
    const stretch = Math.floor(now / reachMs)
    if (stretch !== this.#stretch) {
      this.#endedBefore = stretch === this.#stretch + 1 ? this.#ended : 0
      this.#ended = 0
      this.#stretch = stretch
    }
    return now
  }
}
