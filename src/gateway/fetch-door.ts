import type { Env } from '../env.ts'
import type { Answer, BodyLimits, Exchange, Sink } from './exchange.ts'
import { strip } from './node-door.ts'
import { Refusal } from './refusal.ts'

/** Bytes that wait for a reader before it counts as slow. */
const highWaterMark = 64 * 1024

/** A `Request` as the porter takes it: there is no socket to be looked at. */
export function toFetchExchange(raw: Request, basePath: string, env: Env): Exchange {
  const url = new URL(raw.url)
  const { headers, method } = raw
  let headerBytes = raw.url.length
  for (const [name, value] of headers) headerBytes += name.length + value.length + 4
  const named = new Headers(headers)
  // Servers that make a Request out of what came may keep the name in its URL only.
  if (!named.has('host')) named.set('host', url.host)
  return {
    request: {
      method, path: strip(url.pathname, basePath), query: url.searchParams, headers: named,
      remoteAddress: null, raw,
    },
    headerBytes,
    isLoopback: false,
    readBody: (limits) => readBody(raw, limits, env),
  }
}

async function readBody(raw: Request, limits: BodyLimits, env: Env): Promise<Uint8Array> {
  const reader = (raw.body as ReadableStream<Uint8Array> | null)?.getReader()
  if (!reader) return new Uint8Array()
  let timedOut = (_error: Refusal): void => undefined
  const late = new Promise<never>((_resolve, reject) => { timedOut = reject })
  const timer = env.after(limits.bodyMs, () => {
    const message = `the body had not come after ${limits.bodyMs} ms`
    timedOut(new Refusal('slow-body', message, { limitMs: limits.bodyMs }))
  })
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late])
      if (done) return Buffer.concat(chunks)
      size += value.length
      if (size > limits.bodyBytes) {
        throw new Refusal('body-too-large', `the body has more than ${limits.bodyBytes} bytes`, {
          limit: limits.bodyBytes,
        })
      }
      chunks.push(value)
    }
  } catch (error) {
    reader.cancel().catch(() => undefined)
    throw error instanceof Refusal
      ? error : new Refusal('invalid-body', 'the body broke off')
  } finally {
    timer.cancel()
  }
}

/** An answer as a `Response`. `done` is called when its stream has ended. */
export function toResponse(raw: Request, answer: Answer, done: () => void): Response {
  const { status, headers } = answer
  if (!('stream' in answer)) {
    done()
    const isEmpty = raw.method === 'HEAD' || status === 204
    const { body } = answer
    const whole = typeof body === 'string' ? body : new Uint8Array(body)
    return new Response(isEmpty ? null : whole, { status, headers })
  }
  const sink = new StreamSink(done)
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      sink.begin(controller)
      answer.stream(sink)
    },
    pull: () => { sink.onDrain() },
    cancel: () => { sink.destroy() },
  }, { highWaterMark, size: (chunk) => chunk?.byteLength ?? 0 })
  raw.signal.addEventListener('abort', () => { sink.destroy() })
  return new Response(body, { status, headers })
}

class StreamSink implements Sink {
  onDrain = (): void => undefined
  onClose = (): void => undefined
  readonly #done: () => void
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null
  #isClosed = false

  constructor(done: () => void) {
    this.#done = done
  }

  begin(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isClosed || !this.#controller) return true
    this.#controller.enqueue(bytes)
    return (this.#controller.desiredSize ?? 1) > 0
  }

  end(): void {
    this.#close(() => { this.#controller?.close() })
  }

  destroy(): void {
    // A reader that has gone has closed it already.
    this.#close(() => { this.#controller?.error(new Error('the stream was cut')) })
  }

  #close(how: () => void): void {
    if (this.#isClosed) return
    this.#isClosed = true
    try {
      how()
    } catch {
      // Cancelled by its reader: nothing is left to close.
    }
    this.onClose()
    this.#done()
  }
}
