import { toCursor } from '../../records/transition.ts'
import type { Transition } from '../../records/transition.ts'
import type { Troupe } from '../../orchestrator/troupe.ts'
import type { Redactor } from '../redaction.ts'
import { toStreamTransition } from '../wire.ts'
import { toText } from './client.ts'
import type { Item, StreamClient } from './client.ts'
import { readLog } from './feed.ts'
import type { Identities } from './identities.ts'
import { toStreamEvent } from './ring.ts'
import type { Ring } from './ring.ts'

/** Behind which seq of each queue somebody stands. */
export type Position = ReadonlyMap<string, number>
/** Where somebody wants to begin: null means at the oldest that the log has. */
type Places = Map<string, number | null>

/** Transitions that are read and sent at a time: no more wait for somebody who reads slowly. */
const pageSize = 500

/** Tells who comes back what the ring does not keep any more, out of the log. */
export class CatchUp {
  readonly #troupe: Troupe
  readonly #ring: Ring
  readonly #identities: Identities
  readonly #redactor: Redactor

  constructor(troupe: Troupe, ring: Ring, identities: Identities, redactor: Redactor) {
    this.#troupe = troupe
    this.#ring = ring
    this.#identities = identities
    this.#redactor = redactor
  }

  /**
   * Answers where the client then stands, which is a place in the ring; null when it has gone.
   * Rejects with `cursor-too-old` and `invalid-cursor`.
   */
  async run(client: StreamClient, places: Places): Promise<Position | null> {
    const { floor } = this.#ring
    while (client.isOpen) {
      const behind = [...places].find(([queue, seq]) =>
        seq === null || seq < (floor.get(queue) ?? 0))
      if (!behind) return known(places)
      const [queue, seq] = behind
      const part = await readLog(this.#troupe, queue, seq, pageSize)
      await this.#tell(client, part.transitions, places)
      places.set(queue, part.seq)
      await client.drained()
    }
    return null
  }

  async #tell(
    client: StreamClient, transitions: readonly Transition[], places: Places,
  ): Promise<void> {
    const { audience } = client
    const events = transitions.map((transition) => toStreamEvent(
      transition, JSON.stringify(toStreamTransition(transition, this.#redactor)),
    ))
    const heard = new Set(events.filter((event) => audience.mayHear(event)))
    while (audience.needsIdentity) {
      const unknown = [...heard].filter((event) => this.#identities.of(event) === undefined)
      if (unknown.length === 0) break
      await this.#identities.load(unknown)
    }
    const items: Item[] = []
    for (const event of events) {
      places.set(event.queue, event.seq)
      if (!heard.has(event)) continue
      if (audience.needsIdentity && !audience.hears(this.#identities.of(event) ?? null)) continue
      items.push({ event, id: toCursor(known(places)) })
    }
    if (items.length > 0) client.write(items.map(toText).join(''))
  }
}

/** A queue that is still read from its beginning has no place yet. */
function known(places: ReadonlyMap<string, number | null>): Position {
  const position = new Map<string, number>()
  for (const [queue, seq] of places) if (seq !== null) position.set(queue, seq)
  return position
}
