import { createServer, connect } from 'node:net'
import type { Server, Socket } from 'node:net'

/** One connection of a client, with the one to the server that belongs to it. */
class Link {
  readonly client: Socket
  readonly server: Socket
  /** What the client has sent, as far as it is worth remembering. */
  said = ''
  #late: Promise<void> = Promise.resolve()

  constructor(client: Socket, server: Socket) {
    this.client = client
    this.server = server
  }

  note(bytes: Buffer): void {
    this.said = (this.said + bytes.toString('latin1')).slice(-4096)
  }

  /** After `ms`, and after all that was to be done before. */
  later(ms: number, action: () => void): void {
    if (ms === 0 && this.#late === idle) return action()
    const waited = new Promise<void>((done) => { setTimeout(done, ms) })
    const done = this.#late.then(() => waited).then(action)
    this.#late = done
    void done.then(() => { if (this.#late === done) this.#late = idle })
  }

  cut(): void {
    this.client.resetAndDestroy()
    this.server.resetAndDestroy()
  }
}

const idle: Promise<void> = Promise.resolve()

/** Stands between clients and a server, and does what networks do. */
export class TcpProxy {
  /** That of the server, but through the proxy. */
  readonly url: string
  readonly #port: number
  readonly #target: { readonly host: string; readonly port: number }
  readonly #listener: Server
  readonly #links = new Set<Link>()
  #delayMs = 0
  #swallows = false
  #refused: RegExp | null = null
  /** How many connections were cut for what they said. */
  refusals = 0

  private constructor(listener: Server, port: number, target: URL) {
    this.#listener = listener
    this.#port = port
    this.#target = { host: target.hostname, port: Number(target.port || 5432) }
    const url = new URL(target)
    url.hostname = '127.0.0.1'
    url.port = String(port)
    this.url = url.href
    listener.on('connection', (client) => { this.#join(client) })
  }

  static async open(url: string): Promise<TcpProxy> {
    const listener = createServer({ noDelay: true })
    await listen(listener, 0)
    const address = listener.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return new TcpProxy(listener, address.port, new URL(url))
  }

  get connections(): number {
    return this.#links.size
  }

  /** Connections whose client has sent something like this. */
  count(said: RegExp): number {
    return [...this.#links].filter((link) => said.test(link.said)).length
  }

  /** Cuts all connections, or those whose client has sent something like `said`. */
  cut(said?: RegExp): void {
    for (const link of this.#links) if (!said || said.test(link.said)) link.cut()
  }

  /** Nobody gets in any more; who is in stays. */
  async refuse(): Promise<void> {
    if (!this.#listener.listening) return
    // Answers when all connections have ended, which is not what is waited for.
    this.#listener.close()
  }

  /** Cuts every connection whose client sends something like this from now on, unheard. */
  refuseWhoSays(said: RegExp | null): void {
    this.#refused = said
  }

  /** Lets clients in again. */
  async accept(): Promise<void> {
    this.#refused = null
    if (this.#listener.listening) return
    await listen(this.#listener, this.#port)
  }

  /** Lets requests through and drops what comes back, until `cut` or `pass`. */
  swallow(): void {
    this.#swallows = true
  }

  /** All goes through, at once. Who missed an answer is cut: nothing could be made of the rest. */
  pass(): void {
    if (this.#swallows) this.cut()
    this.#swallows = false
    this.#delayMs = 0
  }

  /** Each piece takes this long, in both directions; order stays. */
  delay(ms: number): void {
    this.#delayMs = ms
  }

  async close(): Promise<void> {
    const listening = this.#listener.listening
    const closed = new Promise((done) => { this.#listener.close(done) })
    this.cut()
    if (listening) await closed
  }

  #join(client: Socket): void {
    const link = new Link(client, connect({ ...this.#target, noDelay: true }))
    this.#links.add(link)
    const { server } = link
    client.on('data', (bytes) => { this.#ask(link, bytes) })
    server.on('data', (bytes) => {
      if (!this.#swallows) link.later(this.#delayMs, () => { client.write(bytes) })
    })
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      socket.on('error', () => undefined)
      socket.on('end', () => { link.later(this.#delayMs, () => { other.end() }) })
      socket.on('close', () => {
        this.#links.delete(link)
        other.destroySoon()
      })
    }
  }

  #ask(link: Link, bytes: Buffer): void {
    link.note(bytes)
    if (this.#refused?.test(link.said)) {
      this.refusals += 1
      return link.cut()
    }
    link.later(this.#delayMs, () => { link.server.write(bytes) })
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((done, failed) => {
    server.once('error', failed)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', failed)
      done()
    })
  })
}
