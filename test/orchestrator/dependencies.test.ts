import { memoryStore } from 'troupe'
import type { Job, Parent, Store } from 'troupe'
import { describe, expect, test } from 'vitest'
import { faultyStore, refuse } from '../../src/testing/faulty-store.ts'
import { hold, recordOf, refusal, useStage } from '../support/stage.ts'

const stage = useStage()

/** A queue whose jobs do what their input says, and note when they start. */
async function open(store: Store = stage.store) {
  const troupe = await stage.open({ store })
  const started: string[] = []
  const parents: (readonly Parent[])[] = []
  const gate = hold()
  const broken = new Set<string>()
  const queue = troupe.queue('q', {
    concurrency: 10,
    tasks: {
      work: async (job: Job<{ wait?: boolean } | undefined>) => {
        started.push(job.id)
        parents.push(job.parents)
        if (job.input?.wait) await gate.promise
        if (broken.has(job.id)) throw new TypeError(`${job.id} is broken`)
        return { of: job.id }
      },
    },
  })
  return { troupe, queue, started, parents, gate, broken }
}

describe('a job with dependsOn', () => {
  test('runs when the last of its parents has completed', async () => {
    const { troupe, queue, started, gate } = await open()
    await troupe.start()
    const slow = await queue.add('work', { wait: true }, { id: 'slow' })
    const quick = await queue.add('work', undefined, { id: 'quick' })
    const child = await queue.add('work', undefined, { id: 'child', dependsOn: [slow, quick.id] })
    const states: string[] = []
    child.state$.subscribe((state) => { states.push(state) })
    await stage.env.advance(60_000)
    expect(started).toEqual(['slow', 'quick'])
    expect(await recordOf(queue, 'child')).toMatchObject({
      state: 'queued', phase: 'blocked', dependsOn: ['slow', 'quick'],
    })
    expect(await queue.counts()).toMatchObject({ blocked: 1, queued: 1, running: 1 })
    gate.release()
    expect(await stage.drive(child.result())).toEqual({ of: 'child' })
    expect(started).toEqual(['slow', 'quick', 'child'])
    expect(states).toEqual(['queued', 'running', 'completed'])
  })

  test('waits for jobs of other queues, added by others', async () => {
    const { queue, troupe, started } = await open()
    const other = await stage.open()
    const far = other.queue('far', { tasks: { step: () => 7 } })
    const parent = await far.add('step')
    const child = await queue.add('work', undefined, { dependsOn: [parent] })
    await troupe.start()
    await stage.env.advance(1000)
    expect(started).toEqual([])
    await other.start()
    await stage.drive(child.result())
    expect(started).toEqual([child.id])
  })

  test('added after its parents have completed runs at once', async () => {
    const { queue, troupe } = await open()
    await troupe.start()
    const parent = await queue.add('work')
    await stage.drive(parent.result())
    const before = stage.env.now()
    const child = await queue.add('work', undefined, { dependsOn: [parent] })
    await stage.env.settle()
    expect(await recordOf(queue, child.id)).toMatchObject({ state: 'completed', settledAt: before })
  })

  test('runs at the later of its delay and its parents, and its ttl counts', async () => {
    const { queue, troupe, started, gate } = await open()
    await troupe.start()
    const slow = await queue.add('work', { wait: true }, { id: 'slow' })
    const quick = await queue.add('work', undefined, { id: 'quick' })
    await queue.add('work', undefined, { id: 'by delay', dependsOn: [quick], delay: '10s' })
    await queue.add('work', undefined, { id: 'by parent', dependsOn: [slow], delay: '10s' })
    await queue.add('work', undefined, { id: 'too late', dependsOn: [slow], ttl: '15s' })
    await stage.env.advance(9_999)
    expect(started).toEqual(['slow', 'quick'])
    await stage.env.advance(1)
    expect(started).toEqual(['slow', 'quick', 'by delay'])
    await stage.env.advance(5000)
    expect(await recordOf(queue, 'too late')).toMatchObject({ state: 'failed', reason: 'expired' })
    gate.release()
    await stage.env.settle()
    expect(started).toEqual(['slow', 'quick', 'by delay', 'by parent'])
  })

  test('is refused at the door with what is wrong, and nothing is stored', async () => {
    const { queue } = await open()
    expect(await refusal(queue.add('work', undefined, { dependsOn: ['nobody'] })))
      .toMatchObject({
        code: 'unknown-parent', details: { id: 'nobody', path: 'options.dependsOn[0]' },
      })
    expect(await refusal(queue.add('work', undefined, { id: 'me', dependsOn: ['me'] })))
      .toMatchObject({ code: 'dependency-cycle', details: { cycle: ['me', 'me'] } })
    const circle = await refusal(queue.addMany([
      { task: 'work', id: 'a', dependsOn: ['b'] }, { task: 'work', id: 'b', dependsOn: ['a'] },
    ]))
    expect(circle).toMatchObject({ code: 'dependency-cycle', details: { cycle: ['a', 'b', 'a'] } })
    expect(circle.message).toContain('a → b → a')
    const many = Array.from({ length: 1001 }, (_, n) => `p${n}`)
    expect(await refusal(queue.add('work', undefined, { dependsOn: many })))
      .toMatchObject({ code: 'invalid-option', details: { path: 'options.dependsOn' } })
    expect((await queue.list()).jobs).toEqual([])
  })
})

describe('job.parents', () => {
  test('tells how the parents have ended, in their order', async () => {
    const { queue, troupe, parents, broken } = await open()
    broken.add('bad')
    await queue.addMany([
      { task: 'work', id: 'good' }, { task: 'work', id: 'bad' }, { task: 'work', id: 'gone' },
      { task: 'work', id: 'off' },
    ])
    const child = await queue.add('work', undefined, {
      dependsOn: ['off', 'bad', 'good', 'gone'], onParentFailure: 'run',
    })
    await queue.cancel('off', 'not needed')
    await queue.remove('gone')
    await troupe.start()
    await stage.drive(child.result())
    const known = { key: null, queue: 'q', task: 'work', result: null, error: null }
    expect(parents.at(-1)).toEqual([
      { ...known, id: 'off', state: 'cancelled' },
      {
        ...known, id: 'bad', state: 'failed',
        error: expect.objectContaining({ name: 'TypeError', message: 'bad is broken' }) as unknown,
      },
      { ...known, id: 'good', state: 'completed', result: { of: 'good' } },
      { ...known, id: 'gone', queue: null, task: null, state: 'removed' },
    ])
    expect(parents[0]).toEqual([])
  })

  test('are read again when the store refuses: the job is not lost', async () => {
    const { store, next, calls } = faultyStore(memoryStore())
    const { queue, troupe, parents } = await open(store)
    const parent = await queue.add('work', undefined, { id: 'parent' })
    const child = await queue.add('work', undefined, { dependsOn: [parent] })
    next('get', refuse, 3)
    await troupe.start()
    await stage.env.advance(1499)
    expect(await troupe.queue('q').counts()).toMatchObject({ running: 1, completed: 1 })
    await stage.env.advance(1)
    expect(calls('get')).toHaveLength(4)
    expect(await stage.drive(child.result())).toEqual({ of: child.id })
    expect(parents.at(-1)).toMatchObject([{ id: 'parent', state: 'completed' }])
    expect(await recordOf(queue, child.id)).toMatchObject({ attempt: 1 })
    expect(stage.takeLines().map(({ message }) => message)).toEqual([
      `the parents of job ${child.id} could not be read; trying again`,
      'the store takes everything again; it refused 3 times in 2 s',
    ])
  })

  test('are copies: what a handler does to them changes no record', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('copies', {
      tasks: {
        give: () => ({ list: [1] }),
        take: (job: Job) => {
          const [parent] = job.parents
          const result = parent?.result as { list: number[] }
          result.list.push(2)
        },
      },
    })
    const parent = await queue.add('give')
    const child = await queue.add('take', undefined, { dependsOn: [parent] })
    await troupe.start()
    await stage.drive(child.result())
    expect(await parent.result()).toEqual({ list: [1] })
  })

  test('that cannot be read do not hold up a cancel', async () => {
    const { store, next } = faultyStore(memoryStore())
    const { queue, troupe, started } = await open(store)
    const parent = await queue.add('work', undefined, { id: 'parent' })
    const child = await queue.add('work', undefined, { dependsOn: [parent] })
    next('get', refuse, 2)
    await troupe.start()
    await stage.env.advance(600)
    expect(await child.cancel()).toBe('cancelling')
    await stage.env.settle()
    expect(await recordOf(queue, child.id)).toMatchObject({ state: 'cancelled' })
    expect(started).toEqual(['parent'])
    stage.takeLines()
  })
})

describe('a parent that does not end well', () => {
  test('fails its child, and all behind that, and says which one it was', async () => {
    const { queue, troupe, broken, started } = await open()
    broken.add('a')
    await queue.add('work', undefined, { id: 'a' })
    await queue.add('work', undefined, { id: 'b', dependsOn: ['a'] })
    const c = await queue.add('work', undefined, { id: 'c', dependsOn: ['b'] })
    await troupe.start()
    expect(await refusal(stage.drive(c.result()))).toMatchObject({
      code: 'job-failed',
      details: { reason: 'dependency', error: { message: 'parent b failed' } },
    })
    expect((await recordOf(queue, 'b')).error?.message).toBe('parent a failed')
    expect(started).toEqual(['a'])
  })

  test('can be retried, and then its child as well', async () => {
    const { queue, troupe, broken, started } = await open()
    broken.add('a')
    await queue.add('work', undefined, { id: 'a' })
    await queue.add('work', undefined, { id: 'b', dependsOn: ['a'] })
    const waits = { dependsOn: ['a'], onParentFailure: 'wait' } as const
    const w = await queue.add('work', undefined, { id: 'w', ...waits })
    await troupe.start()
    await stage.env.advance(60_000)
    expect(await queue.retry('b')).toBe('retried')
    expect(await recordOf(queue, 'b')).toMatchObject({ state: 'failed', reason: 'dependency' })
    expect(await queue.explain('w')).toMatchObject({
      why: 'blocked', waitsFor: [{ id: 'a', state: 'failed' }],
    })
    broken.clear()
    await queue.pause()
    expect(await queue.retry('a')).toBe('retried')
    expect(await queue.retry('b')).toBe('retried')
    expect(await recordOf(queue, 'b'))
      .toMatchObject({ phase: 'blocked', reason: null, error: null })
    await queue.resume()
    await stage.drive(w.result())
    expect(started.slice(0, 2)).toEqual(['a', 'a'])
    expect(started.slice(2).sort()).toEqual(['b', 'w'])
  })

  test('lets a child run that wants to', async () => {
    const { queue, troupe, broken } = await open()
    broken.add('a')
    await queue.add('work', undefined, { id: 'a' })
    const child = await queue.add('work', undefined, {
      dependsOn: ['a'], onParentFailure: 'run',
    })
    await troupe.start()
    expect(await stage.drive(child.result())).toEqual({ of: child.id })
  })
})

describe('a parent that others wait for', () => {
  test('is not pruned, and clean leaves it and counts it', async () => {
    const troupe = await stage.open()
    const gate = hold()
    const queue = troupe.queue('q', {
      retention: { completed: 0, failed: 0, minAge: '1s' },
      tasks: { work: () => 1, late: (_job: Job) => gate.promise },
    })
    await troupe.start()
    const parents = await queue.addMany([1, 2, 3].map((n) => (
      { task: 'work' as const, id: `p${n}` })))
    const late = await queue.add('late', null, { id: 'late' })
    await queue.add('work', undefined, { id: 'child', dependsOn: [...parents.slice(1), late] })
    await stage.env.advance(60_000)
    expect((await queue.list()).jobs.map(({ id }) => id)).toEqual(['p2', 'p3', 'late', 'child'])
    expect(await queue.clean()).toEqual({ matched: 2, done: 0, awaited: 2 })
    expect(await queue.remove('p2')).toBe('removed')
    expect(await recordOf(queue, 'child')).toMatchObject({
      state: 'failed', error: { message: 'parent p2 was removed' },
    })
    gate.release()
    await stage.env.advance(60_000)
    expect((await queue.list()).jobs).toEqual([])
  })
})

test('a graph of more children than one step takes runs to its end', async () => {
  const { queue, troupe, started } = await open()
  await queue.add('work', undefined, { id: 'root' })
  await queue.addMany(Array.from({ length: 1500 }, (_, n) => (
    { task: 'work' as const, id: `c${n}`, dependsOn: ['root'] })))
  const last = await queue.add('work', undefined, {
    dependsOn: Array.from({ length: 1000 }, (_, n) => `c${n}`),
  })
  await troupe.start()
  await stage.drive(last.result())
  await stage.drive(queue.idle())
  expect(started).toHaveLength(1502)
})
