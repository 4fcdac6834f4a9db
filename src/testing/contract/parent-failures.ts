import { describe, expect, it } from 'vitest'
import { policy } from '../records.ts'
import type { Bench, OpenBench } from './bench.ts'
import { end, endings, kin, whereabouts } from './family.ts'

const policies = ['fail', 'run', 'wait'] as const

/** A parent that failed, was cancelled or is gone. */
export function parentFailuresContract(open: OpenBench): void {
  describe.each(endings)('a parent that is %s', (how) => {
    each(open, how)
  })
  cascade(open)
  again(open)
  retried(open)
}

/** A graph in which `f`, `r` and `w` follow the three policies, and `after` comes behind `f`. */
async function family(bench: Bench): Promise<void> {
  await bench.addMany([
    kin('a'), kin('b'), ...policies.map((onParentFailure) =>
      kin(onParentFailure, ['a', 'b'], { onParentFailure })), kin('grand', ['fail']),
  ])
}

function each(open: OpenBench, how: (typeof endings)[number]): void {
  const said = how === 'failed' ? 'failed' : `was ${how}`

  it('fails its child, or not, by the policy of the child', async () => {
    const bench = await open()
    await family(bench)
    await end(bench, 'a', how)
    // The other parent is still open.
    expect(await whereabouts(bench, ...policies))
      .toEqual(['failed', 'blocked 1', 'blocked 2'])
    expect(await bench.get('fail')).toMatchObject({
      reason: 'dependency', error: { name: 'DependencyError', message: `parent a ${said}` },
      by: 'parents', settledAt: bench.env.now(), attempt: 0, result: null,
    })
    expect(await bench.get('grand')).toMatchObject({
      state: 'failed', reason: 'dependency', error: { message: 'parent fail failed' },
    })
    await end(bench, 'b', 'completed')
    expect(await whereabouts(bench, ...policies)).toEqual(['failed', 'ready', 'blocked 1'])
  })

  // A parent that was removed is unknown at the door.
  if (how !== 'removed') it('means the same to a child that comes later', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('b')])
    await end(bench, 'a', how)
    const records = await bench.addMany(policies.map((onParentFailure) =>
      kin(onParentFailure, ['a', 'b'], { onParentFailure })))
    expect(records.map(({ state, phase, reason }) => [state, phase, reason])).toEqual([
      ['failed', null, 'dependency'], ['queued', 'blocked', null], ['queued', 'blocked', null],
    ])
    expect(await whereabouts(bench, ...policies)).toEqual(['failed', 'blocked 1', 'blocked 2'])
    await end(bench, 'b', 'completed')
    expect(await whereabouts(bench, ...policies)).toEqual(['failed', 'ready', 'blocked 1'])
    expect(await bench.add(kin('run2', ['a'], { onParentFailure: 'run' })))
      .toMatchObject({ phase: 'ready', rev: 1 })
    expect((await bench.log()).filter(({ jobId }) => jobId === 'fail')
      .map(({ event, rev }) => [event, rev])).toEqual([['add', 1], ['parentFailed', 2]])
  })
}

function cascade(open: OpenBench): void {
  it('takes down all that depends on it, each for its own parent, in one step', async () => {
    const bench = await open()
    await bench.addMany([
      kin('root'), kin('left', ['root']), kin('right', ['root']), kin('top', ['left', 'right']),
      kin('other', ['right'], { queue: 'mail' }), kin('aside'),
      kin('saved', ['top', 'aside'], { onParentFailure: 'run' }), kin('held', ['saved']),
    ])
    bench.events.length = 0
    await end(bench, 'root', 'cancelled')
    expect(bench.events.filter(({ type }) => type === 'changes')).toHaveLength(1)
    expect(await whereabouts(bench, 'left', 'right', 'top', 'other', 'saved', 'held'))
      .toEqual(['failed', 'failed', 'failed', 'failed', 'blocked 1', 'blocked 1'])
    const [top, other] = await bench.store.get(['top', 'other'])
    expect(top?.error?.message).toMatch(/^parent (left|right) failed$/)
    expect(other?.error?.message).toBe('parent right failed')
    await end(bench, 'aside', 'completed')
    await end(bench, 'saved', 'completed')
    expect(await whereabouts(bench, 'held')).toEqual(['ready'])
  })

  it('comes from parents that stall, expire, or lose their queue', async () => {
    const bench = await open()
    await bench.addMany([
      kin('stalls', [], { options: { maxStalls: 0 } }), kin('of stalls', ['stalls']),
      kin('expires', [], { ttlMs: 10 }), kin('of expires', ['expires']),
      kin('elsewhere', [], { queue: 'mail' }), kin('of elsewhere', ['elsewhere']),
      kin('waits', ['elsewhere'], { onParentFailure: 'wait' }),
    ])
    await bench.claim({ tasks: new Map([['stalls', policy]]) })
    await bench.env.advance(60_000)
    await bench.sweep()
    expect(await whereabouts(bench, 'stalls', 'of stalls', 'expires', 'of expires'))
      .toEqual(['failed', 'failed', 'failed', 'failed'])
    await bench.store.apply([{ type: 'obliterate', queue: 'mail', by: 'ann', force: false }])
    expect(await bench.get('of elsewhere'))
      .toMatchObject({ state: 'failed', error: { message: 'parent elsewhere was removed' } })
    expect(await whereabouts(bench, 'waits')).toEqual(['blocked 1'])
  })
}

function again(open: OpenBench): void {
  it('does not concern a child that waits no more', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('child', ['a'])])
    await end(bench, 'a', 'completed')
    const before = await bench.get('child')
    await end(bench, 'a', 'removed')
    expect(await bench.get('child')).toEqual(before)
    await end(bench, 'child', 'completed')
  })

  it('frees those that waited for its retry, when that completes', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('child', ['a'], { onParentFailure: 'wait' })])
    await end(bench, 'a', 'failed')
    await bench.apply('a', { type: 'retry' })
    expect(await whereabouts(bench, 'child')).toEqual(['blocked 1'])
    await end(bench, 'a', 'failed')
    expect(await whereabouts(bench, 'child')).toEqual(['blocked 1'])
    await bench.apply('a', { type: 'retry' })
    await bench.reopen()
    await end(bench, 'a', 'completed')
    expect(await whereabouts(bench, 'child')).toEqual(['ready'])
  })

  it('counts again when it lives again, for a child that runs all the same', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('b'), kin('child', ['a', 'b'], { onParentFailure: 'run' })])
    await end(bench, 'a', 'cancelled')
    expect(await whereabouts(bench, 'child')).toEqual(['blocked 1'])
    await bench.apply('a', { type: 'retry' })
    expect(await whereabouts(bench, 'child')).toEqual(['blocked 2'])
    await end(bench, 'b', 'completed')
    expect(await whereabouts(bench, 'child')).toEqual(['blocked 1'])
    await end(bench, 'a', 'failed')
    expect(await whereabouts(bench, 'child')).toEqual(['ready'])
    await bench.apply('a', { type: 'retry' })
    expect(await whereabouts(bench, 'child')).toEqual(['ready'])
  })

  it('frees those that waited for it when it comes again under its id', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('child', ['a'], { onParentFailure: 'wait' })])
    await end(bench, 'a', 'removed')
    await bench.reopen()
    expect(await whereabouts(bench, 'child')).toEqual(['blocked 1'])
    await bench.add(kin('a'))
    await end(bench, 'a', 'completed')
    expect(await whereabouts(bench, 'child')).toEqual(['ready'])
  })
}

function retried(open: OpenBench): void {
  it.each(policies)('a retried child (%s) takes its parents as they are', async (
    onParentFailure,
  ) => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('b'), kin('child', ['a', 'b'], { onParentFailure })])
    await end(bench, 'b', 'completed')
    await end(bench, 'child', 'cancelled')
    const retry = async (): Promise<string[]> => {
      await bench.apply('child', { type: 'retry' })
      return whereabouts(bench, 'child')
    }
    expect(await retry()).toEqual(['blocked 1'])
    await end(bench, 'a', 'failed')
    if (onParentFailure === 'wait') await end(bench, 'child', 'cancelled')
    if (onParentFailure === 'run') {
      await end(bench, 'child', 'failed')
      expect(await retry()).toEqual(['ready'])
      return
    }
    expect(await retry()).toEqual([onParentFailure === 'fail' ? 'failed' : 'blocked 1'])
    await bench.apply('a', { type: 'retry' })
    if (onParentFailure === 'fail') expect(await retry()).toEqual(['blocked 1'])
    await end(bench, 'a', 'completed')
    expect(await whereabouts(bench, 'child')).toEqual(['ready'])
    await end(bench, 'child', 'failed')
    expect(await retry()).toEqual(['ready'])
  })

  it('fails again, for good reason, when its parent still stands as failed', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('child', ['a']), kin('grand', ['child'])])
    await end(bench, 'a', 'failed')
    await bench.env.advance(5)
    expect((await bench.apply('child', { type: 'retry' })).outcome).toBe('moved')
    expect(await bench.get('child')).toMatchObject({
      state: 'failed', reason: 'dependency', settledAt: bench.env.now(),
      error: { message: 'parent a failed' },
    })
    expect((await bench.log()).filter(({ jobId }) => jobId === 'child').map(({ event }) => event))
      .toEqual(['add', 'parentFailed', 'retry', 'parentFailed'])
    expect(await whereabouts(bench, 'grand')).toEqual(['failed'])
  })

  it('brings back a whole graph, from its root on', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('b', ['a']), kin('c', ['b'])])
    await end(bench, 'a', 'failed')
    for (const id of ['a', 'b', 'c']) await bench.apply(id, { type: 'retry' })
    expect(await whereabouts(bench, 'a', 'b', 'c')).toEqual(['ready', 'blocked 1', 'blocked 1'])
    for (const id of ['a', 'b', 'c']) await end(bench, id, 'completed')
    expect(await whereabouts(bench, 'a', 'b', 'c'))
      .toEqual(['completed', 'completed', 'completed'])
  })
}
