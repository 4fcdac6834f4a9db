import { Agent, request as httpRequest } from 'node:http'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { routes } from '../../src/gateway/routes/table.ts'
import { runs } from '../../src/testing/runs.ts'
import { useStand } from './stand.ts'

const stand = useStand()
const token = 'a-token-of-some-length'

const names = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('photos', 'mail', 'j1', 'j2', 'key') },
  { weight: 1, arbitrary: fc.constantFrom(
    'gone', '__proto__', 'constructor', '..', '%00', '%2F', '%E4', 'a%0d%0ab', '',
  ) },
)
const queues = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('photos', 'mail') }, { weight: 1, arbitrary: names },
)
const methods = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD')
const place: fc.Arbitrary<{ readonly method: string; readonly path: string }> = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constantFrom(...routes), queues, names).map(
    ([{ method, path }, queue, other]) => ({
      method, path: path.replace('{queue}', queue).replace(/\{(?:id|key)\}/, other),
    }),
  ) },
  { weight: 1, arbitrary: fc.record({
    method: methods, path: fc.constantFrom(...routes).map(({ path }) => path),
  }) },
  { weight: 1, arbitrary: fc.record({
    method: methods,
    path: fc.string({ unit: 'grapheme-ascii' }).map((text) => `/${text.replaceAll(/[^!-~]/g, '')}`),
  }) },
)
const word = fc.constantFrom(
  'queued', 'now', '1h', '10s', 'resize', 'hang', 'photos', 'mail', 'j1', 'createdAt', 'a', '-1',
)
const leaf = fc.oneof(word, fc.integer(), fc.boolean(), fc.constant(null), fc.string(), fc.double())
const field = fc.constantFrom(
  'task', 'input', 'options', 'jobs', 'after', 'filter', 'reason', 'when', 'dryRun', 'id', 'state',
  'delay', 'retries', 'dependsOn', 'dedupe', 'key', 'mode', 'window', 'meta', 'partition', 'every',
  'cron', 'queue', 'a', 'b', '__proto__', 'text', 'createdAt', 'from', 'to', 'priority', 'backoff',
)
const { body } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true }, leaf, fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(field, tie('value'), { maxKeys: 4 }),
  ),
  body: fc.oneof(
    fc.dictionary(field, tie('value'), { maxKeys: 5 }).map((value) => JSON.stringify(value)),
    fc.record({ task: fc.constantFrom('resize', 'hang'), input: tie('value') })
      .map((value) => JSON.stringify(value)),
    fc.constant('{}'),
    fc.string(),
    fc.json(),
  ),
}))
const query = fc.array(fc.tuple(fc.constantFrom(
  'state', 'limit', 'cursor', 'sort', 'order', 'text', 'meta.a', 'meta.', 'from', 'queue', 'job',
  'createdFrom', 'count', 'phase', 'partition', 'x',
), fc.oneof(word, fc.string())), { maxLength: 3 })
  .map((pairs) => (pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`))
const header = fc.tuple(fc.constantFrom(
  'accept', 'content-type', 'last-event-id', 'origin', 'host', 'x-forwarded-for', 'authorization',
  'content-encoding', 'sec-fetch-site', 'access-control-request-method',
), fc.oneof(
  fc.constantFrom('application/json', 'application/x-ndjson', 'text/plain', 'null', 'photos:1'),
  fc.string().map((text) => text.replaceAll(/[^ -~]/g, '')),
))

interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string | undefined
}

const sent: fc.Arbitrary<Sent> = fc.record({
  place, query: fc.option(query, { freq: 2, nil: '' }), body,
  extra: fc.option(fc.option(header, { freq: 2 }), { freq: 2 }),
}).map(({ place: { method, path }, query: what, body: text, extra }) => ({
  method,
  path: `${path}${what}`.replaceAll(/[^!-~]/g, ''),
  headers: {
    'authorization': `Bearer ${token}`,
    ...(method === 'POST' || method === 'PUT' ? { 'content-type': 'application/json' } : {}),
    ...(extra ? { [extra[0]]: extra[1] } : {}),
  },
  body: method === 'POST' || method === 'PUT' ? text : undefined,
}))

test('10,000 random requests: no 500, no hang, no stack', async () => {
  const { url } = await stand.gateway({
    token, limits: { requestsPerSecond: 1_000_000, bodyMs: 2000 },
  }).listen({ port: 0 })
  const { port, hostname } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const seen = new Map<number, number>()

  const send = (each: Sent): Promise<void> => new Promise((resolve, reject) => {
    const request = httpRequest({
      agent, hostname, port, method: each.method, path: each.path, timeout: 5000,
      headers: {
        ...each.headers,
        ...(each.body === undefined ? {} : { 'content-length': Buffer.byteLength(each.body) }),
      },
    }, (response) => {
      const status = response.statusCode ?? 0
      seen.set(status, (seen.get(status) ?? 0) + 1)
      const isStream = String(response.headers['content-type']).includes('event-stream')
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        if (isStream) request.destroy()
      })
      response.on('close', () => {
        const isBad = status >= 500 || /\n {4}at |node:internal|\.ts:\d/.test(text)
        if (isBad) reject(new Error(`${status} for ${JSON.stringify(each)}: ${text}`))
        else resolve()
      })
    })
    request.on('timeout', () => { reject(new Error(`no answer to ${JSON.stringify(each)}`)) })
    request.on('error', (error) => {
      // A stream that was cut on purpose.
      if (request.destroyed && /aborted|hang up/.test(error.message)) resolve()
      else reject(error)
    })
    request.end(each.body)
  })

  await fc.assert(fc.asyncProperty(
    fc.array(sent, { minLength: 50, maxLength: 50 }),
    async (all) => { await Promise.all(all.map(send)) },
  ), { ...runs(200), endOnFailure: true })
  agent.destroy()
  const total = [...seen.values()].reduce((sum, count) => sum + count, 0)
  expect(total).toBeGreaterThan(9000)
  // Some of it must have got through.
  for (const status of [200, 201, 400, 404, 405]) {
    expect(seen.get(status), `${status} of ${[...seen].join(' ')}`).toBeGreaterThan(20)
  }
}, 120_000)
