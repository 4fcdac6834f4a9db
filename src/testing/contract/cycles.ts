import { expect, it } from 'vitest'
import type { NewJob } from '../../records/job.ts'
import { newJob } from '../records.ts'
import type { Bench, OpenBench } from './bench.ts'
import { end, kin, whereabouts } from './family.ts'

/** Parents that nobody has, and jobs that would wait for each other. */
export function cyclesContract(open: OpenBench): void {
  unknown(open)
  cycles(open)
  removed(open)
}

/** What a call is refused with, after which nothing may have changed. */
async function refused(bench: Bench, patches: readonly Partial<NewJob>[]): Promise<unknown> {
  const before = await bench.picture()
  const inserted = bench.store.insert(patches.map((patch) => newJob(patch)))
  const error: unknown = await inserted.then(() => null, (reason: unknown) => reason)
  expect(await bench.picture()).toEqual(before)
  const { code, details } = error as { readonly code: string; readonly details: object }
  return { code, ...details }
}

function unknown(open: OpenBench): void {
  it('refuses a parent that nobody has, and stores nothing of the call', async () => {
    const bench = await open()
    await bench.add(kin('a'))
    expect(await refused(bench, [kin('b'), kin('child', ['a', 'b', 'nobody']), kin('c')])).toEqual({
      code: 'unknown-parent', path: 'jobs[1].dependsOn[2]', id: 'nobody',
    })
    await bench.add(kin('child', ['a']))
    expect(await whereabouts(bench, 'b', 'child', 'c')).toEqual(['gone', 'blocked 1', 'gone'])
  })

  it('refuses a parent that was removed or pruned', async () => {
    const bench = await open()
    await bench.addMany([kin('removed'), kin('pruned')])
    await end(bench, 'removed', 'removed')
    await end(bench, 'pruned', 'completed')
    await bench.retain({ completed: 0 })
    for (const id of ['removed', 'pruned']) {
      expect(await refused(bench, [kin('child', [id])]))
        .toMatchObject({ code: 'unknown-parent', id })
    }
  })
}

function cycles(open: OpenBench): void {
  it('refuses a job that waits for itself', async () => {
    const bench = await open()
    expect(await refused(bench, [kin('x'), kin('a', ['x', 'a'])]))
      .toEqual({ code: 'dependency-cycle', cycle: ['a', 'a'] })
  })

  it('refuses a circle in a call, and names those in it only', async () => {
    const bench = await open()
    await bench.add(kin('old'))
    expect(await refused(bench, [
      kin('d', ['a']), kin('a', ['old', 'b']), kin('b', ['c']), kin('c', ['a', 'free']),
      kin('free'),
    ])).toEqual({ code: 'dependency-cycle', cycle: ['a', 'b', 'c', 'a'] })
  })

  it('takes diamonds, and graphs as deep as they like', async () => {
    const bench = await open()
    await bench.addMany([
      kin('top', ['left', 'right', 'root']), kin('left', ['root']), kin('right', ['root']),
      kin('root'),
    ])
    const depth = 12_000
    await bench.addMany(Array.from({ length: depth }, (_, n) =>
      kin(`n${n}`, n + 1 < depth ? [`n${n + 1}`] : ['top'])))
    expect(await bench.counts()).toMatchObject({ blocked: depth + 3, ready: 1 })
  })
}

/** Only under an id that is used again can a new job have children already. */
function removed(open: OpenBench): void {
  it('refuses a circle through jobs that wait for a removed one', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('b', ['a'], { onParentFailure: 'wait' }), kin('c', ['b'])])
    await end(bench, 'a', 'removed')
    expect(await refused(bench, [kin('a', ['c'])]))
      .toEqual({ code: 'dependency-cycle', cycle: ['a', 'c', 'b', 'a'] })
    expect(await refused(bench, [kin('new', ['c']), kin('a', ['new'])]))
      .toEqual({ code: 'dependency-cycle', cycle: ['new', 'c', 'b', 'a', 'new'] })
    await bench.add(kin('a'))
    await end(bench, 'a', 'completed')
    expect(await whereabouts(bench, 'b', 'c')).toEqual(['ready', 'blocked 1'])
  })

  it('refuses one that a retry would close', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('b', ['a'])])
    await end(bench, 'a', 'removed')
    expect(await whereabouts(bench, 'b')).toEqual(['failed'])
    expect(await refused(bench, [kin('a', ['b'], { onParentFailure: 'wait' })]))
      .toEqual({ code: 'dependency-cycle', cycle: ['a', 'b', 'a'] })
  })

  it('takes a job again that its completed child depends on', async () => {
    const bench = await open()
    await bench.addMany([kin('a'), kin('b', ['a'])])
    await end(bench, 'a', 'completed')
    await end(bench, 'b', 'completed')
    await end(bench, 'a', 'removed')
    expect(await bench.add(kin('a', ['b']))).toMatchObject({ phase: 'ready' })
  })
}
