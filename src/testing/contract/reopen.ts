import { expect, it } from 'vitest'
import { half } from '../records.ts'
import { ids, must } from './bench.ts'
import type { OpenBench } from './bench.ts'
import { placements } from './placements.ts'
import type { Placed } from './placements.ts'

const resting = ['ready', 'delayed', 'completed', 'failed', 'cancelled'] as const satisfies
  readonly Placed[]

/** What is kept when a store is closed and opened again. For memory: in the same process. */
export function reopenContract(open: OpenBench): void {
  everything(open)
  live(open)
}

function everything(open: OpenBench): void {
  it('keeps records, counts, order, log and settings', async () => {
    const bench = await open()
    for (const leaf of resting.toReversed()) {
      await placements[leaf](bench, { id: leaf, meta: { leaf }, ttlMs: 1e6 })
    }
    await bench.add({ id: 'mail-1', queue: 'mail' })
    await bench.store.casSetting('a', 0, { b: 'ü' })
    await bench.apply('failed', { type: 'remove' })
    const before = {
      jobs: await bench.list(), log: await bench.log(), counts: await bench.store.counts(null),
    }
    await bench.reopen()
    expect({
      jobs: await bench.list(), log: await bench.log(), counts: await bench.store.counts(null),
    }).toEqual(before)
    expect(await bench.store.getSetting('a')).toEqual({ value: { b: 'ü' }, version: 1 })
    expect(await bench.list('mail')).toHaveLength(1)
    await bench.reopen()
    expect(await bench.list()).toEqual(before.jobs)
  })

  it('goes on where it was: numbers, order of insertion, delays, ttls', async () => {
    const bench = await open()
    await bench.addMany([
      { id: 'a' }, { id: 'b', delayMs: 50 }, { id: 'c', ttlMs: 60, priority: 9 },
    ])
    await bench.reopen()
    expect((await bench.sweep({ retention: new Map() })).nextAt).toBe(bench.env.now() + 50)
    await bench.add({ id: 'd' })
    expect((await bench.log()).map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
    await bench.env.advance(50)
    await bench.sweep()
    expect(ids(await bench.claim())).toEqual(['a', 'd', 'b', 'c'])
    expect(ids(await bench.list())).toEqual(['a', 'b', 'c', 'd'])
  })

  it('keeps the order of claims and what is excluded from them', async () => {
    const bench = await open()
    await bench.addMany([
      { id: 'a' }, { id: 'b', priority: 1 }, { id: 'c' }, { id: 'd', task: 'crop', priority: 0 },
    ])
    await bench.apply('c', { type: 'reschedule', runAt: bench.env.now() - 1 })
    await bench.reopen()
    expect(ids(await bench.claim())).toEqual(['b', 'c', 'a'])
  })

  it('keeps a trimmed log trimmed, and its numbers', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }, { id: 'c' }])
    await bench.retain({ log: 0 })
    await bench.reopen()
    await bench.add({ id: 'd' })
    const { entries, newest } = await bench.readLog('images', 3, 10)
    expect([entries.map(({ seq }) => seq), newest]).toEqual([[4], 4])
  })
}

function live(open: OpenBench): void {
  it('takes back what ran, when nobody else can be running it', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    const [a, b] = await bench.claim()
    const { fence } = must(a)
    await bench.store.progress([{ id: 'a', fence, by: 'worker:w1', progress: half, log: null }])
    await bench.apply('b', { type: 'cancel' })
    const before = await bench.list()
    await bench.reopen()
    const { durable, multiProcess } = bench.store.capabilities
    if (durable && !multiProcess) {
      expect(await bench.list()).toMatchObject([
        { state: 'queued', phase: 'ready', stalls: 1, progress: half, lease: null, attempt: 1 },
        { state: 'cancelled' },
      ])
      expect((await bench.log()).slice(-2).map(({ event }) => event)).toEqual(['stall', 'stall'])
      expect(await bench.complete(must(b))).toEqual({ outcome: 'lost' })
    } else {
      expect(await bench.list()).toEqual(before)
      expect(await bench.complete(must(before[0]))).toMatchObject({ outcome: 'ok' })
    }
  })
}
