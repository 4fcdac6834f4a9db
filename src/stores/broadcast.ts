import type { LogEntry } from '../records/transition.ts'
import type { StoreEvent } from './store.ts'

type Listener = (event: StoreEvent) => void

/**
 * Tells every listener every event, in one order: what a listener causes while it is told comes
 * after what is being told. Listeners are the library's own and do not throw.
 */
export class Broadcast {
  readonly #listeners = new Set<Listener>()
  readonly #waiting: StoreEvent[] = []
  #draining = false

  watch(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Tells the entries of what is emitted from now on: embedded stores number as they write. */
  tail(listener: (entries: readonly LogEntry[]) => void): Promise<() => void> {
    return Promise.resolve(this.watch((event) => {
      if (event.type === 'changes') listener(event.changes.map(({ entry }) => entry))
      else if (event.type === 'retold') listener(event.entries)
    }))
  }

  emit(events: readonly StoreEvent[]): void {
    for (const event of events) this.#waiting.push(event)
    if (this.#draining) return
    this.#draining = true
    try {
      for (let index = 0; index < this.#waiting.length; index += 1) {
        const event = this.#waiting[index] as StoreEvent
        for (const listener of this.#listeners) listener(event)
      }
    } finally {
      this.#waiting.length = 0
      this.#draining = false
    }
  }
}
