import type { Job } from 'troupe'
import { describe, expect, test } from 'vitest'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { hold, recordOf, refusal, useStage } from '../support/stage.ts'

const stage = useStage()

describe('pause', () => {
  test('is durable: a troupe that comes later claims nothing until resume', async () => {
    const runs: string[] = []
    const tasks = { work: (job: Job) => { runs.push(job.id) } }
    const first = await stage.open()
    const queue = first.queue('q', { tasks })
    expect(await queue.pause()).toBe('paused')
    expect(await queue.pause()).toBe('already-paused')
    await first.stop()

    const second = await stage.open()
    const again = second.queue('q', { tasks })
    await second.start()
    await again.add('work', null, { id: 'a' })
    await stage.env.advance(10_000)
    expect(runs).toEqual([])
    expect(await again.resume()).toBe('resumed')
    expect(await again.resume()).toBe('not-paused')
    await stage.drive(again.idle())
    expect(runs).toEqual(['a'])
  })

  test('is of every process: once it has answered, nobody claims', async () => {
    const runs: string[] = []
    const tasks = { work: async (job: Job) => { runs.push(job.id) } }
    const troupes = [await stage.open(), await stage.open()]
    const queues = troupes.map((troupe) => troupe.queue('q', { concurrency: 1, tasks }))
    await Promise.all(troupes.map((troupe) => troupe.start()))
    const [queue, other] = queues
    if (!queue || !other) throw new Error('two queues were declared')
    for (let n = 0; n < 20; n += 1) await queue.add('work', null, { id: `${n}` })
    await queue.pause()
    const before = runs.length
    const { entries } = await stage.store.readLog('q', 0, 1000)
    await stage.env.advance(5000)
    expect(runs.length).toBe(before)
    const later = await stage.store.readLog('q', entries.length, 1000)
    expect(later.entries.filter(({ event }) => event === 'claim')).toEqual([])
    expect(await other.resume()).toBe('resumed')
    await stage.drive(Promise.all(queues.map((one) => one.idle())))
    expect(runs).toHaveLength(20)
  })

  test('holds for a process as well that has not heard of it', async () => {
    const gate = hold()
    const runs: string[] = []
    const { store } = faultyStore(stage.store, { watch: () => () => undefined })
    const deaf = await stage.open({ store })
    const queue = deaf.queue('q', {
      concurrency: 1,
      tasks: {
        work: async (job: Job) => {
          runs.push(job.id)
          await gate.promise
        },
      },
    })
    await queue.add('work', null, { id: 'a' })
    await queue.add('work', null, { id: 'b' })
    await deaf.start()
    await stage.env.settle()
    await (await stage.open()).queue('q').pause()
    gate.release()
    await stage.env.advance(5000)
    expect(runs).toEqual(['a'])
    expect(await recordOf(queue, 'b')).toMatchObject({ state: 'queued', attempt: 0 })
  })

  test('lets what runs go on', async () => {
    const gate = hold<string>()
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => gate.promise } })
    await troupe.start()
    const job = await queue.add('work')
    await stage.env.settle()
    await queue.pause()
    gate.release('done')
    expect(await stage.drive(job.result())).toBe('done')
  })
})

describe('drain', () => {
  test('before start is refused: it would be forgotten', async () => {
    const queue = (await stage.open()).queue('q')
    expect(await refusal(queue.drain()))
      .toMatchObject({ code: 'not-started', details: { operation: 'drain' } })
  })

  test('is not taken back by a limit that another process has stored', async () => {
    const runs: string[] = []
    const troupes = [await stage.open(), await stage.open()]
    const queues = troupes.map((troupe, index) => troupe.queue('q', {
      tasks: {
        work: (job: Job) => {
          runs.push(`${job.id} on ${index}`)
          if (runs.length === 1) job.limitReached('5s')
        },
      },
    }))
    await troupes[0]?.start()
    await stage.drive(queues[0]?.drain() ?? Promise.resolve())
    await troupes[1]?.start()
    await queues[1]?.add('work', null, { id: 'a' })
    await stage.env.advance(10_000)
    expect(runs).toEqual(['a on 1', 'a on 1'])
    for (const id of ['b', 'c', 'd', 'e']) await queues[1]?.add('work', null, { id })
    await stage.env.advance(10_000)
    expect(runs.filter((run) => run.endsWith('0'))).toEqual([])
  })

  test('waits for what runs here, claims no more, and ends paused here only', async () => {
    const gate = hold()
    const runs: string[] = []
    const work = (at: string) => async (job: Job): Promise<void> => {
      runs.push(`${at} ${job.id}`)
      if (job.id === 'a') await gate.promise
    }
    const here = await stage.open()
    const queue = here.queue('q', { concurrency: 1, tasks: { work: work('here') } })
    await here.start()
    await queue.add('work', null, { id: 'a' })
    await queue.add('work', null, { id: 'b' })
    await stage.env.settle()
    let drained = false
    const draining = queue.drain().then(() => { drained = true })
    await stage.env.advance(1000)
    expect(drained).toBe(false)
    gate.release()
    await stage.drive(draining)
    await stage.env.advance(1000)
    expect(runs).toEqual(['here a'])

    const there = await stage.open()
    there.queue('q', { concurrency: 1, tasks: { work: work('there') } })
    await there.start()
    await stage.env.settle()
    expect(runs).toEqual(['here a', 'there b'])
    await there.stop()
    await queue.add('work', null, { id: 'c' })
    await stage.env.advance(1000)
    expect(runs).toHaveLength(2)
    expect(await queue.resume()).toBe('resumed')
    await stage.drive(queue.idle())
    expect(runs).toEqual(['here a', 'there b', 'here c'])
  })

  test('of an idle queue answers at once', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => 1 } })
    await troupe.start()
    await stage.env.settle()
    await queue.drain()
    await queue.add('work')
    await stage.env.advance(1000)
    expect(await queue.counts()).toMatchObject({ queued: 1, completed: 0 })
  })
})

describe('idle', () => {
  test('waits until nothing is ready or running', async () => {
    const gate = hold()
    const troupe = await stage.open()
    const queue = troupe.queue('q', { concurrency: 1, tasks: { work: () => gate.promise } })
    await troupe.start()
    for (let n = 0; n < 5; n += 1) await queue.add('work')
    await queue.add('work', undefined, { delay: '1d' })
    let idle = false
    const waiting = queue.idle().then(() => { idle = true })
    await stage.env.advance(1000)
    expect(idle).toBe(false)
    gate.release()
    await stage.drive(waiting)
    expect(await queue.counts()).toMatchObject({ completed: 5, queued: 1 })
  })

  test('throws when nothing was started', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => 1 } })
    const error = await refusal(queue.idle())
    expect(error).toMatchObject({ code: 'not-started', details: { operation: 'idle' } })
    expect(error.message).toContain('await troupe.start()')
  })
})

describe('start', () => {
  test('twice is once', async () => {
    let runs = 0
    const troupe = await stage.open()
    const queue = troupe.queue('q', { concurrency: 1, tasks: { work: () => { runs += 1 } } })
    await Promise.all([troupe.start(), troupe.start()])
    await troupe.start()
    await queue.add('work')
    await stage.drive(queue.idle())
    expect(runs).toBe(1)
  })

  test('after stop is refused', async () => {
    const troupe = await stage.open()
    await troupe.stop()
    expect(await refusal(troupe.start())).toMatchObject({
      code: 'stopped', details: { operation: 'start' },
    })
  })

  test('a queue that is declared after it runs as well', async () => {
    const troupe = await stage.open()
    await troupe.start()
    const queue = troupe.queue('q', { tasks: { work: () => 'ran' } })
    const job = await queue.add('work')
    expect(await stage.drive(job.result())).toBe('ran')
  })

  test('a queue that is declared after it is paused when the store says so', async () => {
    const troupe = await stage.open()
    await troupe.start()
    await (await stage.open()).queue('q').pause()
    const queue = troupe.queue('q', { tasks: { work: () => 'ran' } })
    const { id } = await queue.add('work')
    await stage.env.advance(1000)
    expect((await recordOf(queue, id)).state).toBe('queued')
  })

  test('nothing runs before it', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => 1 } })
    const { id } = await queue.add('work')
    await stage.env.advance(60_000)
    expect(await recordOf(queue, id)).toMatchObject({ state: 'queued', rev: 1 })
    expect(stage.env.pendingTimers).toBe(0)
  })
})
