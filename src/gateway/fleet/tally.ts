import type { Env } from '../../env.ts'
import type { Queue } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import type { Transition } from '../../records/transition.ts'
import { leaves } from '../fleet-protocol.ts'
import type { WireChartEdge, WireQueueLine } from '../fleet-protocol.ts'
import { Fold } from './fold.ts'
import type { Step } from './fold.ts'

/** Seconds over which the throughput is told. */
const spanSeconds = 10
/** Counting costs the store: at most this share of the time is spent on it. */
const restFactor = 50
const shortestRestMs = 2000
/** Retention removes jobs and tells nobody: a queue in which nothing happens is counted, too. */
const quietRestMs = 30_000
const completed = leaves.indexOf('completed')
const running = leaves.indexOf('running')

/** One queue now: what the store counted, carried on by its transitions. */
export class QueueTally {
  readonly queue: Queue<Tasks>
  readonly #env: Env
  readonly #fold: Fold
  /** While the store counts: how low and how high each leaf was. */
  #window: { readonly low: number[]; readonly high: number[] } | null = null
  #restUntil = 0
  #isMoved = false
  readonly #done = new Array<number>(spanSeconds).fill(0)
  #second = 0
  #oldest: { readonly id: string; readonly at: number } | null = null
  #paused = false
  #limitedUntil: number | null = null

  constructor(
    queue: Queue<Tasks>, env: Env, edges: readonly WireChartEdge[],
    byMove: ReadonlyMap<string, number>,
  ) {
    this.queue = queue
    this.#env = env
    this.#fold = new Fold(edges, null, byMove)
  }

  get counts(): readonly number[] {
    return this.#fold.counts
  }

  get paused(): boolean {
    return this.#paused
  }

  get limitedUntil(): number | null {
    return this.#limitedUntil
  }

  apply(transition: Transition): Step {
    const step = this.#fold.apply(transition)
    const { from, to } = step
    this.#isMoved = true
    if (to === completed && from !== completed) {
      this.#done[this.#second] = (this.#done[this.#second] ?? 0) + 1
    }
    if (this.#oldest?.id === transition.jobId) this.#oldest = null
    for (const place of [from, to]) {
      const count = this.counts[place]
      if (!this.#window || count === undefined) continue
      this.#window.low[place] = Math.min(this.#window.low[place] ?? 0, count)
      this.#window.high[place] = Math.max(this.#window.high[place] ?? 0, count)
    }
    return step
  }

  /** The first count, and the jobs whose phase their transitions will not tell. */
  async begin(): Promise<void> {
    for (let round = 0; round < 3; round += 1) {
      this.#isMoved = false
      const counts = await this.queue.counts()
      for (const [place, leaf] of leaves.entries()) this.#fold.counts[place] = counts[leaf]
      if (!this.#isMoved) break
    }
    for (const phase of ['delayed', 'blocked'] as const) {
      const place = leaves.indexOf(phase)
      if ((this.counts[place] ?? 0) === 0) continue
      const page = await this.queue.list({ state: 'queued', phase, order: 'desc', limit: 1000 })
      for (const { id } of page.jobs) this.#fold.note(id, place)
    }
  }

  get needsCount(): boolean {
    const now = this.#env.monotonic()
    return now >= this.#restUntil + (this.#isMoved ? 0 : quietRestMs)
  }

  /**
   * Counts anew. What the store says is one moment of the time that it took: only what lies
   * outside of all that was counted here meanwhile is put right.
   */
  async count(): Promise<void> {
    const start = this.#env.monotonic()
    this.#isMoved = false
    const window = { low: [...this.counts], high: [...this.counts] }
    this.#window = window
    try {
      const counts = await this.queue.counts()
      for (const [place, leaf] of leaves.entries()) {
        const [low, high] = [window.low[place] ?? 0, window.high[place] ?? 0]
        const told = counts[leaf]
        const amiss = told < low ? told - low : Math.max(0, told - high)
        this.#fold.counts[place] = (this.counts[place] ?? 0) + amiss
      }
    } finally {
      this.#window = null
      const now = this.#env.monotonic()
      this.#restUntil = now + Math.max(shortestRestMs, (now - start) * restFactor)
    }
  }

  /** Looks at what transitions do not tell. */
  async look(): Promise<void> {
    const { paused, limitedUntil } = await this.queue.status()
    this.#paused = paused
    this.#limitedUntil = limitedUntil
    if ((this.counts[0] ?? 0) <= 0) this.#oldest = null
    else if (!this.#oldest) {
      const { jobs: [job] } = await this.queue.list({ state: 'queued', phase: 'ready', limit: 1 })
      this.#oldest = job ? { id: job.id, at: job.createdAt } : null
    }
  }

  /** Called once a second. */
  nextSecond(): void {
    this.#second = (this.#second + 1) % spanSeconds
    this.#done[this.#second] = 0
  }

  line(place: number): WireQueueLine {
    const [ready = 0, delayed = 0, blocked = 0] = this.counts
    const done = this.#done.reduce((sum, each) => sum + each, 0)
    return [
      place, Math.max(0, ready + delayed + blocked), Math.max(0, this.counts[running] ?? 0),
      Math.round(done * 10 / spanSeconds) / 10, this.#oldest?.at ?? null, this.#paused ? 1 : 0,
      this.#limitedUntil,
    ]
  }
}
