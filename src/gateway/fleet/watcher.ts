import type { Sink } from '../exchange.ts'
import type { FleetEvents, WireFrame } from '../fleet-protocol.ts'
import type { Visitor } from '../grant.ts'

/** What somebody asked to watch; null means any. */
export interface Asked {
  readonly queues: readonly string[] | null
  readonly tasks: readonly string[] | null
  readonly partitions: readonly string[] | null
}

/** Looks of a second each after which who reads nothing is taken for gone. */
const patience = 60

export function toEvent<K extends keyof FleetEvents>(name: K, data: FleetEvents[K]): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

/** Somebody who watches the fleet. However slow they are, nothing but counts waits for them. */
export class Watcher {
  readonly visitor: Visitor
  readonly asked: Asked
  readonly openedAt: number
  readonly #sink: Sink
  #open = true
  #blocked = false
  #silence = 0
  /** Edges of frames that it was spared. */
  #missed: Map<number, number> | null = null
  #needsAll = false

  constructor(
    visitor: Visitor, asked: Asked, sink: Sink, openedAt: number, onClose: () => void,
  ) {
    this.visitor = visitor
    this.asked = asked
    this.openedAt = openedAt
    this.#sink = sink
    sink.onDrain = () => { this.#blocked = false }
    sink.onClose = () => {
      this.#open = false
      onClose()
    }
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** It was spared lines of queues: the view sends all of them. */
  get needsLines(): boolean {
    return this.#needsAll && !this.#blocked
  }

  frame(frame: WireFrame, text: string): void {
    if (!this.#blocked && !this.#missed) {
      this.#write(text)
      return
    }
    const missed = this.#missed ??= new Map<number, number>()
    for (const [edge, times] of frame.edges) missed.set(edge, (missed.get(edge) ?? 0) + times)
    if (this.#blocked) return
    this.#missed = null
    this.#write(toEvent('fleet.frame', { ...frame, edges: [...missed] }))
  }

  /** What the next one of its kind replaces. */
  send(text: string): void {
    if (this.#blocked) this.#needsAll = true
    else this.#write(text)
  }

  lines(text: string): void {
    this.#needsAll = false
    this.#write(text)
  }

  /** Called once a second; every 15 s something is written, or proxies would cut it. */
  second(count: number): void {
    this.#silence = this.#blocked ? this.#silence + 1 : 0
    if (this.#silence >= patience) this.#sink.destroy()
    else if (count % 15 === 0 && !this.#blocked) this.#write(':\n\n')
  }

  close(retryMs: number): void {
    if (!this.#open) return
    if (this.#blocked) this.#sink.destroy()
    else {
      this.#write(toEvent('fleet.closing', { retryMs }))
      this.#sink.end()
    }
  }

  #write(text: string): void {
    if (this.#open) this.#blocked = !this.#sink.write(Buffer.from(text)) || this.#blocked
  }
}
