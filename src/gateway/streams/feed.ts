import type { Subscription } from 'rxjs'
import { cursorOf, parseCursor } from '../../records/transition.ts'
import type { Transition } from '../../records/transition.ts'
import type { Troupe } from '../../orchestrator/troupe.ts'

interface Followed {
  readonly subscription: Subscription
  readonly isLive: Promise<void>
}

export interface FeedListener {
  /** The queue is followed from behind `seq` on. */
  begun(queue: string, seq: number): void
  transition(transition: Transition): void
  /** Nothing comes of that queue any more: with an error, or because the troupe has stopped. */
  over(queue: string, error: unknown): void
}

/** The one live subscription of a gateway to each queue that the process has declared. */
export class Feed {
  readonly #troupe: Troupe
  readonly #listener: FeedListener
  readonly #followed = new Map<string, Followed>()

  constructor(troupe: Troupe, listener: FeedListener) {
    this.#troupe = troupe
    this.#listener = listener
  }

  /** Follows what is not followed yet; resolves when all of it is live. */
  async follow(queues: readonly string[]): Promise<void> {
    await Promise.all(queues.map((queue) => {
      const known = this.#followed.get(queue)
      return known ? known.isLive : this.#begin(queue)
    }))
  }

  close(): void {
    for (const { subscription } of this.#followed.values()) subscription.unsubscribe()
    this.#followed.clear()
  }

  #begin(queue: string): Promise<void> {
    let live = (): void => undefined
    let fail = (_error: unknown): void => undefined
    const isLive = new Promise<void>((resolve, reject) => {
      live = resolve
      fail = reject
    })
    isLive.catch(() => undefined)
    const end = (error: unknown): void => {
      this.#followed.delete(queue)
      fail(error)
      this.#listener.over(queue, error)
    }
    const subscription = this.#troupe.observe({
      queue, from: 'now',
      onLive: (cursor) => {
        this.#listener.begun(queue, parseCursor(cursor).get(queue) ?? 0)
        live()
      },
    }).subscribe({
      next: (transition) => { this.#listener.transition(transition) },
      error: end,
      complete: () => { end(null) },
    })
    if (!subscription.closed) this.#followed.set(queue, { subscription, isLive })
    return isLive
  }
}

/** A part of a queue's log, and behind which seq that leaves the reader. */
export interface LogPart {
  readonly transitions: readonly Transition[]
  readonly seq: number
}

/**
 * At most `limit` transitions behind `seq`, or from the oldest on when it is null. Rejects with
 * `cursor-too-old` and `invalid-cursor` as `observe` does.
 */
export function readLog(
  troupe: Troupe, queue: string, seq: number | null, limit: number,
): Promise<LogPart> {
  return new Promise((resolve, reject) => {
    const transitions: Transition[] = []
    let isDone = false
    let stop = (): void => undefined
    const done = (at: number): void => {
      isDone = true
      stop()
      resolve({ transitions, seq: at })
    }
    const subscription = troupe.observe({
      queue, from: seq === null ? 'start' : cursorOf(queue, seq),
      onLive: (cursor) => { if (!isDone) done(parseCursor(cursor).get(queue) ?? seq ?? 0) },
    }).subscribe({
      next: (transition) => {
        if (isDone) return
        transitions.push(transition)
        if (transitions.length >= limit) done(transition.seq)
      },
      error: reject,
      complete: () => { if (!isDone) done(transitions.at(-1)?.seq ?? seq ?? 0) },
    })
    stop = () => { subscription.unsubscribe() }
    if (isDone) stop()
  })
}
