import { expect, it } from 'vitest'
import { queueSettingKey } from '../../stores/settings.ts'
import type { Limits } from '../../stores/store.ts'
import { newJob } from '../records.ts'
import { ids, leaseMs, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'

/** At most `max` starts in 100 ms. */
function rate(max: number, perPartition = false): Limits {
  return { rate: { max, perMs: 100, perPartition }, perPartition: null }
}

function addJobs(bench: Bench, count: number, from = 0): Promise<unknown> {
  return bench.addMany(Array.from({ length: count }, (_, index) => ({ id: `j${from + index}` })))
}

/** Claims under limits: who was taken, and when the store says that the next one may be. */
async function take(bench: Bench, limits: Limits, limit = 1000): Promise<unknown> {
  const { records, nextAt } = await bench.claimed({ limits, limit })
  return [ids(records), nextAt === null ? null : nextAt - bench.env.now()]
}

export function limitsContract(open: OpenBench): void {
  slidingWindow(open)
  tokens(open)
  heldBack(open)
  byPartition(open)
  limitReached(open)
  maxQueued(open)
}

function slidingWindow(open: OpenBench): void {
  it('gives no more than max in a window, which ends in the moment that is per later', async () => {
    const bench = await open()
    await addJobs(bench, 5)
    expect(await take(bench, rate(2))).toEqual([['j0', 'j1'], 100])
    await bench.env.advance(99)
    expect(await take(bench, rate(2))).toEqual([[], 1])
    await bench.env.advance(1)
    expect(await take(bench, rate(2))).toEqual([['j2', 'j3'], 100])
    expect((await bench.counts()).ready).toBe(1)
  })

  it('slides: each start leaves the window by itself', async () => {
    const bench = await open()
    await addJobs(bench, 9)
    expect(await take(bench, rate(3), 1)).toEqual([['j0'], null])
    await bench.env.advance(60)
    expect(await take(bench, rate(3))).toEqual([['j1', 'j2'], 40])
    await bench.env.advance(40)
    expect(await take(bench, rate(3))).toEqual([['j3'], 60])
    await bench.env.advance(60)
    expect(await take(bench, rate(3))).toEqual([['j4', 'j5'], 40])
  })

  it('says when the next one may be after the limit was lowered', async () => {
    const bench = await open()
    await addJobs(bench, 9)
    for (let started = 0; started < 4; started += 1) {
      await take(bench, rate(4), 1)
      await bench.env.advance(10)
    }
    expect(await take(bench, rate(2))).toEqual([[], 80])
    await bench.env.advance(80)
    expect(await take(bench, rate(2))).toEqual([['j4'], 10])
  })

  it('holds nobody longer than one window when the clock was set back', async () => {
    const bench = await open()
    await addJobs(bench, 3)
    await take(bench, rate(1))
    bench.env.jump(-3_600_000)
    expect(await take(bench, rate(1))).toEqual([[], 100])
    await bench.env.advance(100)
    expect(await take(bench, rate(1))).toEqual([['j1'], 100])
  })

  it('is of one queue, and counts the starts of all its workers and tasks', async () => {
    const bench = await open()
    await addJobs(bench, 3)
    await bench.addMany([{ id: 'm', queue: 'mail' }, { id: 'c', task: 'crop' }])
    await bench.claim({ limits: rate(1), limit: 1 })
    const others = [
      bench.claim({ limits: rate(1), worker: 'worker:w2' }), bench.claim({ limits: rate(1) }),
    ]
    expect((await Promise.all(others)).flat()).toEqual([])
    expect(ids(await bench.claim({ limits: rate(1), queue: 'mail' }))).toEqual(['m'])
  })
}

function tokens(open: OpenBench): void {
  it('counts each claim: retries, releases and jobs that were taken back', async () => {
    const bench = await open()
    await addJobs(bench, 3)
    const [a, b] = await bench.claim({ limits: rate(4), limit: 2, leaseMs: 20 })
    await bench.commit(must(a), bench.event('release'))
    await bench.env.advance(20)
    await bench.sweep()
    expect(await bench.get(must(b).id)).toMatchObject({ phase: 'ready', stalls: 1 })
    expect(await take(bench, rate(4))).toEqual([['j0', 'j1'], 80])
    const c = must(await bench.get('j1'))
    await bench.commit(c, bench.event('fail', { retryable: true, random: 0.5 }))
    await bench.env.advance(100)
    await bench.sweep()
    expect(await take(bench, rate(4))).toEqual([['j2', 'j1'], null])
    expect(await take(bench, rate(1))).toEqual([[], null])
  })

  it('takes no token for a job that expires, or that is passed over', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'old', ttlMs: 5 }, { id: 'out' }, { id: 'a' }, { id: 'b' }])
    await bench.env.advance(5)
    const { records } = await bench.claimed({ limits: rate(2), exclude: new Set(['out']) })
    expect(ids(records)).toEqual(['a', 'b'])
  })

  it('knows after a reopen what was started before', async () => {
    const bench = await open()
    await addJobs(bench, 6)
    await take(bench, rate(3), 1)
    await bench.env.advance(50)
    await take(bench, rate(3), 1)
    await bench.reopen()
    await bench.env.advance(10)
    expect(await bench.claim({ limits: rate(3), limit: 1 })).toHaveLength(1)
    await bench.reopen()
    expect(await take(bench, rate(3))).toEqual([[], 40])
    await bench.env.advance(40)
    expect((await bench.claim({ limits: rate(3) }))).toHaveLength(1)
    expect(await take(bench, rate(3))).toEqual([[], 50])
  })
}

function heldBack(open: OpenBench): void {
  it('admits none when max is 0, and names no time', async () => {
    const bench = await open()
    await addJobs(bench, 2)
    expect(await take(bench, rate(0))).toEqual([[], null])
    await bench.env.advance(1000)
    expect(await take(bench, rate(0))).toEqual([[], null])
  })

  it('names no time when nothing is held back, or nothing of the worker\'s own tasks', async () => {
    const bench = await open()
    expect(await take(bench, rate(1))).toEqual([[], null])
    await addJobs(bench, 1)
    expect(await take(bench, rate(1))).toEqual([['j0'], null])
    expect(await take(bench, rate(1))).toEqual([[], null])
    await bench.add({ id: 'crop', task: 'crop' })
    expect(await take(bench, rate(1))).toEqual([[], null])
    const until = bench.env.now() + 500
    await bench.store.casSetting(queueSettingKey('images'), 0, { limitedUntil: until })
    expect(await take(bench, rate(1))).toEqual([[], null])
  })

  it('names no time while the queue is paused', async () => {
    const bench = await open()
    await addJobs(bench, 3)
    await take(bench, rate(1))
    await bench.store.casSetting(queueSettingKey('images'), 0, { paused: true })
    expect(await take(bench, rate(1))).toEqual([[], null])
  })
}

function byPartition(open: OpenBench): void {
  it('gives each partition a window of its own, those without one together', async () => {
    const bench = await open()
    await bench.addMany(['a', 'a', 'b', null, null, 'b'].map((partition, index) =>
      ({ id: `${partition ?? 'none'}${index}`, partition })))
    expect(await take(bench, rate(1, true))).toEqual([['a0', 'b2', 'none3'], 100])
    await bench.env.advance(40)
    await bench.add({ id: 'c', partition: 'c' })
    expect(await take(bench, rate(1, true))).toEqual([['c'], 60])
    await bench.env.advance(60)
    expect(await take(bench, rate(1, true))).toEqual([['a1', 'b5', 'none4'], null])
  })

  it('keeps the windows of the partitions over a reopen', async () => {
    const bench = await open()
    await bench.addMany(['a', 'b'].flatMap((partition) =>
      [1, 2].map((n) => ({ id: partition + String(n), partition }))))
    await bench.claim({ limits: rate(1, true), limit: 1 })
    await bench.reopen()
    const [b] = await bench.claim({ limits: rate(1, true) })
    expect(must(b).partition).toBe('b')
    expect(await take(bench, rate(1, true))).toEqual([[], 100])
  })
}

function limitReached(open: OpenBench): void {
  it('gives nothing of the queue before limitedUntil, and says so', async () => {
    const bench = await open()
    await addJobs(bench, 2)
    await bench.add({ id: 'mail', queue: 'mail' })
    const limitedUntil = bench.env.now() + 300
    const key = queueSettingKey('images')
    const [set, early] = await Promise.all([
      bench.store.casSetting(key, 0, { limitedUntil }), bench.claim(),
    ])
    expect(set).toBe(true)
    // Elsewhere the claim may have overtaken it.
    if (bench.embedded) expect(early).toEqual([])
    for (const record of early) await bench.commit(record, bench.event('release'))
    expect(await bench.claimed()).toEqual({ records: [], nextAt: limitedUntil })
    expect(ids(await bench.claim({ queue: 'mail' }))).toEqual(['mail'])
    await bench.reopen()
    await bench.env.advance(299)
    expect(await bench.claimed()).toEqual({ records: [], nextAt: limitedUntil })
    await bench.env.advance(1)
    expect(ids(await bench.claim())).toEqual(['j0', 'j1'])
  })
}

function maxQueued(open: OpenBench): void {
  const room = (max: number): { readonly maxQueued: ReadonlyMap<string, number> } =>
    ({ maxQueued: new Map([['images', max]]) })

  it('refuses a call that would leave more jobs queued, whole, with its figures', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'running' }, { id: 'a' }, { id: 'b', delayMs: 10 }])
    await bench.claim({ limit: 1, leaseMs: 10 * leaseMs })
    const before = await bench.picture()
    const jobs = [newJob({ id: 'c' }), newJob({ id: 'm', queue: 'mail' }), newJob({ id: 'd' })]
    await expect(bench.store.insert(jobs, room(3))).rejects.toMatchObject({
      code: 'queue-full', details: { queue: 'images', queued: 2, adding: 2, maxQueued: 3 },
    })
    expect(await bench.picture()).toEqual(before)
    expect(await bench.store.get(['c', 'm', 'd'])).toEqual([undefined, undefined, undefined])
    expect(await bench.store.insert(jobs, room(4))).toHaveLength(3)
    expect(await bench.store.insert([newJob({ id: 'n', queue: 'mail' })], room(0)))
      .toMatchObject([{ created: true }])
  })

  it('counts no job that is there already, by its id or its key', async () => {
    const bench = await open()
    const simple = { key: 'k', mode: 'simple', windowMs: null } as const
    await bench.store.insert([newJob({ id: 'a' }), newJob({ id: 'k1', dedupe: simple })])
    const known = [newJob({ id: 'a' }), newJob({ id: 'k2', dedupe: simple })]
    expect(await bench.store.insert(known, room(1))).toMatchObject([
      { created: false, record: { id: 'a' } }, { created: false, record: { id: 'k1' } },
    ])
    const other = { ...simple, key: 'other' }
    const twice = ['o1', 'o2'].map((id) => newJob({ id, dedupe: other }))
    await expect(bench.store.insert([...twice, newJob({ id: 'b' })], room(3)))
      .rejects.toMatchObject({ code: 'queue-full', details: { queued: 2, adding: 2 } })
    expect(await bench.store.insert([...twice, ...known, ...twice], room(3))).toHaveLength(6)
  })

  it('counts a job that supersedes only when it takes nobody\'s place in the line', async () => {
    const bench = await open()
    const dedupe = { key: 'k', mode: 'supersede', windowMs: null } as const
    const add = (id: string): Promise<unknown> =>
      bench.store.insert([newJob({ id, dedupe })], room(1))
    await add('a')
    await add('b')
    await bench.claim()
    await add('c')
    await add('d')
    await bench.store.insert([newJob({ id: 'e', dedupe }), newJob({ id: 'f', dedupe })], room(1))
    await expect(bench.store.insert([newJob({ id: 'x' })], room(1)))
      .rejects.toMatchObject({ code: 'queue-full' })
    expect((await bench.counts()).queued).toBe(1)
  })
}
