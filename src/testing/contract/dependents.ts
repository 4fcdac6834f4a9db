import { describe, expect, it } from 'vitest'
import { ignored, step } from '../../records/step.ts'
import { policy } from '../records.ts'
import { ids, must } from './bench.ts'
import type { OpenBench } from './bench.ts'
import { cyclesContract } from './cycles.ts'
import { awaitedContract } from './dependents-awaited.ts'
import { manyDependentsContract } from './dependents-many.ts'
import { parentFailuresContract } from './parent-failures.ts'
import { causedByParents, end, kin, whereabouts } from './family.ts'

/** What a store does for jobs that wait for others. */
export function dependentsContract(open: OpenBench): void {
  waiting(open)
  stillWaiting(open)
  added(open)
  time(open)
  blocked(open)
  describe('the door', () => { cyclesContract(open) })
  describe('parents that fail', () => { parentFailuresContract(open) })
  describe('many', () => { manyDependentsContract(open) })
  describe('awaited', () => { awaitedContract(open) })
}

function waiting(open: OpenBench): void {
  it('jobs of one call keep the order in which they were given, behind their parents', async () => {
    const bench = await open()
    await bench.addMany([
      kin('late', ['p2', 'p1']), kin('p1'), kin('first', ['p1']), kin('second'), kin('p2'),
    ])
    expect(ids(await bench.list())).toEqual(['p1', 'first', 'second', 'p2', 'late'])
  })

  it.each([['a', 'b', 'c'], ['c', 'a', 'b']])('waits for the last parent (%s %s %s)', async (
    ...order
  ) => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('b'), kin('c'), kin('child', ['a', 'b', 'c'])])
    const seen: string[] = []
    for (const id of order) {
      seen.push(...await whereabouts(bench, 'child'))
      expect(await bench.claim({ tasks: new Map() })).toEqual([])
      await end(bench, id, 'completed')
    }
    expect(seen).toEqual(['blocked 3', 'blocked 2', 'blocked 1'])
    expect(await whereabouts(bench, 'child')).toEqual(['ready'])
    expect(await causedByParents(bench))
      .toEqual(['countParents child', 'countParents child', 'unblock child'])
    await end(bench, 'child', 'completed')
  })

  it('waits for parents on other queues, and wakes its own', async () => {
    const bench = await open()
    await bench.addMany([kin('a', [], { queue: 'mail' }), kin('b')])
    await bench.add(kin('child', ['a', 'b'], { queue: 'print' }))
    await end(bench, 'b', 'completed')
    expect(await whereabouts(bench, 'child')).toEqual(['blocked 1'])
    bench.events.length = 0
    await end(bench, 'a', 'completed', 'mail')
    expect(await whereabouts(bench, 'child')).toEqual(['ready'])
    expect(bench.events).toContainEqual({ type: 'wake', queue: 'print' })
    expect(await causedByParents(bench, 'print')).toEqual(['countParents child', 'unblock child'])
  })

  it('is freed in the step that completes its parent', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('child', ['a'])])
    bench.events.length = 0
    await end(bench, 'a', 'completed')
    const together = bench.events.find((event) => event.type === 'changes' &&
      event.changes.some(({ entry }) => entry.event === 'complete'))
    expect(together?.type === 'changes' && together.changes.map(({ entry }) =>
      `${entry.event} ${entry.jobId}`)).toEqual(['complete a', 'unblock child'])
  })
}

function stillWaiting(open: OpenBench): void {
  it('is not stranded by parents that end at once', async () => {
    const bench = await open()
    await bench.addMany([
      ...['a', 'b', 'c', 'd'].map((id) => ({ id })), kin('child', ['a', 'b', 'c', 'd']),
    ])
    const [a, b, c, d] = (await bench.claim()).map((record) =>
      bench.decide(record, bench.event('complete')))
    await Promise.all([
      bench.store.commit([must(a), must(b)]), bench.store.commit([must(c)]),
      bench.store.commit([must(d)]),
    ])
    expect(await whereabouts(bench, 'child')).toEqual(['ready'])
  })

  it('goes on waiting when a parent is taken back, released or tried again', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('child', ['a'])])
    for (const type of ['release', 'fail', 'snooze'] as const) {
      const [record] = await bench.claim({ tasks: new Map([['a', policy]]) })
      await bench.commit(must(record), bench.event(type, { now: bench.env.now() }))
      expect(await whereabouts(bench, 'child')).toEqual(['blocked 1'])
      await bench.apply('a', { type: 'reschedule', delayMs: 0 })
    }
    await end(bench, 'a', 'completed')
    expect(await whereabouts(bench, 'child')).toEqual(['ready'])
  })

  it('is not freed by who has lost the right to complete its parent', async () => {
    const bench = await open()
    await bench.add(kin('child', [(await bench.running({ id: 'a' })).id]))
    const stale = must(await bench.get('a'))
    await bench.env.advance(60_000)
    await bench.sweep()
    expect(await bench.complete(stale)).toEqual({ outcome: 'lost' })
    expect(await whereabouts(bench, 'child')).toEqual(['blocked 1'])
  })
}

function added(open: OpenBench): void {
  it('runs at once when its parents have completed before', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('b')])
    await end(bench, 'a', 'completed')
    expect(await bench.add(kin('half', ['a', 'b']))).toMatchObject({
      phase: 'blocked', openParents: 1, dependsOn: ['a', 'b'],
    })
    await end(bench, 'b', 'completed')
    expect(await bench.add(kin('late', ['a', 'b'])))
      .toMatchObject({ phase: 'ready', openParents: 0, rev: 1 })
    expect(await whereabouts(bench, 'half', 'late')).toEqual(['ready', 'ready'])
  })

  it('may come before its parents in the call, and what is ready keeps its order', async () => {
    const bench = await open()
    const answers = await bench.addMany([
      { id: 'top', dependsOn: ['left', 'right'] }, { id: 'one' },
      { id: 'left', dependsOn: ['root'] }, { id: 'right', dependsOn: ['root', 'two'] },
      { id: 'two' }, { id: 'root' },
    ])
    expect(answers.map(({ id, phase, openParents }) => [id, phase, openParents])).toEqual([
      ['top', 'blocked', 2], ['one', 'ready', 0], ['left', 'blocked', 1],
      ['right', 'blocked', 2], ['two', 'ready', 0], ['root', 'ready', 0],
    ])
    expect(ids(await bench.claim())).toEqual(['one', 'two', 'root'])
  })

  it('keeps the names of its parents', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('child', ['a'], { parentKeys: ['first'] })])
    await bench.reopen()
    expect(await bench.get('child')).toMatchObject({ dependsOn: ['a'], parentKeys: ['first'] })
  })

  it('is the one that exists already, whatever it depends on now', async () => {
    const bench = await open()
    const record = await bench.add(kin('child'))
    expect(await bench.add(kin('child', ['nobody', 'child']))).toEqual(record)
    await bench.addMany([kin('child', ['other']), kin('other', ['child'])])
    expect(await whereabouts(bench, 'child', 'other')).toEqual(['ready', 'blocked 1'])
  })

  it('waits for the job that stands in for its parent', async () => {
    const bench = await open()
    const dedupe = { key: 'same', mode: 'simple', windowMs: null } as const
    await bench.add({ id: 'first', task: 'first', dedupe })
    const [parent, child] = await bench.addMany([
      { id: 'second', task: 'first', dedupe }, kin('child', ['second']),
    ])
    expect(parent?.id).toBe('first')
    expect(child).toMatchObject({ dependsOn: ['first'], phase: 'blocked' })
    await end(bench, 'first', 'completed')
    expect(await whereabouts(bench, 'second', 'child')).toEqual(['gone', 'ready'])
  })
}

function time(open: OpenBench): void {
  it('runs at the later of its delay and the end of its parents', async () => {
    const bench = await open()
    await bench.addMany([
      kin('a'), kin('b'), kin('early', ['a'], { delayMs: 400 }),
      kin('late', ['b'], { delayMs: 400 }),
    ])
    await end(bench, 'a', 'completed')
    expect(await whereabouts(bench, 'early', 'late')).toEqual(['delayed', 'blocked 1'])
    expect((await bench.sweep({ retention: new Map() })).nextAt).toBe(bench.env.now() + 400)
    await bench.env.advance(400)
    await bench.sweep()
    expect(await whereabouts(bench, 'early', 'late')).toEqual(['ready', 'blocked 1'])
    await end(bench, 'b', 'completed')
    expect(await whereabouts(bench, 'late')).toEqual(['ready'])
  })

  it('expires while it waits', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('child', ['a'], { ttlMs: 300 }), kin('grand', ['child'])])
    expect((await bench.sweep({ retention: new Map() })).nextAt).toBe(bench.env.now() + 300)
    await bench.env.advance(300)
    await bench.sweep()
    expect(await bench.get('child')).toMatchObject({ state: 'failed', reason: 'expired' })
    expect(await bench.get('grand')).toMatchObject({ state: 'failed', reason: 'dependency' })
  })
}

function blocked(open: OpenBench): void {
  const requests = {
    cancel: ['cancelled', { type: 'cancel', reason: 'why' }],
    retry: ['blocked 1', { type: 'retry' }],
    later: ['blocked 1', { type: 'reschedule', delayMs: 700 }],
    now: ['blocked 1', { type: 'reschedule', delayMs: 0 }],
  } as const

  it.each(Object.keys(requests) as (keyof typeof requests)[])('takes %s as the chart says', async (
    name,
  ) => {
    const bench = await open()
    const [, before] = await bench.addMany([kin('a'), kin('child', ['a'], { ttlMs: 1000 })])
    const [expected, request] = requests[name]
    const now = bench.env.now()
    const moved = step(must(before), request.type === 'reschedule'
      ? { type: 'reschedule', now, by: 'ann', runAt: now + request.delayMs }
      : request.type === 'retry' ? { ...request, now, by: 'ann', openParents: 1 }
        : { ...request, now, by: 'ann' })
    await bench.apply('child', request)
    expect(await whereabouts(bench, 'child')).toEqual([expected])
    expect(await bench.get('child')).toEqual(moved === ignored ? before : moved.record)
  })

  it('is counted, listed, never due, never claimed, and can be removed', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), { id: 'child', dependsOn: ['a'], delayMs: 10 }])
    await bench.env.advance(10)
    await bench.sweep()
    expect(await bench.claim()).toEqual([])
    expect(await bench.counts()).toMatchObject({ queued: 2, blocked: 1, ready: 1, delayed: 0 })
    expect((await bench.apply('child', { type: 'remove' })).outcome).toBe('moved')
    await end(bench, 'a', 'completed')
    expect(await bench.counts()).toMatchObject({ queued: 0, blocked: 0, completed: 1 })
  })
}
