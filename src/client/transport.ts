import { TroupeErrorOf } from '../errors.ts'
import type { Backoff } from './backoff.ts'
import type { ClientEnv } from './client-env.ts'
import { toJsonText } from './plain-json.ts'
import { Failure, refusal, unreachable } from './failure.ts'

export type Headers = Readonly<Record<string, string>>
/** The part of `fetch` that a client uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface TransportOptions {
  /** Where the gateway is mounted, without a slash at the end. */
  readonly base: string
  readonly headers: () => Headers | Promise<Headers>
  readonly fetch: Fetch
  readonly backoff: Backoff
  readonly env: ClientEnv
}

export type Query = readonly (readonly [name: string, value: string])[]

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly query?: Query
  readonly body?: unknown
  readonly accept?: string
  readonly headers?: Headers
  readonly signal?: AbortSignal
  /**
   * What to do when no answer comes: `never` try again, because doing it twice does harm; `some`
   * times; or `ever`, until the signal aborts.
   */
  readonly again: 'never' | 'some' | 'ever'
}

/** Speaks HTTP with a gateway: tries again, and turns refusals into errors. */
export class Transport {
  readonly options: TransportOptions
  readonly #live = new Set<AbortController>()
  #closed: Error | null = null

  constructor(options: TransportOptions) {
    this.options = options
  }

  /** Ends all that is under way; what is asked later is refused. */
  close(): void {
    this.#closed ??= new TroupeErrorOf('stopped', 'the client is closed', { operation: 'connect' })
    for (const controller of this.#live) controller.abort(this.#closed)
  }

  /** The JSON of a successful answer, and whether it took more than one try. */
  ask<T>(call: Call): Promise<{ readonly answer: T; readonly repeated: boolean }> {
    const { backoff, env } = this.options
    return this.within(call.signal, async (signal) => {
      for (let failures = 0; ; failures += 1) {
        try {
          const answer = await readJson<T>(await this.open(call, signal), this.urlOf(call))
          return { answer, repeated: failures > 0 }
        } catch (error) {
          signal.throwIfAborted()
          if (!(error instanceof Failure)) throw error
          if (!mayTryAgain(error, call.again, failures, backoff.tries)) throw error.error
          const waitMs = backoff.waitMs(failures + 1, env.random())
          await this.sleep(Math.max(waitMs, error.retryAfterMs), signal)
        }
      }
    })
  }

  async get<T>(path: string, query: Query = [], call: Partial<Call> = {}): Promise<T> {
    return (await this.ask<T>({ path, query, again: 'some', ...call })).answer
  }

  async post<T>(path: string, body: unknown, again: Call['again']): Promise<T> {
    return (await this.ask<T>({ method: 'POST', path, body, again })).answer
  }

  /** One try, whose body is still to be read. Throws a `Failure`. */
  async open(call: Call, signal: AbortSignal): Promise<Response> {
    const { method = 'GET', body, accept = 'application/json' } = call
    const own = { ...await this.options.headers(), ...call.headers, accept }
    const headers = body === undefined ? own : { ...own, 'content-type': 'application/json' }
    const url = this.urlOf(call)
    const sent = body === undefined ? {} : { body: toJsonText(body) }
    let response
    try {
      response = await this.options.fetch(url, {
        method, headers, signal, redirect: 'error', ...sent,
      })
    } catch (error) {
      throw unreachable(url, error)
    }
    if (!response.ok) throw await refusal(response, url)
    return response
  }

  urlOf({ path, query = [] }: Call): string {
    const search = new URLSearchParams()
    for (const [name, value] of query) search.append(name, value)
    return `${this.options.base}${path}${search.size === 0 ? '' : `?${search.toString()}`}`
  }

  /** Works under a signal that aborts with `given`, and with the end of the client. */
  async within<T>(
    given: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (this.#closed) throw this.#closed
    given?.throwIfAborted()
    const controller = new AbortController()
    const abort = (): void => { controller.abort(given?.reason) }
    this.#live.add(controller)
    given?.addEventListener('abort', abort)
    try {
      return await work(controller.signal)
    } finally {
      this.#live.delete(controller)
      given?.removeEventListener('abort', abort)
    }
  }

  /** Rejects with the reason of the signal when it aborts. */
  sleep(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const abort = (): void => {
        timer.cancel()
        reject(signal.reason as Error)
      }
      const timer = this.options.env.after(waitMs, () => {
        signal.removeEventListener('abort', abort)
        resolve()
      })
      signal.addEventListener('abort', abort)
    })
  }
}

function mayTryAgain(
  { kind }: Failure, again: Call['again'], failures: number, tries: number,
): boolean {
  if (kind === 'final' || (again === 'never' && kind !== 'untouched')) return false
  return again === 'ever' || failures < tries
}

async function readJson<T>(response: Response, url: string): Promise<T> {
  try {
    return await response.json() as T
  } catch (error) {
    throw unreachable(url, error)
  }
}
