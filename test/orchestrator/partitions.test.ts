import * as fc from 'fast-check'
import { memoryStore } from 'troupe'
import type { Job, QueueOptions } from 'troupe'
import { describe, expect, test } from 'vitest'
import { runs } from '../../src/testing/runs.ts'
import { hold, Stage, thrown, useStage } from '../support/stage.ts'
import type { Hold } from '../support/stage.ts'

const stage = useStage()

/** A process whose handlers go on until they are told; `log` is shared by all of them. */
async function open(log: string[], options: Omit<QueueOptions, 'tasks'> = {}) {
  const troupe = await stage.open()
  const ends = new Map<string, Hold<void>>()
  const queue = troupe.queue('q', {
    concurrency: 4, ...options,
    tasks: {
      work: async (job: Job): Promise<void> => {
        log.push(job.id)
        const end = hold()
        ends.set(job.id, end)
        await end.promise
      },
      quick: (job: Job): void => { log.push(job.id) },
    },
  })
  await troupe.start()
  return { troupe, queue, ends }
}

/** `'a b -'` are jobs a1, b2 and -3; `-` has no partition. */
const jobs = (names: string, task: 'work' | 'quick' = 'work') =>
  names.split(' ').map((name, index) => ({
    task, input: null, id: name + String(index + 1), ...(name === '-' ? {} : { partition: name }),
  }))

describe('concurrencyPerPartition', () => {
  test('bounds a tenant over all processes, and blocks no other', async () => {
    const log: string[] = []
    const one = await open(log, { concurrencyPerPartition: 2 })
    await open(log, { concurrencyPerPartition: 2 })
    await one.queue.addMany(jobs('a a a a b - - -'))
    await stage.env.settle()
    expect([...log].sort()).toEqual(['-6', '-7', 'a1', 'a2', 'b5'])
    expect(await one.queue.counts()).toMatchObject({ running: 5, ready: 3 })
    expect(await one.queue.explain('a3')).toMatchObject({ why: 'partition-full' })
  })

  test('a process that waits goes on when a job of the tenant ends in another', async () => {
    const log: string[] = []
    const one = await open(log, { concurrency: 1, concurrencyPerPartition: 1 })
    await one.queue.addMany(jobs('a'))
    await stage.env.settle()
    const two = await open(log, { concurrencyPerPartition: 1 })
    // The slot of the first process is taken at once by another tenant.
    await one.queue.add('work', null, { id: 'b', partition: 'b', priority: 1 })
    await stage.env.settle()
    await one.queue.add('work', null, { id: 'next', partition: 'a' })
    await one.queue.add('work', null, { id: 'c', partition: 'c', priority: 1, delay: 10 })
    await stage.env.settle()
    expect(log).toEqual(['a1', 'b'])
    await two.queue.cancel('a1')
    one.ends.get('a1')?.release()
    await stage.env.settle()
    expect(log).toEqual(['a1', 'b', 'next'])
    const ran = [one, two].filter(({ ends }) => ends.has('next'))
    expect(ran).toHaveLength(1)
  })

  test('a job that fails, snoozes or stalls makes room as well', async () => {
    const troupe = await stage.open()
    const log: string[] = []
    const queue = troupe.queue('q', {
      concurrencyPerPartition: 1,
      tasks: {
        work: (job: Job<string>): void => {
          log.push(job.id)
          if (job.input === 'snooze') job.snooze('1m')
          if (job.input === 'fail') throw new Error('no')
        },
      },
    })
    await troupe.start()
    await queue.addMany(['snooze', 'fail', 'end'].map((input) =>
      ({ task: 'work' as const, input, id: input, retries: 1, backoff: '1m', partition: 'a' })))
    await stage.env.advance(1000)
    expect(log).toEqual(['snooze', 'fail', 'end'])
  })

  test.each([0, 1.5, '2'])('%s is refused', async (value) => {
    const troupe = await stage.open()
    const error = thrown(() =>
      troupe.queue('q', { concurrencyPerPartition: value as number }))
    expect(error).toMatchObject({ code: 'invalid-option' })
  })
})

describe('turns', () => {
  test('a flood of one tenant does not hold up another', async () => {
    const log: string[] = []
    const { queue } = await open(log, { concurrency: 1 })
    await queue.addMany(jobs(Array.from({ length: 50 }, () => 'flood').join(' '), 'quick'))
    await queue.add('quick', null, { id: 'small', partition: 'small' })
    await queue.idle()
    expect(log.indexOf('small')).toBeLessThanOrEqual(2)
    expect(log).toHaveLength(51)
  })

  test('go round over tasks and processes, after the priority', async () => {
    const log: string[] = []
    const one = await open(log, { concurrency: 1 })
    await one.queue.pause()
    const two = await open(log, { concurrency: 1 })
    await one.queue.addMany([
      ...jobs('a a a b b', 'quick'), { task: 'quick', id: 'c', partition: 'c' },
      { task: 'quick', id: 'first', partition: 'z', priority: 1 },
    ])
    await two.queue.resume()
    await Promise.all([one.queue.idle(), two.queue.idle()])
    await stage.env.settle()
    expect(log).toEqual(['first', 'a1', 'b4', 'c', 'a2', 'b5', 'a3'])
  })
})

const step = fc.record({
  partition: fc.constantFrom('a', 'b', 'c', undefined), takes: fc.constantFrom(1, 30, 90),
  wait: fc.constantFrom(0, 0, 0, 10, 50), troupe: fc.nat(1), count: fc.integer({ min: 1, max: 4 }),
})

test('no tenant runs over its bound and none starves, over several processes', async () => {
  const plan = fc.array(step, { minLength: 1, maxLength: 10 })
  await fc.assert(fc.asyncProperty(plan, fc.integer({ min: 1, max: 2 }), async (steps, bound) => {
    const own = new Stage()
    own.store = memoryStore()
    const running = new Map<string | null, number>()
    let most = 0
    const queues = await Promise.all([0, 1].map(async () => {
      const troupe = await own.open()
      const queue = troupe.queue('q', {
        concurrency: 3, concurrencyPerPartition: bound,
        tasks: {
          work: async ({ input, partition }: Job<number>): Promise<void> => {
            const now = (running.get(partition) ?? 0) + 1
            running.set(partition, now)
            most = Math.max(most, now)
            const end = hold()
            own.env.after(input, end.release)
            await end.promise
            running.set(partition, (running.get(partition) ?? 1) - 1)
          },
        },
      })
      await troupe.start()
      return queue
    }))
    let added = 0
    for (const { partition, takes, wait, troupe, count } of steps) {
      added += count
      await queues[troupe]?.addMany(Array.from({ length: count }, () =>
        ({ task: 'work' as const, input: takes, ...(partition ? { partition } : {}) })))
      await own.env.advance(wait)
    }
    // Nobody asks the store without cause: who was held back is woken, or it never ends.
    await own.env.advance(90 * added)
    expect(most).toBeLessThanOrEqual(bound)
    expect(await queues[0]?.counts()).toMatchObject({ completed: added, queued: 0, running: 0 })
    await own.close()
  }), runs(40))
})
