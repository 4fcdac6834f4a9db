import { request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders, RequestOptions } from 'node:http'
import { createTroupe } from 'troupe'
import type { Job, Queue, Tasks, Troupe } from 'troupe'
import { afterEach, beforeEach, expect } from 'vitest'
import { createGateway } from '../../src/gateway/gateway.ts'
import type { Gateway, GatewayOptions, Grant } from '../../src/gateway/gateway.ts'
import { untilAborted } from '../support/stage.ts'

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}

const tasks = {
  resize: (job: Job<unknown>) => ({ output: job.input }),
  fail: (): never => { throw new Error('no picture') },
  hang: (job: Job) => untilAborted(job),
  report: (job: Job<number>) => { job.progress(job.input) },
}

/** A troupe on a memory store with two queues, and gateways on real sockets before it. */
export class Stand {
  troupe = undefined as unknown as Troupe
  photos = undefined as unknown as Queue<Tasks>
  mail = undefined as unknown as Queue<Tasks>
  #gateways: Gateway[] = []
  #lines: string[] = []
  readonly #streams: EventReader[] = []

  async open(): Promise<void> {
    this.#lines = []
    this.troupe = await createTroupe({ worker: 'mill', logger: this.logger })
    this.photos = this.troupe.queue('photos', { tasks })
    this.mail = this.troupe.queue('mail', { tasks })
  }

  readonly logger = {
    warn: (_fields: object, message: string) => { this.#lines.push(message) },
    error: (_fields: object, message: string) => { this.#lines.push(message) },
  }

  gateway(options: GatewayOptions = {}): Gateway {
    const gateway = createGateway(this.troupe, { logger: this.logger, ...options })
    this.#gateways.push(gateway)
    return gateway
  }

  /** The URL of a gateway that listens. */
  async listen(options: GatewayOptions = {}): Promise<string> {
    return (await this.gateway(options).listen({ port: 0 })).url
  }

  /** A gateway whose users are told by the header `x-user`. */
  withUsers(users: Readonly<Record<string, Omit<Grant, 'user'>>>): Promise<string> {
    return this.listen({
      authorize: ({ headers }) => {
        const user = headers.get('x-user')
        const grant = user === null ? undefined : users[user]
        return user !== null && grant ? { user, ...grant } : null
      },
    })
  }

  /** What was logged so far, and is not known to be expected otherwise. */
  takeLines(): string[] {
    return this.#lines.splice(0)
  }

  async stream(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
    const abort = new AbortController()
    const response = await fetch(url, { headers, signal: abort.signal })
    const reader = new EventReader(response, () => { abort.abort() })
    this.#streams.push(reader)
    return reader
  }

  async close(): Promise<void> {
    for (const stream of this.#streams.splice(0)) stream.close()
    await Promise.all(this.#gateways.splice(0).map((gateway) => gateway.close()))
    await this.troupe.stop({ grace: 0 })
    expect(this.takeLines(), 'log lines that no test took').toEqual([])
  }
}

export function useStand(): Stand {
  const stand = new Stand()
  beforeEach(() => stand.open())
  afterEach(() => stand.close())
  return stand
}

export interface Asked extends Omit<RequestOptions, 'headers'> {
  readonly headers?: Record<string, string>
  /** Sent as JSON, or as it is when it is text. */
  readonly body?: unknown
}

/** One request over a socket, with exactly these headers and this path. */
export function ask(
  url: string, method: string, path: string, { body, headers = {}, ...more }: Asked = {},
): Promise<Answered> {
  const { hostname, port } = new URL(url)
  const text = body === undefined ? undefined : typeof body === 'string' || body instanceof Buffer
    ? body : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      hostname, port, method, path, ...more,
      headers: {
        ...(text === undefined ? {} : {
          'content-type': 'application/json', 'content-length': Buffer.byteLength(text),
        }),
        ...headers,
      },
    }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => { chunks.push(chunk) })
      response.on('error', reject)
      response.on('end', () => {
        const whole = Buffer.concat(chunks).toString()
        const isJson = String(response.headers['content-type']).includes('application/json')
        resolve({
          status: response.statusCode ?? 0, headers: response.headers, text: whole,
          json: isJson && whole !== '' ? JSON.parse(whole) as Answered['json'] : {},
        })
      })
    })
    request.on('error', reject)
    request.end(text)
  })
}

export function get(url: string, path: string, user?: string): Promise<Answered> {
  return ask(url, 'GET', path, user === undefined ? {} : { headers: { 'x-user': user } })
}

export function post(
  url: string, path: string, body: unknown = {}, user?: string,
): Promise<Answered> {
  return ask(url, 'POST', path, {
    body, ...(user === undefined ? {} : { headers: { 'x-user': user } }),
  })
}

/** The code of an error answer. */
export function codeOf({ json }: Answered): unknown {
  return (json['error'] as { code?: unknown } | undefined)?.code
}

export interface SeenEvent {
  readonly event: string
  readonly id: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Reads server-sent events one by one. */
export class EventReader {
  readonly response: Response
  readonly close: () => void
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #decoder = new TextDecoder()
  #text = ''

  constructor(response: Response, close: () => void = () => undefined) {
    this.response = response
    this.close = close
    this.#reader = (response.body as ReadableStream<Uint8Array>).getReader()
  }

  /** The next event, or null at the end; comments and ids alone are left out. */
  async next(): Promise<SeenEvent | null> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end >= 0) {
        const block = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 2)
        const fields = new Map(block.split('\n').map((line) => {
          const colon = line.indexOf(':')
          return [line.slice(0, colon), line.slice(colon + 2)] as const
        }))
        const data = fields.get('data')
        if (data === undefined) continue
        return {
          event: fields.get('event') ?? '', id: fields.get('id') ?? '',
          data: JSON.parse(data) as SeenEvent['data'],
        }
      }
      const { done, value } = await this.#reader.read()
      if (done) return null
      this.#text += this.#decoder.decode(value, { stream: true })
    }
  }

  async take(count: number): Promise<SeenEvent[]> {
    const seen: SeenEvent[] = []
    while (seen.length < count) {
      const event = await this.next()
      if (!event) throw new Error(`the stream ended after ${seen.length} of ${count} events`)
      seen.push(event)
    }
    return seen
  }
}

/** `event jobId` of each transition. */
export function told(events: readonly SeenEvent[]): string[] {
  return events.map(({ data }) => `${String(data['event'])} ${String(data['jobId'])}`)
}
