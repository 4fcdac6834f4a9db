import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Env } from '../env.ts'
import type { Answer, BodyLimits, Exchange, Sink } from './exchange.ts'
import { isLoopbackAddress } from './guards.ts'
import { Refusal } from './refusal.ts'

/** What routers and body parsers put on a request. */
interface Extras {
  /** Where Express has mounted the handler: it has taken that off the URL. */
  readonly baseUrl?: unknown
  /** Express's parsed body. */
  readonly body?: unknown
}

/** How long the rest of a body that was refused is still read, so that the answer gets through. */
const lingerMs = 1000
const smallRest = 64 * 1024

/** A request of node:http as the porter takes it. */
export function toExchange(raw: IncomingMessage, basePath: string, env: Env): Exchange {
  const { baseUrl, body } = raw as Extras
  const url = raw.url ?? '/'
  const mark = url.indexOf('?')
  const path = mark === -1 ? url : url.slice(0, mark)
  const isStripped = typeof baseUrl === 'string' && baseUrl !== ''
  const headers = new Headers()
  let headerBytes = url.length
  for (let index = 0; index + 1 < raw.rawHeaders.length; index += 2) {
    const name = raw.rawHeaders[index] ?? ''
    const value = raw.rawHeaders[index + 1] ?? ''
    headerBytes += name.length + value.length + 4
    append(headers, name, value)
  }
  const remoteAddress = raw.socket.remoteAddress ?? null
  return {
    request: {
      method: raw.method ?? 'GET',
      path: strip(path, isStripped ? '' : basePath),
      query: new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1)),
      headers, remoteAddress, raw,
    },
    headerBytes,
    isLoopback: isLoopbackAddress(remoteAddress),
    readBody: (limits) => (body !== undefined && raw.readableEnded
      ? parsedBody(body, limits) : readBody(raw, limits, env)),
  }
}

/** The path behind the place where the gateway is, empty at it; what is elsewhere leads nowhere. */
export function strip(path: string, basePath: string): string {
  if (basePath === '') return path === '' ? '/' : path
  if (path === basePath) return ''
  return path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : `//${path}`
}

/** Node lets pass what `Headers` refuses. */
function append(headers: Headers, name: string, value: string): void {
  try {
    headers.append(name, value)
  } catch {
    throw new Refusal('headers-too-large', 'a header makes no sense')
  }
}

/** Somebody has read and parsed it before: express.json() and the like. */
async function parsedBody(body: unknown, limits: BodyLimits): Promise<Uint8Array> {
  const bytes = body instanceof Uint8Array
    ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  if (bytes.length > limits.bodyBytes) throw tooLarge(limits)
  return bytes
}

function readBody(raw: IncomingMessage, limits: BodyLimits, env: Env): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (Number(raw.headers['content-length'] ?? 0) > limits.bodyBytes) {
      reject(tooLarge(limits))
      return
    }
    const chunks: Buffer[] = []
    let size = 0
    const timer = env.after(limits.bodyMs, () => { settle(() => { reject(slow(limits)) }) })
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > limits.bodyBytes) settle(() => { reject(tooLarge(limits)) })
      else chunks.push(chunk)
    }
    const onEnd = (): void => { settle(() => { resolve(Buffer.concat(chunks)) }) }
    const onClose = (): void => {
      settle(() => { reject(new Refusal('invalid-body', 'the body broke off')) })
    }
    const settle = (how: () => void): void => {
      timer.cancel()
      raw.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
      how()
    }
    raw.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
  })
}

function tooLarge({ bodyBytes }: BodyLimits): Refusal {
  return new Refusal('body-too-large', `the body has more than ${bodyBytes} bytes`, {
    limit: bodyBytes,
  })
}

function slow({ bodyMs }: BodyLimits): Refusal {
  return new Refusal('slow-body', `the body had not come after ${bodyMs} ms`, { limitMs: bodyMs })
}

/** Sends an answer; a response that somebody else has ended is left alone. */
export function send(
  raw: IncomingMessage, response: ServerResponse, answer: Answer, env: Env,
): void {
  if (response.headersSent || response.destroyed) return
  response.statusCode = answer.status
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value)
  if ('stream' in answer) {
    // Without chunks: each write is one, of bytes that all clients share. The end is the end of
    // the connection.
    response.removeHeader('transfer-encoding')
    response.setHeader('connection', 'close')
    response.flushHeaders()
    raw.socket.setNoDelay(true)
    raw.socket.setTimeout(0)
    answer.stream(new ResponseSink(response))
    return
  }
  const bytes = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  if (answer.status !== 204) response.setHeader('content-length', bytes.length)
  if (!raw.readableEnded && hasBody(raw)) linger(raw, response, env)
  response.end(raw.method === 'HEAD' ? undefined : bytes)
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Bytes that nobody reads would reset the connection before the other end has the answer. */
function linger(raw: IncomingMessage, response: ServerResponse, env: Env): void {
  const length = Number(raw.headers['content-length'] ?? Number.NaN)
  // A small rest is read to its end, and the connection goes on.
  if (!(length <= smallRest)) response.setHeader('connection', 'close')
  raw.resume()
  raw.on('error', () => undefined)
  const timer = env.after(lingerMs, () => { raw.socket.destroy() })
  raw.once('end', () => { timer.cancel() })
  raw.once('close', () => { timer.cancel() })
}

class ResponseSink implements Sink {
  onDrain = (): void => undefined
  onClose = (): void => undefined
  readonly #response: ServerResponse
  #isClosed = false

  constructor(response: ServerResponse) {
    this.#response = response
    response.on('drain', () => { this.onDrain() })
    response.on('close', () => { this.#close() })
    // What was written to somebody who has gone.
    response.on('error', () => { this.#close() })
  }

  write(bytes: Uint8Array): boolean {
    return this.#isClosed || this.#response.write(bytes)
  }

  end(): void {
    this.#response.end()
    this.#close()
  }

  destroy(): void {
    this.#response.destroy()
    this.#close()
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.onClose()
  }
}
