import type { Job } from 'troupe'
import { afterEach, describe, expect, test } from 'vitest'
import { faultyStore, waitFor } from '../../src/testing/faulty-store.ts'
import { eventsOf, hold, refusal, thrown, untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()

describe('stop', () => {
  test('lets what runs end, and claims no more', async () => {
    const gate = hold<string>()
    const troupe = await stage.open()
    const queue = troupe.queue('q', { concurrency: 1, tasks: { work: () => gate.promise } })
    await troupe.start()
    const job = await queue.add('work')
    const next = await queue.add('work')
    await stage.env.settle()
    const result = job.result()
    let stopped = false
    const stopping = troupe.stop().then(() => { stopped = true })
    await stage.env.advance(29_000)
    expect(stopped).toBe(false)
    gate.release('in time')
    await stage.drive(stopping)
    expect(await result).toBe('in time')
    const [record] = await stage.store.get([next.id])
    expect(record).toMatchObject({ state: 'queued', attempt: 0 })
  })

  test('twice is once', async () => {
    const troupe = await stage.open()
    await troupe.start()
    const stops = [troupe.stop(), troupe.stop(), troupe.stop({ grace: 0 })]
    await stage.drive(Promise.all(stops))
    await troupe.stop()
  })

  test('before start is fine', async () => {
    const troupe = await stage.open()
    troupe.queue('q', { tasks: { work: () => 1 } })
    await troupe.stop()
    expect(stage.env.pendingTimers).toBe(0)
  })

  test('aborts after its grace; a rejection then is a release that costs nothing', async () => {
    const reasons: unknown[] = []
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      tasks: {
        work: async (job: Job) => {
          job.progress(30)
          try {
            await untilAborted(job)
          } catch (error) {
            reasons.push(error)
            throw new Error('I was told to stop', { cause: error })
          }
        },
      },
    })
    await troupe.start()
    const begin = stage.env.now()
    const { id } = await queue.add('work', null, { retries: 0, ttl: '1h' })
    await stage.env.settle()
    await stage.drive(troupe.stop({ grace: '5s' }))
    expect(stage.env.now() - begin).toBeGreaterThanOrEqual(5000)
    expect(stage.env.now() - begin).toBeLessThan(6000)
    expect(reasons).toEqual([expect.objectContaining({ code: 'stopping', details: { id } })])
    const [record] = await stage.store.get([id])
    expect(record).toMatchObject({
      state: 'queued', phase: 'ready', attempt: 0, failures: 0, stalls: 0, error: null,
      lease: null, runAt: begin, expiresAt: null, progress: { percent: 30 },
    })
    expect(record && eventsOf(record)).toEqual(['add', 'claim', 'release'])
  })

  test('gives back a handler that ignores the abort, soon after', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => new Promise(() => undefined) } })
    await troupe.start()
    const { id } = await queue.add('work')
    await stage.env.settle()
    await stage.drive(troupe.stop({ grace: 1000 }), 10_000)
    const [record] = await stage.store.get([id])
    expect(record).toMatchObject({ state: 'queued', phase: 'ready', attempt: 0 })
  })

  test('does not wait longer because it is told again and again', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => new Promise(() => undefined) } })
    await troupe.start()
    await queue.add('work')
    await stage.env.settle()
    let stopped = false
    const stops = [troupe.stop().then(() => { stopped = true })]
    for (let second = 0; second < 4; second += 1) {
      stops.push(troupe.stop({ grace: 0 }))
      await stage.env.advance(1000)
    }
    expect(stopped).toBe(true)
    await Promise.all(stops)
  })

  test('keeps a result that comes after the abort, and the error of a cancelled job', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      tasks: {
        result: async (job: Job) => {
          await untilAborted(job).catch(() => undefined)
          return 'saved'
        },
        error: async (job: Job) => {
          await untilAborted(job).catch(() => undefined)
          await new Promise<void>((resolve) => { stage.env.after(500, resolve) })
          throw new Error('half a file')
        },
      },
    })
    await troupe.start()
    await queue.add('result', null, { id: 'result' })
    const error = await queue.add('error', null, { id: 'error' })
    await stage.env.settle()
    await error.cancel('why')
    await stage.drive(troupe.stop({ grace: 0 }))
    const [first, second] = await stage.store.get(['result', 'error'])
    expect(first).toMatchObject({ state: 'completed', result: 'saved' })
    expect(second).toMatchObject({
      state: 'cancelled', reason: 'why', error: { message: 'half a file' },
    })
  })

  test('hands back what a claim brings while it stops, uncharged', async () => {
    const { store, next } = faultyStore(stage.store)
    const gate = hold()
    const troupe = await stage.open({ store })
    const queue = troupe.queue('q', { tasks: { work: () => 1 } })
    await troupe.start()
    await stage.env.settle()
    next('claim', waitFor(gate.promise))
    const { id } = await queue.add('work')
    await stage.env.settle()
    const stopping = troupe.stop()
    gate.release()
    await stage.drive(stopping)
    const [record] = await stage.store.get([id])
    expect(record).toMatchObject({ state: 'queued', phase: 'ready', attempt: 0, stalls: 0 })
    expect(record && eventsOf(record)).toEqual(['add', 'claim', 'release'])
  })

  test('refuses everything afterwards', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => 1 } })
    const job = await queue.add('work')
    const waiting = refusal(job.result())
    await troupe.stop()
    expect(await waiting).toMatchObject({ code: 'stopped' })
    for (const call of [
      () => queue.get(job.id), () => queue.list(), () => queue.counts(), () => queue.pause(),
      () => queue.resume(), () => queue.retry(job.id), () => queue.remove(job.id),
      () => queue.reschedule(job.id, 'now'), () => queue.cancel(job.id), () => job.cancel(),
      () => job.result(),
    ]) expect(await refusal(call())).toMatchObject({ code: 'stopped' })
    expect(thrown(() => troupe.queue('other'))).toMatchObject({ code: 'stopped' })
    expect(thrown(() => troupe.observe())).toMatchObject({ code: 'stopped' })
    expect(stage.env.pendingTimers).toBe(0)
  })
})

describe('run', () => {
  const before = process.listenerCount('SIGINT')
  afterEach(() => { expect(process.listenerCount('SIGINT')).toBe(before) })

  test('works until a signal comes, and stops then', async () => {
    const gate = hold<string>()
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => gate.promise } })
    let ended = false
    const running = troupe.run({ grace: '10s' }).then(() => { ended = true })
    const { id } = await queue.add('work')
    await stage.env.settle()
    process.emit('SIGINT')
    await stage.env.advance(9000)
    expect(ended).toBe(false)
    gate.release('last words')
    await stage.drive(running)
    const [record] = await stage.store.get([id])
    expect(record).toMatchObject({ state: 'completed', result: 'last words' })
  })

  test('stops at once on a second signal', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: untilAborted } })
    const running = troupe.run({ grace: '1h' })
    const { id } = await queue.add('work')
    await stage.env.settle()
    process.emit('SIGTERM')
    await stage.env.advance(1000)
    const begin = stage.env.now()
    process.emit('SIGINT')
    await stage.drive(running)
    expect(stage.env.now() - begin).toBeLessThan(1000)
    const [record] = await stage.store.get([id])
    expect(record).toMatchObject({ state: 'queued', attempt: 0 })
  })

  test('takes the echo of a signal, such as npm makes, for the same one', async () => {
    const gate = hold<string>()
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => gate.promise } })
    const running = troupe.run({ grace: '10s' })
    const { id } = await queue.add('work')
    await stage.env.settle()
    process.emit('SIGINT')
    await stage.env.advance(100)
    process.emit('SIGINT')
    await stage.env.advance(5000)
    gate.release('done')
    await stage.drive(running)
    const [record] = await stage.store.get([id])
    expect(record).toMatchObject({ state: 'completed' })
  })

  test('ends when somebody else stops the troupe', async () => {
    const troupe = await stage.open()
    const running = troupe.run()
    await stage.env.settle()
    await stage.drive(troupe.stop())
    await stage.drive(running, 1000)
  })
})
