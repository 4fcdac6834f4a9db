import type { Env, Timer } from '../env.ts'
import type { Retention, Store, StoreEvent } from '../stores/store.ts'
import type { Outage } from './outage.ts'

/** Jobs changed by one sweep at most, so that none of them is long. */
const batch = 500
/** After changes the store is swept within this time: retention and lapsed leases. */
const sweepIntervalMs = 1000
const kind = 'a sweep'

/**
 * A store of many processes is swept at least this often, spread a little: nobody here may have
 * been told of what others have left.
 */
const longestRestMs = 2000
const longestRetryMs = 5000

interface SweeperContext {
  readonly env: Env
  readonly store: Pick<Store, 'sweep' | 'capabilities'>
  readonly worker: string
  readonly now: () => number
  readonly retention: () => ReadonlyMap<string, Retention>
  readonly outage: Outage
  /** Outcomes wait for the store: they must not be overtaken by the end of their leases. */
  readonly isHeldUp: () => boolean
}

/**
 * Does what time has made due: due, expire, stall, prune. It sets one timer to the next moment
 * that the store names, and an idle store that one process holds is not asked at all.
 */
export class Sweeper {
  readonly #context: SweeperContext
  #timer: Timer | null = null
  #timerAt = Number.POSITIVE_INFINITY
  #sweeping = false
  /** Something fell due while a sweep was on its way, which may have come too late for it. */
  #again = false
  #running = false
  #retryMs = 0

  constructor(context: SweeperContext) {
    this.#context = context
  }

  start(): void {
    this.#running = true
    this.#arm(this.#context.now())
  }

  stop(): void {
    this.#running = false
    this.#timer?.cancel()
    this.#timer = null
  }

  receive(event: StoreEvent): void {
    if (event.type === 'timer') this.#arm(event.at)
    else if (event.type === 'changes') this.#arm(this.#context.now() + sweepIntervalMs)
  }

  /** Sweeps at `at`, or earlier. */
  #arm(at: number): void {
    if (!this.#running || at >= this.#timerAt) return
    const { env, now } = this.#context
    this.#timer?.cancel()
    this.#timerAt = at
    this.#timer = env.after(Math.max(0, at - now()), () => { this.#sweep() })
  }

  #sweep(): void {
    this.#timer = null
    this.#timerAt = Number.POSITIVE_INFINITY
    if (this.#sweeping) {
      this.#again = true
      return
    }
    const { store, worker, now, outage, retention, isHeldUp } = this.#context
    if (isHeldUp()) {
      this.#arm(now() + sweepIntervalMs)
      return
    }
    this.#sweeping = true
    this.#again = false
    store.sweep({ by: worker, limit: batch, retention: retention() }).then(({ more, nextAt }) => {
      this.#sweeping = false
      this.#retryMs = 0
      outage.answered(kind)
      // What is due already and was not done (the clock moved on) must not spin.
      if (more || this.#again) this.#arm(now())
      else if (nextAt !== null) this.#arm(Math.max(nextAt, now() + 1))
      this.#rest()
    }, (error: unknown) => { this.#refused(error) })
  }

  #rest(): void {
    const { env, store, now } = this.#context
    if (!store.capabilities.multiProcess) return
    this.#arm(now() + longestRestMs * (1 + env.random() / 4))
  }

  /** What falls due meanwhile waits, too: a store that is away is not asked more often for it. */
  #refused(error: unknown): void {
    const { env, now, outage } = this.#context
    this.#sweeping = false
    // The troupe has stopped, and closes the store.
    if (!this.#running) return
    outage.refused(kind, 'the store refused to sweep; trying again', error)
    this.#retryMs = Math.min(Math.max(sweepIntervalMs, this.#retryMs * 2), longestRetryMs)
    this.#timer?.cancel()
    this.#timerAt = Number.POSITIVE_INFINITY
    this.#arm(now() + this.#retryMs * (0.5 + env.random() / 2))
  }
}
