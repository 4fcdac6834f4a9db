import { from, lastValueFrom, map, toArray } from 'rxjs'
import { TroupeError } from 'troupe'
import type { TasksOf } from 'troupe'
import { describe, expect, test } from 'vitest'
import { connectTo, serveImages } from './gateway-fixture.ts'
import type { Images } from './gateway-fixture.ts'

const codeOf = (error: unknown): unknown => error instanceof TroupeError ? error.code : error

/** All that a stream says, until it completes. */
async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = []
  for await (const value of stream) values.push(value)
  return values
}

describe('a handle', () => {
  test('tells the current value first, then live, and completes when the job settles', async () => {
    const { client, gates, images: served } = await serveImages()
    const job = await client.queue<TasksOf<Images>>('images').add('gated', { gate: 'g' })
    await untilProgress(served, job.id)
    const states = all(job.state$)
    const records = all(job.record$)
    const progress: unknown[] = []
    await new Promise<void>((resolve) => {
      job.progress$.subscribe(({ message }) => {
        progress.push(message)
        resolve()
      })
    })
    gates.pass('g')
    expect(await job.result()).toBe('g')
    expect(await states).toEqual(['running', 'completed'])
    const [first, last] = [(await records)[0], (await records).at(-1)]
    expect(first).toMatchObject({ state: 'running', progress: { percent: 50 }, can: ['cancel'] })
    expect(last).toMatchObject({ state: 'completed', result: 'g', can: ['remove'] })
    expect(progress).toEqual(['half'])
    // Late subscribers get the last value, and the end.
    expect(await all(job.state$)).toEqual(['completed'])
  })

  test('from() of RxJS takes its streams', async () => {
    const { client } = await serveImages()
    const job = await client.queue<TasksOf<Images>>('images').add('nothing')
    const states = from(job.state$).pipe(map((state) => state.toUpperCase()), toArray())
    expect((await lastValueFrom(states)).at(-1)).toBe('COMPLETED')
  })

  test('a job of another process, by its id', async () => {
    const { images, url, gates } = await serveImages()
    const { id } = await images.add('gated', { gate: 'g' })
    const job = connectTo(url).queue('images').job<string>(id)
    const result = job.result()
    gates.pass('g')
    expect(await result).toBe('g')
  })

  test('cancel reaches the handler, and result says so', async () => {
    const { client, images: served } = await serveImages()
    const images = client.queue<TasksOf<Images>>('images')
    const job = await images.add('gated', { gate: 'never' })
    await untilProgress(served, job.id)
    const result = job.result().catch((error: unknown) => error)
    expect(await job.cancel('changed my mind')).toBe('cancelling')
    expect(await result).toMatchObject({
      code: 'job-cancelled', details: { id: job.id, reason: 'changed my mind' },
    })
  })

  test('result: failed, removed, unknown, timed out, aborted', async () => {
    const { client } = await serveImages()
    const images = client.queue<TasksOf<Images>>('images')
    const failed = await (await images.add('fail')).result().catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(TroupeError)
    expect(failed).toMatchObject({
      code: 'job-failed', details: { reason: 'error', error: { message: 'no such picture' } },
    })
    expect(await images.job('nobody').result().catch(codeOf)).toBe('unknown-job')

    const late = await images.add('nothing', undefined, { delay: '1h' })
    expect(await late.result({ timeout: 20 }).catch(codeOf)).toBe('timeout')
    const controller = new AbortController()
    const aborted = late.result({ signal: controller.signal }).catch((error: unknown) => error)
    controller.abort('enough')
    expect(await aborted).toBe('enough')
    expect(await late.result({ timeout: 'soon' as '1s' }).catch(codeOf)).toBe('invalid-option')

    const states = all(late.state$)
    const removed = late.result().catch(codeOf)
    await firstOf(late.state$)
    expect(await images.remove(late.id)).toBe('removed')
    expect(await removed).toBe('job-removed')
    expect(await states).toEqual(['queued'])
  })

  test('close ends it all', async () => {
    const { client } = await serveImages()
    const images = client.queue<TasksOf<Images>>('images')
    const job = await images.add('nothing', undefined, { delay: '1h' })
    const states = all(job.state$)
    const result = job.result().catch(codeOf)
    await firstOf(job.state$)
    client.close()
    expect(await states).toEqual(['queued'])
    expect(await result).toBe('stopped')
    expect(await images.counts().catch(codeOf)).toBe('stopped')
    expect(await job.result().catch(codeOf)).toBe('stopped')
  })

  test('150 jobs at once share one stream', async () => {
    const { client, gateway, url } = await serveImages()
    const images = client.queue<TasksOf<Images>>('images')
    const specs = Array.from({ length: 150 }, (_, n) =>
      ({ task: 'resize' as const, input: { file: `${n}`, width: n } }))
    const jobs = await images.addMany(specs)
    const results = await Promise.all(jobs.map((job) => job.result()))
    expect(results.map(({ output }) => output)).toEqual(specs.map((_, n) => `${n}@${n}`))
    const metrics = await (await fetch(`${url}/metrics`)).text()
    expect(gateway).toBeDefined()
    expect(Number(/streams\S* (\d+)$/m.exec(metrics)?.[1])).toBeLessThanOrEqual(1)
  })
})

function firstOf<T>(stream: AsyncIterable<T>): Promise<T> {
  return (async () => {
    for await (const value of stream) return value
    throw new Error('the stream is empty')
  })()
}

async function untilProgress(images: Images, id: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const subscription = images.job(id).progress$.subscribe(() => {
      resolve()
      queueMicrotask(() => { subscription.unsubscribe() })
    })
  })
}
