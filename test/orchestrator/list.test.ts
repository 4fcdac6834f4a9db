import type { Job, JobPage, ListOptions, Queue } from 'troupe'
import { describe, expect, test } from 'vitest'
import { refusal, useStage } from '../support/stage.ts'

const stage = useStage()

const tasks = {
  work: (_job: Job<string>) => ({ said: 'Well done' }),
  fail: (_job: Job<string>) => { throw new Error('Out of paper') },
}
type Work = Queue<typeof tasks>

async function open() {
  const troupe = await stage.open()
  return { troupe, queue: troupe.queue('q', { concurrency: 1, tasks }) }
}

async function ids(queue: Work, options?: ListOptions): Promise<string[]> {
  return (await queue.list(options)).jobs.map(({ id }) => id)
}

/** Jobs in several states, added and settled a second apart. */
async function some() {
  const { troupe, queue } = await open()
  const start = stage.env.now()
  await troupe.start()
  await queue.add('work', 'one', { id: 'done', meta: { tenant: 't1' }, priority: 7 })
  await stage.env.advance(1000)
  await queue.add('fail', 'two', { id: 'failed', partition: 'p', label: 'Second' })
  await stage.env.advance(1000)
  await queue.addMany([
    { task: 'work', input: 'three', id: 'later', delay: '1h', partition: 'p', priority: 9 },
    { task: 'work', input: 'four', id: 'child', dependsOn: ['later'], meta: { tenant: 't1' } },
  ])
  return { troupe, queue, start }
}

describe('list', () => {
  test('finds by each of its filters, and by several', async () => {
    const { queue, start } = await some()
    const found: readonly (readonly [ListOptions, readonly string[]])[] = [
      [{}, ['done', 'failed', 'later', 'child']],
      [{ state: 'queued' }, ['later', 'child']],
      [{ state: ['failed', 'completed'] }, ['done', 'failed']],
      [{ state: [] }, []],
      [{ phase: 'blocked' }, ['child']],
      [{ task: 'fail' }, ['failed']],
      [{ partition: 'p' }, ['failed', 'later']],
      [{ meta: { tenant: 't1' } }, ['done', 'child']],
      [{ text: 'OUT OF' }, ['failed']],
      [{ text: 'well' }, ['done']],
      [{ text: 'second' }, ['failed']],
      [{ createdAt: { from: start + 1000 } }, ['failed', 'later', 'child']],
      [{ createdAt: { from: start + 1, to: new Date(start + 2000) } }, ['failed']],
      [{ settledAt: { to: start + 1000 } }, ['done']],
      [{ partition: 'p', state: 'queued', text: 'three' }, ['later']],
      [{ partition: 'p', state: 'completed' }, []],
    ]
    for (const [options, expected] of found) {
      expect([options, await ids(queue, options)]).toEqual([options, expected])
    }
  })

  test('sorts, and pages go on in either order', async () => {
    const { queue } = await some()
    expect(await ids(queue, { sort: 'priority' })).toEqual(['failed', 'child', 'done', 'later'])
    expect(await ids(queue, { sort: 'settledAt', order: 'desc' }))
      .toEqual(['failed', 'done', 'child', 'later'])
    expect(await ids(queue, { sort: 'runAt', order: 'desc', limit: 1 })).toEqual(['later'])
    const seen: string[] = []
    for (let page: JobPage | null = null; page?.cursor !== null;) {
      const { cursor }: Partial<JobPage> = page ?? {}
      page = await queue.list({ order: 'desc', limit: 3, ...(cursor ? { cursor } : {}) })
      seen.push(...page.jobs.map(({ id }) => id))
    }
    expect(seen).toEqual(['child', 'later', 'failed', 'done'])
  })

  test('gives 100 jobs when it is not told how many', async () => {
    const { queue } = await open()
    await queue.addMany(Array.from({ length: 101 }, () => ({ task: 'work', input: '' }) as const))
    const first = await queue.list()
    expect(first.jobs).toHaveLength(100)
    const { cursor } = first
    expect((await queue.list({ cursor: cursor ?? '' })).jobs).toHaveLength(1)
    const wrong = refusal(queue.list({ cursor: cursor ?? '', order: 'desc' }))
    expect((await wrong).code).toBe('invalid-cursor')
  })

  test('agrees with counts at rest', async () => {
    const { queue } = await some()
    const counts = await queue.counts()
    for (const state of ['queued', 'running', 'cancelling', 'completed', 'failed'] as const) {
      expect([state, await ids(queue, { state })]).toMatchObject([state, { length: counts[state] }])
    }
    for (const phase of ['ready', 'delayed', 'blocked'] as const) {
      expect([phase, await ids(queue, { phase })]).toMatchObject([phase, { length: counts[phase] }])
    }
  })

  test('searches for a text no longer than 100 ms, and goes on by the cursor', async () => {
    const { queue } = await open()
    await queue.addMany(Array.from({ length: 30 }, (_, n) =>
      ({ task: 'work', input: 'hay', id: `job-${n}` }) as const))
    await stage.env.advance(5)
    await queue.add('work', 'needle', { id: 'last' })
    // Each job takes 7 ms to look at.
    let slow = 0
    stage.env.monotonic = () => (slow += 7)
    const first = await queue.list({ text: 'NEEDLE' })
    expect(first).toMatchObject({
      jobs: [], stopped: { scanned: 15, createdAt: stage.env.now() - 5 },
    })
    const second = await queue.list({ text: 'needle', cursor: first.cursor ?? '' })
    expect(second).toMatchObject({ jobs: [], stopped: { scanned: 15 } })
    expect(await queue.list({ text: 'needle', cursor: second.cursor ?? '' }))
      .toMatchObject({ jobs: [{ id: 'last' }], cursor: null, stopped: null })
    // What looks at no text is not slow.
    expect(await queue.list({ task: 'fail' })).toEqual({ jobs: [], cursor: null, stopped: null })
  })

  test.each([
    [{ sort: 'id' }, 'filter.sort'], [{ order: 'up' }, 'filter.order'],
    [{ limit: 0 }, 'filter.limit'], [{ limit: 1001 }, 'filter.limit'],
    [{ limit: 1.5 }, 'filter.limit'], [{ cursor: 5 }, 'filter.cursor'],
    [{ text: 'x', sort: 'priority' }, 'filter.sort'], [{ page: 2 }, 'filter.page'],
    [{ state: ['failed', 'x'] }, 'filter.state'], [[], 'filter'], [null, 'filter'],
  ])('refuses %j, and names the field', async (options, path) => {
    const { queue } = await open()
    const list = queue.list.bind(queue) as (options: unknown) => Promise<unknown>
    const error = await refusal(list(options))
    expect(error).toMatchObject({ code: 'invalid-option', details: { path } })
    expect(error.message).toContain(path)
  })
})

describe('the bulk verbs', () => {
  const verbs = ['cancelMany', 'retryMany', 'clean'] as const

  const faults: readonly (readonly [unknown, unknown, string])[] = [
    [{ status: 'failed' }, {}, 'filter.status'], [{ state: 'done' }, {}, 'filter.state'],
    [{ state: ['failed', 'x'] }, {}, 'filter.state'], [{ phase: 'later' }, {}, 'filter.phase'],
    [{ task: 7 }, {}, 'filter.task'], [{ partition: '' }, {}, 'filter.partition'],
    [{ meta: ['a'] }, {}, 'filter.meta'], [{ text: '' }, {}, 'filter.text'],
    [{ text: 'x'.repeat(257) }, {}, 'filter.text'], [{ createdAt: 5 }, {}, 'filter.createdAt'],
    [{ settledAt: new Date(0) }, {}, 'filter.settledAt'],
    [{ settledAt: { from: 'noon' } }, {}, 'filter.settledAt.from'],
    [{ settledAt: { until: 1 } }, {}, 'filter.settledAt.until'],
    // A variable that was never set must not match every job.
    [{ partition: undefined }, {}, 'filter.partition'], [{ task: undefined }, {}, 'filter.task'],
    [{ meta: { tenant: undefined } }, {}, 'filter.meta.tenant'],
    [[], {}, 'filter'], ['a', {}, 'filter'], [null, {}, 'filter'], [new Date(0), {}, 'filter'],
    [{ limit: 5 }, {}, 'filter.limit'], [{ sort: 'priority' }, {}, 'filter.sort'],
    [{}, { dry: true }, 'options.dry'], [{}, { dryRun: 'no' }, 'options.dryRun'],
    [{}, { onProgress: 1 }, 'options.onProgress'], [{}, null, 'options'],
  ]
  test.each(faults)('refuse %j with %j, and name the field', async (filter, options, path) => {
    const { queue } = await open()
    await queue.addMany([{ task: 'work', input: '' }, { task: 'work', input: '' }])
    for (const verb of verbs) {
      const call = queue[verb].bind(queue) as (...given: unknown[]) => Promise<unknown>
      const error = await refusal(call(filter, options))
      expect(error).toMatchObject({ code: 'invalid-option', details: { path } })
      expect(error.message).toContain(path)
    }
    expect(await queue.counts()).toMatchObject({ queued: 2 })
  })
})
