import { expect, it } from 'vitest'
import { ids, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'

/** Settles one job a millisecond: `c…` completed, `f…` failed, `x…` cancelled. */
async function settle(bench: Bench, names: readonly string[]): Promise<void> {
  for (const id of names) {
    await bench.env.advance(1)
    if (id.startsWith('x')) {
      await bench.add({ id })
      await bench.apply(id, { type: 'cancel' })
    } else {
      const running = await bench.running({ id })
      await (id.startsWith('c') ? bench.complete(running) : bench.fail(running))
    }
  }
}

export function retentionContract(open: OpenBench): void {
  it('keeps the newest completed jobs', async () => {
    const bench = await open()
    await settle(bench, ['c1', 'f1', 'c2', 'c3', 'x1'])
    await bench.retain({ completed: 2 })
    expect(ids(await bench.list())).toEqual(['f1', 'c2', 'c3', 'x1'])
    await bench.retain({ completed: 0 })
    expect(ids(await bench.list())).toEqual(['f1', 'x1'])
  })

  it('keeps the newest failed and cancelled jobs together', async () => {
    const bench = await open()
    await settle(bench, ['f1', 'c1', 'x1', 'f2', 'x2'])
    await bench.retain({ failed: 2 })
    expect(ids(await bench.list())).toEqual(['c1', 'f2', 'x2'])
  })

  it('goes by the moment of settling, not of insertion', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    const [a, b] = await bench.claim()
    await bench.complete(must(b))
    await bench.env.advance(1)
    await bench.complete(must(a))
    await bench.reopen()
    await bench.retain({ completed: 1 })
    expect(ids(await bench.list())).toEqual(['a'])
  })

  it('prunes nothing that settled a short while ago', async () => {
    const bench = await open()
    await settle(bench, ['c1', 'f1'])
    await bench.env.advance(98)
    await bench.retain({ completed: 0, failed: 0, minAgeMs: 100 })
    expect(ids(await bench.list())).toEqual(['c1', 'f1'])
    await bench.env.advance(1)
    await bench.retain({ completed: 0, failed: 0, minAgeMs: 100 })
    expect(ids(await bench.list())).toEqual(['f1'])
  })

  it('counts a new life anew', async () => {
    const bench = await open()
    await settle(bench, ['f1', 'f2'])
    await bench.apply('f1', { type: 'retry' })
    await bench.retain({ failed: 0 })
    expect(ids(await bench.list())).toEqual(['f1'])
    await bench.apply('f1', { type: 'cancel' })
    await bench.retain({ failed: 0 })
    expect(await bench.list()).toEqual([])
  })

  pruned(open)
  trimming(open)
}

function pruned(open: OpenBench): void {
  it('is silent: no transition, nothing to watch; counts follow', async () => {
    const bench = await open()
    await settle(bench, ['c1', 'c2'])
    const newest = (await bench.log()).length
    const told = bench.changes.length
    await bench.retain({ completed: 0 })
    expect(await bench.log()).toHaveLength(newest)
    expect(bench.changes).toHaveLength(told)
    expect((await bench.counts()).completed).toBe(0)
    expect(await bench.get('c1')).toBeUndefined()
  })

  it('leaves queues alone that the request does not name', async () => {
    const bench = await open()
    await settle(bench, ['c1'])
    await bench.sweep({ retention: new Map() })
    expect(await bench.sweep({ retention: new Map() })).toEqual({ more: false, nextAt: null })
    expect(ids(await bench.list())).toEqual(['c1'])
    expect(await bench.log()).toHaveLength(3)
  })

  it('forgets a pruned id: it can be added again', async () => {
    const bench = await open()
    await settle(bench, ['c1'])
    await bench.retain({ completed: 0 })
    expect(await bench.add({ id: 'c1' })).toMatchObject({ rev: 1, state: 'queued' })
  })
}

function trimming(open: OpenBench): void {
  async function span(bench: Bench): Promise<unknown[]> {
    const { entries, oldest, newest } = await bench.readLog('images', 0, 1000)
    expect(entries.map(({ seq }) => seq)).toEqual(
      Array.from({ length: newest - oldest + 1 }, (_, index) => oldest + index),
    )
    return [oldest, newest]
  }

  it('trims the log by count, only at its head', async () => {
    const bench = await open()
    await settle(bench, ['c1', 'c2', 'c3'])
    await bench.retain({ log: 4 })
    expect(await span(bench)).toEqual([6, 9])
    await bench.add()
    expect(await span(bench)).toEqual([6, 10])
    await bench.retain({ log: 0 })
    expect(await span(bench)).toEqual([11, 10])
    await bench.add({ id: 'next' })
    expect(await span(bench)).toEqual([11, 11])
  })

  it('trims the log by age, only at its head', async () => {
    const bench = await open()
    await bench.add({ id: 'a' })
    await bench.env.advance(10)
    await bench.add({ id: 'b' })
    await bench.env.advance(10)
    await bench.retain({ logAgeMs: 20 })
    expect(await span(bench)).toEqual([1, 2])
    await bench.retain({ logAgeMs: 19 })
    expect(await span(bench)).toEqual([2, 2])
    await bench.retain({ logAgeMs: 9 })
    expect(await span(bench)).toEqual([3, 2])
  })

  it('names the moment at which the oldest entry is too old', async () => {
    const bench = await open()
    await bench.add()
    const { nextAt } = await bench.retain({ logAgeMs: 500 })
    expect(nextAt).toBe(bench.env.now() + 501)
    await bench.env.advance(500)
    await bench.retain({ logAgeMs: 500 })
    expect(await span(bench)).toEqual([1, 1])
    await bench.env.advance(1)
    expect(await bench.retain({ logAgeMs: 500 })).toEqual({ more: false, nextAt: null })
    expect(await span(bench)).toEqual([2, 1])
  })
}
