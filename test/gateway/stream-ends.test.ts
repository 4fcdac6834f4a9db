import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Gateway, Grant } from '../../src/gateway/gateway.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'
import { codeOf, get, told, useStand } from './stand.ts'

const stand = useStand()
/** The gateway's own time: the sockets and the troupe are real. */
let env = new VirtualEnv()
const undo: (() => unknown)[] = []
beforeEach(() => { env = new VirtualEnv() })
afterEach(async () => { for (const each of undo.splice(0).reverse()) await each() })

/** A stream, byte for byte; it can stop reading. */
class RawStream {
  readonly socket: Socket
  text = ''
  isClosed = false

  constructor(port: number, path: string) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.on('data', (chunk: Buffer) => { this.text += chunk.toString() })
    this.socket.on('close', () => { this.isClosed = true })
    this.socket.on('error', () => undefined)
    this.socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
    undo.push(() => this.socket.destroy())
  }

  async until(part: string): Promise<void> {
    await expect.poll(() => this.text.includes(part), { message: part, timeout: 10_000 }).toBe(true)
  }
}

/** The gateway behind a server that lets the test see what waits in it. */
async function serve(gateway: Gateway) {
  const responses: ServerResponse[] = []
  const server = createServer((request, response) => {
    responses.push(response)
    gateway.handler(request, response)
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  undo.push(() => new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  }))
  const { port } = server.address() as AddressInfo
  return { port, url: `http://127.0.0.1:${port}`, responses }
}

async function openStreams(url: string): Promise<number> {
  return Number(/^troupe_gateway_streams (\d+)$/m.exec((await get(url, '/metrics')).text)?.[1])
}

describe('a heartbeat', () => {
  test('comes every 15 s, and says how far nothing happened', async () => {
    const { port } = await serve(stand.gateway({ env }))
    const stream = new RawStream(port, '/v1/stream?queue=photos&job=none')
    await stream.until('queue.keyframe')
    stream.text = ''
    await env.advance(14_999)
    await stand.photos.add('resize', null, { id: 'other', delay: '1h' })
    expect(stream.text).toBe('')
    await env.advance(1)
    await stream.until('\n\n')
    expect(stream.text).toBe(':\nid: photos:1\n\n')
    stream.text = ''
    await stand.photos.cancel('other')
    await env.advance(15_000)
    await stream.until('\n\n')
    expect(stream.text).toBe(':\nid: photos:2\n\n')
  })

  test('comes to nobody when all have gone', async () => {
    const { port, url } = await serve(stand.gateway({ env }))
    const stream = new RawStream(port, '/v1/stream')
    await stream.until('queue.keyframe')
    expect(env.pendingTimers).toBeGreaterThan(0)
    stream.socket.destroy()
    await expect.poll(() => openStreams(url)).toBe(0)
    expect(env.pendingTimers).toBe(0)
  })
})

describe('a client that takes nothing', () => {
  /** Transitions that nobody reads, until they wait in the process; answers with what waits. */
  async function fill(read: (count: number) => Promise<unknown>, response?: ServerResponse) {
    const reason = 'x'.repeat(1000)
    for (let batch = 0; batch < 60; batch += 1) {
      await stand.photos.addMany(Array.from({ length: 400 }, () => ({ task: 'hang' })))
      await stand.photos.cancelMany({}, { reason })
      // Sends what waits for the next tick.
      await env.advance(20)
      await read(800)
      if (response?.writableNeedDrain) return response.writableLength
    }
    throw new Error('the buffers of the system took everything')
  }

  test('costs what waited when it stopped, and is cut after a minute', async () => {
    const { port, url, responses } = await serve(stand.gateway({ env }))
    const witness = await stand.stream(`${url}/v1/stream`)
    await witness.take(1)
    const silent = new RawStream(port, '/v1/stream')
    await silent.until('queue.keyframe')
    silent.socket.pause()
    const read = (count: number): Promise<unknown> => witness.take(count)
    const waiting = await fill(read, responses[1])
    expect(waiting).toBeLessThan(2 * 1024 * 1024)
    for (let again = 0; again < 3; again += 1) {
      await fill(read, responses[1])
      expect(responses[1]?.writableLength).toBeLessThanOrEqual(waiting)
    }
    expect(await openStreams(url)).toBe(2)
    // Four heartbeats that it did not take.
    await env.advance(59_999 - env.monotonic())
    expect(await openStreams(url)).toBe(2)
    await env.advance(1)
    expect(await openStreams(url)).toBe(1)
    // It learns of that as soon as it reads again.
    silent.socket.resume()
    await expect.poll(() => silent.isClosed).toBe(true)
    expect(silent.text).not.toContain('queue.closing')
    await stand.photos.add('resize', null, { id: 'last', delay: '1h' })
    await env.advance(500)
    expect(told(await witness.take(1))).toEqual(['add last'])
  })

  test('and reads again in time stays', async () => {
    const { port, url, responses } = await serve(stand.gateway({ env }))
    const witness = await stand.stream(`${url}/v1/stream`)
    await witness.take(1)
    const slow = new RawStream(port, '/v1/stream')
    await slow.until('queue.keyframe')
    for (let round = 0; round < 2; round += 1) {
      slow.socket.pause()
      await fill((count) => witness.take(count), responses[1])
      await env.advance(40_000)
      slow.text = ''
      slow.socket.resume()
      await expect.poll(() => responses[1]?.writableNeedDrain).toBe(false)
    }
    await stand.photos.add('resize', null, { id: 'last', delay: '1h' })
    await expect.poll(async () => {
      await env.advance(500)
      return slow.text.includes('"jobId":"last"')
    }).toBe(true)
    expect(await openStreams(url)).toBe(2)
  })
})

describe('a right', () => {
  const users = new Map<string, Omit<Grant, 'user'>>()
  beforeEach(() => { users.clear() })
  const authorize = ({ headers }: { readonly headers: Headers }): Grant | null => {
    const user = headers.get('x-user') ?? ''
    const grant = users.get(user)
    return grant ? { user, ...grant } : null
  }
  const options = { authorize, limits: { streamMs: 20_000 } }

  async function open(url: string, query = '') {
    const stream = await stand.stream(`${url}/v1/stream${query}`, { 'x-user': 'ann' })
    await stream.take(1)
    return stream
  }

  test('that has ended ends a stream after streamMs, and not later', async () => {
    users.set('ann', {})
    const url = await stand.listen({ env, ...options })
    const stream = await open(url)
    await env.advance(10_000)
    const second = await open(url)
    users.delete('ann')
    await env.advance(9999)
    await stand.photos.add('resize', null, { id: 'a', delay: '1h' })
    await env.advance(0)
    expect(told(await stream.take(1))).toEqual(['add a'])
    await env.advance(1)
    await stand.photos.add('resize', null, { id: 'b', delay: '1h' })
    expect(await stream.take(1)).toMatchObject([
      { event: 'queue.closing', data: { retryMs: 0 } },
    ])
    expect(await stream.next()).toBeNull()
    expect(codeOf(await get(url, '/v1/stream', 'ann'))).toBe('unauthorized')
    await env.advance(10_000)
    expect(told(await second.take(2))).toEqual(['add a', 'add b'])
    expect((await second.next())?.event).toBe('queue.closing')
    expect(await second.next()).toBeNull()
    expect(env.pendingTimers).toBe(0)
  })

  test('that has ended ends a stream of the fleet within a second more', async () => {
    users.set('ann', {})
    const url = await stand.listen({ env, ...options })
    const stream = await stand.stream(`${url}/v1/fleet/stream`, { 'x-user': 'ann' })
    expect((await stream.take(1))[0]?.event).toBe('fleet.opened')
    users.delete('ann')
    await env.advance(21_000)
    const events: (string | undefined)[] = []
    for (let event = await stream.next(); event; event = await stream.next()) {
      events.push(event.event)
    }
    expect(events.at(-1)).toBe('fleet.closing')
    expect(codeOf(await get(url, '/v1/fleet/stream', 'ann'))).toBe('unauthorized')
  })

  test('that has changed is looked at anew, and the client goes on where it was', async () => {
    users.set('ann', {})
    const url = await stand.listen({ env, ...options })
    const stream = await open(url)
    await stand.mail.add('resize', null, { id: 'm1', delay: '1h' })
    const [seen] = await stream.take(1)
    users.set('ann', { can: (_action, queue) => queue === 'photos' })
    await env.advance(20_000)
    expect((await stream.next())?.event).toBe('queue.closing')
    await stand.mail.add('resize', null, { id: 'm2', delay: '1h' })
    await stand.photos.add('resize', null, { id: 'p1', delay: '1h' })
    const again = await stand.stream(`${url}/v1/stream`, {
      'x-user': 'ann', 'last-event-id': seen?.id ?? '',
    })
    expect(told(await again.take(1))).toEqual(['add p1'])
  })
})
