import type { LogEntry } from '../../records/transition.ts'
import type { Database } from './database.ts'
import { numberEntries, readNumbered, readSpans } from './log.ts'

type Listener = (entries: readonly LogEntry[]) => void

const pageSize = 1000

/**
 * Follows the logs of all queues while somebody listens. A pass numbers what is there, then tells
 * what has a number; passes of one process never overlap.
 */
export class Tail {
  readonly #database: Database
  readonly #listeners = new Set<Listener>()
  /** Up to which number of each queue all has been told; null while nobody listens. */
  #position: Map<string, number> | null = null
  #passing: Promise<void> | null = null
  #again = false
  #closed = false

  constructor(database: Database) {
    this.#database = database
  }

  get isActive(): boolean {
    return this.#listeners.size > 0
  }

  /** Resolves when all that comes behind what is numbered by then will be told. */
  async listen(listener: Listener): Promise<() => void> {
    this.#listeners.add(listener)
    const stop = (): void => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#position = null
    }
    try {
      await this.#pass()
    } catch (error) {
      stop()
      throw error
    }
    return stop
  }

  /** Something may be new. */
  kick(): void {
    if (!this.isActive || this.#closed) return
    if (this.#passing) {
      this.#again = true
      return
    }
    // What fails now is told by a later pass: at the latest with the next sweep.
    this.#pass().catch(() => undefined)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#listeners.clear()
    await this.#passing?.catch(() => undefined)
  }

  async #pass(): Promise<void> {
    while (this.#passing) await this.#passing.catch(() => undefined)
    this.#again = false
    this.#passing = this.#tell()
    try {
      await this.#passing
    } finally {
      this.#passing = null
    }
    if (this.#again) this.kick()
  }

  async #tell(): Promise<void> {
    while (await numberEntries(this.#database)) { /* until nothing is left */ }
    const spans = await readSpans(this.#database.run, this.#database.schema)
    if (!this.#position) {
      this.#position = new Map([...spans].map(([queue, { newest }]) => [queue, newest]))
      return
    }
    const position = this.#position
    for (const [queue, { newest }] of spans) {
      let told = position.get(queue) ?? 0
      while (told < newest && !this.#closed) {
        const { run, schema } = this.#database
        const { entries } = await readNumbered(run, schema, queue, told, pageSize, true)
        if (entries.length === 0) break
        told = entries.at(-1)?.seq ?? newest
        position.set(queue, told)
        for (const listener of [...this.#listeners]) listener(entries)
      }
      // What was trimmed long before it could be told is gone for everybody.
      position.set(queue, Math.max(told, newest))
    }
  }
}
