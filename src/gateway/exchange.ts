import type { IncomingMessage } from 'node:http'

/** A request as `authorize` sees it, whichever door it came through. */
export interface GatewayRequest {
  readonly method: string
  /** Behind the place where the gateway is mounted: `/v1/queues`. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Headers
  /** The other end of the socket; null where there is none to look at, as behind `fetch`. */
  readonly remoteAddress: string | null
  /** What the server gave: an `IncomingMessage`, with what middleware put on it, or a `Request`. */
  readonly raw: IncomingMessage | Request
}

/** A request, and how to read its body. */
export interface Exchange {
  readonly request: GatewayRequest
  /** The length of URL and headers in bytes. */
  readonly headerBytes: number
  /** Whether the other end is this machine, as far as a socket can tell. */
  readonly isLoopback: boolean
  /** Reads the body; rejects with `body-too-large` or `slow-body`. */
  readBody(limits: BodyLimits): Promise<Uint8Array>
}

export interface BodyLimits {
  readonly bodyBytes: number
  readonly bodyMs: number
}

/** Where a stream is written to. */
export interface Sink {
  /** False when the other end does not keep up: `onDrain` is called when it does again. */
  write(bytes: Uint8Array): boolean
  end(): void
  /** Ends at once, whatever was not sent yet. */
  destroy(): void
  onDrain: () => void
  /** Called once, when the other end has gone or `end` was called. */
  onClose: () => void
}

export type AnswerHeaders = Readonly<Record<string, string>>

/** An answer on its way to a door. */
export type Answer =
  | { readonly status: number; readonly headers: AnswerHeaders; readonly body: string | Uint8Array }
  | {
      readonly status: number
      readonly headers: AnswerHeaders
      /** Called when the head is sent. */
      readonly stream: (sink: Sink) => void
    }
