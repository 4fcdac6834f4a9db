import type { Env } from '../env.ts'

/** How long this process holds what it claims, and how it knows that it does. */
export class Lease {
  readonly ms: number
  /** Time between two heartbeats: two may be lost before a lease lapses. */
  readonly beatMs: number
  readonly #env: Pick<Env, 'monotonic'>
  /** Others could take what has lapsed. */
  readonly #shared: boolean

  constructor(env: Pick<Env, 'monotonic'>, ms: number, shared: boolean) {
    this.#env = env
    this.#shared = shared
    this.ms = ms
    this.beatMs = ms / 3
  }

  /**
   * Whether what was held at `since`, by the process's own monotonic clock, may soon be another's.
   * That clock goes on while a process is stopped. On a store that one process holds there is
   * nobody to fear.
   */
  isLapsing(since: number): boolean {
    return this.#shared && this.#env.monotonic() - since >= this.ms * 0.8
  }
}
