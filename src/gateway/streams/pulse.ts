import type { Env, Timer } from '../../env.ts'

/** What comes within so many milliseconds is sent in one write a client. */
const tickMs = 16
/** The share of the time that sending may take: more would hold up what is sent. */
const restFactor = 1.5

/** Gathers what waits to be sent. The first after a quiet time goes at once. */
export class Tick<T> {
  readonly #env: Env
  readonly #send: (item: T) => void
  readonly #items = new Set<T>()
  #isDue = false
  #isClosed = false
  #timer: Timer | null = null
  #notBefore = Number.NEGATIVE_INFINITY

  constructor(env: Env, send: (item: T) => void) {
    this.#env = env
    this.#send = send
  }

  add(item: T): void {
    this.#items.add(item)
    if (this.#isDue || this.#isClosed) return
    this.#isDue = true
    const waitMs = this.#notBefore - this.#env.monotonic()
    if (waitMs > 0) this.#timer = this.#env.after(waitMs, () => { this.run() })
    else this.#env.soon(() => { this.run() })
  }

  /** Sends all that waits now. */
  run(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#isDue = false
    if (this.#isClosed || this.#items.size === 0) return
    const start = this.#env.monotonic()
    const items = [...this.#items]
    this.#items.clear()
    for (const item of items) this.#send(item)
    const end = this.#env.monotonic()
    this.#notBefore = end + Math.max(tickMs, (end - start) * restFactor)
  }

  close(): void {
    this.run()
    this.#isClosed = true
    this.#timer?.cancel()
  }
}

/** Proxies cut a connection on which nothing comes for long. */
const beatMs = 15_000

/** Calls `action` every 15 s while it is started. */
export class Beat {
  readonly #env: Env
  readonly #action: () => void
  #timer: Timer | null = null

  constructor(env: Env, action: () => void) {
    this.#env = env
    this.#action = action
  }

  start(): void {
    this.#timer ??= this.#env.after(beatMs, () => {
      this.#timer = null
      this.start()
      this.#action()
    })
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}

/** Who was let in at some time. */
interface Opened {
  readonly openedAt: number
  close(retryMs: number): void
}

/** Closes who has been there for `limitMs`: they come again, and are looked at again. */
export class Ends {
  readonly #env: Env
  readonly #limitMs: number
  readonly #opened: ReadonlyMap<Opened, unknown>
  #timer: Timer | null = null

  /** `opened` has the oldest first. */
  constructor(env: Env, limitMs: number, opened: ReadonlyMap<Opened, unknown>) {
    this.#env = env
    this.#limitMs = limitMs
    this.#opened = opened
  }

  start(): void {
    const [oldest] = this.#opened.keys()
    if (this.#timer || !oldest) return
    const waitMs = oldest.openedAt + this.#limitMs - this.#env.monotonic()
    this.#timer = this.#env.after(Math.max(0, waitMs), () => {
      this.#timer = null
      const last = this.#env.monotonic() - this.#limitMs
      for (const each of [...this.#opened.keys()]) {
        if (each.openedAt > last) break
        each.close(0)
      }
      this.start()
    })
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}
