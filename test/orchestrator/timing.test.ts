import type { Job } from 'troupe'
import { describe, expect, test } from 'vitest'
import { eventsOf, hold, recordOf, refusal, untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()

/** A queue whose jobs note when they start, from now on. */
async function clocked(concurrency = 3) {
  const starts: [string, number][] = []
  const begin = stage.env.now()
  const troupe = await stage.open()
  const queue = troupe.queue('q', {
    concurrency,
    tasks: { work: (job: Job) => { starts.push([job.id, stage.env.now() - begin]) } },
  })
  return { troupe, queue, starts }
}

describe('delay and runAt', () => {
  test('hold a job back until its moment, and not longer', async () => {
    const { troupe, queue, starts } = await clocked()
    await troupe.start()
    const now = stage.env.now()
    await queue.add('work', null, { id: 'delay', delay: '1.5s' })
    await queue.add('work', null, { id: 'runAt', runAt: now + 700 })
    await queue.add('work', null, { id: 'date', runAt: new Date(now + 300) })
    await queue.add('work', null, { id: 'past', runAt: now - 1 })
    expect(await recordOf(queue, 'delay')).toMatchObject({
      state: 'queued', phase: 'delayed', runAt: now + 1500,
    })
    await stage.env.advance(1499)
    expect(starts).toEqual([['past', 0], ['date', 300], ['runAt', 700]])
    await stage.env.advance(1)
    expect(starts.at(-1)).toEqual(['delay', 1500])
    expect(eventsOf(await recordOf(queue, 'delay'))).toEqual(['add', 'due', 'claim', 'complete'])
  })

  test('come due while nobody has started', async () => {
    const { troupe, queue, starts } = await clocked()
    await queue.add('work', null, { id: 'a', delay: 100 })
    await stage.env.advance(5000)
    expect(starts).toEqual([])
    await troupe.start()
    await stage.env.advance(0)
    expect(starts).toEqual([['a', 5000]])
  })

  test('of many jobs keep their order', async () => {
    const { troupe, queue, starts } = await clocked(1)
    await troupe.start()
    for (const delay of [500, 100, 300, 200, 400]) {
      await queue.add('work', null, { id: `${delay}`, delay })
    }
    await stage.env.advance(1000)
    expect(starts).toEqual([100, 200, 300, 400, 500].map((ms) => [`${ms}`, ms]))
  })

  test('of years do not fire at once', async () => {
    const { troupe, queue, starts } = await clocked()
    await troupe.start()
    await queue.add('work', null, { id: 'far', delay: '52w' })
    await stage.env.advance(60_000)
    expect(starts).toEqual([])
  })
})

describe('a timeout', () => {
  test('aborts the signal, and the attempt counts as failed', async () => {
    const reasons: unknown[] = []
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      tasks: {
        work: async (job: Job) => {
          try {
            await untilAborted(job)
          } catch (error) {
            reasons.push([stage.env.now() - begin, error])
            throw error
          }
        },
      },
    })
    const begin = stage.env.now()
    await troupe.start()
    const { id } = await queue.add('work', null, { timeout: '2s', retries: 1, backoff: '1s' })
    await stage.env.advance(1999)
    expect((await recordOf(queue, id)).state).toBe('running')
    await stage.env.advance(60_000)
    const error = expect.objectContaining({ code: 'job-timeout', details: { id, timeoutMs: 2000 } })
    expect(reasons).toEqual([[2000, error], [5000, error]])
    expect(await recordOf(queue, id)).toMatchObject({
      state: 'failed', reason: 'timeout', attempt: 2, failures: 2,
      error: { name: 'TroupeError', code: 'job-timeout' },
    })
    expect(eventsOf(await recordOf(queue, id))).toEqual([
      'add', 'claim', 'timeout', 'due', 'claim', 'timeout',
    ])
  })

  test('does not matter to who is faster', async () => {
    const troupe = await stage.open()
    const gate = hold<string>()
    const queue = troupe.queue('q', { tasks: { work: () => gate.promise } })
    await troupe.start()
    const job = await queue.add('work', undefined, { timeout: 1000 })
    await stage.env.advance(999)
    gate.release('in time')
    expect(await stage.drive(job.result())).toBe('in time')
    await stage.env.advance(5000)
    expect((await recordOf(queue, job.id)).state).toBe('completed')
  })

  test('a result that comes within the grace is kept', async () => {
    const gate = hold<string>()
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => gate.promise } })
    await troupe.start()
    const job = await queue.add('work', undefined, { timeout: 1000, cancelGrace: '5s' })
    await stage.env.advance(5999)
    expect((await recordOf(queue, job.id)).state).toBe('running')
    gate.release('late, but done')
    expect(await stage.drive(job.result())).toBe('late, but done')
  })
})

describe('a ttl', () => {
  test('fails a job that does not start in time', async () => {
    const { troupe, queue, starts } = await clocked()
    await troupe.start()
    await queue.pause()
    const job = await queue.add('work', null, { ttl: '3s', retries: 5 })
    await stage.env.advance(2999)
    expect((await recordOf(queue, job.id)).state).toBe('queued')
    await stage.env.advance(1)
    expect(await recordOf(queue, job.id)).toMatchObject({
      state: 'failed', reason: 'expired', attempt: 0, settledAt: stage.env.now(),
    })
    expect(await refusal(job.result())).toMatchObject({
      code: 'job-failed', details: { reason: 'expired', error: null },
    })
    await queue.resume()
    await stage.env.advance(1000)
    expect(starts).toEqual([])
  })

  test('is not given a late start by a claim that comes before the sweep', async () => {
    const { troupe, queue, starts } = await clocked()
    const { id } = await queue.add('work', null, { ttl: 1000 })
    await stage.env.advance(1000)
    await troupe.start()
    await stage.env.settle()
    expect(starts).toEqual([])
    await stage.env.advance(0)
    expect(await recordOf(queue, id)).toMatchObject({ state: 'failed', reason: 'expired' })
  })

  test('counts from runAt', async () => {
    const { troupe, queue } = await clocked()
    await troupe.start()
    await queue.pause()
    const { id } = await queue.add('work', null, { ttl: '3s', delay: '10s' })
    expect(await recordOf(queue, id)).toMatchObject({ expiresAt: stage.env.now() + 13_000 })
    await stage.env.advance(12_999)
    expect(await recordOf(queue, id)).toMatchObject({ state: 'queued', phase: 'ready' })
    await stage.env.advance(1)
    expect(await recordOf(queue, id)).toMatchObject({ state: 'failed', reason: 'expired' })
  })

  test('ends with the first start: neither work nor retries expire', async () => {
    const troupe = await stage.open()
    const gate = hold()
    const queue = troupe.queue('q', {
      tasks: {
        work: async (job: Job) => {
          await gate.promise
          if (job.attempt === 1) throw new Error('once')
          return job.attempt
        },
      },
    })
    await troupe.start()
    const job = await queue.add('work', null, { ttl: 1000, retries: 1, backoff: '1m' })
    await stage.env.advance(5000)
    expect(await recordOf(queue, job.id)).toMatchObject({ state: 'running', expiresAt: null })
    gate.release()
    expect(await stage.drive(job.result())).toBe(2)
  })
})

describe('snooze', () => {
  test('runs the job again later, and spends no retry', async () => {
    const attempts: [number, number][] = []
    const troupe = await stage.open()
    const begin = stage.env.now()
    const queue = troupe.queue('q', {
      tasks: {
        work: async (job: Job) => {
          attempts.push([job.attempt, stage.env.now() - begin])
          if (job.attempt < 4) job.snooze('10s')
          throw new Error('at last')
        },
      },
    })
    await troupe.start()
    const { id } = await queue.add('work', null, { retries: 1, backoff: '1s', ttl: 100 })
    await stage.env.advance(5000)
    expect(await recordOf(queue, id)).toMatchObject({
      state: 'queued', phase: 'delayed', failures: 0, error: null, runAt: begin + 10_000,
    })
    await stage.env.advance(60_000)
    expect(attempts).toEqual([[1, 0], [2, 10_000], [3, 20_000], [4, 30_000], [5, 31_000]])
    expect(await recordOf(queue, id)).toMatchObject({ state: 'failed', failures: 2 })
  })

  test('by a wrong duration fails the attempt', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      tasks: { work: async (job: Job) => job.snooze('soon' as '1s') },
    })
    await troupe.start()
    const { id } = await queue.add('work')
    await stage.drive(queue.idle())
    expect(await recordOf(queue, id)).toMatchObject({
      state: 'failed', reason: 'error', error: { code: 'invalid-option' },
    })
  })
})
