import type { Timer } from '../../env.ts'
import type { StoreEvent } from '../../stores/store.ts'
import { Firing } from './firing.ts'
import type { FiringContext } from './firing.ts'

/**
 * Clocks are set and machines sleep, and a timer knows nothing of that: half of a long wait, an
 * hour at most, then another look.
 */
const longestWaitMs = 3_600_000
const shortWaitMs = 30_000
/** A store of several processes may lose a message between them: it is read this often. */
const safetyNetMs = 60_000

/** Fires the schedules of the queues of one troupe. It has one timer, for what is due first. */
export class Scheduler {
  readonly #context: FiringContext
  readonly #firings = new Map<string, Firing>()
  readonly #busy = new Map<Firing, Promise<void>>()
  #timer: Timer | null = null
  #running = false

  constructor(context: FiringContext) {
    this.#context = context
  }

  /** A queue whose schedules this process fires; before the start or after it. */
  add(queue: string): void {
    const firing = new Firing(queue, this.#context)
    this.#firings.set(queue, firing)
    if (this.#running) this.#run(firing)
  }

  start(): void {
    this.#running = true
    for (const firing of this.#firings.values()) this.#run(firing)
  }

  /** Resolves when nothing is on its way to the store any more. */
  async stop(): Promise<void> {
    this.#running = false
    this.#timer?.cancel()
    this.#timer = null
    for (const firing of this.#firings.values()) firing.stop()
    await Promise.all(this.#busy.values())
  }

  receive(event: StoreEvent): void {
    if (!this.#running || event.type !== 'setting') return
    for (const firing of this.#firings.values()) firing.receive(event.key, event.value)
    this.#arm()
  }

  #run(firing: Firing): void {
    const work = firing.run().then(() => {
      this.#busy.delete(firing)
      if (this.#context.store.capabilities.multiProcess) {
        firing.dueAt = Math.min(firing.dueAt, this.#context.now() + safetyNetMs)
      }
      this.#arm()
    })
    this.#busy.set(firing, work)
  }

  #arm(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (!this.#running) return
    let dueAt = Number.POSITIVE_INFINITY
    for (const firing of this.#firings.values()) {
      if (!this.#busy.has(firing)) dueAt = Math.min(dueAt, firing.dueAt)
    }
    if (dueAt === Number.POSITIVE_INFINITY) return
    const leftMs = Math.max(0, dueAt - this.#context.now())
    const waitMs = Math.min(leftMs, Math.max(shortWaitMs, leftMs / 2), longestWaitMs)
    this.#timer = this.#context.env.after(waitMs, () => { this.#wake() })
  }

  #wake(): void {
    this.#timer = null
    for (const firing of this.#firings.values()) {
      if (!this.#busy.has(firing) && firing.dueAt <= this.#context.now()) this.#run(firing)
    }
    this.#arm()
  }
}
