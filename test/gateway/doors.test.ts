import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import { codeOf, EventReader, get, post, useStand } from './stand.ts'

const stand = useStand()
const undo: (() => Promise<unknown>)[] = []
afterEach(async () => { for (const each of undo.splice(0)) await each() })

async function serve(server: Server): Promise<string> {
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  undo.push(() => new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  }))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The same whatever stands in front of the gateway. */
async function expectService(url: string, mount: string): Promise<void> {
  expect((await get(url, `${mount}/v1`)).json['queues']).toEqual(['photos', 'mail'])
  const stream = await stand.stream(`${url}${mount}/v1/stream`)
  await stream.take(1)
  const added = await post(url, `${mount}/v1/queues/photos/jobs`, {
    task: 'resize', input: { a: 1 }, options: { id: 'j1', delay: '1h' },
  })
  expect([added.status, added.json['id']]).toEqual([201, 'j1'])
  expect((await stand.photos.get('j1'))?.input).toEqual({ a: 1 })
  expect((await stream.take(1))[0]?.data['jobId']).toBe('j1')
  stream.close()
  expect(codeOf(await get(url, `${mount}/v1/gone`))).toBe('unknown-route')
}

describe('the handler', () => {
  test('under a path of a plain server', async () => {
    const gateway = stand.gateway({ basePath: '/api/jobs' })
    const url = await serve(createServer(gateway.handler))
    await expectService(url, '/api/jobs')
    for (const path of ['/v1', '/api/jobsv1', '/api/v1']) {
      expect(codeOf(await get(url, path))).toBe('unknown-route')
    }
  })

  test.each([false, true])('under a path of Express, a parser before it: %s', async (parsed) => {
    const app = express()
    if (parsed) app.use(express.json({ limit: '2mb' }))
    app.use('/jobs', stand.gateway().handler)
    await expectService(await serve(createServer(app)), '/jobs')
  })

  test('under the path of Express that it was told of as well', async () => {
    const app = express()
    app.use('/jobs', stand.gateway({ basePath: '/jobs' }).handler)
    await expectService(await serve(createServer(app)), '/jobs')
  })

  test('in Fastify', async () => {
    const gateway = stand.gateway({ basePath: '/jobs' })
    const app = fastify({ forceCloseConnections: true })
    await app.register(async (scope) => {
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser('*', (_request, _payload, done) => { done(null) })
      scope.all('/*', (request, reply) => {
        reply.hijack()
        gateway.handler(request.raw, reply.raw)
      })
    }, { prefix: '/jobs' })
    undo.push(() => app.close())
    await expectService(await app.listen({ port: 0, host: '127.0.0.1' }), '/jobs')
    await gateway.close()
  })

  test('serves only this machine when nobody says who asks', async () => {
    const url = await serve(createServer(stand.gateway().handler))
    const { status } = await fetch(`${url}/v1`, { headers: { 'x-forwarded-for': '10.0.0.1' } })
    expect(status).toBe(401)
    expect((await get(url, '/v1')).status).toBe(200)
  })
})

describe('fetch', () => {
  const ask = (method: string, path: string, body?: unknown) =>
    new Request(`http://app.test/api${path}`, {
      method,
      ...(body === undefined ? {} : {
        body: JSON.stringify(body), headers: { 'content-type': 'application/json' },
      }),
    })

  test('refuses everybody when nobody says who asks', async () => {
    const gateway = stand.gateway({ basePath: '/api' })
    const local = await gateway.fetch(new Request('http://localhost/api/v1'))
    expect(local.status).toBe(401)
  })

  test('serves as the handler does, streams included', async () => {
    const gateway = stand.gateway({ basePath: '/api', authorize: () => ({ user: 'ann' }) })
    const hello = await gateway.fetch(ask('GET', '/v1'))
    expect(await hello.json()).toMatchObject({ user: 'ann', queues: ['photos', 'mail'] })
    const reader = new EventReader(await gateway.fetch(ask('GET', '/v1/stream')))
    await reader.take(1)
    const jobs = '/v1/queues/photos/jobs'
    const added = await gateway.fetch(ask('POST', jobs, {
      task: 'resize', options: { id: 'j1', delay: '1h' },
    }))
    expect([added.status, added.headers.get('x-content-type-options')]).toEqual([201, 'nosniff'])
    expect((await reader.take(1))[0]?.data).toMatchObject({ jobId: 'j1', by: 'ann' })
    const plain = await gateway.fetch(new Request('http://app.test/api/v1/flow', {
      method: 'POST', body: '{}',
    }))
    expect(plain.status).toBe(415)
    const large = await gateway.fetch(ask('POST', jobs, { input: 'x'.repeat(1_200_000) }))
    expect(large.status).toBe(413)
    await gateway.close()
    expect((await reader.next())?.event).toBe('queue.closing')
    expect(await reader.next()).toBeNull()
  })
})
