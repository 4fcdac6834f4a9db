import type { WireKeyframe, WireTransition } from '../gateway/protocol.ts'
import { parseCursor } from '../records/transition.ts'
import { Channel } from './channel.ts'
import type { ClientTimer } from './client-env.ts'
import { covers, matches, needsOwnStream, union } from './live-filter.ts'
import type { LiveFilter } from './live-filter.ts'
import type { Transport } from './transport.ts'

/** `idle`: nobody listens. `lost`: it is on its way back. */
export type Connection = 'idle' | 'open' | 'lost'

/** Somebody who hears the log. */
export interface LiveListener {
  readonly filter: LiveFilter
  /**
   * Null for what asks by itself how things stand: it may hear what was before it listened.
   * `'now'` for what must not. `'start'` or a cursor to begin there.
   */
  readonly from: string | null
  /** From now on all of the filter is heard. `gap` says why something is missing before. */
  begins(gap: WireKeyframe | null): void
  transition(transition: WireTransition, cursor: string): void
  error(error: unknown): void
  /** The client was closed. */
  over(): void
}

interface Entry {
  readonly listener: LiveListener
  /** The stream that is open listens for it. */
  heard: boolean
  /** It knows where now is, or need not know. */
  placed: boolean
  /** Behind which number of each queue it stands: nothing is told twice. */
  seen: Map<string, number>
}

/** How long a stream that nobody needs stays open, and how often it is widened at most. */
const lingerMs = 250
const widenMs = 20

/** All that one client hears, over one stream as far as that can be. */
export class Live {
  readonly #transport: Transport
  readonly #onChange: (connection: Connection) => void
  readonly #forgetNetwork: () => void
  readonly #entries = new Set<Entry>()
  /** Streams that one listener has for itself, and how each is told the end. */
  readonly #alone = new Map<Channel, (tell: (listener: LiveListener) => void) => void>()
  #channel: Channel | null = null
  #probe: Channel | null = null
  #timer: ClientTimer | null = null
  #closed = false

  constructor(transport: Transport, onChange: (connection: Connection) => void) {
    this.#transport = transport
    this.#onChange = onChange
    this.#forgetNetwork = transport.options.env.onNetwork((online) => {
      const channels = [this.#channel, this.#probe, ...this.#alone.keys()]
      for (const channel of channels) channel?.network(online)
    })
  }

  /** Answers how to stop listening. */
  listen(listener: LiveListener): () => void {
    if (this.#closed) {
      queueMicrotask(() => { listener.over() })
      return () => undefined
    }
    const { filter, from } = listener
    const entry: Entry = { listener, heard: false, placed: from === null, seen: new Map() }
    if ((from !== null && from !== 'now') || needsOwnStream(filter)) return this.#listenAlone(entry)
    this.#entries.add(entry)
    if (this.#channel?.isOpen && covers(this.#channel.filter, filter)) begin(entry)
    else this.#soon(this.#channel ? widenMs : 0)
    return () => {
      if (this.#entries.delete(entry) && this.#entries.size === 0) this.#soon(lingerMs)
    }
  }

  close(): void {
    this.#closed = true
    this.#forgetNetwork()
    this.#timer?.cancel()
    this.#end((listener) => { listener.over() })
    for (const end of [...this.#alone.values()]) end((listener) => { listener.over() })
  }

  #listenAlone(entry: Entry): () => void {
    const { listener } = entry
    const from = listener.from === 'now' ? null : listener.from
    const channel = new Channel(this.#transport, listener.filter, from, {
      resumed: () => { if (!entry.heard) begin(entry) },
      keyframe: (keyframe) => { rebegin(entry, keyframe) },
      transition: (transition, cursor) => { tell(entry, transition, cursor) },
      refused: (error) => { end(() => { listener.error(error) }) },
      changed: () => undefined,
    })
    const end = (last: (listener: LiveListener) => void): void => {
      if (!this.#alone.delete(channel)) return
      channel.close()
      last(listener)
    }
    this.#alone.set(channel, end)
    return () => { end(() => undefined) }
  }

  #soon(delayMs: number): void {
    this.#timer ??= this.#transport.options.env.after(delayMs, () => {
      this.#timer = null
      this.#settle()
    })
  }

  /** Makes the shared stream fit what is listened to. */
  #settle(): void {
    const entries = [...this.#entries]
    if (entries.length === 0) {
      this.#end(() => undefined)
      return
    }
    const channel = this.#channel
    const filter = union(entries.map(({ listener }) => listener.filter))
    if (!channel) {
      this.#open(filter)
      return
    }
    const isCovered = ({ listener }: Entry): boolean => covers(channel.filter, listener.filter)
    if (channel.isOpen) {
      for (const entry of entries) if (!entry.heard && isCovered(entry)) begin(entry)
    }
    const others = entries.filter((entry) => !entry.heard && !isCovered(entry))
    if (others.length === 0 || this.#probe) return
    const lost = others.filter(({ placed }) => !placed)
    // The stream goes on at its cursor, which may be old, and these must hear nothing from before.
    if (channel.cursor !== null && lost.length > 0) this.#place(lost)
    else {
      const now = new Map(others.flatMap(({ seen }) => [...seen]))
      channel.widen(filter, now)
    }
  }

  #open(filter: LiveFilter): void {
    const channel = new Channel(this.#transport, filter, null, {
      resumed: () => { for (const entry of heardBy(channel)) if (!entry.heard) begin(entry) },
      keyframe: (keyframe) => {
        for (const entry of heardBy(channel)) rebegin(entry, keyframe)
      },
      transition: (transition, cursor) => {
        for (const entry of this.#entries) tell(entry, transition, cursor)
      },
      refused: (error) => { this.#end((listener) => { listener.error(error) }) },
      changed: this.#onChange,
    })
    const heardBy = ({ filter: open }: Channel): readonly Entry[] =>
      [...this.#entries].filter(({ listener }) => covers(open, listener.filter))
    this.#channel = channel
  }

  /** Asks another stream, for a moment, where now is. */
  #place(entries: readonly Entry[]): void {
    const done = (now: ReadonlyMap<string, number>): void => {
      probe.close()
      this.#probe = null
      for (const entry of entries) {
        entry.placed = true
        entry.seen = new Map(now)
      }
      this.#settle()
    }
    const filter = union(entries.map(({ listener }) => listener.filter))
    const probe = new Channel(this.#transport, filter, null, {
      resumed: () => undefined,
      keyframe: () => { done(parseCursor(probe.cursor ?? '')) },
      transition: () => undefined,
      // The shared stream will be refused as well, and say so.
      refused: () => { done(new Map()) },
      changed: () => undefined,
    })
    this.#probe = probe
  }

  #end(last: (listener: LiveListener) => void): void {
    this.#channel?.close()
    this.#probe?.close()
    this.#channel = this.#probe = null
    this.#onChange('idle')
    const entries = [...this.#entries]
    this.#entries.clear()
    for (const { listener } of entries) last(listener)
  }
}

function begin(entry: Entry): void {
  entry.heard = true
  entry.listener.begins(null)
}

function rebegin(entry: Entry, keyframe: WireKeyframe): void {
  entry.heard = true
  // The numbers may have begun anew, too.
  if (keyframe.why !== 'opened') entry.seen = new Map()
  entry.listener.begins(keyframe.why === 'opened' ? null : keyframe)
}

function tell(entry: Entry, transition: WireTransition, cursor: string): void {
  const { listener, seen } = entry
  if (!matches(listener.filter, transition)) return
  if (transition.seq <= (seen.get(transition.queue) ?? 0)) return
  seen.set(transition.queue, transition.seq)
  listener.transition(transition, cursor)
}
