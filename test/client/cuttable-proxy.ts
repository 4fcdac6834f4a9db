import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** A TCP proxy whose connections can be cut, and which can be deaf for a while. */
export interface CuttableProxy {
  readonly url: string
  /** Connections that were made to it so far. */
  readonly accepted: number
  /** Breaks all connections off, without a word. */
  cut(): void
  /** While false, connections are refused as soon as they are made. */
  open: boolean
  close(): Promise<void>
}

/** Leads to `port()`, asked for each connection. */
export async function cuttableProxy(port: () => number): Promise<CuttableProxy> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('close', () => { sockets.delete(socket) }).on('error', () => { socket.destroy() })
  }
  let accepted = 0
  const proxy = { open: true, get accepted() { return accepted } }
  const server = createServer((socket) => {
    accepted += 1
    keep(socket)
    if (!proxy.open) {
      socket.destroy()
      return
    }
    const target = connect(port(), '127.0.0.1')
    keep(target)
    socket.pipe(target).pipe(socket)
    socket.on('close', () => { target.destroy() })
    target.on('close', () => { socket.destroy() })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const cut = (): void => { for (const socket of sockets) socket.resetAndDestroy() }
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    close: () => new Promise<void>((resolve) => {
      cut()
      server.close(() => { resolve() })
    }),
  })
}
