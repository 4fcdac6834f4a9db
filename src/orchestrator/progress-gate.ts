import type { Env, Timer } from '../env.ts'
import type { Progress } from '../../machines/vocabulary.ts'

/** At most one stored progress per job in this many milliseconds. */
const progressIntervalMs = 100

/**
 * Lets the first report of a job through at once, then the latest one each 100 ms. The commit that
 * ends the attempt carries the latest report, so the last one is never lost.
 */
export class ProgressGate {
  readonly #env: Env
  readonly #store: (progress: Progress) => void
  #latest: Progress | null = null
  #passed: Progress | null = null
  #timer: Timer | null = null
  #closed = false

  constructor(env: Env, store: (progress: Progress) => void) {
    this.#env = env
    this.#store = store
  }

  get latest(): Progress | null {
    return this.#latest
  }

  report(progress: Progress): void {
    if (this.#closed) return
    this.#latest = progress
    if (!this.#timer) this.#pass(progress)
  }

  /** What was passed on last was not stored: pass on the latest report with the next tick. */
  missed(): void {
    this.#passed = null
    this.#arm()
  }

  /** Nothing is passed on any more. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = null
  }

  #pass(progress: Progress): void {
    this.#passed = progress
    this.#arm()
    this.#store(progress)
  }

  #arm(): void {
    this.#timer ??= this.#env.after(progressIntervalMs, () => {
      this.#timer = null
      if (this.#latest && this.#latest !== this.#passed) this.#pass(this.#latest)
    })
  }
}
