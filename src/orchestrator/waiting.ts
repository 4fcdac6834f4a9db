import type { Env, Timer } from '../env.ts'

/** How long a `result()` may wait in a process that never started before that is said. */
const patienceMs = 5000

/** Everybody who waits for a result here: told when the troupe stops. */
export class Waiting {
  readonly #env: Env
  readonly #warn: () => void
  readonly #rejects = new Set<(error: Error) => void>()
  #timer: Timer | null = null
  #warned = false
  #over: Error | null = null
  /** `warn` is called once, when somebody has waited for long. */
  constructor(env: Env, warn: () => void) {
    this.#env = env
    this.#warn = warn
  }

  add(reject: (error: Error) => void): () => void {
    if (this.#over) {
      reject(this.#over)
      return () => undefined
    }
    this.#rejects.add(reject)
    if (!this.#warned) {
      this.#timer ??= this.#env.after(patienceMs, () => {
        this.#warned = true
        this.#warn()
      })
    }
    return () => {
      this.#rejects.delete(reject)
      if (this.#rejects.size === 0) this.#clear()
    }
  }

  /** Rejects all that wait, and all that come. */
  rejectAll(error: Error): void {
    this.#over = error
    this.#clear()
    for (const reject of this.#rejects) reject(error)
  }

  #clear(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}
