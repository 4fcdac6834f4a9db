import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { refusal } from '../support/stage.ts'
import { ask, codeOf, get, post, useStand } from './stand.ts'

const stand = useStand()
const jobs = '/v1/queues/photos/jobs'
const body = { task: 'resize', options: { delay: '1h' } }
const token = 'a-token-of-some-length'

async function jobsThere(): Promise<number> {
  return (await stand.photos.counts()).queued
}

/** What comes back for exactly these bytes. */
function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => { socket.write(bytes) })
    let text = ''
    socket.on('data', (chunk: Buffer) => { text += chunk.toString() })
    socket.on('close', () => { resolve(text) })
    socket.on('error', reject)
  })
}

describe('closed by default', () => {
  test('an address that others reach needs authorize or token', async () => {
    for (const host of ['0.0.0.0', '::', '192.168.1.5']) {
      const error = await refusal(stand.gateway().listen({ port: 0, host }))
      expect(error.code).toBe('invalid-option')
      expect(error.message).toMatch(/authorize or a token/)
    }
    const listening = await stand.gateway({ token }).listen({ port: 0, host: '0.0.0.0' })
    expect((await get(`http://127.0.0.1:${listening.port}`, '/v1')).status).toBe(401)
  })

  test('options that make no sense are refused', () => {
    for (const options of [
      { token: 'short' }, { token, authorize: () => null }, { basePath: 'jobs' }, { limit: 1 },
      { allowOrigins: ['*'] }, { allowOrigins: ['https://a.example/'] }, { allowHosts: ['a:80'] },
      { limits: { bodyBytes: 0 } }, { limits: { bodyBites: 1 } }, { readOnly: 'yes' },
    ]) {
      expect(() => stand.gateway(options as object), JSON.stringify(options))
        .toThrow(/must be|not an/)
    }
  })

  test('no token, a wrong one, the right one', async () => {
    const url = await stand.listen({ token })
    const as = (authorization?: string) =>
      ask(url, 'POST', jobs, { body, headers: authorization ? { authorization } : {} })
    for (const wrong of [
      undefined, 'Bearer', 'Bearer ', `Bearer ${token}x`, `Basic ${token}`, token,
    ]) {
      const answer = await as(wrong)
      expect([answer.status, codeOf(answer)]).toEqual([401, 'unauthorized'])
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/)
    }
    expect(await jobsThere()).toBe(0)
    expect((await as(`Bearer ${token}`)).status).toBe(201)
    expect((await get(url, '/health')).status).toBe(200)
    for (const path of ['/metrics', '/v1/stream', '/v1/openapi.json', '/v1/audit']) {
      expect((await get(url, path)).status, path).toBe(401)
    }
  })

  test('authorize that throws, or answers nonsense, lets nobody in', async () => {
    const answers: unknown[] = [
      null, undefined, {}, { user: '' }, { user: 'a', scope: {} }, { user: 'a', can: 1 },
      { user: 'a', scope: { partion: 'x' } }, { user: 'a', scope: { meta: {} } },
    ]
    for (const answer of answers) {
      const url = await stand.listen({ authorize: () => answer as never })
      expect((await post(url, jobs, body)).status, JSON.stringify(answer))
        .toBeGreaterThanOrEqual(400)
    }
    const url = await stand.listen({ authorize: () => { throw new Error('db at 10.0.0.1') } })
    const answer = await post(url, jobs, body)
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain('10.0.0.1')
    expect(await jobsThere()).toBe(0)
    expect(stand.takeLines()).toEqual(['a request to the gateway failed'])
  })

  test('a promise is no yes', async () => {
    const can = (async () => true) as unknown as () => boolean
    const url = await stand.listen({ authorize: () => ({ user: 'a', can }) })
    expect(codeOf(await post(url, jobs, body))).toBe('unknown-queue')
  })

  test('without either, what was forwarded is not of this machine', async () => {
    const url = await stand.listen()
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']) {
      const answer = await ask(url, 'GET', '/v1', { headers: { [name]: '10.0.0.1' } })
      expect([answer.status, codeOf(answer)]).toEqual([401, 'unauthorized'])
    }
  })
})

describe('pages of others', () => {
  test('a foreign Host', async () => {
    const url = await stand.listen({ allowHosts: ['jobs.test'] })
    const as = async (host: string) => (await ask(url, 'GET', '/v1', { headers: { host } })).status
    for (const host of ['evil.test', 'localhost.evil.test', '127.0.0.1.evil.test', 'a@localhost']) {
      expect(await as(host), host).toBe(403)
    }
    for (const host of ['localhost', 'LOCALHOST:80', '127.0.0.1:7070', '[::1]:1', 'jobs.test']) {
      expect(await as(host), host).toBe(200)
    }
    expect(await raw(url, 'GET /v1 HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 403/)
  })

  test('a cross-origin POST, and a GET that is known to be one', async () => {
    const url = await stand.listen({ allowOrigins: ['https://app.test'] })
    const send = async (method: string, path: string, headers: Record<string, string>) =>
      codeOf(await ask(url, method, path, { ...(method === 'POST' ? { body } : {}), headers }))
    for (const origin of ['https://evil.test', 'null', 'http://127.0.0.1:1', 'nonsense', '']) {
      expect(await send('POST', jobs, { origin }), origin).toBe('wrong-origin')
    }
    for (const site of ['cross-site', 'same-site']) {
      expect(await send('POST', jobs, { 'sec-fetch-site': site })).toBe('wrong-origin')
      expect(await send('GET', '/v1/stream', { 'sec-fetch-site': site })).toBe('wrong-origin')
    }
    expect(await jobsThere()).toBe(0)
    expect(await send('POST', jobs, { origin: url })).toBeUndefined()
    expect(await send('POST', jobs, { origin: 'https://app.test' })).toBeUndefined()
    expect(await jobsThere()).toBe(2)
  })

  test('CORS is for listed origins only', async () => {
    const url = await stand.listen({ allowOrigins: ['https://app.test'] })
    const preflight = (origin: string) => ask(url, 'OPTIONS', jobs, {
      headers: { origin, 'access-control-request-method': 'POST' },
    })
    const good = await preflight('https://app.test')
    expect([good.status, good.headers['access-control-allow-origin']])
      .toEqual([204, 'https://app.test'])
    const bad = await preflight('https://evil.test')
    expect([bad.status, bad.headers['access-control-allow-origin']]).toEqual([403, undefined])
    const closed = await stand.listen()
    const own = await ask(closed, 'GET', '/v1', { headers: { origin: closed } })
    expect(own.headers['access-control-allow-origin']).toBeUndefined()
  })

  test('every answer tells the browser to keep to itself', async () => {
    const url = await stand.listen({
      pages: (path) => (path === '/' ? { type: 'text/html; charset=utf-8', body: '<p>' } : null),
    })
    for (const path of ['/v1', '/gone', '/health', '/', '/v1/queues/gone']) {
      const { headers } = await get(url, path)
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'/)
      expect(headers['content-security-policy']).not.toMatch(/unsafe/)
      expect(headers['x-powered-by']).toBeUndefined()
    }
    expect((await get(url, '/')).headers['content-security-policy']).toContain("script-src 'self'")
  })

  test('pages are where what they name beside themselves is found', async () => {
    const url = await stand.listen({
      basePath: '/app/queues', pages: () => ({ type: 'text/html; charset=utf-8', body: '<p>' }),
    })
    const { status, headers } = await get(url, '/app/queues')
    expect([status, headers['location']]).toEqual([308, 'queues/'])
    expect((await get(url, '/app/queues/')).status).toBe(200)
    expect((await get(await stand.listen({ basePath: '/queues' }), '/queues')).status).toBe(404)
  })
})

describe('bodies', () => {
  test('of another type, or compressed', async () => {
    const url = await stand.listen()
    for (const headers of [
      { 'content-type': 'text/plain' }, { 'content-type': 'application/x-www-form-urlencoded' },
      { 'content-type': 'application/json; charset=latin1' }, { 'content-type': '' },
      { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    ]) {
      const answer = await ask(url, 'POST', jobs, { body, headers: headers })
      expect([answer.status, codeOf(answer)]).toEqual([415, 'wrong-content-type'])
    }
    expect(await jobsThere()).toBe(0)
  })

  test('that are no JSON object in UTF-8', async () => {
    const url = await stand.listen()
    for (const text of ['', '{', '[]', 'null', '"a"', '1', Buffer.from([0x7b, 0xff, 0x7d])]) {
      expect(codeOf(await ask(url, 'POST', jobs, { body: text }))).toBe('invalid-body')
    }
  })

  test('that are oversize, said or not', async () => {
    const url = await stand.listen({ limits: { bodyBytes: 1000 } })
    const text = JSON.stringify({ task: 'resize', input: 'x'.repeat(200_000) })
    const said = await ask(url, 'POST', jobs, { body: text })
    expect([said.status, codeOf(said)]).toEqual([413, 'body-too-large'])
    const chunked = await raw(url, 'POST /v1/queues/photos/jobs HTTP/1.1\r\nhost: localhost\r\n' +
      'content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n' +
      `fff\r\n${'x'.repeat(0xfff)}\r\n0\r\n\r\n`)
    expect(chunked).toMatch(/^HTTP\/1.1 413/)
  })

  test('that are deeply nested', async () => {
    const url = await stand.listen()
    const deep = (levels: number) =>
      `{"task":"resize","input":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
    expect((await ask(url, 'POST', jobs, { body: deep(32) })).status).toBe(201)
    for (const levels of [33, 100_000]) {
      const answer = await ask(url, 'POST', jobs, { body: deep(levels) })
      expect([answer.status, codeOf(answer)]).toEqual([400, 'invalid-body'])
    }
  })

  test('that come slowly', async () => {
    const url = await stand.listen({ limits: { bodyMs: 50 } })
    const answer = await raw(url, 'POST /v1/queues/photos/jobs HTTP/1.1\r\nhost: localhost\r\n' +
      'content-type: application/json\r\ncontent-length: 100\r\n\r\n{"task"')
    expect(answer).toMatch(/^HTTP\/1.1 408/)
    expect(answer).toContain('slow-body')
  })
})

describe('addresses and headers', () => {
  test('path traversal leads nowhere', async () => {
    const asked: string[] = []
    const url = await stand.listen({
      pages: (path) => {
        asked.push(path)
        return null
      },
    })
    for (const path of [
      '/../../etc/passwd', '/..%2f..%2fetc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/a/../../etc',
      '/a\\..\\b', '//etc/passwd', '/v1/queues/../../etc', '/v1/queues/%2e%2e', '/a%00.html',
      '/v1/queues/photos/jobs/..%2f..%2fmail', '/%zz', '/v1/queues/%zz',
    ]) {
      const answer = await raw(url, `GET ${path} HTTP/1.1\r\nhost: localhost\r\n` +
        'connection: close\r\n\r\n')
      expect(answer, path).toMatch(/^HTTP\/1.1 404/)
      expect(answer).not.toContain('root:')
    }
    expect(asked).toEqual([])
  })

  test('header injection', async () => {
    const url = await stand.listen()
    const evil = encodeURIComponent('a\r\nset-cookie: x=1\r\n\r\n<script>')
    for (const path of [
      `/${evil}`, `/v1/queues/${evil}`, `${jobs}/${evil}`, `${jobs}?task=${evil}`,
      `/v1/stream?queue=${evil}`, `/v1/stream?from=${evil}&job=${evil}`,
    ]) {
      const { headers, status } = await get(url, path)
      expect(headers['set-cookie'], path).toBeUndefined()
      expect(status).toBeGreaterThanOrEqual(400)
    }
    const cancel = await post(url, `${jobs}/${evil}/cancel`)
    expect(codeOf(cancel)).toBe('invalid-option')
    const { json } = await get(url, '/v1/audit')
    expect(JSON.stringify(json['lines'])).not.toMatch(/\\r|\\n/)
  })

  test('too many headers, a method that is none', async () => {
    const url = await stand.listen({ limits: { headerBytes: 2000 } })
    const large = await ask(url, 'GET', '/v1', { headers: { 'x-a': 'a'.repeat(3000) } })
    expect([large.status, codeOf(large)]).toEqual([431, 'headers-too-large'])
    for (const method of ['DELETE', 'PATCH', 'PUT', 'OPTIONS']) {
      const answer = await ask(url, method, '/v1/queues')
      expect([answer.status, answer.headers['allow']], method).toEqual([405, 'GET'])
    }
    expect((await ask(url, 'HEAD', '/v1')).status).toBe(200)
  })

  test('too many requests', async () => {
    const url = await stand.listen({ limits: { requestsPerSecond: 1 } })
    const answers = [await get(url, '/v1'), await get(url, '/v1'), await get(url, '/v1')]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429])
    expect(answers[2]?.headers['retry-after']).toBe('1')
  })

  test('no stack, and no word of what is inside', async () => {
    const url = await stand.listen()
    stand.photos.counts = async () => { throw new Error('inside') }
    const queues = stand.troupe.queues.bind(stand.troupe)
    stand.troupe.queues = (options) => {
      if (options) throw new Error('secret thing at /home/me/app.ts')
      return queues()
    }
    const answer = await get(url, '/v1/queues')
    expect([answer.status, codeOf(answer)]).toEqual([500, 'internal'])
    expect(answer.text).not.toMatch(/secret|home|at /)
    expect(stand.takeLines()).toEqual(['a request to the gateway failed'])
    stand.troupe.queues = queues
  })
})
