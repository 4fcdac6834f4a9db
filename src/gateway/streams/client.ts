import type { Sink } from '../exchange.ts'
import type { StreamEvents } from '../protocol.ts'
import type { Audience } from './filter.ts'
import type { StreamEvent } from './ring.ts'

/** An event, and the place in the log behind it as its audience is told of it. */
export interface Item {
  readonly event: StreamEvent
  readonly id: string
}

/** A job's latest transition that waits for a slow client. */
interface Waiting extends Item {
  readonly skipped: number
}

/** What waits for a client that does not keep up: more, and it has to ask anew. */
const waitingJobs = 1000
const waitingCharacters = 256 * 1024
/** Heartbeats after which who reads nothing is taken for gone. */
const patience = 4

export function toText({ event, id }: Item): string {
  return `event: queue.job.changed\nid: ${id}\ndata: ${event.json}\n\n`
}

/** Somebody who listens. What waits for them is bounded, however slow they are. */
export class StreamClient {
  readonly user: string
  readonly audience: Audience
  readonly openedAt: number
  /** Whether keyframes may tell how many jobs there are. */
  readonly hasCounts: boolean
  /** Whether it hears of all queues that there are, and not only of those it has named. */
  readonly hearsAll: boolean
  readonly #sink: Sink
  readonly #onLost: (client: StreamClient) => void
  #open = true
  #blocked = false
  #lost = false
  #silentBeats = 0
  readonly #waiting = new Map<string, Waiting>()
  #characters = 0
  #onDrained: (() => void) | null = null

  constructor(options: {
    readonly user: string
    readonly audience: Audience
    readonly openedAt: number
    readonly hasCounts: boolean
    readonly hearsAll: boolean
    readonly sink: Sink
    /** It had to be told of more than waits for it, and takes something again. */
    readonly onLost: (client: StreamClient) => void
    readonly onClose: (client: StreamClient) => void
  }) {
    const { user, audience, openedAt, hasCounts, hearsAll, sink, onLost, onClose } = options
    this.user = user
    this.audience = audience
    this.openedAt = openedAt
    this.hasCounts = hasCounts
    this.hearsAll = hearsAll
    this.#sink = sink
    this.#onLost = onLost
    sink.onDrain = () => { this.#drained() }
    sink.onClose = () => {
      this.#open = false
      this.#waiting.clear()
      this.#onDrained?.()
      onClose(this)
    }
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** What one tick brought; `bytes` is all of it as everybody of the group gets it. */
  send(bytes: Uint8Array, items: readonly Item[]): void {
    if (!this.#open) return
    if (this.#blocked) this.#keep(items)
    else this.#write(bytes)
  }

  /** An event that is not of the log; `drained` tells when it was taken. */
  tell<K extends keyof StreamEvents>(name: K, data: StreamEvents[K], id: string | null): void {
    const place = id === null ? '' : `id: ${id}\n`
    this.write(`event: ${name}\n${place}data: ${JSON.stringify(data)}\n\n`)
  }

  write(text: string): void {
    if (this.#open) this.#write(Buffer.from(text))
  }

  /** Resolves when the other end has taken what was written, or has gone. */
  async drained(): Promise<void> {
    if (!this.#blocked || !this.#open) return
    await new Promise<void>((resolve) => { this.#onDrained = resolve })
  }

  beat(bytes: Uint8Array): void {
    if (!this.#open) return
    if (!this.#blocked) this.#write(bytes)
    else if ((this.#silentBeats += 1) >= patience) this.#sink.destroy()
  }

  /** What waits for it is not told any more: a keyframe comes in its place. */
  forget(): void {
    this.#waiting.clear()
    this.#characters = 0
    this.#lost = false
  }

  /** Says good-bye; nothing comes after that. */
  close(retryMs: number): void {
    if (!this.#open) return
    if (this.#blocked) {
      this.#sink.destroy()
      return
    }
    this.tell('queue.closing', { retryMs }, null)
    this.#sink.end()
  }

  destroy(): void {
    this.#sink.destroy()
  }

  #write(bytes: Uint8Array): void {
    this.#blocked = !this.#sink.write(bytes) || this.#blocked
  }

  #keep(items: readonly Item[]): void {
    if (this.#lost) return
    for (const { event, id } of items) {
      const key = `${event.queue}\n${event.jobId}`
      const old = this.#waiting.get(key)
      // Taken out first, so that the latest transitions stand in the order of the log.
      if (old) this.#waiting.delete(key)
      this.#waiting.set(key, { event, id, skipped: old ? old.skipped + 1 : 0 })
      this.#characters += event.json.length - (old?.event.json.length ?? 0)
    }
    if (this.#waiting.size <= waitingJobs && this.#characters <= waitingCharacters) return
    this.forget()
    this.#lost = true
  }


  #drained(): void {
    if (!this.#open) return
    this.#blocked = false
    this.#silentBeats = 0
    if (this.#lost) {
      this.#lost = false
      this.#onLost(this)
    } else if (this.#waiting.size > 0) {
      const text = [...this.#waiting.values()].map(toWaitingText).join('')
      this.forget()
      this.#write(Buffer.from(text))
    }
    const onDrained = this.#onDrained
    if (this.#blocked || !onDrained) return
    this.#onDrained = null
    onDrained()
  }
}

function toWaitingText({ event, id, skipped }: Waiting): string {
  if (skipped === 0) return toText({ event, id })
  const json = `${event.json.slice(0, -1)},"skipped":${skipped}}`
  return toText({ event: { ...event, json }, id })
}
