import type { Env, Timer } from '../../src/env.ts'
import type { Chance } from './chance.ts'
import { epoch } from './scheduler.ts'
import type { Scheduler } from './scheduler.ts'

/**
 * The time of one process: its monotonic clock runs a little too fast or too slow, its wall clock
 * jumps, and while it is frozen nothing reaches it, but its clocks go on.
 */
export class NodeClock implements Omit<Env, 'disk'> {
  readonly #scheduler: Scheduler
  readonly #rate: number
  readonly #name: string
  #offset = 0
  #frozenUntil = 0
  #ids = 0
  /** What has come while it was frozen. */
  readonly #parked: (() => void)[] = []
  /** Timers that are armed. */
  pending = 0
  readonly random: () => number

  /** `rate`: 1.02 is a clock that gains two seconds in a hundred. */
  constructor(scheduler: Scheduler, chance: Chance, name: string, rate: number) {
    this.#scheduler = scheduler
    this.#rate = rate
    this.#name = name
    this.random = chance.next
  }

  now = (): number => Math.floor(epoch + this.#scheduler.now * this.#rate + this.#offset)
  monotonic = (): number => this.#scheduler.now * this.#rate
  id = (): string => `${this.#name}-${String(this.#ids += 1).padStart(6, '0')}`

  soon = (action: () => void): void => {
    this.#scheduler.at(this.#scheduler.now, this.gate(action))
  }


  after = (delayMs: number, action: () => void): Timer => {
    this.pending += 1
    let over = false
    const end = (): boolean => {
      if (over) return false
      over = true
      this.pending -= 1
      return true
    }
    const at = this.#scheduler.now + Math.max(0, delayMs) / this.#rate
    const timer = this.#scheduler.at(at, this.gate(() => { if (end()) action() }))
    return { cancel: () => { if (end()) timer.cancel() } }
  }

  /** The action, at the earliest when the process goes on, and in the order of arrival. */
  gate(action: () => void): () => void {
    return () => {
      if (this.isFrozen) this.#parked.push(action)
      else action()
    }
  }

  get isFrozen(): boolean {
    return this.#frozenUntil > this.#scheduler.now
  }

  /** A timer of somebody else in the process, who may leave it behind. */
  later(delayMs: number, action: () => void): void {
    this.#scheduler.at(this.#scheduler.now + delayMs / this.#rate, this.gate(action))
  }

  freeze(ms: number): void {
    const until = this.#scheduler.now + ms
    if (until <= this.#frozenUntil) return
    this.#frozenUntil = until
    this.#scheduler.at(until, () => {
      // Frozen again meanwhile, for longer.
      if (this.#frozenUntil !== until) return
      for (const action of this.#parked.splice(0)) this.#scheduler.at(until, this.gate(action))
    })
  }

  jump(ms: number): void {
    this.#offset += ms
  }
}
