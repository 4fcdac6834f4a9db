import type { Timer } from '../../src/env.ts'
import { Heap } from '../../src/stores/heap.ts'

interface Happening {
  readonly at: number
  readonly order: number
  readonly action: () => void
  place: number
}

/** 2026-01-01, so that dates in failures look like dates. */
export const epoch = Date.UTC(2026, 0, 1)

/** What is planned begins when the first processes have had so long to begin. */
export const bootMs = 100

/**
 * The one clock and the one order of a whole cluster: what happens, happens here, one thing after
 * the other, and after each all promises run until none has anything left to do.
 */
export class Scheduler {
  /** True milliseconds since the beginning; fractions count. */
  now = 0
  events = 0
  readonly trace = new Trace()
  #order = 0
  readonly #heap = new Heap<'place', Happening>(
    'place', (a, b) => a.at < b.at || (a.at === b.at && a.order < b.order),
  )

  at(time: number, action: () => void): Timer {
    const happening = {
      at: Math.max(time, this.now), order: this.#order += 1, action, place: -1,
    }
    this.#heap.push(happening)
    return { cancel: () => { this.#heap.remove(happening) } }
  }

  get pending(): number {
    return this.#heap.size
  }

  async runUntil(time: number): Promise<void> {
    await turn()
    for (let next = this.#heap.peek(); next && next.at <= time; next = this.#heap.peek()) {
      this.#heap.remove(next)
      this.now = next.at
      this.events += 1
      this.trace.add(next.at)
      next.action()
      await turn()
    }
    this.now = Math.max(this.now, time)
  }
}

/** Promises have run to their end when the event loop comes to its next turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}

/** What has happened, as one number: two runs with the same number were the same run. */
class Trace {
  #hash = 0x811c9dc5

  add(fact: number | string): void {
    const text = String(fact)
    let hash = this.#hash
    for (let index = 0; index < text.length; index += 1) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
    }
    this.#hash = Math.imul(hash ^ 0x0a, 0x01000193)
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }
}
