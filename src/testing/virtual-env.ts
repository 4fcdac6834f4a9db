import type { Disk, Env, Timer } from '../env.ts'
import { systemEnv } from '../env.ts'

interface VirtualTimer {
  readonly at: number
  readonly order: number
  readonly action: () => void
}

/** 2026-01-01, so that dates in failures look like dates. */
const epoch = Date.UTC(2026, 0, 1)

/**
 * An Env whose time stands still until a test moves it. Ids count up and chance is seeded, so a
 * run with the same steps is the same run. `soon` is the event loop's own: promises and turns of
 * the loop go on by themselves, and `settle` waits until they have nothing left to do.
 */
export class VirtualEnv implements Env {
  readonly disk: Disk
  #now: number
  #monotonic = 0
  #order = 0
  #ids = 0
  #seed: number
  #pendingSoon = 0
  readonly #timers = new Set<VirtualTimer>()

  constructor(options: {
    /** Of chance. Default 1. */
    readonly seed?: number
    /** When time begins. Default 1 January 2026, 00:00 UTC. */
    readonly now?: number | Date
    /** Default the real one. */
    readonly disk?: Disk
  } = {}) {
    this.#seed = options.seed ?? 1
    this.#now = Number(options.now ?? epoch)
    this.disk = options.disk ?? systemEnv.disk
  }

  now = (): number => this.#now
  monotonic = (): number => this.#monotonic
  id = (): string => `id-${String(this.#ids += 1).padStart(6, '0')}`

  /** mulberry32: small, seeded, good enough for tests. */
  random = (): number => {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0
    let t = this.#seed
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  soon = (action: () => void): void => {
    this.#pendingSoon += 1
    systemEnv.soon(() => {
      this.#pendingSoon -= 1
      action()
    })
  }

  after = (delayMs: number, action: () => void): Timer => {
    const timer = { at: this.#monotonic + Math.max(0, delayMs), order: this.#order += 1, action }
    this.#timers.add(timer)
    return { cancel: () => { this.#timers.delete(timer) } }
  }

  /** Timers that are armed: 0 after a clean stop. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Lets promises and turns of the event loop run until nothing more happens by itself. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 4; quiet += 1) {
      await new Promise<void>((resolve) => { systemEnv.soon(resolve) })
      if (this.#pendingSoon > 0) quiet = -1
    }
  }

  /** Moves time forward, timer by timer, and settles after each. */
  async advance(ms: number): Promise<void> {
    const target = this.#monotonic + ms
    await this.settle()
    for (let timer = this.#next(target); timer; timer = this.#next(target)) {
      this.#moveTo(Math.max(timer.at, this.#monotonic))
      this.#timers.delete(timer)
      timer.action()
      await this.settle()
    }
    this.#moveTo(target)
    await this.settle()
  }

  /**
   * Moves time to the next timer, at most `limitMs` far, runs it, and settles. Answers false, and
   * moves all of `limitMs`, when no timer is armed for that time.
   */
  async advanceToNext(limitMs: number): Promise<boolean> {
    const target = this.#monotonic + limitMs
    const timer = this.#next(target)
    if (!timer) {
      await this.advance(limitMs)
      return false
    }
    await this.advance(Math.max(0, timer.at - this.#monotonic))
    return true
  }

  /** The process is stopped and continued: all clocks have gone on, and no timer has. */
  freeze(ms: number): void {
    this.#moveTo(this.#monotonic + ms)
  }

  /** The wall clock jumps; the monotonic one does not. */
  jump(ms: number): void {
    this.#now += ms
  }

  #moveTo(monotonic: number): void {
    this.#now += monotonic - this.#monotonic
    this.#monotonic = monotonic
  }

  #next(until: number): VirtualTimer | undefined {
    let first: VirtualTimer | undefined
    for (const timer of this.#timers) {
      if (timer.at > until) continue
      if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) {
        first = timer
      }
    }
    return first
  }
}
