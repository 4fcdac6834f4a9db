import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { invalidOption, TroupeErrorOf } from '../errors.ts'
import { integer } from '../records/options.ts'
import { checkNames } from '../orchestrator/tasks.ts'
import { isLoopbackAddress } from './guards.ts'
import type { Limits } from './limits.ts'

export interface ListenOptions {
  /** Default 7070; 0 takes a free one. */
  readonly port?: number
  /** Default `'127.0.0.1'`. */
  readonly host?: string
}

/** A gateway that listens. */
export interface Listening {
  /** `http://127.0.0.1:7070`. */
  readonly url: string
  readonly port: number
  /** `close` of the gateway. */
  close(): Promise<void>
}

export function parseListen(
  options: ListenOptions, isOpenToAll: boolean,
): { readonly port: number; readonly host: string; readonly isLoopback: boolean } {
  checkNames(options, ['port', 'host'], 'listen')
  const port = integer(options.port ?? 7070, 'listen.port', 0, 65_535)
  const { host = '127.0.0.1' } = options
  if (typeof host !== 'string' || host === '') {
    throw invalidOption('listen.host', 'an address or a name', host)
  }
  const isLoopback = host === 'localhost' || isLoopbackAddress(host)
  if (!isLoopback && isOpenToAll) {
    const expected = 'a loopback address such as 127.0.0.1, or beside authorize or token'
    throw new TroupeErrorOf(
      'invalid-option',
      `listen.host: ${host} can be reached by others, and nothing says who they are. Give ` +
        "createGateway authorize or a token, or listen on '127.0.0.1'",
      { path: 'listen.host', expected, received: JSON.stringify(host.slice(0, 100)) },
    )
  }
  return { port, host, isLoopback }
}

/** Connections that wait to be accepted: a thousand clients may come back at once. */
const backlog = 2048

/** A server of node:http that does not wait for ever. */
export class Listener {
  readonly #server: Server

  constructor(
    { headerBytes, bodyMs }: Limits,
    handle: (request: IncomingMessage, response: ServerResponse) => void,
  ) {
    this.#server = createServer({
      // A little more, so that who sends too much is told so.
      maxHeaderSize: headerBytes + 4096,
      headersTimeout: 10_000,
      requestTimeout: bodyMs + 20_000,
      keepAliveTimeout: 10_000,
    }, handle)
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address ? address.port : 0
  }

  /** Answers with the URL. */
  open(port: number, host: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ port, host, backlog }, () => {
        this.#server.off('error', reject)
        resolve(`http://${host.includes(':') ? `[${host}]` : host}:${this.port}`)
      })
    })
  }

  /** Takes no more; resolves when all connections are closed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => { resolve() })
      this.#server.closeIdleConnections()
    })
  }

  destroy(): void {
    this.#server.closeAllConnections()
  }
}
