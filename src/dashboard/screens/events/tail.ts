import { batch, signal } from '@preact/signals'
import type { RemoteTransition } from '../../../client/remote-queue.ts'
import type { State } from '../../../../machines/vocabulary.ts'
import { every, now } from '../../page-env.ts'
import { client, heard, lost, toError } from '../../shell/session.ts'

/** A line of the tail: a transition, or a place where some are missing. */
export type Line =
  | { readonly key: number; readonly one: RemoteTransition }
  | { readonly key: number; readonly gap: string; readonly at: number }

export interface TailFilter {
  readonly queue: string | null
  readonly task: string | null
  readonly state: State | null
}

/** Lines that are kept, and how often the page is told of new ones. */
const keptLines = 500
const frameMs = 250

const gaps: Readonly<Record<string, string>> = {
  'fell-behind': 'More happened than can be told one by one; the tail goes on from here.',
  'cursor-too-old': 'The log no longer has what happened while the connection was away.',
  'invalid-cursor': 'The log began anew; the tail goes on from here.',
}

/** Transitions as they are committed, the newest first. */
export class Tail {
  readonly lines = signal<readonly Line[]>([])
  readonly isPaused = signal(false)
  /** Came while it is paused. */
  readonly waiting = signal(0)
  readonly perSecond = signal(0)
  readonly error = signal<Error | null>(null)
  #fresh: Line[] = []
  #key = 0
  #times: number[] = []

  start({ queue, task, state }: TailFilter): () => void {
    this.error.value = null
    const stream = client.observe({
      ...(queue === null ? {} : { queue }), ...(task === null ? {} : { task }),
      ...(state === null ? {} : { state }),
      onGap: (why) => { this.#put({ key: this.#key += 1, gap: gaps[why] ?? why, at: now() }) },
    })
    const transitions = stream.subscribe({
      next: (one) => {
        this.#times.push(now())
        this.#put({ key: this.#key += 1, one })
      },
      error: (error) => { this.error.value = toError(error) },
    })
    const connection = client.connection$.subscribe({
      next: (is) => {
        if (is === 'lost') lost()
        else if (is === 'open') heard()
      },
    })
    const stop = every(frameMs, () => { this.#show() })
    return () => {
      transitions.unsubscribe()
      connection.unsubscribe()
      stop()
    }
  }

  pause(isPaused: boolean): void {
    this.isPaused.value = isPaused
    this.#show()
  }

  clear(): void {
    this.#fresh = []
    batch(() => {
      this.lines.value = []
      this.waiting.value = 0
    })
  }

  #put(line: Line): void {
    this.#fresh.push(line)
    if (this.isPaused.value) this.waiting.value += 1
    if (this.#fresh.length > keptLines) this.#fresh.splice(0, this.#fresh.length - keptLines)
  }

  #show(): void {
    const since = now() - 1000
    this.#times = this.#times.slice(-10_000).filter((at) => at > since)
    batch(() => {
      this.perSecond.value = this.#times.length
      if (this.isPaused.value) return
      this.waiting.value = 0
      if (this.#fresh.length === 0) return
      this.lines.value =
        [...this.#fresh.splice(0).reverse(), ...this.lines.value].slice(0, keptLines)
    })
  }
}
