import { TroupeError } from 'troupe'
import type { Job, JobRecord } from 'troupe'
import { afterEach, describe, expect, test } from 'vitest'
import { eventsOf, hold, recordOf, untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()

/**
 * Runs one bad job between good ones, with one slot, and gives its record when all is quiet. The
 * good ones must come to their results whatever the bad one does.
 */
async function runAmongOthers(
  bad: (job: Job) => unknown, options: { retries?: number; maxBytes?: number } = {},
): Promise<JobRecord> {
  const { retries = 2, maxBytes = 1000 } = options
  const troupe = await stage.open()
  const queue = troupe.queue('q', {
    concurrency: 1, maxBytes, tasks: { bad, good: async (job: Job<number>) => job.input },
  })
  await troupe.start()
  const before = await queue.add('good', 1)
  const { id } = await queue.add('bad', { list: [1] }, { retries, backoff: 0 })
  const after = await queue.add('good', 2)
  expect(await stage.drive(Promise.all([before.result(), after.result()]))).toEqual([1, 2])
  await stage.env.advance(5000)
  await stage.drive(queue.idle())
  expect(await queue.counts()).toMatchObject({ completed: expect.any(Number), running: 0 })
  return recordOf(queue, id)
}

describe('job.progress', () => {
  test('of nonsense throws in the handler, and fails the attempt like any error', async () => {
    for (const report of [Number.NaN, -1, 'half', { current: 1, of: 2 }, null, undefined]) {
      const record = await runAmongOthers(async (job) => {
        job.progress(report as number)
      }, { retries: 0 })
      expect(record).toMatchObject({
        state: 'failed', error: { code: 'invalid-option' }, progress: null,
      })
      await stage.close()
      stage.reset()
    }
  })

  test('after the end changes nothing', async () => {
    let kept: Job | null = null
    const record = await runAmongOthers(async (job) => {
      kept = job
      job.progress(50)
      return 'done'
    })
    const late = kept as Job | null
    late?.progress(75)
    late?.progress({ current: 1 })
    await stage.env.advance(1000)
    const [after] = await stage.store.get([record.id])
    expect(after).toEqual(record)
    expect(record.progress).toMatchObject({ percent: 50 })
  })

  test('of an abandoned handler changes nothing', async () => {
    const gate = hold()
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      tasks: {
        work: async (job: Job) => {
          await gate.promise
          job.progress(99)
        },
      },
    })
    await troupe.start()
    const job = await queue.add('work', null, { cancelGrace: 100 })
    await stage.env.settle()
    await job.cancel()
    await stage.env.advance(100)
    const before = await recordOf(queue, job.id)
    expect(before).toMatchObject({ state: 'cancelled', progress: null })
    gate.release()
    await stage.env.advance(1000)
    expect(await recordOf(queue, job.id)).toEqual(before)
  })
})

describe('after its signal aborted', () => {
  test('a handler that rejects with something else leaves a right record', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      tasks: {
        work: async (job: Job) => {
          await untilAborted(job).catch(() => undefined)
          throw new Error('while cleaning up')
        },
      },
    })
    await troupe.start()
    const { id } = await queue.add('work', null, { timeout: 100, retries: 1, backoff: 0 })
    await stage.env.advance(5000)
    const record = await recordOf(queue, id)
    expect(record).toMatchObject({ state: 'failed', reason: 'timeout', failures: 2 })
    expect(eventsOf(record).filter((event) => event === 'timeout')).toHaveLength(2)
  })

  test('a handler that swallows the abort and returns has completed', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      tasks: {
        work: async (job: Job) => {
          await untilAborted(job).catch(() => undefined)
          return 'anyway'
        },
      },
    })
    await troupe.start()
    const job = await queue.add('work')
    await stage.env.settle()
    await job.cancel()
    expect(await stage.drive(job.result())).toBe('anyway')
  })

  test('an abort listener that throws does not hurt the queue', async () => {
    // Node tells of it as an uncaught exception, as of any listener that throws.
    const caught: unknown[] = []
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => caught.push(error))
    restore = () => {
      process.removeAllListeners('uncaughtException')
      for (const listener of others) process.on('uncaughtException', listener)
    }
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      tasks: {
        work: (job: Job) => {
          job.signal.addEventListener('abort', () => { throw new Error('bad listener') })
          return untilAborted(job)
        },
        good: () => 1,
      },
    })
    await troupe.start()
    const job = await queue.add('work')
    await stage.env.settle()
    expect(await job.cancel()).toBe('cancelling')
    await stage.env.advance(100)
    expect(await recordOf(queue, job.id)).toMatchObject({ state: 'cancelled' })
    expect(await stage.drive((await queue.add('good')).result())).toBe(1)
    expect(caught).toEqual([expect.objectContaining({ message: 'bad listener' })])
  })

  let restore = (): void => undefined
  afterEach(() => { restore() })
})

test('a handler may add, cancel and pause from inside', async () => {
  const troupe = await stage.open()
  const ended: string[] = []
  const queue = troupe.queue('q', {
    concurrency: 1,
    tasks: {
      work: async (job: Job<number>): Promise<void> => {
        const first = await queue.add('leaf', undefined, { id: `leaf ${job.input}` })
        await queue.add('leaf', undefined, { id: `late ${job.input}` })
        await first.cancel()
        expect(await queue.cancel(job.id)).toBe('cancelling')
        job.throwIfCancelled()
      },
      leaf: (job: Job) => { ended.push(job.id) },
    },
  })
  await troupe.start()
  const job = await queue.add('work', 1)
  await stage.drive(queue.idle())
  expect(ended).toEqual(['late 1'])
  expect((await recordOf(queue, job.id)).state).toBe('cancelled')
  await expect(job.result()).rejects.toBeInstanceOf(TroupeError)
})

test('a schema that hangs until the job has moved on starts no handler', async () => {
  let runs = 0
  const gate = hold()
  const troupe = await stage.open()
  const queue = troupe.queue('q', {
    tasks: {
      work: {
        input: {
          '~standard': {
            version: 1, vendor: 'test',
            validate: async (value: unknown) => {
              if (checks > 0) await gate.promise
              checks += 1
              return { value }
            },
          },
        },
        handler: () => { runs += 1 },
      },
    },
  })
  let checks = 0
  await troupe.start()
  const { id } = await (queue as unknown as { add(task: string): Promise<{ id: string }> })
    .add('work')
  await stage.env.settle()
  await queue.cancel(id)
  await stage.env.advance(30_000)
  expect((await recordOf(queue, id)).state).toBe('cancelled')
  gate.release()
  await stage.env.settle()
  expect(runs).toBe(0)
})
