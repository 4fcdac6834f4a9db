import type { Transition } from '../../records/transition.ts'
import { leaves } from '../fleet-protocol.ts'
import { Ages, sampleLimit } from './ages.ts'
import type { Step } from './fold.ts'
import { pickJobs, sinceOf } from './seeding.ts'
import type { QueueTally } from './tally.ts'

/** Where a view has its figures from. */
export interface Source {
  readonly ages: Ages
  readonly isBounded: boolean
  /** Looks at the jobs that are there; what moves meanwhile is heard already. */
  begin(): Promise<void>
  /** What of it the view shows: edges that were taken. */
  move(transition: Transition, step: Step): void
  /** Called four times a second: what can only be done in turns. */
  work(): Promise<void>
  /** Edges that were taken since the last call. */
  takeEdges(): ReadonlyMap<number, number>
  readonly counts: readonly number[]
  /** Waiting and running jobs of one queue; null: as the queue itself says. */
  of(queue: string): readonly [waiting: number, running: number] | null
  close(): void
}

/** Queues whose jobs are looked at for their ages. */
const seededQueues = 50

/** Whole queues. */
export class WholeSource implements Source {
  readonly ages = new Ages()
  readonly isBounded = false
  readonly #tallies: readonly QueueTally[]
  #edges = new Map<number, number>()
  /** Moved while jobs are read for their ages; null when they were. */
  #moved: Set<string> | null = new Set()
  #isReading = false

  constructor(tallies: readonly QueueTally[]) {
    this.#tallies = tallies
  }

  get counts(): readonly number[] {
    return leaves.map((_, place) => Math.max(0, this.#tallies.reduce((sum, { counts }) =>
      sum + (counts[place] ?? 0), 0)))
  }

  /** The counts are there; nobody has to wait for ages. */
  begin(): Promise<void> {
    return Promise.resolve()
  }

  move({ jobId, at }: Transition, { from, to, edge }: Step): void {
    this.#moved?.add(jobId)
    this.ages.move(jobId, from, to, at)
    if (edge >= 0) this.#edges.set(edge, (this.#edges.get(edge) ?? 0) + 1)
  }

  async work(): Promise<void> {
    this.ages.limit(this.counts)
    if (!this.#moved || this.#isReading) return
    this.#isReading = true
    try {
      await this.#seed()
    } finally {
      this.#isReading = false
    }
  }

  takeEdges(): ReadonlyMap<number, number> {
    const edges = this.#edges
    this.#edges = new Map()
    return edges
  }

  of(): null {
    return null
  }

  close(): void {
    this.#edges.clear()
  }

  async #seed(): Promise<void> {
    // The largest: all others have few jobs beside them.
    const tallies = [...this.#tallies]
      .sort((a, b) => sumOf(b.counts) - sumOf(a.counts)).slice(0, seededQueues)
    for (const place of leaves.keys()) {
      const total = tallies.reduce((sum, { counts }) => sum + (counts[place] ?? 0), 0)
      const share = Math.min(1, sampleLimit / 2 / Math.max(1, total))
      const since: (readonly [string, number])[] = []
      for (const { counts, queue } of tallies) {
        const count = counts[place] ?? 0
        if (count <= 0) continue
        const jobs = await pickJobs(queue, place, count, Math.ceil(count * share))
        since.push(...jobs.map((job) => [job.id, sinceOf(job)] as const))
      }
      this.ages.seed(place, since.filter(([id]) => !this.#moved?.has(id)), total)
    }
    this.#moved = null
  }
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}
