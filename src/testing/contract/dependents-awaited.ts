import { expect, it } from 'vitest'
import { ids, keepAll } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'
import { end, kin, whereabouts } from './family.ts'

/** A settled job on which one depends that has not completed: retention and clean leave it. */
export function awaitedContract(open: OpenBench): void {
  retention(open)
  removal(open)
}

const queues = ['images', 'mail'] as const

/** Keeps nothing that may go, on both queues; until there is nothing more to do. */
async function pruneAll(bench: Bench): Promise<void> {
  const none = { ...keepAll, completed: 0, failed: 0 }
  const retention = new Map(queues.map((name) => [name, none]))
  for (const _round of [1, 2, 3]) await bench.sweep({ retention })
}

function retention(open: OpenBench): void {
  it('keeps a parent until its last child has completed', async () => {
    const bench = await open()
    await bench.addMany([
      kin('a'), kin('first', ['a']), kin('second', ['a'], { queue: 'mail' }), kin('alone'),
    ])
    await end(bench, 'a', 'completed')
    await end(bench, 'alone', 'completed')
    await pruneAll(bench)
    expect(await whereabouts(bench, 'a', 'alone')).toEqual(['completed', 'gone'])
    await end(bench, 'first', 'completed')
    await pruneAll(bench)
    await bench.reopen()
    await pruneAll(bench)
    expect(await whereabouts(bench, 'a', 'first', 'second')).toEqual(['completed', 'gone', 'ready'])
    await end(bench, 'second', 'completed', 'mail')
    await pruneAll(bench)
    expect(await whereabouts(bench, 'a', 'second')).toEqual(['gone', 'gone'])
  })

  it('keeps it for a child that has failed and may be retried, and goes with that', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('child', ['a'])])
    await end(bench, 'a', 'completed')
    await end(bench, 'child', 'failed')
    const keepFailed = { ...keepAll, completed: 0 }
    await bench.sweep({ retention: new Map([['images', keepFailed]]) })
    expect(await whereabouts(bench, 'a', 'child')).toEqual(['completed', 'failed'])
    await bench.apply('child', { type: 'retry' })
    expect(await whereabouts(bench, 'child')).toEqual(['ready'])
    await end(bench, 'child', 'failed')
    await pruneAll(bench)
    expect(await bench.list()).toEqual([])
  })

  it('keeps a failed parent for those that wait for its retry', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('child', ['a'], { onParentFailure: 'wait' })])
    await end(bench, 'a', 'failed')
    await pruneAll(bench)
    expect(await whereabouts(bench, 'a', 'child')).toEqual(['failed', 'blocked 1'])
  })

  it('prunes as many others as before: what is awaited is kept besides', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('b'), kin('c'), kin('d'), kin('child', ['a'])])
    for (const id of ['a', 'b', 'c', 'd']) {
      await bench.env.advance(1)
      await end(bench, id, 'completed')
    }
    await bench.retain({ completed: 2 })
    expect(ids(await bench.list())).toEqual(['a', 'c', 'd', 'child'])
  })

  it('is in no hurry because of a parent that it keeps', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('child', ['a'])])
    await end(bench, 'a', 'completed')
    const logAgeMs = 1e9
    expect(await bench.retain({ completed: 0, logAgeMs }))
      .toEqual({ more: false, nextAt: bench.env.now() + logAgeMs + 1 })
  })
}

function removal(open: OpenBench): void {
  it('is spared on request, and says so', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('b'), kin('child', ['a', 'b'])])
    await end(bench, 'a', 'completed')
    const before = await bench.picture()
    const record = await bench.get('a')
    const spare = { type: 'remove', spareAwaited: true } as const
    expect(await bench.apply('a', spare)).toEqual({ outcome: 'awaited', record })
    expect(await bench.picture()).toEqual(before)
    await end(bench, 'b', 'completed')
    expect((await bench.apply('a', spare)).outcome).toBe('awaited')
    await end(bench, 'child', 'completed')
    expect((await bench.apply('a', spare)).outcome).toBe('moved')
    expect(await whereabouts(bench, 'a')).toEqual(['gone'])
  })

  it('is removed when nobody asks to spare it', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('b'), kin('child', ['a', 'b'])])
    await end(bench, 'a', 'completed')
    expect((await bench.apply('a', { type: 'remove' })).outcome).toBe('moved')
    expect(await bench.get('child')).toMatchObject({
      state: 'failed', reason: 'dependency', error: { message: 'parent a was removed' },
    })
  })

  it('is awaited no more when its child is removed', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('child', ['a'])])
    await end(bench, 'a', 'completed')
    await end(bench, 'child', 'removed')
    expect((await bench.apply('a', { type: 'remove', spareAwaited: true })).outcome).toBe('moved')
  })
}
