import { AssertionError } from 'node:assert'
import type { Job } from 'troupe'
import { assertJob, assertTransitions, checkHistory, testTroupe } from 'troupe/testing'
import type { TestTroupe } from 'troupe/testing'
import { afterEach, describe, expect, it } from 'vitest'

const open: TestTroupe[] = []

async function stage(options: Parameters<typeof testTroupe>[0] = {}): Promise<TestTroupe> {
  const t = await testTroupe(options)
  open.push(t)
  return t
}

afterEach(async () => {
  for (const t of open.splice(0)) await t.stop()
})

/** The message of the assertion that fails. */
async function message(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(() => 'nothing has failed', (reason: unknown) => reason)
  if (error instanceof AssertionError) return error.message
  throw error
}

describe('virtual time', () => {
  it('stands still until it is moved, and begins on 1 January 2026', async () => {
    const t = await stage()
    const queue = t.troupe.queue('q', { tasks: { work: t.scripted() } })
    await t.start()
    const job = await queue.add('work', null, { delay: '1h' })
    expect(new Date(t.now).toISOString()).toBe('2026-01-01T00:00:00.000Z')
    await t.advance('59m')
    expect(await t.record(job)).toMatchObject({ phase: 'delayed' })
    await t.advance('1m')
    expect(await t.record(job)).toMatchObject({ state: 'completed' })
    expect(new Date(t.now).toISOString()).toBe('2026-01-01T01:00:00.000Z')
  })

  it('gives the same run for the same seed, and another for another', async () => {
    const run = async (seed: number): Promise<string> => {
      const t = await testTroupe({ seed })
      const flaky = t.scripted({ failTimes: 3 }, { take: '5s' })
      const queue = t.troupe.queue('q', { tasks: { work: flaky }, defaults: { retries: 3 } })
      await queue.addMany([{ task: 'work', input: 1 }, { task: 'work', input: 2 }])
      await t.runUntilSettled()
      const log = JSON.stringify(await t.transitions(queue))
      await t.stop()
      return log
    }
    const first = await run(7)
    expect(await run(7)).toBe(first)
    expect(await run(8)).not.toBe(first)
  })

  it('begins when it is told to', async () => {
    const t = await stage({ now: new Date('2030-02-03T04:05:06Z') })
    await t.advance('1m')
    expect(new Date(t.now).toISOString()).toBe('2030-02-03T04:06:06.000Z')
  })

  it('fires schedules on the way', async () => {
    const t = await stage()
    const tick = t.scripted()
    const queue = t.troupe.queue('q', { tasks: { tick } })
    await queue.schedules.upsert('hourly', { cron: '30 * * * *', task: 'tick', input: null })
    await t.start()
    await t.advance('1d')
    const hours = tick.starts.map(({ at }) => new Date(at).getUTCHours())
    expect(hours).toEqual(Array.from({ length: 24 }, (_, hour) => hour))
  })
})

describe('runOne', () => {
  it('runs exactly one job, the first in line, and answers its record', async () => {
    const t = await stage()
    const work = t.scripted({ byInput: (input) => ({ succeed: `done ${String(input)}` }) })
    const queue = t.troupe.queue('q', { tasks: { work } })
    await queue.add('work', 'later', { priority: 9 })
    await queue.add('work', 'first', { priority: 1 })
    await queue.add('work', 'second')
    assertJob(await t.runOne(), 'completed', { input: 'first', result: 'done first' })
    expect(work.starts).toHaveLength(1)
    await t.advance('1h')
    expect(work.starts, 'the others are held back').toHaveLength(1)
    assertJob(await t.runOne(), 'completed', { input: 'second' })
    await t.runUntilIdle()
    expect(work.starts.map(({ input }) => input)).toEqual(['first', 'second', 'later'])
  })

  it('runs one attempt of a job that fails', async () => {
    const t = await stage()
    const queue = t.troupe.queue('q', { tasks: { work: t.scripted({ failTimes: 1 }) } })
    const job = await queue.add('work', null, { retries: 1, backoff: '10s' })
    assertJob(await t.runOne(), 'queued', { phase: 'delayed', attempt: 1 })
    await t.advance('10s')
    assertJob(await t.runOne(), 'completed', { attempt: 2 })
    assertTransitions(await t.transitions(job), [
      'add→ready', 'claim→running', 'fail→delayed', 'due→ready', 'claim→running',
      'complete→completed',
    ])
  })

  it('takes the job of any queue', async () => {
    const t = await stage()
    const [work, other] = [t.scripted(), t.scripted()]
    t.troupe.queue('empty', { tasks: { work } })
    const full = t.troupe.queue('full', { tasks: { work } })
    const late = t.troupe.queue('late', { tasks: { work: other } })
    await full.addMany([{ task: 'work', input: 1 }, { task: 'work', input: 2 }])
    await late.add('work', null)
    assertJob(await t.runOne(), 'completed', { input: 1 })
    expect([work.starts.length, other.starts.length]).toEqual([1, 0])
    assertJob(await t.runOne(), 'completed', { input: 2 })
    assertJob(await t.runOne(), 'completed', { queue: 'late' })
  })

  it('moves time as far as the handler needs it, and no further', async () => {
    const t = await stage()
    const queue = t.troupe.queue('q', { tasks: { work: t.scripted({ take: '25s' }) } })
    await queue.add('work', null)
    const before = t.now
    assertJob(await t.runOne(), 'completed')
    expect(t.now - before).toBe(25_000)
  })

  it('says why no job can be claimed', async () => {
    const t = await stage()
    const queue = t.troupe.queue('q', { tasks: { work: t.scripted() } })
    expect(await message(t.runOne())).toBe('no job can be claimed: nothing is queued')
    await queue.add('work', null, { id: 'a', delay: '1h' })
    expect(await message(t.runOne()))
      .toMatch(/^no job can be claimed:\n {2}job a of q, task work: /)
    await queue.remove('a')
  })

  it('gives up a handler that does not end', async () => {
    const t = await stage()
    const work = t.scripted('hang')
    const queue = t.troupe.queue('q', { tasks: { work } })
    await queue.add('work', null, { id: 'a' })
    expect(await message(t.runOne({ within: '5m' }))).toBe(
      'job a still runs after 5m\n' +
      'job a of q, task work: attempt 1 still runs, since 2026-01-01T00:00:00.000Z',
    )
    expect(work.release({ succeed: 'late' })).toBe(1)
    await t.runUntilIdle()
    assertJob(await queue.get('a'), 'completed', { result: 'late' })
  })
})

describe('runUntilIdle and runUntilSettled', () => {
  it('idle: nothing runs and nothing can be claimed; who waits for its time stays', async () => {
    const t = await stage()
    const queue = t.troupe.queue('q', { tasks: { work: t.scripted({ failTimes: 1 }) } })
    const job = await queue.add('work', null, { retries: 1 })
    await t.runUntilIdle()
    assertJob(await t.record(job), 'queued', { phase: 'delayed' })
    await t.runUntilSettled()
    assertJob(await t.record(job), 'completed', { attempt: 2 })
  })

  it('idle: also jobs that other jobs add', async () => {
    const t = await stage()
    const last = t.troupe.queue('last', { tasks: { end: t.scripted({ take: '5s' }) } })
    const first = t.troupe.queue('first', {
      tasks: {
        begin: async (job: Job<null>) => {
          await new Promise<void>((resolve) => { t.env.after(60_000, resolve) })
          await last.add('end', job.id)
        },
      },
    })
    await first.add('begin', null)
    await t.runUntilIdle()
    expect(await last.counts()).toMatchObject({ completed: 1 })
  })

  it('settled: names what does not run, and why', async () => {
    const t = await stage()
    const queue = t.troupe.queue('q', { tasks: { work: t.scripted() } })
    await queue.pause()
    await queue.add('work', null, { id: 'a' })
    const told = await message(t.runUntilSettled({ within: '1h' }))
    expect(told).toMatch(/^not all has settled within 1h:\n {2}job a of q, task work: .*paused/)
    await queue.resume()
    await t.runUntilSettled()
  })

  it('settled: does not wait for who waits by its own wish', async () => {
    const t = await stage()
    const queue = t.troupe.queue('q', { tasks: { good: t.scripted(), bad: t.scripted('fail') } })
    const parents = [await queue.add('good', null), await queue.add('bad', null)]
    const options = { dependsOn: parents, onParentFailure: 'wait' } as const
    const child = await queue.add('good', null, options)
    const grandchild = await queue.add('good', null, { dependsOn: [child] })
    await t.runUntilSettled({ within: 0 })
    assertJob(await t.record(grandchild), 'queued', { phase: 'blocked' })
    checkHistory(await t.history('q'))
  })

  it('until: moves time for a promise, and says when nothing comes of it', async () => {
    const t = await stage()
    const queue = t.troupe.queue('q', { tasks: { work: t.scripted({ take: '1m' }) } })
    await t.start()
    const job = await queue.add('work', null, { delay: '30m' })
    expect(await t.until(job.result())).toBe(null)
    const never = new Promise(() => undefined)
    expect(await message(t.until(never))).toBe('nothing came of it within 1h\nno handler runs')
  })
})

describe('stop', () => {
  it('fails when a handler was still running, and stops all the same', async () => {
    const t = await testTroupe()
    const queue = t.troupe.queue('q', { tasks: { work: t.scripted('hang') } })
    await queue.add('work', null, { id: 'a' })
    await t.start()
    expect(await message(t.stop()))
      .toMatch(/^the troupe was not at rest:\n {2}job a of q, task work/)
    await expect(queue.add('work', null)).rejects.toMatchObject({ code: 'stopped' })
  })

  it('fails when something was logged that nobody took', async () => {
    const t = await testTroupe()
    const queue = t.troupe.queue('q', { tasks: { work: t.scripted() } })
    const reported = (): void => { queue.transitions$.subscribe(() => { throw new Error('mine') }) }
    reported()
    await queue.add('work', null)
    await t.runUntilIdle()
    expect(await message(t.stop())).toMatch(/not at rest:\n {2}logged \(error\): .*mine/)
  })

  it('says nothing of what was taken', async () => {
    const t = await testTroupe()
    const queue = t.troupe.queue('q', { tasks: { work: t.scripted() } })
    queue.transitions$.subscribe(() => { throw new Error('mine') })
    await queue.add('work', null)
    await t.runUntilIdle()
    expect(t.takeLogged().length).toBeGreaterThan(0)
    await t.stop()
  })
})

describe('two processes', () => {
  it('what one ran when it crashed starts again in the other; all promises hold', async () => {
    const t = await stage()
    const options = { concurrency: 2, defaults: { maxStalls: 1 } }
    const doomed = t.scripted({ byInput: (input) => input as 'crash' })
    const queue = t.troupe.queue('q', { ...options, tasks: { work: doomed } })
    await queue.add('work', { take: '5s' }, { id: 'b' })
    await queue.add('work', 'crash', { id: 'a' })
    await t.start()
    expect(doomed.starts).toHaveLength(2)
    const other = await stage({ beside: t })
    const work = other.scripted()
    other.troupe.queue('q', { ...options, tasks: { work } })
    await other.start()
    expect(work.starts).toEqual([])
    await other.advance('31s')
    expect(work.starts).toMatchObject([{ id: 'b', attempt: 2 }, { id: 'a', attempt: 2 }])
    assertTransitions(await other.record({ id: 'a' }), [
      'add -> ready', 'claim -> running', 'stall -> ready', 'claim -> running',
      'complete -> completed',
    ])
    const history = await other.history('q', [t])
    checkHistory(history)
    expect(history.journals[1]).toMatchObject({
      killed: true, lines: [{ what: 'start', id: 'b' }, { what: 'start', id: 'a' }],
    })
    await expect(t.history('q')).rejects.toThrow('has crashed')
  })
})
