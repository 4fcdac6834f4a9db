import { TroupeError } from 'troupe'
import type { Job } from 'troupe'
import { describe, expect, test } from 'vitest'
import { faultyStore, refuse } from '../../src/testing/faulty-store.ts'
import { hold, recordOf, refusal, useStage } from '../support/stage.ts'

const stage = useStage()

async function open<R>(work: (job: Job) => R) {
  const troupe = await stage.open()
  const queue = troupe.queue('q', { tasks: { work } })
  return { troupe, queue }
}

describe('result()', () => {
  test('waits for the end, for as many as ask, and gives it later as well', async () => {
    const gate = hold<{ n: number }>()
    const { troupe, queue } = await open(() => gate.promise)
    const job = await queue.add('work')
    const results = [job.result(), job.result(), queue.job<{ n: number }>(job.id).result()]
    await troupe.start()
    await stage.env.settle()
    gate.release({ n: 1 })
    expect(await stage.drive(Promise.all(results))).toEqual([{ n: 1 }, { n: 1 }, { n: 1 }])
    expect(await job.result()).toEqual({ n: 1 })
  })

  test('waits through retries', async () => {
    const { troupe, queue } = await open((job) => {
      if (job.attempt < 3) throw new Error('not yet')
      return job.attempt
    })
    await troupe.start()
    const job = await queue.add('work', null, { retries: 2, backoff: '1m' })
    expect(await stage.drive(job.result(), 600_000)).toBe(3)
  })

  test('rejects with the failure, its reason and its error', async () => {
    const { troupe, queue } = await open(() => { throw new TypeError('bad input') })
    await troupe.start()
    const job = await queue.add('work')
    const error = await refusal(stage.drive(job.result()))
    expect(error).toMatchObject({
      code: 'job-failed',
      details: { id: job.id, reason: 'error', error: { name: 'TypeError', message: 'bad input' } },
    })
    expect(error.message).toContain('TypeError: bad input')
    expect(error.stack).toContain('TroupeError')
  })

  test('rejects when the job is cancelled', async () => {
    const { queue } = await open(() => 1)
    const job = await queue.add('work')
    const result = refusal(job.result())
    await job.cancel('no need')
    expect(await result).toMatchObject({
      code: 'job-cancelled', details: { id: job.id, reason: 'no need' },
    })
    expect((await result).message).toContain('no need')
  })

  test('rejects when the job is removed before it settles', async () => {
    const { queue } = await open(() => 1)
    const job = await queue.add('work')
    const result = refusal(job.result())
    await stage.env.settle()
    await queue.remove(job.id)
    expect(await result).toMatchObject({ code: 'job-removed', details: { id: job.id } })
  })

  test('rejects for a job that is not there, or is another queue\'s', async () => {
    const { troupe, queue } = await open(() => 1)
    const { id } = await queue.add('work')
    expect(await refusal(queue.job('nobody').result())).toMatchObject({
      code: 'unknown-job', details: { id: 'nobody' },
    })
    expect(await refusal(troupe.queue('other').job(id).result())).toMatchObject({
      code: 'unknown-job', details: { id },
    })
  })

  test('rejects at its timeout, while the job goes on', async () => {
    const gate = hold<string>()
    const { troupe, queue } = await open(() => gate.promise)
    await troupe.start()
    const job = await queue.add('work')
    const result = refusal(job.result({ timeout: '2s' }))
    const begin = stage.env.now()
    expect(await stage.drive(result)).toMatchObject({
      code: 'timeout', details: { id: job.id, timeoutMs: 2000 },
    })
    expect(stage.env.now() - begin).toBeLessThanOrEqual(2250)
    expect((await recordOf(queue, job.id)).state).toBe('running')
    gate.release('later')
    expect(await stage.drive(job.result({ timeout: '1s' }))).toBe('later')
  })

  test('rejects with the reason of its signal, while the job goes on', async () => {
    const gate = hold<string>()
    const { troupe, queue } = await open(() => gate.promise)
    await troupe.start()
    const job = await queue.add('work')
    const controller = new AbortController()
    const reason = new Error('the user has gone')
    const result = job.result({ signal: controller.signal, timeout: '1h' })
    await stage.env.settle()
    controller.abort(reason)
    await expect(result).rejects.toBe(reason)
    await expect(job.result({ signal: controller.signal })).rejects.toBe(reason)
    expect((await recordOf(queue, job.id)).state).toBe('running')
    gate.release('later')
    expect(await stage.drive(job.result())).toBe('later')
  })

  test('leaves no timer and no listener behind', async () => {
    const { queue } = await open(() => 1)
    const job = await queue.add('work')
    const controller = new AbortController()
    let listeners = 0
    const { signal } = controller
    const watched = new Proxy(signal, {
      get: (target, name) => {
        if (name === 'addEventListener') listeners += 1
        if (name === 'removeEventListener') listeners -= 1
        const member: unknown = Reflect.get(target, name, target)
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      },
    })
    const result = refusal(job.result({ signal: watched, timeout: '1d' }))
    await stage.env.settle()
    expect(listeners).toBe(1)
    expect(stage.env.pendingTimers).toBe(2)
    await job.cancel()
    await result
    expect(listeners).toBe(0)
    expect(stage.env.pendingTimers).toBe(0)
  })

  test('refuses nonsense', async () => {
    const { queue } = await open(() => 1)
    const job = await queue.add('work')
    expect(await refusal(job.result({ timeout: 'soon' as '1s' }))).toMatchObject({
      code: 'invalid-option', details: { path: 'timeout' },
    })
    expect(stage.env.pendingTimers).toBe(0)
  })

  test('rejects when the troupe stops first, or has stopped', async () => {
    const { troupe, queue } = await open(() => 1)
    const job = await queue.add('work')
    const results = [refusal(job.result()), refusal(job.result({ timeout: '1d' }))]
    await stage.env.settle()
    await troupe.stop()
    for (const result of [...results, refusal(job.result())]) {
      expect(await result).toMatchObject({ code: 'stopped', details: { operation: 'result' } })
    }
  })

  test('rejects when the store cannot be read', async () => {
    const { store, next } = faultyStore(stage.store)
    const troupe = await stage.open({ store })
    const job = await troupe.queue<{ work: () => 1 }>('q').add('work')
    next('get', refuse)
    expect(await refusal(job.result())).toMatchObject({ code: 'store-failed' })
    expect(stage.env.pendingTimers).toBe(0)
  })

  test('of a job that ran in another troupe of the store', async () => {
    const { troupe, queue } = await open((job) => `ran ${job.id}`)
    const producer = (await stage.open()).queue<{ work: () => string }>('q')
    const job = await producer.add('work', undefined, { id: 'a' })
    const result = job.result()
    await troupe.start()
    expect(await stage.drive(result)).toBe('ran a')
    expect(await queue.job('a').result()).toBe('ran a')
    await expect(queue.job('b').result()).rejects.toBeInstanceOf(TroupeError)
  })
})
