import { TroupeError } from 'troupe'
import type { Job, JobRecord } from 'troupe'
import { describe, expect, test } from 'vitest'
import { eventsOf, hold, recordOf, refusal, untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()

async function open<R>(work: (job: Job) => R, concurrency = 1) {
  const troupe = await stage.open()
  const queue = troupe.queue('q', { concurrency, tasks: { work } })
  await troupe.start()
  return { troupe, queue }
}

describe('cancel, of a job that', () => {
  test('is ready: it is cancelled and never starts', async () => {
    let runs = 0
    const { queue } = await open(() => { runs += 1 })
    await queue.pause()
    const job = await queue.add('work')
    expect(await job.cancel('not needed')).toBe('cancelled')
    await queue.resume()
    await stage.env.advance(5000)
    expect(runs).toBe(0)
    expect(await recordOf(queue, job.id)).toMatchObject({
      state: 'cancelled', reason: 'not needed', by: 'api', attempt: 0, error: null,
      settledAt: expect.any(Number),
    })
    expect(await refusal(job.result())).toMatchObject({
      code: 'job-cancelled', details: { id: job.id, reason: 'not needed' },
    })
  })

  test('is delayed, or waits for a retry: it is cancelled and never starts again', async () => {
    let runs = 0
    const { queue } = await open(() => {
      runs += 1
      throw new Error('no')
    })
    const delayed = await queue.add('work', null, { delay: '1s' })
    const retrying = await queue.add('work', null, { retries: 5, backoff: '1s' })
    await stage.env.settle()
    expect(await queue.cancel(delayed.id)).toBe('cancelled')
    expect(await queue.cancel(retrying.id)).toBe('cancelled')
    await stage.env.advance(60_000)
    expect(runs).toBe(1)
    expect(await recordOf(queue, retrying.id)).toMatchObject({ state: 'cancelled', attempt: 1 })
  })

  test('runs: its signal aborts, and it ends cancelled', async () => {
    const seen: unknown[] = []
    const { queue } = await open(async (job) => {
      try {
        await untilAborted(job)
      } catch (error) {
        seen.push(error)
        job.throwIfCancelled()
      }
    })
    const job = await queue.add('work', null, { retries: 5, backoff: 0 })
    await stage.env.settle()
    expect(await job.cancel('changed my mind')).toBe('cancelling')
    expect((await recordOf(queue, job.id)).state).toBe('cancelling')
    expect(await refusal(stage.drive(job.result()))).toMatchObject({
      code: 'job-cancelled', details: { reason: 'changed my mind' },
    })
    expect(seen).toEqual([expect.objectContaining({
      code: 'job-cancelled', details: { id: job.id, reason: 'changed my mind' },
    })])
    await stage.env.advance(60_000)
    const record = await recordOf(queue, job.id)
    expect(record).toMatchObject({
      state: 'cancelled', reason: 'changed my mind', by: 'api', attempt: 1, lease: null,
    })
    expect(eventsOf(record)).toEqual(['add', 'claim', 'cancel', 'fail'])
  })

  test('is cancelling: it is still cancelling, with the first reason', async () => {
    const gate = hold()
    const { queue } = await open(() => gate.promise)
    const job = await queue.add('work')
    await stage.env.settle()
    expect(await job.cancel('first')).toBe('cancelling')
    expect(await job.cancel('second')).toBe('cancelling')
    gate.fail(new Error('stopped'))
    await stage.env.settle()
    expect(await recordOf(queue, job.id)).toMatchObject({ state: 'cancelled', reason: 'first' })
  })

  test('has settled, or is not there: nothing changes', async () => {
    const { troupe, queue } = await open((job) => { if (job.input === 'bad') throw new Error() })
    const jobs = [await queue.add('work'), await queue.add('work', 'bad')]
    await stage.drive(queue.idle())
    const before = await Promise.all(jobs.map(({ id }) => recordOf(queue, id)))
    expect(before.map(({ state }) => state)).toEqual(['completed', 'failed'])
    for (const job of jobs) expect(await job.cancel()).toBe('settled')
    const cancelled = await queue.add('work', null, { delay: 1000 })
    await cancelled.cancel()
    expect(await cancelled.cancel()).toBe('settled')
    expect(await queue.cancel('nobody')).toBe('unknown')
    expect(await troupe.queue('other').cancel(cancelled.id)).toBe('unknown')
    const after = await Promise.all(jobs.map(({ id }) => recordOf(queue, id)))
    expect(after).toEqual(before)
  })
})

describe('a handler that ends after the cancel', () => {
  async function cancelWhile(end: (job: Job) => Promise<unknown>): Promise<JobRecord> {
    const gate = hold()
    const { queue } = await open(async (job) => {
      await gate.promise
      return end(job)
    })
    const job = await queue.add('work', null, { retries: 3, backoff: 0 })
    await stage.env.settle()
    expect(await job.cancel('why')).toBe('cancelling')
    gate.release()
    await stage.env.advance(60_000)
    return recordOf(queue, job.id)
  }

  test('with a result has done its work: the result is kept', async () => {
    expect(await cancelWhile(async () => ({ saved: true }))).toMatchObject({
      state: 'completed', result: { saved: true }, error: null, attempt: 1, reason: null,
    })
  })

  test('with an error ends cancelled, never retries, and the error is kept', async () => {
    expect(await cancelWhile(async () => { throw new Error('half a file') })).toMatchObject({
      state: 'cancelled', reason: 'why', attempt: 1, error: { message: 'half a file' },
    })
  })

  test('with a snooze ends cancelled', async () => {
    expect(await cancelWhile(async (job) => job.snooze('1s'))).toMatchObject({
      state: 'cancelled', reason: 'why', attempt: 1,
    })
  })

  test('with its last progress: that is kept as well', async () => {
    expect(await cancelWhile(async (job) => {
      job.progress({ current: 1, total: 2 })
      job.progress({ current: 2, total: 2 })
      throw job.signal.reason
    })).toMatchObject({ state: 'cancelled', progress: { percent: 100 } })
  })

  test('at a timeout ends cancelled, without a retry', async () => {
    const { queue } = await open(untilAborted)
    const job = await queue.add('work', null, { retries: 3, timeout: 1000, backoff: 0 })
    await stage.env.advance(999)
    const cancelled = job.cancel('me first')
    await stage.env.advance(60_000)
    expect(await cancelled).toBe('cancelling')
    expect(await recordOf(queue, job.id)).toMatchObject({ state: 'cancelled', attempt: 1 })
  })
})

describe('a handler that goes on after its grace', () => {
  /** The handler ignores its signal; the test decides when it really ends. */
  async function stubborn() {
    const gates: { id: string; gate: ReturnType<typeof hold<string>> }[] = []
    const opened = await open((job) => {
      const gate = hold<string>()
      gates.push({ id: job.id, gate })
      return gate.promise
    }, 2)
    return { ...opened, gates, running: () => gates.map(({ id }) => id) }
  }

  test('is abandoned: the job is cancelled, the slot held until it really ends', async () => {
    const { queue, gates, running } = await stubborn()
    const job = await queue.add('work', null, { id: 'bad', cancelGrace: '5s' })
    await queue.add('work', null, { id: 'good' })
    await queue.add('work', null, { id: 'next' })
    await stage.env.settle()
    await job.cancel('enough')
    await stage.env.advance(4999)
    expect((await recordOf(queue, 'bad')).state).toBe('cancelling')
    await stage.env.advance(1)
    expect(await recordOf(queue, 'bad')).toMatchObject({ state: 'cancelled', reason: 'enough' })
    expect(eventsOf(await recordOf(queue, 'bad')).at(-1)).toBe('abandon')
    await stage.env.advance(60_000)
    expect(running()).toEqual(['bad', 'good'])

    gates[0]?.gate.release('too late')
    await stage.env.settle()
    expect(running()).toEqual(['bad', 'good', 'next'])
    expect(await recordOf(queue, 'bad')).toMatchObject({ state: 'cancelled', result: null })
  })

  test('has 30 s when nothing is said', async () => {
    const { queue } = await stubborn()
    const job = await queue.add('work')
    await stage.env.settle()
    await job.cancel()
    await stage.env.advance(29_999)
    expect((await recordOf(queue, job.id)).state).toBe('cancelling')
    await stage.env.advance(1)
    expect((await recordOf(queue, job.id)).state).toBe('cancelled')
  })

  test('is never joined by the same job in this process', async () => {
    const { queue, gates, running } = await stubborn()
    const job = await queue.add('work', null, { id: 'bad', cancelGrace: 1000 })
    await stage.env.settle()
    await job.cancel()
    await stage.env.advance(1000)
    expect(await queue.retry('bad')).toBe('retried')
    await queue.add('work', null, { id: 'other' })
    await stage.env.advance(10_000)
    // A slot was free for it, and others behind it started.
    expect(running()).toEqual(['bad', 'other'])
    expect(await recordOf(queue, 'bad')).toMatchObject({ state: 'queued', attempt: 0 })
    gates[0]?.gate.fail(new Error('the first life'))
    await stage.env.settle()
    expect(running()).toEqual(['bad', 'other', 'bad'])
    expect(await recordOf(queue, 'bad')).toMatchObject({ state: 'running', error: null })
    gates[2]?.gate.release('second life')
    expect(await stage.drive(queue.job('bad').result())).toBe('second life')
  })

  test('may be joined in another process', async () => {
    const { queue, running } = await stubborn()
    const job = await queue.add('work', null, { id: 'bad', cancelGrace: 1000 })
    await stage.env.settle()
    await job.cancel()
    await stage.env.advance(1000)
    const elsewhere = await stage.open()
    elsewhere.queue('q', { tasks: { work: () => 'done elsewhere' } })
    await elsewhere.start()
    await queue.retry('bad')
    expect(await stage.drive(queue.job('bad').result())).toBe('done elsewhere')
    expect(running()).toEqual(['bad'])
  })

  test('after a timeout is abandoned as well, and its retry waits for it', async () => {
    const { queue, gates, running } = await stubborn()
    await queue.add('work', null, {
      id: 'slow', timeout: 1000, cancelGrace: 2000, retries: 1, backoff: 500,
    })
    await stage.env.advance(2999)
    expect((await recordOf(queue, 'slow')).state).toBe('running')
    await stage.env.advance(1)
    expect(await recordOf(queue, 'slow')).toMatchObject({
      state: 'queued', phase: 'delayed', failures: 1, runAt: stage.env.now() + 500,
    })
    await stage.env.advance(20_000)
    expect(running()).toEqual(['slow'])
    expect(await recordOf(queue, 'slow')).toMatchObject({ state: 'queued', phase: 'ready' })
    gates[0]?.gate.release('ignored')
    await stage.env.settle()
    expect(running()).toEqual(['slow', 'slow'])
    gates[1]?.gate.release('kept')
    expect(await stage.drive(queue.job('slow').result())).toBe('kept')
  })
})

test('a reason that is no text is refused, and the job goes on', async () => {
  const { queue } = await open(() => 1)
  await queue.pause()
  const job = await queue.add('work')
  await expect(job.cancel(7 as unknown as string)).rejects.toBeInstanceOf(TroupeError)
  expect((await recordOf(queue, job.id)).state).toBe('queued')
})
