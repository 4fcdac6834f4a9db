import type { LogEntry } from '../records/transition.ts'
import type { Store } from '../stores/store.ts'

/** Hears of what the logs of the store number. */
export interface LogListener {
  entry(entry: LogEntry): void
  /** Nothing comes any more. */
  over(): void
}

/** What somebody gets who begins to listen. */
export interface Following {
  /** From then on no entry is missed: what the listener was not told, `readLog` knows. */
  readonly begun: Promise<void>
  readonly stop: () => void
}

/** Listeners of all queues. */
const everyQueue = null

/**
 * The store's numbered log, for all who observe it: one tail of the store, which begins with the
 * first listener and ends with the last.
 */
export class Tail {
  readonly #store: Pick<Store, 'tail'>
  readonly #listeners = new Map<string | typeof everyQueue, Set<LogListener>>()
  #begun: Promise<() => void> | null = null
  #closed = false

  constructor(store: Pick<Store, 'tail'>) {
    this.#store = store
  }

  follow(listener: LogListener, queue: string | typeof everyQueue): Following {
    if (this.#closed) {
      listener.over()
      return { begun: Promise.resolve(), stop: () => undefined }
    }
    let listeners = this.#listeners.get(queue)
    if (!listeners) this.#listeners.set(queue, listeners = new Set())
    listeners.add(listener)
    return {
      begun: this.#begin(),
      stop: () => {
        listeners.delete(listener)
        if (listeners.size === 0) this.#drop(queue, listeners)
      },
    }
  }

  /** Ends all. */
  close(): void {
    this.#closed = true
    const all = [...this.#listeners.values()].flatMap((listeners) => [...listeners])
    this.#listeners.clear()
    this.#end()
    for (const listener of all) listener.over()
  }

  #begin(): Promise<void> {
    if (this.#begun) return this.#begun.then(() => undefined)
    const begun: Promise<() => void> = this.#store.tail((entries) => {
      // One that was ended before it had begun tells nobody.
      if (this.#begun === begun) for (const entry of entries) this.#tell(entry)
    })
    this.#begun = begun
    // Who listens next tries again.
    begun.catch(() => { if (this.#begun === begun) this.#begun = null })
    return begun.then(() => undefined)
  }

  #drop(queue: string | typeof everyQueue, listeners: Set<LogListener>): void {
    if (this.#listeners.get(queue) === listeners) this.#listeners.delete(queue)
    if (this.#listeners.size === 0) this.#end()
  }

  #end(): void {
    const begun = this.#begun
    this.#begun = null
    begun?.then((stop) => { stop() }, () => undefined)
  }

  #tell(entry: LogEntry): void {
    this.#tellAll(this.#listeners.get(entry.queue), entry)
    this.#tellAll(this.#listeners.get(everyQueue), entry)
  }

  /** Who comes while it is told has asked for what comes later. */
  #tellAll(listeners: ReadonlySet<LogListener> | undefined, entry: LogEntry): void {
    if (listeners) for (const listener of [...listeners]) listener.entry(entry)
  }
}
