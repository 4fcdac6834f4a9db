import type { Env, Timer } from '../env.ts'
import type { Retention, Store, StoreEvent } from '../stores/store.ts'

/** Jobs changed by one sweep at most, so that none of them is long. */
const batch = 500
/** After changes the store is swept within this time: retention and lapsed leases. */
const sweepIntervalMs = 1000

/**
 * Does what time has made due: due, expire, stall, prune. It sets one timer to the next moment
 * that the store names, and an idle store is not asked at all.
 */
export class Sweeper {
  readonly #env: Env
  readonly #store: Pick<Store, 'sweep'>
  readonly #worker: string
  readonly #now: () => number
  readonly #retention: () => ReadonlyMap<string, Retention>
  readonly #report: (message: string, error: unknown) => void
  #timer: Timer | null = null
  #timerAt = Number.POSITIVE_INFINITY
  #sweeping = false
  /** Something fell due while a sweep was on its way, which may have come too late for it. */
  #again = false
  #running = false

  constructor(context: {
    readonly env: Env
    readonly store: Pick<Store, 'sweep'>
    readonly worker: string
    readonly now: () => number
    readonly retention: () => ReadonlyMap<string, Retention>
    readonly report: (message: string, error: unknown) => void
  }) {
    this.#env = context.env
    this.#store = context.store
    this.#worker = context.worker
    this.#now = context.now
    this.#retention = context.retention
    this.#report = context.report
  }

  start(): void {
    this.#running = true
    this.#arm(this.#now())
  }

  stop(): void {
    this.#running = false
    this.#timer?.cancel()
    this.#timer = null
  }

  receive(event: StoreEvent): void {
    if (event.type === 'timer') this.#arm(event.at)
    else if (event.type === 'changes') this.#arm(this.#now() + sweepIntervalMs)
  }

  /** Sweeps at `at`, or earlier. */
  #arm(at: number): void {
    if (!this.#running || at >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = at
    const delayMs = Math.max(0, at - this.#now())
    this.#timer = this.#env.after(delayMs, () => { this.#sweep() })
  }

  #sweep(): void {
    this.#timer = null
    this.#timerAt = Number.POSITIVE_INFINITY
    if (this.#sweeping) {
      this.#again = true
      return
    }
    this.#sweeping = true
    this.#again = false
    const request = { by: this.#worker, limit: batch, retention: this.#retention() }
    this.#store.sweep(request).then(({ more, nextAt }) => {
      this.#sweeping = false
      // What is due already and was not done (the clock moved on) must not spin.
      if (more || this.#again) this.#arm(this.#now())
      else if (nextAt !== null) this.#arm(Math.max(nextAt, this.#now() + 1))
    }, (error: unknown) => {
      this.#sweeping = false
      this.#report('the store refused to sweep; trying again', error)
      this.#arm(this.#now() + sweepIntervalMs)
    })
  }
}
