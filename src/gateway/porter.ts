import type { Settings } from './options.ts'
import { allow, findQueue } from './call.ts'
import type { Call, House, Reply, Route } from './call.ts'
import { checkContentType, parseBody } from './body.ts'
import type { Answer, AnswerHeaders, Exchange, GatewayRequest } from './exchange.ts'
import { Visitor } from './grant.ts'
import type { Grant } from './grant.ts'
import {
  checkHeaderSize, checkHost, checkLocal, checkOrigin, corsHeaders, preflightHeaders,
} from './guards.ts'
import { RateLimit } from './limits.ts'
import { findPage } from './pages.ts'
import type { Redactor } from './redaction.ts'
import { Refusal, toErrorAnswer } from './refusal.ts'
import type { Router } from './routing.ts'
import { isSameSecret } from './secrets.ts'
import { Writer } from './wire.ts'

/** What every answer says to a browser; pages have a policy of their own. */
const securityHeaders: AnswerHeaders = {
  'content-security-policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

/** Who is served when there is neither `authorize` nor `token`: this machine. */
const local: Grant = { user: 'local' }

/** How a request reached the gateway. */
export interface Door {
  /** It listens on an address of this machine itself: then only names of this machine are ours. */
  readonly isLoopback: boolean
}

/** Lets requests in, or says why not: the one way from a request to its answer. */
export class Porter {
  readonly #house: House
  readonly #settings: Settings
  readonly #router: Router
  readonly #redactor: Redactor
  readonly #rate: RateLimit

  constructor(house: House, router: Router, redactor: Redactor) {
    const { settings } = house
    this.#house = house
    this.#settings = settings
    this.#router = router
    this.#redactor = redactor
    this.#rate = new RateLimit(
      settings.limits.requestsPerSecond, () => settings.env.monotonic(),
    )
  }

  /** Never rejects. */
  async answer(exchange: Exchange, door: Door): Promise<Answer> {
    const { request } = exchange
    const { env } = this.#settings
    const start = env.monotonic()
    const seen = { route: 'none' }
    let answer: Answer
    try {
      answer = await this.#admit(exchange, door, seen)
    } catch (error) {
      answer = this.#refuse(error, request)
    }
    const { method } = request
    const known = ['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS'].includes(method) ? method : 'other'
    const seconds = (env.monotonic() - start) / 1000
    this.#house.metrics.request(seen.route, known, answer.status, seconds)
    const cors = corsHeaders(request, this.#settings)
    return { ...answer, headers: { ...securityHeaders, ...cors, ...answer.headers } }
  }

  async #admit(
    exchange: Exchange, door: Door, seen: { route: string },
  ): Promise<Answer> {
    const { request } = exchange
    const settings = this.#settings
    const isLocalOnly = settings.authorize === null && settings.token === null
    checkHeaderSize(exchange, settings)
    checkHost(request, settings, door.isLoopback || isLocalOnly)
    if (request.remoteAddress !== null) this.#limit(request.remoteAddress)
    if (isLocalOnly) checkLocal(exchange)
    const preflight = this.#preflight(request)
    if (preflight) return preflight
    const match = this.#router.find(request.method, request.path)
    if (!match) return findPage(request, settings)
    seen.route = match.route.path
    checkOrigin(request, settings)
    const { route } = match
    const grant = route.access === 'open' ? null : await this.#identify(request, isLocalOnly)
    const visitor = new Visitor(grant ?? local, settings.readOnly)
    if (request.remoteAddress === null && grant) this.#limit(`user:${visitor.name}`)
    return this.#serve(route, exchange, match.params, visitor)
  }

  /** One place to look at for everything that a user changes, or may not. */
  async #serve(
    route: Route, exchange: Exchange, params: Call['params'], visitor: Visitor,
  ): Promise<Answer> {
    const { request } = exchange
    const note: Call['note'] = (outcome, jobId = null) => {
      if (route.audited === undefined) return
      this.#house.audit.add({
        user: visitor.name, action: route.audited, queue: params['queue'] ?? null,
        jobId: jobId ?? params['id'] ?? null, outcome,
      })
    }
    const call: Call = {
      house: this.#house, request, params, visitor, note, body: {},
      write: new Writer(this.#redactor, visitor),
    }
    try {
      this.#check(route, call)
      const body = route.method === 'GET' ? {} : await this.#readBody(exchange)
      return toAnswer(await route.handle({ ...call, body }))
    } catch (error) {
      note(toErrorAnswer(error).body.error.code)
      throw error
    }
  }

  #check({ access }: Route, call: Call): void {
    const { visitor, params } = call
    const { queue } = params
    if (queue !== undefined) findQueue(call, queue)
    if (access === 'open' || access === 'user' || access === 'each') return
    allow(visitor, access, queue ?? null)
  }

  async #readBody(exchange: Exchange): Promise<Call['body']> {
    const { limits } = this.#settings
    checkContentType(exchange.request.headers)
    return parseBody(await exchange.readBody(limits), limits.bodyDepth)
  }

  async #identify(request: GatewayRequest, isLocalOnly: boolean): Promise<Grant> {
    const { authorize, token } = this.#settings
    if (isLocalOnly) return local
    if (authorize) {
      const grant = await authorize(request)
      if (grant) return grant
    } else if (token !== null) {
      const given = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
      if (given !== undefined && isSameSecret(given, token)) return { user: 'token' }
    }
    throw new Refusal(
      'unauthorized', 'say who you are', {},
      token === null ? {} : { 'www-authenticate': 'Bearer realm="troupe"' },
    )
  }

  #limit(key: string): void {
    const waitMs = this.#rate.take(key)
    if (waitMs === 0) return
    throw new Refusal(
      'too-many-requests', 'too many requests in a short time', { retryMs: waitMs },
      { 'retry-after': String(Math.ceil(waitMs / 1000)) },
    )
  }

  /** What a browser asks before it sends what a page of another origin wants it to. */
  #preflight(request: GatewayRequest): Answer | null {
    const { method, headers } = request
    if (method !== 'OPTIONS' || !headers.has('access-control-request-method')) return null
    checkOrigin(request, this.#settings)
    return { status: 204, headers: preflightHeaders, body: '' }
  }

  #refuse(error: unknown, { method, path }: GatewayRequest): Answer {
    const { status, headers, body, isFault } = toErrorAnswer(error)
    if (isFault) {
      this.#settings.logger.error(
        { err: error, method, path: path.slice(0, 500) }, 'a request to the gateway failed',
      )
    }
    const { code, message, details } = body.error
    const clean = { code, message: this.#redactor.text(message, 'message'), details }
    return json(status, { error: clean }, headers)
  }
}

function toAnswer(reply: Reply): Answer {
  return 'json' in reply ? json(reply.status ?? 200, reply.json) : reply
}

function json(status: number, value: unknown, headers: AnswerHeaders = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(value),
  }
}
