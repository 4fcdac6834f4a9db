import { describe, expect, it } from 'vitest'
import { ids, keepAll, leaseMs, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'
import { retentionContract } from './retention.ts'

export function sweepContract(open: OpenBench): void {
  due(open)
  expire(open)
  stall(open)
  bounds(open)
  nextAt(open)
  describe('retention', () => { retentionContract(open) })
}

async function states(bench: Bench): Promise<(readonly [id: string, leaf: string])[]> {
  return (await bench.list()).map(({ id, state, phase }) => [id, phase ?? state] as const)
}

function due(open: OpenBench): void {
  it('makes a delayed job ready to the millisecond', async () => {
    const bench = await open()
    await bench.add({ delayMs: 10 })
    await bench.env.advance(9)
    await bench.sweep()
    expect(await states(bench)).toEqual([['job-1', 'delayed']])
    await bench.env.advance(1)
    await bench.sweep()
    expect(await states(bench)).toEqual([['job-1', 'ready']])
    expect((await bench.log()).at(-1)).toMatchObject({ event: 'due', by: 'sweep' })
    expect(ids(await bench.claim())).toEqual(['job-1'])
  })
}

function expire(open: OpenBench): void {
  it('fails a job whose ttl has passed, ready or delayed', async () => {
    const bench = await open()
    await bench.addMany([
      { id: 'ready', ttlMs: 10 }, { id: 'delayed', delayMs: 3, ttlMs: 7 },
      { id: 'young', ttlMs: 11 },
    ])
    await bench.env.advance(9)
    await bench.sweep()
    expect(await bench.counts()).toMatchObject({ queued: 3, failed: 0 })
    await bench.env.advance(1)
    await bench.sweep()
    expect(await states(bench)).toEqual([
      ['ready', 'failed'], ['delayed', 'failed'], ['young', 'ready'],
    ])
    expect(await bench.get('ready')).toMatchObject({ reason: 'expired', by: 'sweep' })
  })

  it('leaves alone what has started', async () => {
    const bench = await open()
    await bench.running({ ttlMs: 10 })
    await bench.env.advance(10)
    await bench.sweep()
    expect(await states(bench)).toEqual([['job-1', 'running']])
  })
}

function stall(open: OpenBench): void {
  it('takes back what a lease has lapsed for, until maxStalls is spent', async () => {
    const bench = await open()
    await bench.running({ options: { maxStalls: 2 } })
    for (const stalls of [1, 2]) {
      await bench.env.advance(leaseMs - 1)
      await bench.sweep()
      expect(await bench.get('job-1')).toMatchObject({ state: 'running', attempt: stalls })
      await bench.env.advance(1)
      await bench.sweep()
      expect(await bench.get('job-1')).toMatchObject({ phase: 'ready', stalls, lease: null })
      await bench.claim()
    }
    await bench.env.advance(leaseMs)
    await bench.sweep()
    expect(await bench.get('job-1')).toMatchObject({
      state: 'failed', reason: 'stalled', attempt: 3, settledAt: bench.env.now(),
    })
  })

  it('ends what was being cancelled', async () => {
    const bench = await open()
    await bench.running()
    await bench.apply('job-1', { type: 'cancel', reason: 'why' })
    await bench.env.advance(leaseMs)
    await bench.sweep()
    expect(await bench.get('job-1')).toMatchObject({
      state: 'cancelled', by: 'ann', reason: 'why', lease: null,
    })
  })
}

function bounds(open: OpenBench): void {
  it('changes at most as many jobs as it may, and says that there may be more', async () => {
    const bench = await open()
    await bench.addMany([1, 2, 3].map((n) => ({ id: `due-${n}`, delayMs: leaseMs })))
    await bench.addMany([1, 2].map((n) => ({ id: `old-${n}`, task: 'crop', ttlMs: 5 })))
    await bench.addMany([1, 2].map((n) => ({ id: `run-${n}` })))
    for (const record of await bench.claim({ limit: 1 })) await bench.complete(record)
    expect(await bench.claim()).toHaveLength(1)
    await bench.env.advance(leaseMs)
    const retention = new Map([['images', { ...keepAll, completed: 0, failed: 0 }]])
    let changed = 0
    let sweeps = 0
    for (let more = true; more; sweeps += 1) {
      const before = await states(bench)
      more = (await bench.sweep({ limit: 2, retention })).more
      const after = new Map(await states(bench))
      const moved = before.filter(([id, at]) => after.get(id) !== at).length
      expect(moved).toBe(more ? 2 : moved)
      expect(moved).toBeLessThanOrEqual(2)
      changed += moved
    }
    // Three became due, two expired and were pruned, one stalled, one was pruned.
    expect(changed).toBe(9)
    expect(sweeps).toBe(5)
    expect(await states(bench)).toEqual([
      ['due-1', 'ready'], ['due-2', 'ready'], ['due-3', 'ready'], ['run-2', 'ready'],
    ])
  })

  it('does nothing in an empty store, or when nothing is due', async () => {
    const bench = await open()
    expect(await bench.sweep()).toEqual({ more: false, nextAt: null })
    await bench.add()
    const before = await bench.picture()
    const nothing = { more: false, nextAt: null }
    expect(await bench.sweep({ retention: new Map() })).toEqual(nothing)
    expect(await bench.picture()).toEqual(before)
  })
}

function nextAt(open: OpenBench): void {
  const soonest: Readonly<Record<string, (bench: Bench) => Promise<unknown>>> = {
    'a delay': (bench) => bench.add({ id: 'delayed', delayMs: 600 }),
    'a ttl': (bench) => bench.add({ id: 'ttl', ttlMs: 600, task: 'crop' }),
    'a lease': async (bench) => {
      await bench.add({ id: 'run', priority: 1 })
      return bench.claim({ leaseMs: 600 })
    },
    'retention': async (bench) => {
      await bench.add({ id: 'done', priority: 1 })
      return bench.complete(must((await bench.claim({ limit: 1 }))[0]))
    },
  }

  it.each(Object.keys(soonest))('names the moment of %s', async (name) => {
    const bench = await open()
    await bench.add({ id: 'far', delayMs: 100_000, ttlMs: 100_000 })
    await must(soonest[name])(bench)
    const at = bench.env.now() + 600
    const retention = new Map([['images', { ...keepAll, completed: 0, minAgeMs: 600 }]])
    expect(await bench.sweep({ retention })).toEqual({ more: false, nextAt: at })
    await bench.env.advance(599)
    const before = await bench.list()
    expect(await bench.sweep({ retention })).toEqual({ more: false, nextAt: at })
    expect(await bench.list()).toEqual(before)
    await bench.env.advance(1)
    const { nextAt: later } = await bench.sweep({ retention })
    expect(await bench.list()).not.toEqual(before)
    expect(later).toBeGreaterThan(at)
  })

  it('is in no hurry while nothing is too much', async () => {
    const bench = await open()
    await bench.complete(await bench.running())
    const logAgeMs = 1e9
    expect(await bench.retain({ completed: 1, minAgeMs: 600, logAgeMs }))
      .toEqual({ more: false, nextAt: bench.env.now() + logAgeMs + 1 })
  })
}
