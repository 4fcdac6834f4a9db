import type { Job, Queue, Schedule, Tasks } from 'troupe'
import { describe, expect, it } from 'vitest'
import { recordOf, refusal, useStage } from '../../support/stage.ts'

const stage = useStage()

const tasks = {
  ping: () => 'pong',
  build: (job: Job<{ pages: number }>) => job.input.pages,
}

async function open(name = 'reports') {
  const troupe = await stage.open()
  const queue = troupe.queue(name, { tasks })
  await troupe.start()
  return queue
}

async function scheduleOf<T extends Tasks>(queue: Queue<T>, key: string): Promise<Schedule> {
  const schedule = await queue.schedules.get(key)
  if (!schedule) throw new Error(`there is no schedule ${key}`)
  return schedule
}

async function idsOf<T extends Tasks>(queue: Queue<T>): Promise<string[]> {
  return (await queue.list({ limit: 1000 })).jobs.map(({ id }) => id)
}

/** The instants of a minute's schedule are given in seconds after the beginning. */
function at(seconds: number): number {
  return Date.UTC(2026, 0, 1) + seconds * 1000
}

describe('upsert', () => {
  it('stores a schedule, and jobs come of it with its task, input and options', async () => {
    const queue = await open()
    const answer = await queue.schedules.upsert('nightly', {
      cron: '0 3 * * *', timeZone: 'Europe/Berlin', task: 'build', input: { pages: 3 },
      priority: 2, label: 'the report', meta: { a: 1 }, partition: 'p', retries: 4, ttl: '1h',
    })
    expect(answer).toBe('created')
    expect(await queue.schedules.get('nightly')).toEqual({
      key: 'nightly', rule: { cron: '0 3 * * *', timeZone: 'Europe/Berlin' }, task: 'build',
      input: { pages: 3 }, overlap: 'allow', catchUp: 'none', createdAt: at(0), paused: false,
      nextAt: at(2 * 3600), lastAt: null, lastJobId: null, fired: 0, skipped: 0, missed: 0,
    })
    await stage.env.advance(2 * 3600_000)
    const id = 'reports/nightly@2026-01-01T02:00:00.000Z'
    expect(await recordOf(queue, id)).toMatchObject({
      task: 'build', input: { pages: 3 }, priority: 2, label: 'the report', meta: { a: 1 },
      partition: 'p', options: { retries: 4 }, ttlMs: 3_600_000, result: 3, createdAt: at(7200),
      timeline: [{ event: 'add', by: 'schedule:nightly' }, {}, {}],
    })
    expect(await scheduleOf(queue, 'nightly')).toMatchObject({
      lastAt: at(7200), lastJobId: id, fired: 1, nextAt: at(26 * 3600),
    })
  })

  it('says whether it changed anything, and changes in place', async () => {
    const queue = await open()
    const spec = { every: '10s', task: 'build', input: { pages: 3 }, meta: { a: 1, b: 2 } } as const
    expect(await queue.schedules.upsert('a', spec)).toBe('created')
    await stage.env.advance(13_000)
    expect(await queue.schedules.upsert('a', spec)).toBe('unchanged')
    expect(await queue.schedules.upsert('a', { ...spec, every: 10_000, meta: { b: 2, a: 1 } }))
      .toBe('unchanged')
    expect(await queue.schedules.upsert('a', { ...spec, input: { pages: 4 } })).toBe('changed')
    expect(await scheduleOf(queue, 'a')).toMatchObject({ fired: 1, nextAt: at(20) })
    await stage.env.advance(7000)
    expect(await recordOf(queue, 'reports/a@2026-01-01T00:00:20.000Z'))
      .toMatchObject({ input: { pages: 4 } })
  })

  it('begins the rhythm anew only with another interval or start', async () => {
    const queue = await open()
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    await stage.env.advance(13_000)
    await queue.schedules.upsert('a', { every: '10s', task: 'ping', endAt: at(600), limit: 50 })
    expect(await scheduleOf(queue, 'a')).toMatchObject({ fired: 1, nextAt: at(20) })
    await queue.schedules.upsert('a', { every: '15s', task: 'ping' })
    expect(await scheduleOf(queue, 'a')).toMatchObject({ fired: 1, nextAt: at(28) })
    await queue.schedules.upsert('a', { every: '15s', task: 'ping', startAt: at(14) })
    expect(await scheduleOf(queue, 'a')).toMatchObject({ fired: 1, nextAt: at(14) })
    await queue.schedules.upsert('a', { cron: '* * * * *', task: 'ping' })
    expect(await scheduleOf(queue, 'a')).toMatchObject({ fired: 1, nextAt: at(60) })
  })

  it('keeps what is paused paused, and what is due due', async () => {
    const queue = await open()
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    await queue.schedules.pause('a')
    expect(await queue.schedules.upsert('a', { every: '5s', task: 'ping' })).toBe('changed')
    expect(await scheduleOf(queue, 'a')).toMatchObject({ paused: true, nextAt: null })
    await stage.env.advance(60_000)
    expect(await idsOf(queue)).toEqual([])
  })

  it('keeps what fell due before it, when only the job changes', async () => {
    const producer = (await stage.open()).queue('reports', { tasks })
    const spec = { every: '10s', task: 'ping', catchUp: 'all' } as const
    await producer.schedules.upsert('a', spec)
    await stage.env.advance(25_000)
    expect(await producer.schedules.upsert('a', { ...spec, label: 'x' })).toBe('changed')
    const queue = await open()
    await stage.env.settle()
    expect(await idsOf(queue)).toHaveLength(2)
  })

  it('gives ids of at most 128 characters, each queue its own', async () => {
    const key = 'k'.repeat(80)
    const names = [
      'x'.repeat(128), `${'x'.repeat(127)}y`, '\u{1F3AD}'.repeat(64), 'a/b~%c', 'short',
    ]
    const troupe = await stage.open()
    const queues = names.map((name) => troupe.queue(name, { tasks }))
    await troupe.start()
    for (const queue of queues) await queue.schedules.upsert(key, { every: '1s', task: 'ping' })
    await stage.env.advance(1000)
    const ids = (await Promise.all(queues.map(idsOf))).flat()
    expect(new Set(ids).size).toBe(names.length)
    expect(ids.every((id) => id.length <= 128 && id.isWellFormed())).toBe(true)
    expect(ids[3]).toMatch(/^a%2fb%7e%25c\/k+@/)
    expect(ids[4]).toBe(`short/${key}@2026-01-01T00:00:01.000Z`)
  })

  it('takes keys that objects know otherwise', async () => {
    const queue = await open()
    for (const key of ['__proto__', 'constructor', '1', 'a@b/c']) {
      expect(await queue.schedules.get(key)).toBeNull()
      expect(await queue.schedules.upsert(key, { every: '1s', task: 'ping' })).toBe('created')
    }
    await stage.env.advance(1000)
    expect((await queue.schedules.list()).map(({ key, fired }) => [key, fired]))
      .toEqual([['1', 1], ['__proto__', 1], ['a@b/c', 1], ['constructor', 1]])
    expect(await queue.schedules.remove('__proto__')).toBe('removed')
    expect(await queue.schedules.list()).toHaveLength(3)
  })

  it('takes at most 1,000 schedules', async () => {
    const queue = (await stage.open()).queue('reports', { tasks })
    for (let count = 0; count < 1000; count += 1) {
      await queue.schedules.upsert(`s${count}`, { every: '1d', task: 'ping' })
    }
    const error = await refusal(queue.schedules.upsert('more', { every: '1d', task: 'ping' }))
    expect(error).toMatchObject({ code: 'invalid-option', details: { path: 'key' } })
    expect(await queue.schedules.upsert('s7', { every: '2d', task: 'ping' })).toBe('changed')
  })
})

describe('preview', () => {
  it('tells the next occurrences of a schedule', async () => {
    const queue = await open()
    await queue.schedules.upsert('a', { every: '10s', task: 'ping', limit: 4 })
    await stage.env.advance(14_000)
    await queue.schedules.pause('a')
    expect(await queue.schedules.preview('a', 2)).toEqual([at(20), at(30)])
    expect(await queue.schedules.preview('a')).toEqual([at(20), at(30), at(40)])
  })

  it('tells those of a rule, stored or not', async () => {
    const queue = await open()
    expect(await queue.schedules.preview({ cron: '0 12 * * *', endAt: at(3 * 86_400) }))
      .toEqual([at(12 * 3600), at(36 * 3600), at(60 * 3600)])
    expect(await queue.schedules.preview({ every: '1m', startAt: at(7), limit: 2 }, 5))
      .toEqual([at(7), at(67)])
    expect(await queue.schedules.preview({ every: '1m' }, 1000)).toHaveLength(1000)
    await queue.schedules.upsert('a', {
      cron: '*/5 * * * *', timeZone: 'Asia/Kolkata', startAt: at(0), limit: 9, task: 'ping',
    })
    const { rule } = await scheduleOf(queue, 'a')
    expect(await queue.schedules.preview(rule, 20)).toEqual(await queue.schedules.preview('a', 20))
  })

  it('refuses what makes no sense', async () => {
    const { schedules } = await open()
    expect(await refusal(schedules.preview('a'))).toMatchObject({
      code: 'unknown-schedule', details: { queue: 'reports', key: 'a' },
    })
    const cases: [unknown, unknown, string][] = [
      [{ every: '1s' }, 0, 'count'], [{ every: '1s' }, 1001, 'count'], [5, 1, 'rule'],
      [{ cron: '* * *' }, 1, 'rule.cron'], [{ every: '1s', task: 'ping' }, 1, 'rule.task'],
    ]
    for (const [rule, count, path] of cases) {
      expect(await refusal(schedules.preview(rule as never, count as never)))
        .toMatchObject({ code: 'invalid-option', details: { path } })
    }
  })
})

describe('verbs', () => {
  it('pause and resume: what falls into the pause is left out, whatever catchUp says', async () => {
    const queue = await open()
    expect(await queue.schedules.pause('a')).toBe('unknown')
    expect(await queue.schedules.resume('a')).toBe('unknown')
    await queue.schedules.upsert('a', { every: '10s', task: 'ping', catchUp: 'all' })
    await stage.env.advance(15_000)
    expect(await queue.schedules.pause('a')).toBe('paused')
    expect(await queue.schedules.pause('a')).toBe('already-paused')
    await stage.env.advance(30_000)
    expect(await queue.schedules.resume('a')).toBe('resumed')
    expect(await queue.schedules.resume('a')).toBe('not-paused')
    await stage.env.advance(10_000)
    expect(await scheduleOf(queue, 'a')).toMatchObject({
      fired: 2, missed: 0, skipped: 0, lastAt: at(50), nextAt: at(60),
    })
  })

  it('trigger: adds a job now, and changes nothing else', async () => {
    const queue = await open()
    expect((await refusal(queue.schedules.trigger('a'))).code).toBe('unknown-schedule')
    await queue.schedules.upsert('a', { every: '1h', task: 'build', input: { pages: 5 } })
    await queue.schedules.pause('a')
    const before = await scheduleOf(queue, 'a')
    const first = await queue.schedules.trigger('a')
    const second = await queue.schedules.trigger('a')
    expect(await stage.drive(first.result())).toBe(5)
    expect(second.id).not.toBe(first.id)
    const { timeline } = await recordOf(queue, first.id)
    expect(timeline[0]).toMatchObject({ event: 'add', by: 'schedule:a' })
    expect(await scheduleOf(queue, 'a')).toEqual(before)
  })

  it('remove: no more jobs, but those that there are', async () => {
    const queue = await open()
    expect(await queue.schedules.remove('a')).toBe('unknown')
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    await queue.schedules.upsert('b', { every: '30s', task: 'ping' })
    await stage.env.advance(10_000)
    expect(await queue.schedules.remove('a')).toBe('removed')
    await stage.env.advance(20_000)
    expect(await idsOf(queue))
      .toEqual(['reports/a@2026-01-01T00:00:10.000Z', 'reports/b@2026-01-01T00:00:30.000Z'])
    expect((await queue.schedules.list()).map(({ key }) => key)).toEqual(['b'])
  })

  it('each queue has its own', async () => {
    const [one, other] = [await open('one'), await open('other')]
    await one.schedules.upsert('a', { every: '10s', task: 'ping' })
    expect(await other.schedules.list()).toEqual([])
    expect(await other.schedules.upsert('a', { every: '10s', task: 'ping' })).toBe('created')
    await stage.env.advance(10_000)
    expect(await idsOf(one)).toHaveLength(1)
    expect(await idsOf(other)).toHaveLength(1)
  })

  it('obliterate takes the schedules with it', async () => {
    const queue = await open()
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    await queue.obliterate()
    await stage.env.advance(30_000)
    expect(await queue.schedules.list()).toEqual([])
    expect(await idsOf(queue)).toEqual([])
  })
})
