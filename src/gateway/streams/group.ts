import { toCursor } from '../../records/transition.ts'
import { toText } from './client.ts'
import type { Item, StreamClient } from './client.ts'
import type { Audience } from './filter.ts'
import type { Identities } from './identities.ts'
import type { Ring, StreamEvent } from './ring.ts'

/** Events that are looked up at a time. */
const batchSize = 500

/** What a group needs of the hub. */
export interface GroupContext {
  readonly ring: Ring
  readonly identities: Identities
  /** Something waits to be sent. */
  wake(group: Group): void
  /** The group stands at the end of the ring. */
  caughtUp(group: Group): void
  /** More came than the ring keeps while jobs were looked up. */
  fellBehind(group: Group): void
  failed(group: Group, error: unknown): void
}

/** Clients of one audience that stand at the same place: what they hear is made once. */
export class Group {
  readonly audience: Audience
  /** Behind which seq of each of its queues the group stands. */
  readonly position: Map<string, number>
  readonly clients = new Set<StreamClient>()
  /** Number of the event in the ring that comes next. */
  next: number
  readonly #context: GroupContext
  #items: Item[] = []
  #isLoading = false

  constructor(
    audience: Audience, position: ReadonlyMap<string, number>, context: GroupContext,
  ) {
    this.audience = audience
    this.position = new Map(position)
    this.next = context.ring.first
    this.#context = context
  }

  get id(): string {
    return toCursor(this.position)
  }

  /** Goes through what has come, as far as what has to be known of the jobs is known. */
  pump(): void {
    const { ring } = this.#context
    if (this.#isLoading) return
    for (; this.next < ring.end; this.next += 1) {
      const event = ring.at(this.next)
      if (!event || this.next < ring.first) {
        this.#context.fellBehind(this)
        return
      }
      if (!this.#take(event)) {
        this.#load()
        return
      }
    }
    this.#context.caughtUp(this)
  }

  /** Sends what has come since the last time. */
  flush(): void {
    if (this.#items.length === 0) return
    const items = this.#items
    this.#items = []
    const bytes = Buffer.from(items.map(toText).join(''))
    for (const client of this.clients) client.send(bytes, items)
  }

  /** Whether both would hear the same from now on. */
  standsWith(other: Group): boolean {
    if (this.next !== other.next) return false
    for (const [queue, seq] of this.position) {
      if (other.position.get(queue) !== seq) return false
    }
    return true
  }

  /** False when the job has to be looked up first. */
  #take(event: StreamEvent): boolean {
    const seen = this.position.get(event.queue)
    if (seen === undefined || event.seq <= seen) return true
    const { audience } = this
    let isHeard = audience.mayHear(event)
    if (isHeard && audience.needsIdentity) {
      const identity = this.#context.identities.of(event)
      if (identity === undefined) return false
      isHeard = audience.hears(identity)
    }
    this.position.set(event.queue, event.seq)
    if (!isHeard) return true
    this.#items.push({ event, id: this.id })
    if (this.#items.length === 1) this.#context.wake(this)
    return true
  }

  #load(): void {
    const { ring, identities } = this.#context
    const events: StreamEvent[] = []
    const end = Math.min(ring.end, this.next + batchSize)
    for (let number = this.next; number < end; number += 1) {
      const event = ring.at(number)
      if (event && this.audience.mayHear(event)) events.push(event)
    }
    this.#isLoading = true
    identities.load(events).then(() => {
      this.#isLoading = false
      this.pump()
    }, (error: unknown) => {
      this.#isLoading = false
      this.#context.failed(this, error)
    })
  }
}
