import { createTroupe } from 'troupe'
import type { Env, Job, Queue, Schedule, Tasks, Troupe } from 'troupe'
import { describe, expect, it } from 'vitest'
import { hold, useStage } from '../../support/stage.ts'

const stage = useStage()
const start = Date.UTC(2026, 0, 1)
const tasks = { ping: () => 'pong' }

async function open(): Promise<{ troupe: Troupe; queue: Queue<typeof tasks> }> {
  const troupe = await stage.open()
  const queue = troupe.queue('q', { tasks })
  await troupe.start()
  return { troupe, queue }
}

async function scheduleOf<T extends Tasks>(queue: Queue<T>, key = 'a'): Promise<Schedule> {
  const schedule = await queue.schedules.get(key)
  if (!schedule) throw new Error(`there is no schedule ${key}`)
  return schedule
}

/** The occurrences that added jobs, in seconds after the beginning, in the order of the adds. */
async function firedOf<T extends Tasks>(queue: Queue<T>): Promise<number[]> {
  const { jobs } = await queue.list({ limit: 1000 })
  return jobs.map(({ id }) => (Date.parse(id.split('@')[1] ?? '') - start) / 1000)
}

function seconds(from: number, to: number, step: number): number[] {
  const found: number[] = []
  for (let value = from; value <= to; value += step) found.push(value)
  return found
}

describe('firing', () => {
  it('is done once by ten processes', async () => {
    const all = []
    for (let count = 0; count < 10; count += 1) all.push(await open())
    const [first] = all
    if (!first) throw new Error('nobody is there')
    await first.queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    await first.queue.schedules.upsert('b', { cron: '*/15 * * * * *', task: 'ping' })
    await stage.env.advance(65_000)
    const ids = (await first.queue.list()).jobs.map(({ id }) => id)
    expect(ids.filter((id) => id.startsWith('q/a@'))).toHaveLength(6)
    expect(ids.filter((id) => id.startsWith('q/b@'))).toHaveLength(5)
    expect(await scheduleOf(first.queue)).toMatchObject({ fired: 6, missed: 0, skipped: 0 })
    // One after the other they leave, and the last one goes on.
    for (const { troupe } of all.slice(1)) await stage.drive(troupe.stop())
    const before = (await scheduleOf(first.queue)).fired
    await stage.env.advance(20_000)
    expect((await scheduleOf(first.queue)).fired).toBe(before + 2)
  })

  it('is done by a process that only declares the queue, and of a paused queue too', async () => {
    const { queue } = await open()
    const producer = await stage.open()
    const watched = producer.queue('q')
    await producer.start()
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    await queue.pause()
    await stage.env.advance(30_000)
    expect(await firedOf(watched)).toEqual([10, 20, 30])
    expect((await queue.counts()).queued).toBe(3)
  })

  it('is not done before start, and is by a queue that is declared later', async () => {
    const troupe = await stage.open()
    const one = troupe.queue('one', { tasks })
    await one.schedules.upsert('a', { every: '10s', task: 'ping', catchUp: 'all' })
    await stage.env.advance(20_000)
    expect(await firedOf(one)).toEqual([])
    expect(stage.env.pendingTimers).toBe(0)
    await troupe.start()
    const late = troupe.queue('late', { tasks })
    await late.schedules.upsert('a', { every: '10s', task: 'ping' })
    await stage.env.advance(10_000)
    expect(await firedOf(one)).toEqual([10, 20, 30])
    expect(await firedOf(late)).toEqual([30])
  })

  it('does not drift when all timers are late', async () => {
    const { env } = stage
    const late: Env = {
      now: env.now, monotonic: env.monotonic, random: env.random, id: env.id, soon: env.soon,
      disk: env.disk, after: (delayMs, action) => env.after(delayMs + 37, action),
    }
    const troupe = await stage.open({ env: late })
    const queue = troupe.queue('q', { tasks })
    await troupe.start()
    await queue.schedules.upsert('a', { every: '1s', task: 'ping' })
    await env.advance(100_500)
    expect(await firedOf(queue)).toEqual(seconds(1, 100, 1))
    const { jobs } = await queue.list({ limit: 1000 })
    expect(jobs.map(({ createdAt }) => createdAt % 1000)).toEqual(jobs.map(() => 37))
  })

  it('waits for a clock that is set back, and misses what one set forward leaps over', async () => {
    const { queue } = await open()
    await queue.schedules.upsert('a', { every: '1h', task: 'ping' })
    await stage.env.advance(3_600_000)
    stage.env.jump(-1_800_000)
    await stage.env.advance(5_400_000)
    expect(await firedOf(queue)).toEqual([3600, 7200])
    stage.env.jump(7_200_000)
    await stage.env.advance(3_600_000)
    expect(await firedOf(queue)).toEqual([3600, 7200, 18_000])
    expect((await scheduleOf(queue)).missed).toBe(2)
  })

  it('is on time when the machine slept for a part of the wait', async () => {
    const { queue } = await open()
    await queue.schedules.upsert('a', { every: '1h', task: 'ping' })
    await stage.env.advance(60_000)
    // Timers stand still while a machine sleeps; the clock goes on.
    stage.env.jump(900_000)
    await stage.env.advance(2_700_000)
    expect((await scheduleOf(queue)).fired).toBe(1)
  })

  it('ends with the limit, and goes on with a larger one', async () => {
    const { queue } = await open()
    const spec = { every: '10s', task: 'ping', catchUp: 'all' } as const
    await queue.schedules.upsert('a', { ...spec, limit: 2 })
    await stage.env.advance(60_000)
    expect(await scheduleOf(queue)).toMatchObject({ fired: 2, nextAt: null })
    await queue.schedules.upsert('a', { ...spec, limit: 3 })
    await stage.env.advance(60_000)
    expect(await firedOf(queue)).toEqual([10, 20, 60])
    await queue.schedules.upsert('a', { ...spec, limit: 1 })
    expect(await scheduleOf(queue)).toMatchObject({ fired: 3, nextAt: null, rule: { limit: 1 } })
  })

  it('begins at startAt and ends with endAt, both included', async () => {
    const { queue } = await open()
    const window = { startAt: new Date(start + 5000), endAt: start + 25_000 }
    await queue.schedules.upsert('a', { every: '10s', task: 'ping', ...window })
    await stage.env.advance(60_000)
    expect(await firedOf(queue)).toEqual([5, 15, 25])
    expect((await scheduleOf(queue)).nextAt).toBeNull()
  })

  it('counts from a startAt in the past, and does not make up for it', async () => {
    const { queue } = await open()
    const spec = { every: '10s', startAt: start - 3000, catchUp: 'all', task: 'ping' } as const
    await queue.schedules.upsert('a', spec)
    await stage.env.advance(20_000)
    expect(await firedOf(queue)).toEqual([7, 17])
  })

  it('goes by the zone when clocks change', async () => {
    const { queue } = await open()
    await stage.env.advance(1000)
    stage.env.jump(Date.UTC(2026, 2, 28, 12) - stage.env.now())
    const zone = { timeZone: 'Europe/Berlin', task: 'ping' } as const
    await queue.schedules.upsert('a', { cron: '30 2 * * *', ...zone })
    await stage.env.advance(36 * 3_600_000)
    expect((await queue.list()).jobs.map(({ id }) => id))
      .toEqual(['q/a@2026-03-29T01:00:00.000Z'])
  })
})

describe('overlap', () => {
  async function openSlow(overlap: 'allow' | 'skip' | 'supersede') {
    const troupe = await stage.open()
    const gate = hold()
    const queue = troupe.queue('q', {
      concurrency: 10,
      tasks: {
        slow: (job: Job) => new Promise<void>((resolve, reject) => {
          job.signal.addEventListener('abort', () => { reject(job.signal.reason) })
          gate.promise.then(resolve, reject)
        }),
      },
    })
    await troupe.start()
    await queue.schedules.upsert('a', { every: '10s', task: 'slow', overlap })
    return { queue, gate }
  }

  it('allow: another job beside the one that runs', async () => {
    const { queue, gate } = await openSlow('allow')
    await stage.env.advance(30_000)
    expect(await queue.counts()).toMatchObject({ running: 3 })
    expect(await scheduleOf(queue)).toMatchObject({ fired: 3, skipped: 0 })
    gate.release()
  })

  it('skip: none while one is not settled', async () => {
    const { queue, gate } = await openSlow('skip')
    await stage.env.advance(35_000)
    expect(await scheduleOf(queue)).toMatchObject({
      fired: 1, skipped: 2, missed: 0, lastAt: start + 10_000, nextAt: start + 40_000,
    })
    gate.release()
    await stage.env.advance(5000)
    expect(await scheduleOf(queue)).toMatchObject({ fired: 2, skipped: 2, lastAt: start + 40_000 })
    expect(await firedOf(queue)).toEqual([10, 40])
  })

  it('skip: a triggered job counts as one, and a trigger finds the one that is there', async () => {
    const { queue, gate } = await openSlow('skip')
    const handle = await queue.schedules.trigger('a')
    expect(handle.created).toBe(true)
    const again = await queue.schedules.trigger('a')
    expect([again.id, again.created]).toEqual([handle.id, false])
    await stage.env.advance(25_000)
    expect(await scheduleOf(queue)).toMatchObject({
      fired: 0, skipped: 2, lastAt: null, lastJobId: null, nextAt: start + 30_000,
    })
    gate.release()
    await stage.env.advance(5000)
    expect(await scheduleOf(queue)).toMatchObject({ fired: 1, skipped: 2 })
  })

  it('skip: what is skipped leaves the limit alone', async () => {
    const { queue, gate } = await openSlow('skip')
    await queue.schedules.upsert('a', { every: '10s', task: 'slow', overlap: 'skip', limit: 2 })
    await stage.env.advance(35_000)
    expect(await scheduleOf(queue)).toMatchObject({ fired: 1, skipped: 2, nextAt: start + 40_000 })
    gate.release()
    await stage.env.advance(25_000)
    expect(await scheduleOf(queue)).toMatchObject({ fired: 2, skipped: 2, nextAt: null })
  })

  it('skip: nor does it when a triggered job is in the way', async () => {
    const { queue, gate } = await openSlow('skip')
    await queue.schedules.upsert('a', { every: '10s', task: 'slow', overlap: 'skip', limit: 1 })
    await queue.schedules.trigger('a')
    await stage.env.advance(25_000)
    expect(await scheduleOf(queue)).toMatchObject({ fired: 0, skipped: 2, nextAt: start + 30_000 })
    gate.release()
    await stage.env.advance(25_000)
    expect(await scheduleOf(queue)).toMatchObject({ fired: 1, skipped: 2, nextAt: null })
  })

  it('supersede: the one that runs is cancelled, and the new one starts behind it', async () => {
    const { queue, gate } = await openSlow('supersede')
    await stage.env.advance(30_000)
    const { jobs } = await queue.list()
    expect(jobs.map(({ state }) => state)).toEqual(['cancelled', 'cancelled', 'running'])
    expect(await scheduleOf(queue)).toMatchObject({ fired: 3, skipped: 0 })
    gate.release()
  })
})

it('leaves no timer behind when nothing is scheduled any more', async () => {
  const troupe = await createTroupe({ store: stage.store, env: stage.env })
  const queue = troupe.queue('q', { tasks })
  await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
  await troupe.start()
  await stage.env.advance(15_000)
  const before = stage.env.pendingTimers
  await queue.schedules.remove('a')
  expect(stage.env.pendingTimers).toBe(before - 1)
  await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
  await stage.drive(troupe.stop())
  expect(stage.env.pendingTimers).toBe(0)
})
