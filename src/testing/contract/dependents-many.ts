import { expect, it } from 'vitest'
import type { NewJob } from '../../records/job.ts'
import type { Bench, OpenBench } from './bench.ts'
import { end, kin, whereabouts } from './family.ts'

/** More than one step takes: the rest comes with the sweeps, from what is stored. */
export function manyDependentsContract(open: OpenBench): void {
  children(open)
  parents(open)
  chains(open)
}

const count = 2300

function childrenOf(parent: string, patch: Partial<NewJob> = {}): Partial<NewJob>[] {
  return Array.from({ length: count }, (_, n) => kin(`child-${n}`, [parent], patch))
}

/** How many jobs are blocked after each sweep, until there is no more to do. */
async function sweeps(bench: Bench, limit: number): Promise<number[]> {
  const left: number[] = []
  for (let more = true; more && left.length < 100;) {
    more = (await bench.sweep({ limit, retention: new Map() })).more
    left.push((await bench.counts()).blocked)
  }
  return left
}

function children(open: OpenBench): void {
  it('frees 1,000 children at once and the rest by sweeps', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), ...childrenOf('a')])
    bench.events.length = 0
    await end(bench, 'a', 'completed')
    expect(await bench.counts()).toMatchObject({ ready: 1000, blocked: count - 1000 })
    expect(bench.events).toContainEqual({ type: 'timer', at: 0 })
    const left = await sweeps(bench, 500)
    expect(left.slice(0, 3)).toEqual([800, 300, 0])
    expect(await bench.counts()).toMatchObject({ ready: count, blocked: 0 })
    expect(await bench.sweep({ retention: new Map() })).toEqual({ more: false, nextAt: null })
  })

  it.each(['completed', 'failed'] as const)('finds the rest after a reopening: %s', async (how) => {
    const bench = await open()
    await bench.addMany([kin('a'), ...childrenOf('a')])
    await end(bench, 'a', how)
    expect((await bench.counts()).blocked).toBe(count - 1000)
    await bench.reopen()
    await bench.sweep({ limit: 100, retention: new Map() })
    await bench.reopen()
    await sweeps(bench, 500)
    expect(await bench.counts()).toMatchObject(how === 'completed'
      ? { ready: count, blocked: 0 } : { failed: count + 1, blocked: 0 })
  })

  it('takes as many under a parent that has failed', async () => {
    const bench = await open()
    await bench.add(kin('a'))
    await end(bench, 'a', 'failed')
    const answers = await bench.addMany(childrenOf('a'))
    expect(answers.filter(({ state }) => state === 'failed')).toHaveLength(1000)
    await sweeps(bench, 500)
    expect(await bench.counts()).toMatchObject({ failed: count + 1, queued: 0 })
  })

  it('leaves those alone that were taken away before their turn came', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), ...childrenOf('a')])
    await end(bench, 'a', 'completed')
    await end(bench, `child-${count - 1}`, 'removed')
    await end(bench, `child-${count - 2}`, 'cancelled')
    await sweeps(bench, 500)
    expect(await whereabouts(bench, `child-${count - 1}`, `child-${count - 2}`))
      .toEqual(['gone', 'cancelled'])
    expect(await bench.counts()).toMatchObject({ ready: count - 2, blocked: 0 })
  })

  it('does the rest with whatever comes next, too', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), ...childrenOf('a')])
    await end(bench, 'a', 'completed')
    await bench.apply('nobody', { type: 'cancel' })
    await bench.add(kin('other'))
    // In a shared store only the sweep goes back to what was left.
    if (!bench.embedded) await sweeps(bench, 500)
    expect(await bench.counts()).toMatchObject({ ready: count + 1, blocked: 0 })
  })
}

function parents(open: OpenBench): void {
  it('waits for a thousand parents', async () => {
    const bench = await open()
    const names = Array.from({ length: 1000 }, (_, n) => `parent-${n}`)
    await bench.addMany([...names.map((id) => ({ id })), kin('child', names)])
    const claimed = await bench.claim()
    const [last, ...others] = claimed.map((record) =>
      bench.decide(record, bench.event('complete')))
    await bench.store.commit(others)
    expect(await whereabouts(bench, 'child')).toEqual(['blocked 1'])
    await bench.reopen()
    expect(await whereabouts(bench, 'child')).toEqual(['blocked 1'])
    const left = await bench.claim()
    const commits = left.map((record) => bench.decide(record, bench.event('complete')))
    await bench.store.commit(commits.length > 0 || !last ? commits : [last])
    expect(await whereabouts(bench, 'child')).toEqual(['ready'])
  })
}

function chains(open: OpenBench): void {
  it('fails a chain of any length, a thousand at a time, over a reopening', async () => {
    const bench = await open()
    await bench.addMany([kin('n0'), ...Array.from({ length: count }, (_, n) =>
      kin(`n${n + 1}`, [`n${n}`]))])
    await end(bench, 'n0', 'cancelled')
    expect(await whereabouts(bench, 'n1000', 'n1001')).toEqual(['failed', 'blocked 1'])
    await bench.reopen()
    await sweeps(bench, 500)
    expect(await bench.counts()).toMatchObject({ failed: count, cancelled: 1, queued: 0 })
    expect((await bench.get(`n${count}`))?.error?.message).toBe(`parent n${count - 1} failed`)
  })
}
