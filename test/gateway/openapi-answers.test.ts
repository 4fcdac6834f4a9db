import { describe, expect, test } from 'vitest'
import { fleetPaths } from '../../src/gateway/fleet-protocol.ts'
import { paths } from '../../src/gateway/protocol.ts'
import { faultsOf } from './schema-check.ts'
import { ask, get, useStand } from './stand.ts'

const stand = useStand()

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, {
    readonly responses: Readonly<Record<string, {
      readonly content: Readonly<Record<string, { readonly schema: object }>>
    }>>
  }>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

/** Says what of an answer is not as the document has it. */
async function checker(url: string) {
  const document = (await get(url, paths.openapi)).json as unknown as Document
  const { schemas } = document.components
  return (value: unknown, path: string, type = 'application/json', method = 'get'): string[] => {
    const schema = document.paths[path]?.[method]?.responses['2XX']?.content[type]?.schema
    if (!schema) throw new Error(`${method} ${path} has no answer of ${type}`)
    return faultsOf(value, schema, schemas)
  }
}

/** Jobs in all states, and a schedule. */
async function fill(): Promise<void> {
  const { photos, mail, troupe } = stand
  await photos.schedules.upsert('nightly', { cron: '0 3 * * *', task: 'resize' })
  await photos.add('resize', { a: 1 }, { id: 'done', partition: 'p', meta: { plan: 'pro' } })
  await photos.add('report', 1, { id: 'told', label: 'l', dedupe: { key: 'k', mode: 'simple' } })
  await photos.add('resize', null, { id: 'later', delay: '1h' })
  await photos.add('resize', null, { id: 'blocked', dependsOn: ['later'] })
  await photos.add('resize', null, { id: 'dropped', delay: '1h' })
  await photos.cancel('dropped', 'enough')
  await mail.add('hang', null, { id: 'hangs' })
  await troupe.start()
  const failed = await photos.add('fail', null, { id: 'failed' })
  await failed.result().catch(() => undefined)
  for (const id of ['done', 'told']) await photos.job(id).result()
  await expect.poll(async () => (await mail.get('hangs'))?.state).toBe('running')
}

describe('a live answer is as the document says:', () => {
  const q = '/v1/queues/{queue}'

  test('of queues, jobs and the server', async () => {
    const url = await stand.listen()
    await fill()
    await ask(url, 'POST', '/v1/queues/photos/jobs/later/cancel', { body: {} })
    const faults = await checker(url)
    const asked: readonly (readonly [path: string, query?: string])[] = [
      ['/v1'], ['/v1/queues'], [q], [`${q}/jobs`], [`${q}/jobs/{id}`], [`${q}/jobs/{id}/explain`],
      [`${q}/schedules`], [`${q}/schedules/{key}`], [`${q}/schedules/{key}/preview`],
      ['/v1/workers'], ['/v1/doctor'], ['/v1/audit'], ['/ready'],
    ]
    for (const [path] of asked) {
      for (const id of path.includes('{id}') ? ['done', 'told', 'failed', 'dropped'] : ['']) {
        const concrete = path.replace('{queue}', 'photos').replace('{id}', id)
          .replace('{key}', 'nightly')
        const answer = await get(url, concrete)
        expect(answer.status, concrete).toBe(200)
        expect(faults(answer.json, path), concrete).toEqual([])
      }
    }
    const preview = await ask(url, 'POST', paths.preview('photos'), {
      body: { rule: { every: '1h' } },
    })
    expect(faults(preview.json, `${q}/preview`, 'application/json', 'post')).toEqual([])
  })

  test('of the fleet', async () => {
    const url = await stand.listen()
    await fill()
    const faults = await checker(url)
    const time = Date.now()
    for (const [path, query] of [
      [fleetPaths.charts, ''], [fleetPaths.at, `?time=${time}`], [fleetPaths.at, '?time=1'],
      [fleetPaths.series, ''], [fleetPaths.series, `?from=1&to=${time}&points=3`],
      [fleetPaths.failures, ''], [fleetPaths.traversals, '?edge=running-failed-fail'],
      [fleetPaths.traversals, '?edge=running-completed-complete'],
    ] as const) {
      const answer = await get(url, `${path}${query}`)
      expect(answer.status, answer.text).toBe(200)
      expect(faults(answer.json, path), `${path}${query}`).toEqual([])
    }
    const { text } = await get(url, `${fleetPaths.export}?from=1&to=${Date.now()}`)
    const lines = text.trim().split('\n')
    expect(lines.length).toBeGreaterThan(10)
    for (const line of lines) {
      expect(faults(JSON.parse(line), fleetPaths.export, 'application/x-ndjson'), line).toEqual([])
    }
  })

  test('of the fleet\'s stream', async () => {
    const url = await stand.listen()
    await fill()
    const faults = await checker(url)
    const stream = await stand.stream(`${url}${fleetPaths.stream}`)
    const seen = new Set<string>()
    const all = ['fleet.opened', 'fleet.frame', 'fleet.ages', 'fleet.queues']
    while (all.some((name) => !seen.has(name))) {
      await stand.photos.add('resize')
      const event = await stream.next()
      expect(faults(event?.data, fleetPaths.stream, 'text/event-stream'), event?.event).toEqual([])
      seen.add(event?.event ?? '')
    }
  })
})

test('the check finds what is missing, too much, or of another kind', () => {
  const schema = {
    type: 'object', required: ['a'],
    properties: {
      a: { type: 'integer' }, b: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      c: { type: 'array', prefixItems: [{ enum: [0, 1] }], minItems: 1, maxItems: 1 },
    },
  }
  const check = (value: unknown): number => faultsOf(value, schema, {}).length
  for (const good of [{ a: 1 }, { a: 1, b: null, c: [0] }]) expect(check(good)).toBe(0)
  const wrong = [
    {}, { a: 1.5 }, { a: 1, d: 1 }, { a: 1, b: 2 }, { a: 1, c: [] }, { a: 1, c: [2] }, [],
  ]
  for (const bad of wrong) {
    expect(check(bad), JSON.stringify(bad)).toBeGreaterThan(0)
  }
})
