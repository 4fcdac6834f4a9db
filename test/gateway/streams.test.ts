import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Gateway } from '../../src/gateway/gateway.ts'
import { createGateway } from '../../src/gateway/gateway.ts'
import { useStage } from '../support/stage.ts'
import { codeOf, EventReader, get, told, useStand } from './stand.ts'

const stand = useStand()
const virtual = useStage()
const undo: (() => Promise<void>)[] = []
afterEach(async () => { for (const each of undo.splice(0)) await each() })

const ids = (count: number, prefix = 'j'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

async function add(names: readonly string[], partition?: string): Promise<void> {
  await stand.photos.addMany(names.map((id) =>
    ({ task: 'resize', id, delay: '1h' as const, ...(partition ? { partition } : {}) })))
}

describe('a stream', () => {
  test('begins with a place, and tells each transition once and in order', async () => {
    const url = await stand.listen()
    await add(ids(3))
    const stream = await stand.stream(`${url}/v1/stream`)
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream')
    const [opened] = await stream.take(1)
    expect(opened).toMatchObject({
      event: 'queue.keyframe', id: 'photos:3,mail:0',
      data: { why: 'opened', counts: { photos: { queued: 3 }, mail: { queued: 0 } } },
    })
    await add(['a'])
    await stand.photos.cancel('a', 'by password=hunter2')
    await stand.photos.remove('a')
    const seen = await stream.take(3)
    expect(told(seen)).toEqual(['add a', 'cancel a', 'remove a'])
    expect(seen.map(({ data }) => data['seq'])).toEqual([4, 5, 6])
    expect(seen[1]?.data['reason']).toBe('by password=[redacted]')
    expect(seen[2]).toMatchObject({ id: 'photos:6,mail:0', data: { to: null } })
    expect(seen[2]?.data).not.toHaveProperty('cursor')
  })

  test('is filtered by queue, job, task, state, partition and meta', async () => {
    const url = await stand.listen()
    const open = async (query: string) => {
      const stream = await stand.stream(`${url}/v1/stream?${query}`)
      await stream.take(1)
      return stream
    }
    const queries = [
      'queue=mail', 'job=x,b', 'task=report', 'state=cancelled', 'partition=p', 'meta.level=2',
      'meta.level=2&partition=p',
    ]
    const streams = await Promise.all(queries.map(open))
    const options = { delay: '1h' } as const
    await stand.photos.add('resize', null, { ...options, id: 'a' })
    await stand.photos.add('report', null, { ...options, id: 'b' })
    await stand.mail.add('resize', null, { ...options, id: 'c' })
    await stand.photos.cancel('a')
    await stand.photos.add('resize', null, { ...options, id: 'd', partition: 'p' })
    await stand.photos.add('resize', null, { ...options, id: 'e', meta: { level: 2 } })
    await stand.photos.add('resize', null, {
      ...options, id: 'f', meta: { level: 2, of: 1 }, partition: 'p',
    })
    const expected = [
      ['add c'], ['add b'], ['add b'], ['cancel a'], ['add d', 'add f'], ['add e', 'add f'],
      ['add f'],
    ]
    for (const [index, stream] of streams.entries()) {
      const lines = expected[index] ?? []
      expect(told(await stream.take(lines.length)), queries[index]).toEqual(lines)
    }
    for (const query of ['state=gone', 'queues=a', 'job=', 'partition=']) {
      expect(codeOf(await get(url, `/v1/stream?${query}`)), query).toBe('invalid-option')
    }
    expect(codeOf(await get(url, '/v1/stream?queue=gone'))).toBe('unknown-queue')
  })

  test('resumes behind any event, from memory and from the log', async () => {
    const url = await stand.listen()
    // More than is kept in memory, so that the first places are in the log only.
    const stream = await stand.stream(`${url}/v1/stream?queue=photos`)
    await stream.take(1)
    for (let batch = 0; batch < 5; batch += 1) await add(ids(1000, `b${batch}-`))
    const all = await stream.take(5000)
    for (const index of [0, 903, 4500, 4999]) {
      const again = await stand.stream(`${url}/v1/stream?queue=photos`, {
        'last-event-id': all[index]?.id ?? '',
      })
      await add([`after-${index}`])
      const rest = all.slice(index + 1)
      expect(told(await again.take(rest.length))).toEqual(told(rest))
      const late = await again.take(1)
      expect(told(late)[0]).toMatch(/^add after-/)
      again.close()
    }
  })

  test('resumes while it goes on, with no gap and nothing twice', async () => {
    const url = await stand.listen()
    const first = await stand.stream(`${url}/v1/stream`)
    const from = (await first.take(1))[0]?.id ?? ''
    for (let batch = 0; batch < 5; batch += 1) await add(ids(1000, `old${batch}-`))
    const streams = await Promise.all(ids(4).map((_, index) => (index % 2
      ? stand.stream(`${url}/v1/stream?partition=p&from=${encodeURIComponent(from)}`)
      : stand.stream(`${url}/v1/stream`, { 'last-event-id': from }))))
    for (let round = 0; round < 200; round += 1) {
      await stand.photos.add('resize', null, { id: `r${round}`, partition: 'p', delay: '1h' })
    }
    for (const [index, stream] of streams.entries()) {
      const count = index % 2 ? 200 : 5200
      const seqs = (await stream.take(count)).map(({ data }) => data['seq'])
      const start = index % 2 ? 5001 : 1
      expect(seqs).toEqual(Array.from({ length: count }, (_, at) => start + at))
    }
  })

  test('joins others that have not been told yet, and hears nothing twice', async () => {
    const gateway = stand.gateway({ authorize: () => ({ user: 'a' }) })
    const open = async (query: string) => new EventReader(
      await gateway.fetch(new Request(`http://a.test/v1/stream?queue=photos${query}`)),
    )
    await (await open('')).take(1)
    for (let round = 1; round <= 10; round += 1) {
      await add([`x${round}`])
      await add([`y${round}`])
      const late = await open('&from=photos:0')
      await add([`z${round}`])
      const seqs = (await late.take(round * 3)).map(({ data }) => data['seq'])
      expect(seqs).toEqual(Array.from({ length: round * 3 }, (_, index) => index + 1))
    }
  })

  test('goes on with a keyframe behind a cursor that is none of this log', async () => {
    const url = await stand.listen()
    await add(['a'])
    for (const last of ['nonsense', 'photos:99999', 'photos:1:2', '%%%', 'photos:-1']) {
      const stream = await stand.stream(`${url}/v1/stream`, { 'last-event-id': last })
      const [frame] = await stream.take(1)
      expect(frame?.data['why'], last).toBe('invalid-cursor')
      await add([`after-${last.length}`])
      expect(told(await stream.take(1))).toEqual([`add after-${last.length}`])
    }
  })

  test('goes on with a keyframe behind a cursor that is too old', async () => {
    const { env, store } = virtual
    const troupe = await virtual.open()
    const queue = troupe.queue('short', { retention: { log: 5 } })
    const gateway = createGateway(troupe, { authorize: () => ({ user: 'a' }) })
    await troupe.start()
    await queue.addMany(ids(50).map((id) => ({ task: 'resize', id })) as never)
    await env.advance(120_000)
    expect((await store.readLog('short', 0, 1)).oldest).toBeGreaterThan(2)
    const response = await gateway.fetch(new Request('http://a.test/v1/stream?from=short:1'))
    const [frame] = await new EventReader(response).take(1)
    expect(frame?.data['why']).toBe('cursor-too-old')
    await gateway.close()
    await env.settle()
  })

  test('ends with a word when the gateway closes', async () => {
    const gateway = stand.gateway()
    const { url } = await gateway.listen({ port: 0 })
    const stream = await stand.stream(`${url}/v1/stream`)
    await stream.take(1)
    await gateway.close()
    expect(await stream.next()).toMatchObject({
      event: 'queue.closing', data: { retryMs: expect.any(Number) },
    })
    expect(await stream.next()).toBeNull()
  })

  test('ends with a word when the troupe stops', async () => {
    const url = await stand.listen()
    const stream = await stand.stream(`${url}/v1/stream`)
    await stream.take(1)
    await stand.troupe.stop()
    expect((await stream.next())?.event).toBe('queue.closing')
    expect(await stream.next()).toBeNull()
  })
})

describe('a slow client', () => {
  /** A stream that nobody reads until somebody does; 64 KiB wait in it. */
  async function unread(gateway: Gateway): Promise<EventReader> {
    const response = await gateway.fetch(new Request('http://localhost/v1/stream?queue=photos'))
    return new EventReader(response)
  }
  const authorize = () => ({ user: 'a' })

  test('is told the latest of each job, and how many it was spared', async () => {
    const gateway = stand.gateway({ authorize })
    const witness = await stand.stream(`${(await gateway.listen({ port: 0 })).url}/v1/stream`)
    await witness.take(1)
    const slow = await unread(gateway)
    await add(ids(400, 'fill'))
    await witness.take(400)
    await add(['a', 'b'])
    for (let round = 0; round < 5; round += 1) {
      await stand.photos.cancel('a')
      await stand.photos.retry('a')
    }
    await stand.photos.remove('b')
    await witness.take(2 + 10 + 1)
    const seen = await slow.take(1 + 400 + 2)
    expect(seen.slice(-2).map(({ data }) => [data['jobId'], data['event'], data['skipped']]))
      .toEqual([['a', 'retry', 10], ['b', 'remove', 1]])
    await stand.photos.remove('a')
    expect(told(await slow.take(1))).toEqual(['remove a'])
  })

  test('is told to ask anew when it fell behind, and what waits for it is bounded', async () => {
    const responses: ServerResponse[] = []
    const gateway = stand.gateway()
    const server = createServer((request, response) => {
      responses.push(response)
      gateway.handler(request, response)
    })
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    undo.push(() => new Promise((resolve) => { server.close(() => { resolve() }) }))
    const { port } = server.address() as AddressInfo
    const witness = await stand.stream(`http://127.0.0.1:${port}/v1/stream`)
    await witness.take(1)
    const socket = connect(port, '127.0.0.1')
    const opened = new Promise<void>((resolve) => { socket.once('data', () => { resolve() }) })
    socket.write('GET /v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await opened
    socket.pause()
    // Far more than the kernel's buffers take.
    let waiting = 0
    const long = 'x'.repeat(1000)
    for (let batch = 0, full = 0; batch < 40 && full < 4; batch += 1) {
      await add(ids(400, `b${batch}-`))
      await stand.photos.cancelMany({}, { reason: long })
      await witness.take(800)
      waiting = Math.max(waiting, responses[1]?.writableLength ?? 0)
      if (responses[1]?.writableNeedDrain) full += 1
    }
    expect(responses[1]?.writableNeedDrain).toBe(true)
    expect(waiting).toBeLessThan(2 * 1024 * 1024)
    let text = ''
    const caughtUp = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        text = (text + chunk.toString()).slice(-4000)
        if (text.includes('"why":"fell-behind"')) resolve()
      })
    })
    socket.resume()
    await caughtUp
    await add(['last'])
    while (!text.includes('"jobId":"last"')) {
      await new Promise((resolve) => { socket.once('data', resolve) })
    }
    socket.destroy()
    witness.close()
  })
})
