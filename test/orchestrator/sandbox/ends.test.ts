import type { TroupeOptions } from 'troupe'
import { describe, expect, test } from 'vitest'
import { fixture, handTimed, reported, running, settled, useBuilt } from './built.ts'

const built = useBuilt()
/** Longer than any test. */
const timeout = 555_000

/** A started queue: a task for each way to end badly, and `double`, which works. */
async function queueOf(concurrency = 1, options: TroupeOptions = {}) {
  const troupe = await built.open(options)
  const module = (name: string): URL => fixture(`${name}.mjs`)
  const queue = troupe.queue('q', {
    concurrency,
    defaults: { backoff: 0 },
    tasks: {
      double: built.task<number, { doubled: number; threadId: number }>({
        module: module('double'),
      }),
      small: built.task<number, { doubled: number }>({ module: module('double'), memoryMb: 32 }),
      spin: built.task<null>({ module: module('spin') }),
      leftover: built.task({ module: module('leftover') }),
      crashes: built.task<string, string>({ module: module('crashes'), memoryMb: 32 }),
    },
  })
  await troupe.start()
  return { queue, troupe }
}

type Q = Awaited<ReturnType<typeof queueOf>>['queue']

/** The queue has a free slot, and a thread that works. */
async function expectWorks(queue: Q): Promise<void> {
  expect(await (await queue.add('double', 21)).result()).toMatchObject({ doubled: 42 })
}

describe('a handler that never ends', () => {
  test('is terminated after its timeout and its grace, and frees its slot', async () => {
    const { env, fire } = handTimed()
    const { queue } = await queueOf(1, { env })
    const job = await queue.add('spin', null, { timeout, cancelGrace: 100 })
    await reported(job)
    fire(timeout)
    await expectWorks(queue)
    expect(await settled(queue, job.id)).toMatchObject({
      state: 'failed', reason: 'timeout', attempt: 1, error: { code: 'job-timeout' },
    })
    expect(built.threads.size).toBe(1)
  })

  test('is started anew when there are retries, in another thread', async () => {
    const { env, fire } = handTimed()
    const { queue } = await queueOf(1, { env })
    const job = await queue.add('spin', null, { timeout, cancelGrace: 0, retries: 2 })
    for (const attempt of [1, 2, 3]) {
      await reported(job, attempt)
      fire(timeout)
    }
    expect(await settled(queue, job.id)).toMatchObject({
      state: 'failed', reason: 'timeout', attempt: 3,
    })
    await built.threadsGone()
    expect(built.started()).toBe(3)
  })

  test('is terminated after a cancel and its grace, and frees its slot', async () => {
    const { queue } = await queueOf()
    const job = await queue.add('spin', null, { cancelGrace: 100 })
    const next = await queue.add('double', 1)
    await reported(job)
    expect(await job.cancel()).toBe('cancelling')
    expect(await next.result()).toMatchObject({ doubled: 2 })
    expect(await settled(queue, job.id)).toMatchObject({ state: 'cancelled' })
    expect(built.threads.size).toBe(1)
  })

  test('is terminated soon after its lease is lost', async () => {
    const { queue } = await queueOf()
    const job = await queue.add('spin', null)
    await reported(job)
    expect(await queue.obliterate({ force: true })).toBe('obliterated')
    await built.threadsGone()
    await expectWorks(queue)
  })

  test('keeps its slot, and lets no other run, until its thread has ended', async () => {
    const { queue } = await queueOf(2)
    const jobs = await queue.addMany([
      { task: 'spin', input: null, timeout: 200, cancelGrace: 0 },
      ...Array.from({ length: 20 }, (_, input) => ({ task: 'double' as const, input })),
      { task: 'spin', input: null, timeout: 200, cancelGrace: 0 },
    ])
    await Promise.all(jobs.map(({ id }) => settled(queue, id)))
    expect(built.most()).toBeLessThanOrEqual(2)
    expect(await queue.counts()).toMatchObject({ completed: 20, failed: 2 })
  })
})

describe('a thread that crashes', () => {
  test.each([
    ['exit', 'the thread exited with code 3 before the handler had ended', undefined],
    ['timer', 'the thread crashed: in a timer', { name: 'RangeError', message: 'in a timer' }],
    ['rejection', 'the thread crashed: nobody waits', { name: 'RangeError' }],
    [
      'memory', expect.stringMatching(/^the thread crashed: .*memory limit/),
      { code: 'ERR_WORKER_OUT_OF_MEMORY' },
    ],
  ])('by %s fails the attempt; the next job has a fresh one', async (how, message, cause) => {
    const { queue } = await queueOf()
    const { id } = await queue.add('crashes', how)
    await expectWorks(queue)
    const record = await settled(queue, id)
    expect(record).toMatchObject({
      state: 'failed', reason: 'error', attempt: 1,
      error: { name: 'SandboxError', message, ...(cause && { cause }) },
    })
    expect(record.log?.lines.map(({ text }) => text))
      .toEqual(['before the crash', 'just before the crash'])
    expect(built.threads.size).toBe(1)
  }, 60_000)

  test('is retried', async () => {
    const { queue } = await queueOf()
    for (const how of ['exit', 'timer', 'memory']) {
      const job = await queue.add('crashes', how, { retries: 1 })
      expect(await job.result()).toBe('the second time')
      expect(await queue.get(job.id)).toMatchObject({ attempt: 2, failures: 1 })
    }
  }, 60_000)

  test('when its job is done harms nobody', async () => {
    const { queue } = await queueOf()
    expect(await (await queue.add('leftover')).result()).toBe('done')
    await built.threadsGone()
    await expectWorks(queue)
  })
})

describe('threads', () => {
  test('are used again, and are no more than jobs run at once', async () => {
    const { queue } = await queueOf(2)
    const jobs = await queue.addMany(
      Array.from({ length: 30 }, (_, input) => ({ task: 'double' as const, input })),
    )
    const results = await Promise.all(jobs.map((job) => job.result()))
    expect(new Set(results.map(({ threadId }) => threadId)).size).toBeLessThanOrEqual(2)
    expect(built.started()).toBeLessThanOrEqual(2)
  })

  test('with other limits take the place of those that are idle', async () => {
    const { queue } = await queueOf(1)
    for (const task of ['double', 'small', 'small', 'double'] as const) {
      await (await queue.add(task, 1)).result()
    }
    expect(built.started()).toBe(3)
    expect(built.most()).toBe(1)
  })

  test('go when they have been idle for ten seconds', async () => {
    const { env, fire } = handTimed()
    const { queue } = await queueOf(1, { env })
    await expectWorks(queue)
    await queue.idle()
    expect(built.threads.size).toBe(1)
    fire(10_000)
    await built.threadsGone()
    await expectWorks(queue)
  })

  test('are gone after stop, whatever they do', async () => {
    const { queue, troupe } = await queueOf(3)
    const spinning = [await queue.add('spin', null), await queue.add('spin', null)]
    await expectWorks(queue)
    await Promise.all(spinning.map(reported))
    expect(built.threads.size).toBe(3)
    await troupe.stop({ grace: 0 })
    expect(built.threads.size).toBe(0)
  })

  test('are waited for by a stop with grace', async () => {
    const { queue, troupe } = await queueOf(1)
    const job = await queue.add('double', 4)
    const result = job.result()
    await running(job)
    await troupe.stop()
    expect(await result).toMatchObject({ doubled: 8 })
    expect(built.threads.size).toBe(0)
  })
})
