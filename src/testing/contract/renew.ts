import { expect, it } from 'vitest'
import type { Beat, BeatAnswer } from '../../stores/store.ts'
import { ids, leaseMs, must } from './bench.ts'
import { beat } from '../records.ts'
import type { Bench, OpenBench } from './bench.ts'

function renew(bench: Bench, held: Beat['held'], worker = 'worker:w1'): Promise<BeatAnswer> {
  return bench.store.renew(beat({ worker, leaseMs, held }))
}

export function renewContract(open: OpenBench): void {
  it('extends the leases that are held, and is no transition', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    const held = await bench.claim()
    const before = await bench.picture()
    await bench.env.advance(1000)
    expect(await renew(bench, held)).toEqual({ lost: [] })
    const until = bench.env.now() + leaseMs
    const lease = { worker: 'worker:w1', until }
    expect(await bench.list()).toEqual(held.map((record) => ({ ...record, lease })))
    expect(await bench.picture()).toEqual({
      ...before as object, jobs: held.map((record) => ({ ...record, lease })),
    })
  })

  it('keeps a job from being taken back, for one lease', async () => {
    const bench = await open()
    const running = await bench.running()
    for (let beat = 0; beat < 5; beat += 1) {
      await bench.env.advance(leaseMs - 1)
      await renew(bench, [running])
      expect((await bench.sweep()).nextAt).toBe(bench.env.now() + leaseMs)
    }
    expect(await bench.get('job-1')).toMatchObject({ state: 'running', stalls: 0 })
    await bench.env.advance(leaseMs)
    await bench.sweep()
    expect(await bench.get('job-1')).toMatchObject({ state: 'queued', stalls: 1 })
  })

  it('notes when a handler has started, which is no transition', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    const [a, b] = await bench.claim({ startable: 1 })
    await bench.env.advance(5)
    const startedAt = bench.env.now()
    const before = await bench.picture()
    await renew(bench, [must(a), must(b)])
    expect(await bench.get('b')).toMatchObject({ startedAt: null, rev: 2 })
    await renew(bench, [{ ...must(a), startedAt }, { ...must(b), startedAt }])
    await renew(bench, [must(a), must(b)])
    // What is known of a start stays as it is.
    expect(await bench.store.get(['a', 'b'])).toMatchObject([
      { startedAt: must(a).startedAt, rev: 2 }, { startedAt, rev: 2 },
    ])
    expect(await bench.picture()).toMatchObject({ newest: (before as { newest: number }).newest })
    // A stall of one whose handler ran is charged.
    await bench.env.advance(leaseMs)
    await bench.sweep()
    expect(await bench.get('b')).toMatchObject({ state: 'queued', stalls: 1, attempt: 1 })
  })

  it('goes on for a job that is being cancelled', async () => {
    const bench = await open()
    const running = await bench.running()
    await bench.apply('job-1', { type: 'cancel' })
    await bench.env.advance(leaseMs - 1)
    expect(await renew(bench, [running])).toEqual({ lost: [] })
    await bench.env.advance(1)
    await bench.sweep()
    expect(await bench.get('job-1')).toMatchObject({ state: 'cancelling' })
  })

  unheld(open)
}

function unheld(open: OpenBench): void {
  it('names what is held no more, and leaves that alone', async () => {
    const bench = await open()
    await bench.addMany(['held', 'settled', 'removed', 'stolen', 'back'].map((id) => ({ id })))
    const claimed = await bench.claim()
    const [held, settled, removed, stolen, back] = claimed.map((record) => must(record))
    await bench.complete(must(settled))
    await bench.complete(must(removed))
    await bench.apply('removed', { type: 'remove' })
    await bench.commit(must(stolen), bench.event('release'))
    await bench.claim({ worker: 'worker:w2' })
    await bench.commit(must(back), bench.event('release'))
    const before = await bench.store.get(ids(claimed).slice(1))
    await bench.env.advance(5)
    const { lost } = await renew(bench, [...claimed, { ...must(held), id: 'unheard-of' }])
    expect([...lost].sort()).toEqual(['back', 'removed', 'settled', 'stolen', 'unheard-of'])
    expect(await bench.store.get(ids(claimed).slice(1))).toEqual(before)
  })

  it('takes a worker that holds nothing', async () => {
    const bench = await open()
    expect(await renew(bench, [])).toEqual({ lost: [] })
    expect(bench.news).toEqual([])
  })
}
