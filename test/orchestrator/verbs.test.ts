import type { Job } from 'troupe'
import { describe, expect, test } from 'vitest'
import { hold, recordOf, refusal, useStage } from '../support/stage.ts'

const stage = useStage()

/** A queue whose jobs note when they start, from now on. */
async function clocked(concurrency = 3) {
  const starts: [string, number][] = []
  const begin = stage.env.now()
  const troupe = await stage.open()
  const queue = troupe.queue('q', {
    concurrency,
    tasks: { work: (job: Job) => { starts.push([job.id, stage.env.now() - begin]) } },
  })
  return { troupe, queue, starts }
}

describe('reschedule', () => {
  test('moves a queued job to a time, by a duration, or to now', async () => {
    const { troupe, queue, starts } = await clocked()
    await troupe.start()
    const now = stage.env.now()
    for (const id of ['time', 'date', 'by', 'now']) {
      await queue.add('work', null, { id, delay: '1d' })
    }
    expect(await queue.reschedule('time', now + 400)).toBe('rescheduled')
    expect(await queue.reschedule('date', new Date(now + 200))).toBe('rescheduled')
    expect(await queue.reschedule('by', '600ms')).toBe('rescheduled')
    expect(await queue.reschedule('now', 'now')).toBe('rescheduled')
    await stage.env.advance(1000)
    expect(starts).toEqual([['now', 0], ['date', 200], ['time', 400], ['by', 600]])
  })

  test('holds back a job that was ready, and computes its ttl anew', async () => {
    const { troupe, queue, starts } = await clocked()
    const { id } = await queue.add('work', null, { ttl: 1000 })
    const begin = stage.env.now()
    expect(await queue.reschedule(id, '5s')).toBe('rescheduled')
    expect(await recordOf(queue, id)).toMatchObject({
      phase: 'delayed', runAt: begin + 5000, expiresAt: begin + 6000,
    })
    await troupe.start()
    await stage.env.advance(10_000)
    expect(starts).toEqual([[id, 5000]])
  })

  test('answers what it found', async () => {
    const troupe = await stage.open()
    const gate = hold()
    const queue = troupe.queue('q', { tasks: { work: () => gate.promise } })
    await troupe.start()
    const { id } = await queue.add('work')
    await stage.env.settle()
    expect(await queue.reschedule(id, 'now')).toBe('not-queued')
    expect(await queue.reschedule('nobody', 'now')).toBe('unknown')
    expect(await troupe.queue('other').reschedule(id, 'now')).toBe('unknown')
    gate.release()
    await stage.drive(queue.idle())
    expect(await queue.reschedule(id, 'now')).toBe('not-queued')
    expect(await recordOf(queue, id)).toMatchObject({ state: 'completed', rev: 3 })
  })

  test('to nonsense is refused, and changes nothing', async () => {
    const { queue } = await clocked()
    const { id } = await queue.add('work')
    for (const when of ['later', -5, new Date(Number.NaN), undefined]) {
      expect(await refusal(queue.reschedule(id, when as 'now'))).toMatchObject({
        code: 'invalid-option', details: { path: 'when' },
      })
    }
    expect((await recordOf(queue, id)).rev).toBe(1)
  })
})

describe('remove', () => {
  test('takes away a job that does not run, and answers what it found', async () => {
    const troupe = await stage.open()
    const gate = hold()
    const queue = troupe.queue('q', { concurrency: 1, tasks: { work: () => gate.promise } })
    await troupe.start()
    await queue.add('work', undefined, { id: 'runs' })
    await queue.add('work', undefined, { id: 'waits' })
    await stage.env.settle()
    expect(await queue.remove('runs')).toBe('live')
    expect(await troupe.queue('other').remove('waits')).toBe('unknown')
    expect(await queue.remove('waits')).toBe('removed')
    expect(await queue.remove('waits')).toBe('unknown')
    expect(await queue.get('waits')).toBeNull()
    gate.release()
    await stage.drive(queue.idle())
    expect(await queue.counts()).toMatchObject({ completed: 1, queued: 0 })
    expect(await queue.remove('runs')).toBe('removed')
    expect((await queue.list()).jobs).toEqual([])
  })

  test('frees the id', async () => {
    const { queue } = await clocked()
    await queue.add('work', { n: 1 }, { id: 'a' })
    await queue.remove('a')
    const again = await queue.add('work', { n: 2 }, { id: 'a' })
    expect(again.created).toBe(true)
    expect(await recordOf(queue, 'a')).toMatchObject({ rev: 1, input: { n: 2 } })
  })
})

describe('list', () => {
  test('goes on where the page before has ended', async () => {
    const { queue } = await clocked()
    for (const id of ['a', 'b', 'c']) await queue.add('work', { n: 1 }, { id, delay: '1h' })
    const first = await queue.list({ limit: 2 })
    expect(first.jobs.map(({ id }) => id)).toEqual(['a', 'b'])
    const second = await queue.list({ limit: 2, cursor: first.cursor ?? '' })
    expect(second).toMatchObject({ jobs: [{ id: 'c' }], cursor: null })
  })

  test('refuses a cursor that no page carried', async () => {
    const { queue } = await clocked()
    await expect(queue.list({ cursor: 'nonsense' })).rejects.toMatchObject({
      code: 'invalid-cursor', details: { cursor: 'nonsense' },
    })
  })
})
