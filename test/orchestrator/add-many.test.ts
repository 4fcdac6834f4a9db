import type { Job, Queue, Tasks } from 'troupe'
import { describe, expect, test } from 'vitest'
import { listQuery } from '../../src/testing/records.ts'
import { recordOf, refusal, useStage } from '../support/stage.ts'

const stage = useStage()

const tasks = { resize: (_job: Job) => null, crop: () => null }

async function open() {
  const troupe = await stage.open()
  return { troupe, images: troupe.queue('images', { tasks, maxBytes: 1000 }) }
}

async function expectNothingStored(): Promise<void> {
  const { entries } = await stage.store.readLog('images', 0, 10)
  expect(entries).toEqual([])
  const { records } = await stage.store.list(listQuery())
  expect(records).toEqual([])
}

/** As a caller without types would call it. */
function untyped(queue: unknown): Pick<Queue<Tasks>, 'addMany'> & {
  add(task: unknown, input?: unknown, options?: unknown): Promise<{ readonly id: string }>
} {
  return queue as ReturnType<typeof untyped>
}

describe('an id', () => {
  test('of the same queue and task gives the job that exists, whatever its state', async () => {
    const { troupe, images } = await open()
    const first = await images.add('resize', { n: 1 }, { id: 'a' })
    const again = await images.add('resize', { n: 2 }, { id: 'a', priority: 1 })
    expect([first.created, again.created]).toEqual([true, false])
    expect(again.id).toBe('a')
    expect(await recordOf(images, 'a')).toMatchObject({ rev: 1, input: { n: 1 }, priority: 5 })

    await troupe.start()
    await stage.drive(first.result())
    const late = await images.add('resize', { n: 3 }, { id: 'a' })
    expect(late.created).toBe(false)
    expect(await late.result()).toBeNull()
    expect(await recordOf(images, 'a')).toMatchObject({ state: 'completed', attempt: 1 })
  })

  test('of another task or queue is in use', async () => {
    const { troupe, images } = await open()
    await images.add('resize', {}, { id: 'a' })
    const other = troupe.queue('sounds', { tasks })
    for (const work of [images.add('crop', undefined, { id: 'a' }), other.add('resize', 1, {
      id: 'a',
    })]) {
      expect(await refusal(work)).toMatchObject({
        code: 'id-in-use', details: { id: 'a', queue: 'images', task: 'resize' },
      })
    }
    expect((await other.counts()).queued).toBe(0)
    expect((await images.counts()).queued).toBe(1)
  })

  test('is made up when none is given, and never twice', async () => {
    const { images } = await open()
    const handles = await Promise.all([1, 2, 3].map((n) => images.add('resize', n)))
    expect(new Set(handles.map(({ id }) => id)).size).toBe(3)
  })
})

describe('addMany', () => {
  test('stores all, in order, with a handle each', async () => {
    const { images } = await open()
    const handles = await images.addMany([
      { task: 'resize', input: 1, id: 'a' },
      { task: 'crop', priority: 2, id: 'b' },
      { task: 'resize', input: 2, id: 'a' },
    ])
    expect(handles.map(({ id, created }) => [id, created])).toEqual([
      ['a', true], ['b', true], ['a', false],
    ])
    expect((await images.list()).jobs.map(({ id }) => id)).toEqual(['a', 'b'])
  })

  const good = { task: 'resize', input: 1 }
  const faults: readonly [string, unknown, string, string][] = [
    ['an input', { task: 'resize', input: [1n] }, 'invalid-input', 'jobs[1].input[0]'],
    ['an input too large', { task: 'resize', input: 'x'.repeat(1000) }, 'too-large',
      'jobs[1].input'],
    ['an option', { ...good, delay: 'x' }, 'invalid-option', 'jobs[1].delay'],
    ['an unknown option', { ...good, nap: 1 }, 'invalid-option', 'jobs[1].nap'],
    ['both times', { ...good, delay: 1, runAt: 1 }, 'invalid-option', 'jobs[1]'],
    ['a task', { task: 'rezise', input: 1 }, 'unknown-task', 'jobs[1]'],
    ['a task that is no text', { task: 7 }, 'invalid-option', 'jobs[1].task'],
    ['something else', null, 'invalid-option', 'jobs[1]'],
  ]
  test.each(faults)('stores nothing for a fault in %s, and names the index', async (
    _name, bad, code, path,
  ) => {
    const { images } = await open()
    const jobs = [good, bad, good] as { task: 'resize'; input: number }[]
    const error = await refusal(images.addMany(jobs))
    expect(error.code).toBe(code)
    expect(error.message).toContain(path)
    if (code !== 'unknown-task') expect(error.details).toMatchObject({ path })
    await expectNothingStored()
  })

  test('stores nothing when one id is in use', async () => {
    const { troupe, images } = await open()
    await troupe.queue('sounds', { tasks }).add('resize', 1, { id: 'taken' })
    const error = await refusal(images.addMany([
      { task: 'resize', input: 1 }, { task: 'resize', input: 1, id: 'taken' },
    ]))
    expect(error.code).toBe('id-in-use')
    expect(error.message).toContain('jobs[1]')
    await expectNothingStored()
  })

  test('stores nothing when one id has two tasks in the call itself', async () => {
    const { images } = await open()
    const error = await refusal(images.addMany([
      { task: 'resize', input: 1, id: 'a' }, { task: 'crop', id: 'a' },
    ]))
    expect(error.code).toBe('id-in-use')
    await expectNothingStored()
  })

  test('of nothing stores nothing; what is no array is refused', async () => {
    const { images } = await open()
    expect(await images.addMany([])).toEqual([])
    const call = untyped(images).addMany as (jobs: unknown) => Promise<unknown>
    expect(await refusal(call.call(images, { task: 'resize' }))).toMatchObject({
      code: 'invalid-option', details: { path: 'jobs' },
    })
  })
})
