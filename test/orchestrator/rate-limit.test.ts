import * as fc from 'fast-check'
import { memoryStore } from 'troupe'
import type { Job, QueueOptions, RateLimitOption } from 'troupe'
import { lowdbStore } from 'troupe/stores/lowdb'
import { describe, expect, test } from 'vitest'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { runs } from '../../src/testing/runs.ts'
import { hold, Stage, thrown, useStage } from '../support/stage.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'

const stage = useStage()

/** A queue whose handler notes when it was started, from now on. */
async function open(
  options: Omit<QueueOptions, 'tasks'>, store = stage.store,
) {
  const troupe = await stage.open({ store })
  const starts: number[] = []
  const begin = stage.env.now()
  const queue = troupe.queue('q', {
    concurrency: 10, ...options,
    tasks: { work: (_job: Job): void => { starts.push((stage.env.now() - begin) / 1000) } },
  })
  return { troupe, queue, starts }
}

const specs = (count: number): { readonly task: 'work'; readonly input: null }[] =>
  Array.from({ length: count }, () => ({ task: 'work', input: null }))

describe('a rate limit', () => {
  test('lets the rest go on by itself when the window frees', async () => {
    const { troupe, queue, starts } = await open({ rateLimit: { max: 2, per: '10s' } })
    await queue.addMany(specs(5))
    await troupe.start()
    await stage.env.advance(9999)
    expect(starts).toEqual([0, 0])
    expect(await queue.counts()).toMatchObject({ ready: 3, running: 0, completed: 2 })
    await stage.env.advance(20_001)
    expect(starts).toEqual([0, 0, 10, 10, 20])
  })

  test('asks the store once for each opening, and holds one timer', async () => {
    const { store, calls } = faultyStore(stage.store)
    const { troupe, queue } = await open({ rateLimit: { max: 1, per: '1h' } }, store)
    await troupe.start()
    await stage.env.advance(2000)
    const timers = stage.env.pendingTimers
    await queue.addMany(specs(4))
    await stage.env.advance(10_000)
    const before = calls('claim').length
    expect(stage.env.pendingTimers).toBeLessThanOrEqual(timers + 2)
    await stage.env.advance(2 * 3_600_000)
    expect(await queue.counts()).toMatchObject({ ready: 1, completed: 3 })
    expect(calls('claim').length - before).toBeLessThanOrEqual(6)
  })

  test('idle() waits for what is held back, and for no more', async () => {
    const { troupe, queue, starts } = await open({ rateLimit: { max: 1, per: '10s' } })
    await queue.addMany(specs(3))
    await troupe.start()
    let idle = false
    const waits = queue.idle().then(() => { idle = true })
    await stage.env.advance(19_999)
    expect([idle, starts.length]).toEqual([false, 2])
    await stage.env.advance(1)
    await waits
    expect([idle, starts]).toEqual([true, [0, 10, 20]])
  })

  test('a retry is a start as any other', async () => {
    const troupe = await stage.open()
    const begin = stage.env.now()
    const starts: number[] = []
    const queue = troupe.queue('q', {
      rateLimit: { max: 1, per: '1m' },
      tasks: {
        work: (job: Job): void => {
          starts.push((stage.env.now() - begin) / 1000)
          if (job.attempt === 1) throw new Error('again')
          if (starts.length === 2) job.snooze('1s')
        },
      },
    })
    await troupe.start()
    await queue.add('work', null, { retries: 1, backoff: '5s' })
    await stage.env.advance(300_000)
    expect(starts).toEqual([0, 60, 120])
  })

  test('perPartition: each tenant has its own', async () => {
    const { troupe, queue, starts } = await open({
      rateLimit: { max: 1, per: '10s', perPartition: true },
    })
    await queue.addMany(['a', 'a', 'b', 'b', 'b'].map((partition) =>
      ({ task: 'work' as const, input: null, partition })))
    await troupe.start()
    await stage.drive(queue.idle())
    expect(starts).toEqual([0, 0, 10, 10, 20])
  })

  test('explain() says that the job is held back, and until when', async () => {
    const { troupe, queue } = await open({ rateLimit: { max: 1, per: '10s' } })
    const [, second] = await queue.addMany(specs(2))
    await troupe.start()
    await stage.env.settle()
    expect(await queue.explain(second?.id ?? '')).toMatchObject({
      why: 'rate-limited', until: stage.env.now() + 10_000,
    })
  })
})

describe('max: 0', () => {
  test('blocks, and idle, drain and stop end', async () => {
    const { troupe, queue, starts } = await open({ rateLimit: { max: 0, per: '1s' } })
    await queue.addMany(specs(2))
    await troupe.start()
    await stage.env.advance(60_000)
    await queue.idle()
    await queue.drain()
    await queue.resume()
    expect(stage.env.pendingTimers).toBeLessThan(5)
    await troupe.stop()
    expect(starts).toEqual([])
    expect(stage.env.pendingTimers).toBe(0)
  })
})

describe('while jobs are held back', () => {
  test.each(['drain', 'stop', 'pause'] as const)('%s ends the wait of idle()', async (how) => {
    const { troupe, queue, starts } = await open({ rateLimit: { max: 1, per: '10m' } })
    await queue.addMany(specs(2))
    await troupe.start()
    await stage.env.settle()
    const idle = queue.idle()
    await (how === 'stop' ? troupe.stop() : queue[how]())
    await idle
    await stage.env.advance(1_200_000)
    expect(starts).toEqual([0])
    if (how === 'stop') return
    await queue.resume()
    await stage.env.settle()
    expect(starts).toEqual([0, 1200])
  })

  test('a window of 60 days, longer than any timer, opens in time', async () => {
    const { troupe, queue, starts } = await open({ rateLimit: { max: 1, per: '60d' } })
    await queue.addMany(specs(2))
    const delays: number[] = []
    const { after } = stage.env
    stage.env.after = (delayMs, action) => {
      delays.push(delayMs)
      return after(delayMs, action)
    }
    await troupe.start()
    await stage.env.settle()
    stage.env.jump(59 * 86_400_000)
    await stage.env.advance(86_400_000 - 1)
    expect(starts).toEqual([0])
    await stage.env.advance(1)
    expect(starts).toEqual([0, 60 * 86_400])
    expect(Math.max(...delays)).toBeLessThan(2 ** 31)
  })
})

test('a file remembers the starts of a process that was killed, or has ended', async () => {
  let disk = new MemoryDisk()
  const starts: number[] = []
  const work = (_job: Job): void => { starts.push(stage.env.now()) }
  const begin = async (): Promise<() => Promise<void>> => {
    const troupe = await stage.open({ store: lowdbStore('/data/jobs.json') })
    const queue = troupe.queue('q', { rateLimit: { max: 2, per: '1m' }, tasks: { work } })
    await troupe.start()
    if (starts.length === 0) await queue.addMany(specs(6))
    await stage.env.advance(1000)
    return () => troupe.stop()
  }
  stage.env = new VirtualEnv({ disk })
  const first = await begin()
  expect(starts).toHaveLength(2)
  disk = disk.crashed()
  const elapsed = stage.env.now() - new VirtualEnv().now()
  await first()
  stage.env = new VirtualEnv({ disk })
  stage.env.jump(elapsed)
  const second = await begin()
  await second()
  const third = await begin()
  expect(starts).toHaveLength(2)
  await stage.env.advance(60_000)
  expect(starts).toHaveLength(4)
  await third()
})

test('a claim that could not be written takes no token', async () => {
  const disk = new MemoryDisk()
  stage.env = new VirtualEnv({ disk })
  const { troupe, queue, starts } = await open(
    { rateLimit: { max: 1, per: '1h' } }, lowdbStore('/data/jobs.json'),
  )
  await queue.addMany(specs(2))
  let fails = true
  disk.before = ({ operation }) => {
    if (!fails || operation !== 'datasync') return undefined
    fails = false
    return { code: 'EIO' }
  }
  await troupe.start()
  await stage.env.advance(60_000)
  expect(starts).toHaveLength(1)
  expect(stage.takeLines().map(({ message }) => message).join()).toContain('refused a claim')
})

const plan = fc.array(fc.record({
  wait: fc.constantFrom(0, 0, 3, 40, 100, 250), jump: fc.constantFrom(0, 0, 0, 500),
  troupe: fc.nat(2), jobs: fc.nat(5), retries: fc.nat(2), takes: fc.constantFrom(0, 10, 130),
}), { minLength: 1, maxLength: 12 })

test('no window ever holds more than max, over several processes', async () => {
  const limit = fc.integer({ min: 1, max: 4 })
  await fc.assert(fc.asyncProperty(plan, limit, async (steps, max) => {
    const own = new Stage()
    own.store = memoryStore()
    const starts: number[] = []
    const queues = await Promise.all([0, 1, 2].map(async () => {
      const troupe = await own.open()
      const queue = troupe.queue('q', {
        rateLimit: { max, per: 100 }, concurrency: 3,
        tasks: {
          work: async (job: Job<number>) => {
            starts.push(own.env.now())
            const end = hold()
            own.env.after(job.input, end.release)
            await end.promise
            if (job.attempt === 1) throw new Error('again')
          },
        },
      })
      await troupe.start()
      return queue
    }))
    const left = async (): Promise<number> => {
      const { queued, running } = (await queues[0]?.counts()) ?? { queued: 0, running: 0 }
      return queued + running
    }
    for (const { wait, jump, troupe, jobs, retries, takes } of steps) {
      const options = { retries, backoff: 20 }
      await queues[troupe]?.addMany(Array.from({ length: jobs }, () =>
        ({ task: 'work' as const, input: takes, ...options })))
      own.env.jump(jump)
      await own.env.advance(wait)
    }
    await own.drive(Promise.all(queues.map((queue) => queue.idle())))
    // What waits for its retry is not ready.
    for (let spent = 0; (await left()) > 0 && spent < 200; spent += 1) await own.env.advance(100)
    const fullest = Math.max(0, ...starts.map((from) =>
      starts.filter((at) => at >= from && at < from + 100).length))
    expect(fullest).toBeLessThanOrEqual(max)
    expect(await left()).toBe(0)
    await own.close()
  }), runs(40))
})

test.each<[string, unknown]>([
  ['rateLimit', 5], ['rateLimit.max', { max: -1, per: '1s' }], ['rateLimit.max', { per: '1s' }],
  ['rateLimit.per', { max: 1, per: 0 }], ['rateLimit.per', { max: 1 }],
  ['rateLimit.perPartition', { max: 1, per: 1, perPartition: 'yes' }],
  ['rateLimit.burst', { max: 1, per: 1, burst: 2 }],
])('a wrong %s is refused', async (path, rateLimit) => {
  const troupe = await stage.open()
  const error = thrown(() => troupe.queue('q', { rateLimit: rateLimit as RateLimitOption }))
  expect(error.code).toBe('invalid-option')
  expect(error.details).toMatchObject({ path: expect.stringContaining(path) as unknown })
})
