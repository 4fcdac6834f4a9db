import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Troupe } from '../orchestrator/troupe.ts'
import { TroupeErrorOf } from '../errors.ts'
import { Audit } from './audit.ts'
import type { House } from './call.ts'
import type { Answer, Exchange } from './exchange.ts'
import { toFetchExchange, toResponse } from './fetch-door.ts'
import { Fleet } from './fleet/fleet.ts'
import { Listener, parseListen } from './listener.ts'
import type { Listening, ListenOptions } from './listener.ts'
import { Metrics } from './metrics.ts'
import { send, toExchange } from './node-door.ts'
import { parseGatewayOptions } from './options.ts'
import type { GatewayOptions, Settings } from './options.ts'
import { Porter } from './porter.ts'
import type { Door } from './porter.ts'
import { Redactor } from './redaction.ts'
import { toErrorAnswer } from './refusal.ts'
import { routes } from './routes/table.ts'
import { Router } from './routing.ts'
import { Hub } from './streams/hub.ts'

export { dashboardPages } from './dashboard-pages.ts'
export type { GatewayRequest } from './exchange.ts'
export type { Grant, Scope } from './grant.ts'
export type { Limits } from './limits.ts'
export type { Listening, ListenOptions } from './listener.ts'
export type { GatewayOptions, Page } from './options.ts'
export type { Redact } from './redaction.ts'
export type * from './protocol.ts'

/** Queues of a process over HTTP. */
export interface Gateway {
  /**
   * Serves requests of node:http: `createServer(gateway.handler)`, `app.use('/jobs',
   * gateway.handler)`. Without `authorize` and `token` only requests are served that come over a
   * socket of this machine under a name of this machine.
   */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void
  /**
   * Serves a `Request`, for Hono, Next, Bun and the like. There is no socket to look at: without
   * `authorize` or `token` every request is refused.
   */
  readonly fetch: (request: Request) => Promise<Response>
  /**
   * Serves on a port of its own: 7070 on 127.0.0.1, if nothing else is said; port 0 takes a free
   * one. Rejects with `invalid-option` for an address that others reach, when there is neither
   * `authorize` nor `token`, and with the error of the system when the port cannot be had.
   */
  listen(options?: ListenOptions): Promise<Listening>
  /**
   * Ends the streams (`queue.closing`), waits up to 10 s for requests, and lets go of ports. The
   * troupe goes on.
   */
  close(): Promise<void>
}

/** How long `close` waits for who does not come to an end. */
const graceMs = 10_000

/**
 * Serves the queues that this process has declared. It is closed unless opened: see `handler`,
 * `fetch` and `listen`. Throws `invalid-option`.
 */
export function createGateway(troupe: Troupe, options: GatewayOptions = {}): Gateway {
  const gateway = new OpenGateway(troupe, parseGatewayOptions(options))
  return {
    handler: (request, response) => { gateway.handle(request, response, { isLoopback: false }) },
    fetch: (request) => gateway.fetch(request),
    listen: (listenOptions) => gateway.listen(listenOptions),
    close: () => gateway.close(),
  }
}

class OpenGateway {
  readonly #troupe: Troupe
  readonly #settings: Settings
  readonly #hub: Hub
  readonly #fleet: Fleet
  readonly #porter: Porter
  readonly #listeners = new Set<Listener>()
  #closed: Promise<void> | null = null
  #busy = 0
  #idle = (): void => undefined

  constructor(troupe: Troupe, settings: Settings) {
    const redactor = new Redactor(settings.redact, settings.stacks, (error) => {
      settings.logger.error({ err: error }, 'the redact function of the gateway threw')
    })
    this.#troupe = troupe
    this.#settings = settings
    this.#hub = new Hub(troupe, settings, redactor)
    this.#fleet = new Fleet(troupe, settings)
    const house: House = {
      troupe, settings, audit: new Audit(settings), hub: this.#hub,
      fleet: this.#fleet,
      metrics: new Metrics(troupe, this.#hub), isClosing: () => this.#closed !== null,
    }
    this.#porter = new Porter(house, new Router(routes), redactor)
  }

  handle(raw: IncomingMessage, response: ServerResponse, door: Door): void {
    const { env, basePath, logger } = this.#settings
    this.#begin()
    response.once('close', () => { this.#end() })
    const answered = async (): Promise<void> => {
      const answer = await this.#answer(() => toExchange(raw, basePath, env), door)
      send(raw, response, answer, env)
    }
    answered().catch((error: unknown) => {
      logger.error({ err: error }, 'an answer of the gateway could not be sent')
      response.destroy()
    })
  }

  async fetch(raw: Request): Promise<Response> {
    const { env, basePath } = this.#settings
    this.#begin()
    const answer = await this.#answer(
      () => toFetchExchange(raw, basePath, env), { isLoopback: false },
    )
    return toResponse(raw, answer, () => { this.#end() })
  }

  async listen(options: ListenOptions = {}): Promise<Listening> {
    const isOpen = this.#settings.authorize === null && this.#settings.token === null
    const { port, host, isLoopback } = parseListen(options, isOpen)
    if (this.#closed) {
      throw new TroupeErrorOf('stopped', 'the gateway is closed', { operation: 'listen' })
    }
    const { logger, limits } = this.#settings
    const listener = new Listener(limits, (request, response) => {
      this.handle(request, response, { isLoopback })
    })
    const url = await listener.open(port, host)
    this.#listeners.add(listener)
    await this.#troupe.announce(url).catch((error: unknown) => {
      logger.warn({ err: error }, 'other processes cannot be told where the gateway is')
    })
    return { url, port: listener.port, close: () => this.close() }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const listeners = [...this.#listeners]
    const gone = listeners.map((listener) => listener.close())
    // A troupe that has stopped before has let go of what it would be told about.
    if (listeners.length > 0) await this.#troupe.announce(null).catch(() => undefined)
    this.#hub.close()
    this.#fleet.close()
    await this.#untilIdle()
    this.#hub.destroy()
    for (const listener of listeners) listener.destroy()
    await Promise.all(gone)
  }

  async #untilIdle(): Promise<void> {
    if (this.#busy === 0) return
    await new Promise<void>((resolve) => {
      const timer = this.#settings.env.after(graceMs, resolve)
      this.#idle = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  #begin(): void {
    this.#busy += 1
  }

  #end(): void {
    this.#busy -= 1
    if (this.#busy === 0) this.#idle()
  }

  async #answer(toExchangeOf: () => Exchange, door: Door): Promise<Answer> {
    try {
      return await this.#porter.answer(toExchangeOf(), door)
    } catch (error) {
      // What no exchange could be made of.
      const { status, body } = toErrorAnswer(error)
      return {
        status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
      }
    }
  }
}
