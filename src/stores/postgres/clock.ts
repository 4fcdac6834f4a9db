import type { Env } from '../../env.ts'
import type { Run } from './database.ts'

async function readClock(run: Run): Promise<number> {
  const [row] = await run(
    'select extract(epoch from clock_timestamp())::double precision * 1000 as now', [],
  )
  return Number(row?.['now'])
}

/** A better guess replaces an older one after so long, even when its round trip was longer. */
const staleMs = 60_000

/**
 * The database's clock, as this process knows it: its own monotonic clock and the difference that
 * it has measured. The error is at most half of the shortest round trip, and is known.
 */
export class DatabaseClock {
  readonly #env: Env
  #offset = 0
  #errorMs = Infinity
  #measuredAt = -Infinity
  #last = 0

  constructor(env: Env) {
    this.#env = env
  }

  async measure(run: Run): Promise<void> {
    const before = this.#env.monotonic()
    const server = await readClock(run)
    const after = this.#env.monotonic()
    const errorMs = (after - before) / 2
    if (errorMs > this.#errorMs && after - this.#measuredAt < staleMs) return
    this.#offset = server - (before + errorMs)
    this.#errorMs = errorMs
    this.#measuredAt = after
  }

  /** What the server says now, in whole milliseconds. */
  async read(run: Run): Promise<number> {
    return Math.floor(await readClock(run))
  }

  /** Milliseconds since the epoch. Small corrections never make it go back. */
  now(): number {
    const now = Math.floor(this.#env.monotonic() + this.#offset)
    if (now < this.#last && this.#last - now < 1000) return this.#last
    return this.#last = now
  }

  /** How far this machine's clock is ahead, and how well that is known; milliseconds. */
  get skew(): { readonly ms: number; readonly errorMs: number } {
    return { ms: this.#env.now() - this.now(), errorMs: this.#errorMs }
  }
}
