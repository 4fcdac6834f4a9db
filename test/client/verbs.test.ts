import { TroupeError } from 'troupe'
import type { TasksOf } from 'troupe'
import { describe, expect, test } from 'vitest'
import { serveImages } from './gateway-fixture.ts'
import type { Images } from './gateway-fixture.ts'

const code = (error: unknown): unknown => error instanceof TroupeError ? error.code : error

describe('a queue through a gateway', () => {
  test('add, get and the result', async () => {
    const { client } = await serveImages()
    const images = client.queue<TasksOf<Images>>('images')
    const job = await images.add('resize', { file: 'a.jpg', width: 800 }, { label: 'a photo' })
    expect(job).toMatchObject({ queue: 'images', created: true, foundIn: null })
    expect(job.id).toMatch(/^[\w-]{20}$/)
    expect(await job.result()).toEqual({ output: 'a.jpg@800' })
    expect(await images.get(job.id)).toMatchObject({
      id: job.id, state: 'completed', label: 'a photo', can: ['remove'],
    })
    expect(await images.get('nobody')).toBeNull()
    expect(await (await images.add('nothing')).result()).toBeNull()
  })

  test('the same id again finds the job that is there', async () => {
    const { client } = await serveImages()
    const images = client.queue<TasksOf<Images>>('images')
    const first = await images.add('resize', { file: 'a', width: 1 }, { id: 'one' })
    await first.result()
    const again = await images.add('resize', { file: 'a', width: 1 }, { id: 'one' })
    expect(again).toMatchObject({ id: 'one', created: false, foundIn: 'completed' })
  })

  test('addMany and flow', async () => {
    const { client } = await serveImages()
    const images = client.queue<TasksOf<Images>>('images')
    const [a, b] = await images.addMany([
      { task: 'resize', input: { file: 'a', width: 1 } },
      { task: 'gated', input: { gate: 'b' }, id: 'b', delay: '1h' },
    ])
    expect(await a.result()).toEqual({ output: 'a@1' })
    expect(b.id).toBe('b')
    const flow = await client.flow({
      first: images.spec('resize', { file: 'f', width: 2 }),
      second: images.spec('nothing', undefined, { label: 'after the first' }),
    }, { second: ['first'] })
    expect(await flow.second.result()).toBeNull()
    expect((await images.get(flow.second.id))?.dependsOn).toEqual([flow.first.id])
  })

  test('list, counts, explain and status', async () => {
    const { client } = await serveImages({ start: false })
    const images = client.queue<TasksOf<Images>>('images')
    const at = new Date(Date.now() + 3_600_000)
    const late = await images.add('nothing', undefined, { runAt: at, meta: { shop: 'x', n: 3 } })
    await images.add('nothing', undefined, { dependsOn: [late], partition: 'p' })
    const delayed = await images.list({ state: ['queued', 'running'], phase: 'delayed' })
    expect(delayed.jobs.map(({ id, runAt }) => ({ id, runAt })))
      .toEqual([{ id: late.id, runAt: at.getTime() }])
    expect((await images.list({ meta: { shop: 'x', n: 3 } })).jobs).toHaveLength(1)
    expect((await images.list({ meta: { n: '3' } })).jobs).toHaveLength(0)
    expect((await images.list({ partition: 'p', createdAt: { to: at } })).jobs).toHaveLength(1)
    expect((await images.list({ createdAt: { from: at } })).jobs).toHaveLength(0)
    const page = await images.list({ limit: 1, order: 'desc' })
    const rest = await images.list({ limit: 1, order: 'desc', cursor: page.cursor ?? '' })
    expect([...page.jobs, ...rest.jobs].map(({ phase }) => phase)).toEqual(['blocked', 'delayed'])
    expect(await images.counts()).toMatchObject({ queued: 2, delayed: 1, blocked: 1 })
    expect(await images.explain(late.id)).toMatchObject({ why: 'delayed', until: at.getTime() })
    expect(await images.status()).toMatchObject({ name: 'images', paused: false })
  })

  test('cancel, retry, reschedule, remove', async () => {
    const { client } = await serveImages({ start: false })
    const images = client.queue<TasksOf<Images>>('images')
    const job = await images.add('nothing', undefined, { delay: '1h' })
    expect(await images.reschedule(job.id, 'now')).toBe('rescheduled')
    expect(await images.reschedule(job.id, new Date(Date.now() + 5000))).toBe('rescheduled')
    expect(await job.cancel('not needed')).toBe('cancelled')
    expect(await images.get(job.id)).toMatchObject({ state: 'cancelled', reason: 'not needed' })
    expect(await images.cancel(job.id)).toBe('settled')
    expect(await images.reschedule(job.id, '1h')).toBe('not-queued')
    expect(await images.retry(job.id)).toBe('retried')
    expect(await images.retry(job.id)).toBe('not-failed')
    expect(await images.remove(job.id)).toBe('removed')
    expect(await images.remove(job.id)).toBe('unknown')
    expect(await images.cancel('nobody')).toBe('unknown')
  })

  test('the bulk verbs tell of each batch', async () => {
    const { client } = await serveImages({ start: false })
    const images = client.queue<TasksOf<Images>>('images')
    await images.addMany(Array.from({ length: 600 }, () => ({ task: 'nothing' as const })))
    const told: number[] = []
    const onProgress = ({ matched }: { matched: number }): void => { told.push(matched) }
    expect(await images.cancelMany({ state: 'queued' }, { dryRun: true }))
      .toEqual({ matched: 600, done: 0 })
    expect(await images.cancelMany({ state: 'queued' }, { reason: 'all', onProgress }))
      .toEqual({ matched: 600, done: 600 })
    expect(told).toEqual([500, 600])
    expect(await images.retryMany({ task: 'nothing' })).toEqual({ matched: 600, done: 600 })
    await images.cancelMany()
    expect(await images.clean()).toEqual({ matched: 600, done: 600, awaited: 0 })
    await expect(images.cancelMany({ task: undefined } as object)).rejects.toThrow(/filter\.task/)
  })

  test('pause and resume; queues, hello, workers and doctor', async () => {
    const { client, troupe } = await serveImages()
    const images = client.queue('images')
    expect(await images.pause()).toBe('paused')
    expect(await images.pause()).toBe('already-paused')
    expect((await troupe.queues()[0]?.status())?.paused).toBe(true)
    expect(await images.resume()).toBe('resumed')
    expect(await images.resume()).toBe('not-paused')
    expect((await client.queues()).map(({ name }) => name)).toEqual(['images'])
    expect(await client.hello()).toMatchObject({ protocol: 1, user: 'local', queues: ['images'] })
    expect(await client.workers()).toHaveLength(1)
    expect((await client.doctor()).map(({ check }) => check)).toContain('workers')
  })

  test('schedules', async () => {
    const { client } = await serveImages()
    const { schedules } = client.queue<TasksOf<Images>>('images')
    const rule = { cron: '0 3 * * *', task: 'resize', input: { file: 'a', width: 1 } } as const
    expect(await schedules.upsert('nightly', rule)).toBe('created')
    expect(await schedules.upsert('nightly', rule)).toBe('unchanged')
    expect((await schedules.list()).map(({ key }) => key)).toEqual(['nightly'])
    expect(await schedules.get('nightly')).toMatchObject({ task: 'resize', paused: false })
    expect(await schedules.get('other')).toBeNull()
    expect(await schedules.preview('nightly', 3)).toHaveLength(3)
    const startAt = Date.UTC(2100, 0, 1)
    expect(await schedules.preview({ every: '1h', startAt: new Date(startAt) }, 2))
      .toEqual([startAt, startAt + 3_600_000])
    expect(await schedules.preview({ cron: '* * * * *', timeZone: 'Mars/Base' }).catch(code))
      .toBe('invalid-option')
    expect(await schedules.pause('nightly')).toBe('paused')
    expect(await schedules.resume('nightly')).toBe('resumed')
    expect(await (await schedules.trigger('nightly')).result()).toEqual({ output: 'a@1' })
    expect(await schedules.remove('nightly')).toBe('removed')
    expect(await schedules.remove('nightly')).toBe('unknown')
  })

  test('errors are those of the library, and refusals say which', async () => {
    const { client } = await serveImages()
    const images = client.queue('images')
    expect(await images.add('nobody').catch(code)).toBe('unknown-task')
    expect(await images.add('nothing', null, { priority: 5000 }).catch((error: unknown) => error))
      .toMatchObject({ code: 'invalid-option', details: { path: 'options.priority' } })
    expect(await client.queue('other').counts().catch((error: unknown) => error))
      .toMatchObject({ code: 'gateway-refused', details: { code: 'unknown-queue', status: 404 } })
  })

  test.each([
    [{ at: new Date(0) }, 'at'], [{ n: Number.NaN }, 'n'], [{ many: new Map() }, 'many'],
    [[undefined], '0'], [{ f: () => 1 }, 'f'], [{ big: 1n }, 'big'],
  ])('what JSON does not carry is not sent: %o', async (input, path) => {
    const { client } = await serveImages({ start: false })
    const added = client.queue('images').add('nothing', input)
    expect(await added.catch((error: unknown) => error))
      .toMatchObject({ code: 'invalid-input', details: { path } })
  })
})
