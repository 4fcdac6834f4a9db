import { describe, expect, test } from 'vitest'
import type { Grant } from '../../src/gateway/gateway.ts'
import { ask, codeOf, get, post, told, useStand } from './stand.ts'

const stand = useStand()
const jobs = '/v1/queues/photos/jobs'

const users: Record<string, Omit<Grant, 'user'>> = {
  root: {},
  reader: { can: (action) => action === 'read' },
  mailer: { can: (_action, queue) => queue === 'mail' },
  ann: { scope: { partition: 'ann' } },
  bob: { scope: { partition: 'bob' } },
  pro: { scope: { meta: { plan: 'pro' } } },
}

/** A job of Ann, one of Bob, one of nobody. */
async function addJobs(): Promise<void> {
  for (const partition of ['ann', 'bob']) {
    await stand.photos.add('resize', { of: partition }, {
      id: `of-${partition}`, partition, meta: { plan: partition === 'ann' ? 'pro' : 'free' },
      delay: '1h',
    })
  }
  await stand.photos.add('resize', null, { id: 'of-nobody', delay: '1h' })
}

describe('what a user may', () => {
  test('read only', async () => {
    const url = await stand.withUsers(users)
    await addJobs()
    expect((await get(url, `${jobs}/of-ann`, 'reader')).json['can']).toEqual([])
    const denied = await post(url, `${jobs}/of-ann/cancel`, {}, 'reader')
    expect([denied.status, codeOf(denied)]).toEqual([403, 'forbidden'])
    expect((await get(url, '/v1/workers', 'reader')).status).toBe(403)
    expect((await get(url, '/v1/audit', 'reader')).status).toBe(403)
    const trail = (await get(url, '/v1/audit', 'root')).json['lines']
    expect(trail).toMatchObject([{ user: 'reader', action: 'cancel', outcome: 'forbidden' }])
  })

  test('nothing, in read-only mode', async () => {
    const url = await stand.listen({ readOnly: true })
    await addJobs()
    expect((await get(url, '/v1')).json['readOnly']).toBe(true)
    expect((await get(url, `${jobs}/of-ann`)).json['can']).toEqual([])
    expect((await get(url, '/v1/queues/photos')).json['can']).toEqual(['read'])
    const changes = [
      [jobs, { task: 'resize' }], [`${jobs}/of-ann/cancel`, {}], [`${jobs}/of-ann/remove`, {}],
      ['/v1/queues/photos/batch', { jobs: [] }], ['/v1/queues/photos/clean', {}],
      ['/v1/queues/photos/pause', {}],
      ['/v1/flow', { jobs: { a: { queue: 'photos', task: 'resize' } } }],
    ] as const
    for (const [path, body] of changes) {
      const answer = await post(url, path, body)
      expect([answer.status, codeOf(answer)], path).toEqual([403, 'read-only'])
    }
    const put = await ask(url, 'PUT', '/v1/queues/photos/schedules/a', { body: {} })
    expect(codeOf(put)).toBe('read-only')
    expect((await stand.photos.counts()).queued).toBe(3)
  })

  test('someone else\'s queue is as unknown as any', async () => {
    const url = await stand.withUsers(users)
    await addJobs()
    const anonymous = (text: string): string => text.replaceAll(/photos|nowhere/g, 'q')
    for (const path of ['', '/jobs', '/jobs/of-ann', '/jobs/of-ann/explain', '/schedules']) {
      const theirs = await get(url, `/v1/queues/photos${path}`, 'mailer')
      const unknown = await get(url, `/v1/queues/nowhere${path}`, 'mailer')
      expect(theirs.status).toBe(404)
      expect(anonymous(theirs.text)).toBe(anonymous(unknown.text))
    }
    const add = await post(url, jobs, { task: 'resize' }, 'mailer')
    expect(codeOf(add)).toBe('unknown-queue')
    expect(codeOf(await get(url, '/v1/stream?queue=photos', 'mailer'))).toBe('unknown-queue')
    expect((await get(url, '/v1', 'mailer')).json['queues']).toEqual(['mail'])
    const flow = { jobs: { a: { queue: 'photos', task: 'resize' } } }
    expect(codeOf(await post(url, '/v1/flow', flow, 'mailer'))).toBe('unknown-queue')
    // Nor does a job of theirs wait for one of a queue that they may not read.
    const child = { task: 'resize', options: { dependsOn: ['of-ann'] } }
    expect(codeOf(await post(url, '/v1/queues/mail/jobs', child, 'mailer'))).toBe('unknown-parent')
    const taken = { task: 'resize', options: { id: 'of-ann' } }
    const answer = await post(url, '/v1/queues/mail/jobs', taken, 'mailer')
    expect([codeOf(answer), answer.text.includes('photos')]).toEqual(['id-in-use', false])
  })
})

describe('someone else\'s partition', () => {
  test('answers as unknown does, for each action', async () => {
    const url = await stand.withUsers(users)
    await addJobs()
    const before = await stand.photos.get('of-bob')
    const same = async (method: string, path: (id: string) => string, body?: object) => {
      const one = (id: string) => ask(url, method, path(id), {
        headers: { 'x-user': 'ann' },
        ...(body ? { body: JSON.stringify(body).replaceAll('of-bob', id) } : {}),
      })
      const [theirs, unknown] = [await one('of-bob'), await one('of-none')]
      expect([theirs.status, theirs.text.replaceAll('of-bob', 'x')])
        .toEqual([unknown.status, unknown.text.replaceAll('of-none', 'x')])
    }
    await same('GET', (id) => `${jobs}/${id}`)
    await same('GET', (id) => `${jobs}/${id}/explain`)
    for (const verb of ['cancel', 'retry', 'remove']) {
      await same('POST', (id) => `${jobs}/${id}/${verb}`, {})
    }
    await same('POST', (id) => `${jobs}/${id}/reschedule`, { when: 'now' })
    await same('POST', () => jobs, { task: 'resize', options: { dependsOn: ['of-bob'] } })
    expect(await stand.photos.get('of-bob')).toEqual(before)
  })

  test('is in no list, no count and no bulk verb', async () => {
    const url = await stand.withUsers(users)
    await addJobs()
    const ids = async (user: string, query = '') => {
      const { json } = await get(url, `${jobs}?${query}`, user)
      return (json['jobs'] as readonly { id: string }[]).map(({ id }) => id)
    }
    expect(await ids('ann')).toEqual(['of-ann'])
    expect(await ids('pro')).toEqual(['of-ann'])
    expect(await ids('ann', 'partition=bob')).toEqual([])
    expect(await ids('pro', 'meta.plan=free')).toEqual([])
    expect(await ids('root')).toHaveLength(3)
    const queue = await get(url, '/v1/queues/photos', 'ann')
    expect(queue.json['counts']).toMatchObject({ queued: 1, delayed: 1 })
    const bulk = (body: unknown, verb = 'cancel-many') =>
      post(url, `/v1/queues/photos/${verb}`, body, 'ann')
    expect((await bulk({ filter: { partition: 'bob' } })).json)
      .toEqual({ matched: 0, done: 0, over: true })
    expect((await bulk({})).json).toEqual({ matched: 1, done: 1, over: true })
    expect((await bulk({}, 'retry-many')).json).toMatchObject({ done: 1 })
    expect((await bulk({ filter: { state: 'queued' } }, 'clean')).json).toMatchObject({ done: 1 })
    expect(await ids('root')).toEqual(['of-bob', 'of-nobody'])
  })

  test('is counted up to its newest 2,000 jobs, and it is said when there are more', async () => {
    const url = await stand.withUsers(users)
    const add = (count: number, partition: string, delay?: '1h') =>
      stand.photos.addMany(Array.from({ length: count }, () =>
        ({ task: 'resize', partition, ...(delay ? { delay } : {}) })))
    const counted = async (path = '/v1/queues/photos') => {
      const { json } = await get(url, path, 'ann')
      const [queue] = (json['queues'] ?? [json]) as readonly [Record<string, unknown>]
      return [queue['counts'], queue['isBounded']] as const
    }
    await add(500, 'ann', '1h')
    // The next ones are newer.
    const before = Date.now()
    await expect.poll(() => Date.now()).toBeGreaterThan(before)
    await add(1000, 'ann')
    await add(1000, 'bob')
    expect(await counted()).toMatchObject([{ queued: 1500, ready: 1000, delayed: 500 }, undefined])
    await add(500, 'ann')
    expect(await counted()).toMatchObject([{ queued: 2000, ready: 1500, delayed: 500 }, undefined])
    await add(500, 'ann')
    for (const path of ['/v1/queues/photos', '/v1/queues']) {
      expect(await counted(path)).toMatchObject([{ queued: 2000, ready: 2000, delayed: 0 }, true])
    }
    const all = (await get(url, '/v1/queues/photos', 'root')).json
    expect(all).toMatchObject({ counts: { queued: 3500 } })
    expect(all).not.toHaveProperty('isBounded')
  })

  test('is stamped on adds, and another one refused', async () => {
    const url = await stand.withUsers(users)
    const add = (user: string, options: object) =>
      post(url, jobs, { task: 'resize', options: { delay: '1h', ...options } }, user)
    const added = await add('ann', { id: 'a' })
    expect(added.status).toBe(201)
    await add('pro', { id: 'b', meta: { colour: 'red' } })
    expect((await stand.photos.get('a'))?.partition).toBe('ann')
    expect((await stand.photos.get('b'))?.meta).toEqual({ plan: 'pro', colour: 'red' })
    expect(codeOf(await add('ann', { partition: 'bob' }))).toBe('forbidden')
    expect(codeOf(await add('pro', { meta: { plan: 'free' } }))).toBe('forbidden')
    expect(codeOf(await add('pro', { meta: 'text' }))).toBe('invalid-option')
    const batch = { jobs: [{ task: 'resize', options: { partition: 'bob' } }] }
    expect(codeOf(await post(url, '/v1/queues/photos/batch', batch, 'ann'))).toBe('forbidden')
    const flow = {
      jobs: { a: { queue: 'photos', task: 'resize' } },
    }
    const { json } = await post(url, '/v1/flow', flow, 'ann')
    const { a } = json['jobs'] as Record<string, { id: string }>
    expect((await stand.photos.get(a?.id ?? ''))?.partition).toBe('ann')
  })

  test('cannot be reached by an id or a key of dedupe', async () => {
    const url = await stand.withUsers(users)
    await addJobs()
    const add = (user: string, options: object) =>
      post(url, jobs, { task: 'resize', options: { delay: '1h', ...options } }, user)
    const taken = await add('ann', { id: 'of-bob' })
    expect([taken.status, codeOf(taken)]).toEqual([409, 'id-in-use'])
    expect((await add('ann', { id: 'of-ann' })).json).toMatchObject({ created: false })
    const dedupe = { key: 'daily', mode: 'supersede' }
    const bobs = (await add('bob', { dedupe })).json['id']
    const anns = (await add('ann', { dedupe })).json['id']
    expect((await stand.photos.get(String(bobs)))?.state).toBe('queued')
    expect((await get(url, `${jobs}/${String(anns)}`, 'ann')).json['dedupe'])
      .toEqual({ key: 'daily', until: null })
    expect((await add('bob', { dedupe: { ...dedupe, mode: 'simple' } })).json)
      .toMatchObject({ id: bobs, created: false })
  })

  test('goes with nothing that is of all: pause, schedules, workers, audit …', async () => {
    const url = await stand.withUsers({ ann: { can: () => true, scope: { partition: 'ann' } } })
    for (const path of [
      '/v1/queues/photos/schedules', '/v1/queues/photos/schedules/a', '/v1/workers', '/v1/doctor',
      '/metrics', '/v1/audit',
    ]) expect(codeOf(await get(url, path, 'ann')), path).toBe('forbidden')
    for (const path of ['/v1/queues/photos/pause', '/v1/queues/photos/schedules/a/trigger']) {
      expect(codeOf(await post(url, path, {}, 'ann')), path).toBe('forbidden')
    }
  })

  test('is heard in no stream, live or replayed', async () => {
    const url = await stand.withUsers(users)
    await addJobs()
    const open = (query = '') => stand.stream(`${url}/v1/stream${query}`, { 'x-user': 'ann' })
    const live = await open()
    const [first] = await live.take(1)
    expect(first?.data).toEqual({ why: 'opened', counts: {} })
    const replayed = await open('?from=start')
    const named = await open('?partition=bob')
    await named.take(1)
    await stand.photos.cancel('of-bob')
    await stand.photos.remove('of-bob')
    await stand.photos.cancel('of-ann')
    await stand.photos.remove('of-ann')
    await stand.photos.add('resize', null, { id: 'last', partition: 'ann' })
    expect(told(await live.take(3))).toEqual(['cancel of-ann', 'remove of-ann', 'add last'])
    const seen = told(await replayed.take(3))
    expect(seen.some((line) => line.includes('bob'))).toBe(false)
    // An id that was given again: what came before was another's.
    await stand.photos.add('resize', null, { id: 'of-bob', partition: 'ann', delay: '1h' })
    const again = await live.take(1)
    expect(told(again)).toEqual(['add of-bob'])
    const late = await open('?from=start&job=of-bob')
    expect((await late.take(1))[0]?.data['seq']).toBe(again[0]?.data['seq'])
  })
})
