import type { State } from '../../../machines/vocabulary.ts'
import type { Transition } from '../../records/transition.ts'

/** A transition as it is sent: written once, whoever hears it. */
export interface StreamEvent {
  readonly queue: string
  readonly seq: number
  readonly jobId: string
  readonly task: string
  readonly at: number
  /** Null for the first transition of a job. */
  readonly from: State | null
  readonly to: State | null
  readonly json: string
}

export function toStreamEvent(
  { queue, seq, jobId, task, at, from, to }: Transition, json: string,
): StreamEvent {
  return { queue, seq, jobId, task, at, from, to, json }
}

const keptEvents = 4096
const keptCharacters = 8 * 1024 * 1024

/**
 * The newest events of all queues, so that who comes back after a short while is served without a
 * look into the log, and the seam between log and live is one place in one list.
 */
export class Ring {
  #events: StreamEvent[] = []
  /** Index in the list of the oldest kept event; the list is cut now and then. */
  #head = 0
  /** Number of the first event of the list. */
  #offset = 0
  #characters = 0
  /** Behind which seq of each queue every event up to the newest is kept. */
  readonly floor = new Map<string, number>()
  /** The newest seq of each queue. */
  readonly newest = new Map<string, number>()

  /** Number of the oldest kept event. */
  get first(): number {
    return this.#offset + this.#head
  }

  /** Number of the event that comes next. */
  get end(): number {
    return this.#offset + this.#events.length
  }

  at(number: number): StreamEvent | undefined {
    return this.#events[number - this.#offset]
  }

  /** The queue is followed from behind `seq` on. */
  begin(queue: string, seq: number): void {
    if (!this.floor.has(queue)) this.floor.set(queue, seq)
    if ((this.newest.get(queue) ?? -1) < seq) this.newest.set(queue, seq)
  }

  push(event: StreamEvent): void {
    if (!this.floor.has(event.queue)) this.floor.set(event.queue, event.seq - 1)
    this.newest.set(event.queue, event.seq)
    this.#events.push(event)
    this.#characters += event.json.length
    while (this.end - this.first > keptEvents || this.#characters > keptCharacters) this.#drop()
    if (this.#head < keptEvents) return
    this.#events = this.#events.slice(this.#head)
    this.#offset += this.#head
    this.#head = 0
  }

  /** The queue is not followed any more. */
  forget(queue: string): void {
    this.floor.delete(queue)
    this.newest.delete(queue)
  }

  #drop(): void {
    const event = this.#events[this.#head]
    this.#head += 1
    if (!event) return
    this.#characters -= event.json.length
    this.floor.set(event.queue, event.seq)
  }
}
