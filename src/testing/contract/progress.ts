import { expect, it } from 'vitest'
import type { ProgressUpdate } from '../../stores/progress-update.ts'
import { done, half } from '../records.ts'
import { leaseMs, must } from './bench.ts'
import type { OpenBench } from './bench.ts'
import { placements, places } from './placements.ts'

function report(
  { id, fence }: { readonly id: string; readonly fence: number }, progress = half,
): ProgressUpdate {
  return { id, fence, by: 'worker:w1', progress, log: null }
}

export function progressContract(open: OpenBench): void {
  it('stores the report, as a transition that the timeline leaves out', async () => {
    const bench = await open()
    const running = await bench.running()
    await bench.env.advance(5)
    const [record] = await bench.store.progress([report(running)])
    expect(record).toEqual({ ...running, rev: running.rev + 1, progress: half })
    expect(await bench.get('job-1')).toEqual(record)
    expect((await bench.log()).at(-1)).toMatchObject({
      event: 'progress', from: 'running', to: 'running', rev: running.rev + 1, progress: half,
      at: bench.env.now(), by: 'worker:w1',
    })
  })

  it('goes by the fence alone, whatever has happened to the rev', async () => {
    const bench = await open()
    const running = await bench.running()
    await bench.store.progress([report(running)])
    await bench.apply('job-1', { type: 'cancel' })
    const [record] = await bench.store.progress([report(running, done)])
    expect(record).toMatchObject({ state: 'cancelling', progress: done, rev: running.rev + 3 })
  })

  it.each(places)('of a job that is %s', async (leaf) => {
    const bench = await open()
    const placed = await placements[leaf](bench)
    const live = leaf === 'running' || leaf === 'cancelling'
    const before = await bench.picture()
    const [record] = await bench.store.progress([report(placed)])
    if (live) expect(record).toMatchObject({ state: leaf, progress: half })
    else {
      expect(record).toBeNull()
      expect(await bench.picture()).toEqual(before)
    }
  })

  it('refuses another fence, in either direction, and an id of nobody', async () => {
    const bench = await open()
    const stale = await bench.running()
    await bench.env.advance(leaseMs)
    await bench.sweep()
    const [fresh] = await bench.claim()
    const before = await bench.picture()
    const { id, fence } = must(fresh)
    expect(await bench.store.progress([
      report(stale), report({ id, fence: fence + 1 }), report({ id: 'nobody', fence }),
    ])).toEqual([null, null, null])
    expect(await bench.picture()).toEqual(before)
  })

  it('lets each member stand or fall alone; the later of two reports wins', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    const [a, b] = await bench.claim()
    await bench.complete(must(a))
    const answers = await bench.store.progress([
      report(must(b), half), report(must(a), half), report(must(b), done),
    ])
    expect(answers.map((record) => record?.progress)).toEqual([half, undefined, done])
    expect(await bench.store.get(['a', 'b'])).toMatchObject([
      { progress: null }, { progress: done },
    ])
    expect(await bench.store.progress([])).toEqual([])
  })
}
