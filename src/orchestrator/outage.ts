import type { Env } from '../env.ts'
import type { Logger } from './logger.ts'

/** After so long without a refusal it is over, whatever was not tried again. */
const quietMs = 30_000

/**
 * A store that refuses work, for a moment or for hours: one line says when it began, and one that
 * it is over.
 */
export class Outage {
  readonly #env: Pick<Env, 'monotonic'>
  readonly #logger: Logger
  readonly #worker: string
  /** What was refused, and not been taken since. */
  readonly #failing = new Set<string>()
  #refusals = 0
  #beganAt = 0
  #refusedAt = 0

  constructor(env: Pick<Env, 'monotonic'>, logger: Logger, worker: string) {
    this.#env = env
    this.#logger = logger
    this.#worker = worker
  }

  /** The store has refused something that is tried again; `kind` tells such things apart. */
  refused(kind: string, message: string, error: unknown): void {
    this.#refusedAt = this.#env.monotonic()
    if (this.#refusals === 0) {
      this.#beganAt = this.#refusedAt
      this.#logger.error({ err: error, worker: this.#worker }, message)
    }
    this.#refusals += 1
    this.#failing.add(kind)
  }

  /** The store has taken something. */
  answered(kind: string): void {
    if (this.#refusals === 0) return
    this.#failing.delete(kind)
    const now = this.#env.monotonic()
    if (this.#failing.size > 0 && now - this.#refusedAt < quietMs) return
    const fields = {
      worker: this.#worker, refusals: this.#refusals, lastedMs: Math.round(now - this.#beganAt),
    }
    this.#refusals = 0
    this.#failing.clear()
    this.#logger.warn(fields, `the store takes everything again; it refused ${
      fields.refusals} times in ${Math.ceil(fields.lastedMs / 1000)} s`)
  }
}
