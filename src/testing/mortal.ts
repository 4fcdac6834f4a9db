import type { Disk, Env, Timer } from '../env.ts'
import type { Interest, Store, StoreEvent } from '../stores/store.ts'

/** The life of a simulated process: what it had begun when it was killed never comes to an end. */
export class Life {
  #dead = false
  readonly #timers = new Set<Timer>()

  get dead(): boolean {
    return this.#dead
  }

  /** Timers of this process that are armed: 0 after a clean stop. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  kill(): void {
    this.#dead = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  /** Clock and chance of everybody, but timers that die with the process. */
  env(clock: Omit<Env, 'disk'>, disk: Disk): Env {
    const { now, monotonic, random, id } = clock
    return {
      now, monotonic, random, id, disk,
      soon: (action) => { clock.soon(() => { if (!this.#dead) action() }) },
      after: (delayMs, action) => {
        const timer = clock.after(delayMs, () => {
          this.#timers.delete(timer)
          if (!this.#dead) action()
        })
        this.#timers.add(timer)
        return { cancel: () => { this.#timers.delete(timer); timer.cancel() } }
      },
    }
  }

  /** A store that takes no calls of a dead process, and answers none. */
  store(inner: Store): Store {
    return new Proxy(inner, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        if (name === 'watch') {
          return (listener: Listener, interest?: Interest) =>
            target.watch((event) => { if (!this.#dead) listener(event) }, interest)
        }
        if (name === 'tail') {
          return (listener: TailListener) => this.#call(() => target.tail((entries) => {
            if (!this.#dead) listener(entries)
          }))
        }
        if (name === 'wake') return (queue: string) => { if (!this.#dead) target.wake(queue) }
        return (...args: unknown[]): unknown =>
          this.#call(() => Reflect.apply(member, target, args))
      },
    })
  }

  #call(call: () => unknown): Promise<unknown> {
    if (this.#dead) return new Promise(() => undefined)
    return new Promise((resolve, reject) => {
      Promise.resolve(call()).then(
        (answer) => { if (!this.#dead) resolve(answer) },
        (error: Error) => { if (!this.#dead) reject(error) },
      )
    })
  }
}

type TailListener = Parameters<Store['tail']>[0]
type Listener = (event: StoreEvent) => void
