import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTroupe, memoryStore } from 'troupe'
import type { TasksOf } from 'troupe'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { RemoteTransition } from '../../src/client/remote-queue.ts'
import type { Client, Connection } from '../../src/client/connect.ts'
import { createGateway } from '../../src/gateway/gateway.ts'
import { cuttableProxy } from './cuttable-proxy.ts'
import { connectTo, declareImages, Gates, serveImages } from './gateway-fixture.ts'
import type { Images } from './gateway-fixture.ts'

const jobCount = 1000

/** Checks that they are whole and in order, and answers when so many have completed. */
function collect(
  stream: { subscribe: (observer: object) => unknown }, completed = jobCount,
): { readonly seen: RemoteTransition[]; readonly done: Promise<void> } {
  const seen: RemoteTransition[] = []
  let left = completed
  const done = new Promise<void>((resolve, reject) => {
    stream.subscribe({
      next: (transition: RemoteTransition) => {
        seen.push(transition)
        if (transition.to === 'completed' && (left -= 1) === 0) resolve()
      },
      error: reject,
    })
  })
  return { seen, done }
}

function expectWhole(seen: readonly RemoteTransition[]): void {
  const first = seen[0]?.seq ?? 0
  expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, index) => first + index))
  expect(seen.some(({ skipped }) => skipped !== undefined)).toBe(false)
}

/** The same numbers each time. */
function chance(): () => number {
  let state = 42
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

describe('a client whose connection breaks', () => {
  test('200 times in 1,000 jobs sees every transition once and in order', async () => {
    const { url, images } = await serveImages()
    const proxy = await cuttableProxy(() => Number(new URL(url).port))
    onTestFinished(() => proxy.close())
    const client = connectTo(proxy.url, { retry: { delay: 1, maxDelay: 4 } })
    const { seen, done } = collect(client.observe({ queue: 'images' }))
    let breaks = 0
    client.connection$.subscribe((state) => { if (state === 'lost') breaks += 1 })
    const random = chance()
    for (let count = 0; count < jobCount; count += 5) {
      await until(client, 'open')
      await images.addMany(Array.from({ length: 5 }, (_, n) =>
        ({ task: 'resize' as const, input: { file: `${count + n}`, width: 1 } })))
      // Anywhere: before the first event, between two, in the middle of one.
      const turns = Math.floor(random() * 20)
      for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate)
      proxy.cut()
      await until(client, 'lost')
    }
    await done
    expect(breaks).toBeGreaterThanOrEqual(200)
    expect(seen).toHaveLength(jobCount * 3)
    expectWhole(seen)
  }, 60_000)

  test('whose gateway restarts under it, on the same port and store', async () => {
    const store = memoryStore()
    const gates = new Gates()
    const serve = async (port: number) => {
      const troupe = await createTroupe({ store })
      const images = declareImages(troupe, gates)
      const gateway = createGateway(troupe)
      const { url } = await gateway.listen({ port })
      await troupe.start()
      const stop = async (): Promise<void> => {
        await gateway.close()
        await troupe.stop()
      }
      return { images, url, stop }
    }
    let server = await serve(0)
    onTestFinished(() => server.stop())
    const { url } = server
    const port = Number(new URL(url).port)
    const client = connectTo(url, { retry: { delay: 5, maxDelay: 20, tries: 100 } })
    const images = client.queue<TasksOf<Images>>('images')
    const { seen, done } = collect(images.transitions$, 200)
    await until(client, 'open')
    const followed = await images.add('resize', { file: 'first', width: 1 }, { delay: '300ms' })
    const result = followed.result()
    for (let round = 0; round < 5; round += 1) {
      const specs = Array.from({ length: 40 - (round === 0 ? 1 : 0) }, (_, n) =>
        ({ task: 'resize' as const, input: { file: `${round}-${n}`, width: 1 } }))
      await server.images.addMany(specs)
      await server.stop()
      server = await serve(port)
    }
    // Added through the gateway, which may not be back yet.
    expect(await result).toEqual({ output: 'first@1' })
    await done
    expectWhole(seen)
    expect(seen.filter(({ to }) => to === 'completed')).toHaveLength(200)
  }, 60_000)

  test('that adds while the answer is lost makes one job, and knows it for its own', async () => {
    const { url, images } = await serveImages({ start: false })
    let posts = 0
    const flaky = async (target: string, init: RequestInit): Promise<Response> => {
      const response = await fetch(target, init)
      if (init.method !== 'POST' || (posts += 1) > 2) return response
      await response.arrayBuffer()
      throw new TypeError('the connection broke')
    }
    const client = connectTo(url, { fetch: flaky })
    const job = await client.queue('images').add('nothing')
    expect(posts).toBe(3)
    expect(job).toMatchObject({ created: true, foundIn: null })
    expect(await images.counts()).toMatchObject({ queued: 1 })
    const own = await client.queue('images').add('nothing', null, { id: job.id })
    expect(own.created).toBe(false)
  })

  test('what is not safe to repeat is not repeated', async () => {
    let asked = 0
    const client = connectTo('http://localhost:1', {
      fetch: () => {
        asked += 1
        return Promise.reject(new TypeError('refused'))
      },
      retry: { tries: 3, delay: 1 },
    })
    const images = client.queue('images')
    expect(await images.retry('a').catch((error: unknown) => error))
      .toMatchObject({ code: 'unreachable', details: { problem: 'refused' } })
    expect(asked).toBe(1)
    await expect(images.counts()).rejects.toThrow('no answer')
    expect(asked).toBe(5)
  })

  test('a silent connection is given up after 40 s, and made anew', async () => {
    let requests = 0
    const server = createServer((_request, response) => {
      requests += 1
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('event: queue.keyframe\nid: images:0\ndata: {"why":"opened","counts":{}}\n\n')
    })
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const timers = new Set<{ delayMs: number; action: () => void }>()
    const { port } = server.address() as AddressInfo
    const states: string[] = []
    const client = connectTo(`http://127.0.0.1:${port}`, {
      env: {
        after(delayMs, action) {
          const timer = { delayMs, action }
          timers.add(timer)
          if (delayMs < 40_000) setImmediate(() => { if (timers.delete(timer)) action() })
          return { cancel: () => { timers.delete(timer) } }
        },
        random: () => 0, id: () => 'id', onNetwork: () => () => undefined,
      },
    })
    client.observe().subscribe(() => undefined)
    const twice = new Promise<void>((resolve) => {
      client.connection$.subscribe((state) => {
        states.push(state)
        if (states.filter((each) => each === 'open').length === 2) resolve()
        else if (state === 'open') {
          setImmediate(() => {
            for (const { delayMs, action } of [...timers]) if (delayMs === 40_000) action()
          })
        }
      })
    })
    await twice
    expect(states).toEqual(['idle', 'open', 'lost', 'open'])
    expect(requests).toBe(2)
  })

  test('a refusal ends the stream with an error, and is not asked again', async () => {
    const { client } = await serveImages()
    const error = await new Promise((resolve) => {
      client.observe({ queue: 'no-such-queue' }).subscribe({ error: resolve })
    })
    expect(error).toMatchObject({
      code: 'gateway-refused', details: { code: 'unknown-queue', status: 404 },
    })
  })
})

async function until(client: Client, wanted: Connection): Promise<void> {
  for await (const connection of client.connection$) if (connection === wanted) return
}
