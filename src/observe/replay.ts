import type { Observable, Subscriber } from 'rxjs'
import { invalidOption, TroupeErrorOf } from '../errors.ts'
import { parseCursor, toCursor } from '../records/transition.ts'
import type { LogEntry, Transition } from '../records/transition.ts'
import type { Store } from '../stores/store.ts'
import type { Publisher } from './publisher.ts'

export interface ObserveOptions {
  /** Only this queue. Default: every queue of the store. */
  readonly queue?: string
  /**
   * `'start'`: from the oldest transition that the log keeps. `'now'`: only what comes.
   * Or the `cursor` of a transition: go on right behind it. Default `'now'`.
   */
  readonly from?: string
  /**
   * Called once, when all that was there has been told: what comes from then on is live. Gets the
   * cursor of that place, which is one to go on from although no transition may have come yet.
   */
  readonly onLive?: (cursor: string) => void
}

/** Entries read from the log at a time. */
const pageSize = 500

type ReplaySource = Pick<Store, 'readLog' | 'counts' | 'capabilities'>

/** Every transition of one queue from now on. */
export function transitions(
  store: ReplaySource, publisher: Publisher, queue: string,
): Observable<Transition> {
  const { multiProcess } = store.capabilities
  return multiProcess ? observe(store, publisher, { queue }) : publisher.transitions(queue)
}

/**
 * Transitions from a point of the log on, first replayed, then live, without a gap or a duplicate
 * at the seam. Ends with `cursor-too-old` when the log was trimmed past the cursor.
 */
export function observe(
  store: ReplaySource, publisher: Publisher, options: ObserveOptions = {},
): Observable<Transition> {
  const { queue = null, from = 'now', onLive } = options
  if (typeof from !== 'string') {
    throw invalidOption('from', "'start', 'now' or the cursor of a transition", from)
  }
  const start = from === 'start' || from === 'now' ? new Map<string, number>() : parseCursor(from)
  return publisher.observable((subscriber) => {
    const replay = new Replay(store, subscriber, queue, new Map(start), onLive)
    const { begun, stop } = publisher.follow({
      entry: (entry) => { replay.live(entry) },
      over: () => { subscriber.complete() },
    }, queue)
    const run = from === 'now' ? replay.skip(begun) : replay.run(begun, from === 'start')
    run.catch((error: unknown) => { subscriber.error(error) })
    return stop
  })
}

class Replay {
  readonly #store: ReplaySource
  readonly #subscriber: Subscriber<Transition>
  readonly #queue: string | null
  /** Behind which number of each queue the subscriber stands. */
  readonly #position: Map<string, number>
  readonly #onLive: ((cursor: string) => void) | undefined
  /** Live entries that came during the replay; null once it is over. */
  #held: LogEntry[] | null = []

  constructor(
    store: ReplaySource, subscriber: Subscriber<Transition>, queue: string | null,
    position: Map<string, number>, onLive?: (cursor: string) => void,
  ) {
    this.#store = store
    this.#subscriber = subscriber
    this.#queue = queue
    this.#position = position
    this.#onLive = onLive
  }

  live(entry: LogEntry): void {
    if (this.#held) this.#held.push(entry)
    else this.#emit(entry)
  }

  /** Live only, but with the place of every queue in the cursor from the first transition on. */
  async skip(begun: Promise<void>): Promise<void> {
    // Asked at once: what is committed after the subscription shall be told.
    await Promise.all([this.#skip(), begun])
    if (this.#store.capabilities.multiProcess) {
      // The tail may have begun later than that.
      for (const queue of await this.#queues()) await this.#replay(queue, true)
    }
    this.#begin()
  }

  async run(begun: Promise<void>, fromStart: boolean): Promise<void> {
    // Read earlier, the log may lack what the tail does not tell.
    await begun
    for (const queue of await this.#queues()) await this.#replay(queue, fromStart)
    this.#begin()
  }

  async #skip(): Promise<void> {
    for (const queue of await this.#queues()) {
      const { newest } = await this.#store.readLog(queue, Number.MAX_SAFE_INTEGER, 1)
      const first = this.#held?.find((entry) => entry.queue === queue)
      this.#position.set(queue, first ? Math.min(first.seq - 1, newest) : newest)
    }
  }

  async #queues(): Promise<readonly string[]> {
    if (this.#queue !== null) return [this.#queue]
    const known = await this.#store.counts(null)
    return [...new Set([...this.#position.keys(), ...known.keys()])]
  }

  /** From now on live: first what was held back. */
  #begin(): void {
    // An observer may cause further entries: they join the end of the list that is being told.
    const held = this.#held ?? []
    for (let index = 0; index < held.length; index += 1) this.#emit(held[index] as LogEntry)
    this.#held = null
    if (!this.#subscriber.closed) this.#onLive?.(toCursor(this.#position))
  }

  async #replay(queue: string, fromStart: boolean): Promise<void> {
    let first = !fromStart && this.#position.has(queue)
    for (;;) {
      if (this.#subscriber.closed) return
      const seq = this.#position.get(queue) ?? 0
      const page = await this.#store.readLog(queue, seq, pageSize)
      // Once the replay has begun the log may be trimmed under it as well.
      if ((first || seq > 0) && seq < page.oldest - 1) throw tooOld(queue, seq, page.oldest)
      if (first && seq > page.newest) throw tooNew(queue, seq, page.newest)
      first = false
      for (const entry of page.entries) this.#emit(entry)
      if (page.entries.length === 0 || page.entries.at(-1)?.seq === page.newest) return
    }
  }

  #emit(entry: LogEntry): void {
    if (entry.seq <= (this.#position.get(entry.queue) ?? 0)) return
    this.#position.set(entry.queue, entry.seq)
    this.#subscriber.next({ ...entry, cursor: toCursor(this.#position) })
  }
}

/** What comes would be taken for known, and never be told. */
function tooNew(queue: string, seq: number, newest: number): TroupeErrorOf<'invalid-cursor'> {
  return new TroupeErrorOf(
    'invalid-cursor', `the log of queue ${queue} ends at ${newest}: the cursor is of another log`,
    { cursor: toCursor(new Map([[queue, seq]])) },
  )
}

function tooOld(queue: string, seq: number, oldest: number): TroupeErrorOf<'cursor-too-old'> {
  return new TroupeErrorOf(
    'cursor-too-old',
    `the log of queue ${queue} begins at ${oldest}; what came behind ${seq} was trimmed`,
    { queue, seq, oldest },
  )
}
