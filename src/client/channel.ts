import { TroupeError } from '../errors.ts'
import { paths } from '../gateway/protocol.ts'
import type { StreamEvents, WireKeyframe, WireTransition } from '../gateway/protocol.ts'
import { parseCursor, toCursor } from '../records/transition.ts'
import { EventParser } from './event-parser.ts'
import type { ServerEvent } from './event-parser.ts'
import { Failure, unreachable } from './failure.ts'
import { toQuery } from './live-filter.ts'
import type { LiveFilter } from './live-filter.ts'
import type { ClientTimer } from './client-env.ts'
import type { Transport } from './transport.ts'

/** The gateway says something each 15 s: after this long its connection is dead. */
const silenceMs = 40_000

export interface ChannelObserver {
  /** Listening goes on where it was, or begins where `from` said. */
  resumed(): void
  /** Listening begins, or begins anew behind a gap. */
  keyframe(keyframe: WireKeyframe): void
  transition(transition: WireTransition, cursor: string): void
  /** The channel is over: the gateway will not have it. */
  refused(error: unknown): void
  /** The connection is open, or was lost. */
  changed(to: 'open' | 'lost'): void
}

/** One stream of the gateway, kept open for ever: it comes back where it was. */
export class Channel {
  readonly #transport: Transport
  readonly #observer: ChannelObserver
  /** Ends the connection that is, or the wait for the next one: for a failure, or to begin anew. */
  #interrupt = new AbortController()
  #over = false
  #cursor: string | null = null
  /** Where it begins, if not with what comes. */
  readonly #from: string | null
  #filter: LiveFilter
  #isOpen = false
  /** What the gateway asked for when it closed. */
  #restMs = 0

  constructor(
    transport: Transport, filter: LiveFilter, from: string | null, observer: ChannelObserver,
  ) {
    this.#transport = transport
    this.#filter = filter
    this.#from = from
    this.#observer = observer
    void this.#run()
  }

  /** Behind the last event that came; null before the first one. */
  get cursor(): string | null {
    return this.#cursor
  }

  get filter(): LiveFilter {
    return this.#filter
  }

  /** The gateway listens with this filter; what comes of the connection is up to date. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Goes on behind the last event with another filter; in queues new to it behind `now`. */
  widen(filter: LiveFilter, now: ReadonlyMap<string, number>): void {
    if (this.#cursor !== null) {
      this.#cursor = toCursor(new Map([...now, ...parseCursor(this.#cursor)]))
    }
    this.#filter = filter
    this.#isOpen = false
    this.#interrupt.abort()
  }

  /** Ends the connection, or the wait for it, and connects at once; or only ends it. */
  network(online: boolean): void {
    if (online && this.#isOpen) return
    this.#interrupt.abort(online ? undefined : unreachable(this.#url, 'the network is off'))
  }

  close(): void {
    this.#over = true
    this.#isOpen = false
    this.#interrupt.abort()
  }

  async #run(): Promise<void> {
    const { backoff, env } = this.#transport.options
    for (let failures = 0; !this.#over;) {
      this.#interrupt = new AbortController()
      const { signal } = this.#interrupt
      try {
        await this.#connect(signal, () => { failures = 0 })
      } catch (error) {
        this.#isOpen = false
        const why: unknown = signal.reason
        if (this.#over || (signal.aborted && !(why instanceof Failure))) continue
        const failure = why instanceof Failure ? why : error
        if (!(failure instanceof Failure) || failure.kind === 'final') {
          this.#over = true
          this.#observer.refused(failure instanceof Failure ? failure.error : failure)
          return
        }
        failures += 1
        this.#observer.changed('lost')
        const waitMs = backoff.waitMs(failures, env.random())
        await this.#rest(Math.max(waitMs, failure.retryAfterMs, this.#restMs))
      }
    }
  }

  async #rest(waitMs: number): Promise<void> {
    this.#restMs = 0
    this.#interrupt = new AbortController()
    // An interruption means: look again at once.
    await this.#transport.within(this.#interrupt.signal, (signal) =>
      this.#transport.sleep(waitMs, signal)).catch(() => undefined)
  }

  /** One connection, from its beginning to its end, which is always an error. */
  async #connect(given: AbortSignal, lives: () => void): Promise<never> {
    const { env } = this.#transport.options
    const interrupt = this.#interrupt
    const watch = (): ClientTimer => env.after(silenceMs, () => {
      interrupt.abort(unreachable(this.#url, `nothing came for ${silenceMs} ms`))
    })
    let timer = watch()
    try {
      return await this.#transport.within(given, async (signal) => {
        const reader = await this.#open(signal)
        // An abort that comes after the head does not reach the body on every platform.
        signal.addEventListener('abort', () => { reader.cancel().catch(() => undefined) })
        const parser = new EventParser((event) => { this.#take(event) })
        for (;;) {
          const { done, value } = await reader.read()
          signal.throwIfAborted()
          if (done) throw unreachable(this.#url, 'the stream ended')
          timer.cancel()
          timer = watch()
          lives()
          parser.push(value)
          if (parser.lastId !== '') this.#cursor = parser.lastId
        }
      })
    } catch (error) {
      if (error instanceof Failure || error instanceof TroupeError) throw error
      throw given.aborted ? error : unreachable(this.#url, error)
    } finally {
      timer.cancel()
    }
  }

  async #open(signal: AbortSignal): Promise<ReadableStreamDefaultReader<Uint8Array>> {
    const cursor = this.#cursor
    const from = cursor === null && this.#from !== null ? [['from', this.#from] as const] : []
    const response = await this.#transport.open({
      path: paths.stream, query: [...toQuery(this.#filter), ...from], again: 'never',
      accept: 'text/event-stream', headers: cursor === null ? {} : { 'last-event-id': cursor },
    }, signal)
    if (!response.body) throw unreachable(response.url, 'the answer has no body')
    if (cursor !== null || this.#from !== null) {
      this.#opens()
      this.#observer.resumed()
    }
    return response.body.getReader()
  }

  #take({ id, name, data }: ServerEvent): void {
    const said: unknown = JSON.parse(data)
    if (id !== '') this.#cursor = id
    if (name === 'queue.job.changed') {
      this.#observer.transition(said as WireTransition, id)
    } else if (name === 'queue.keyframe') {
      this.#opens()
      this.#observer.keyframe(said as WireKeyframe)
    } else if (name === 'queue.closing') {
      this.#restMs = (said as StreamEvents['queue.closing']).retryMs
    }
  }

  get #url(): string {
    return this.#transport.urlOf({ path: paths.stream, again: 'never' })
  }

  #opens(): void {
    this.#isOpen = true
    this.#observer.changed('open')
  }
}
