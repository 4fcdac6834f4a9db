import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { queueSettingKey } from '../../stores/settings.ts'
import { newJob, policy } from '../records.ts'
import { runs } from '../runs.ts'
import { ids, leaseMs, must } from './bench.ts'
import type { OpenBench } from './bench.ts'

export function claimContract(open: OpenBench): void {
  lease(open)
  selection(open)
  order(open)
  pause(open)
  fences(open)
  policies(open)
  expiry(open)
}

function lease(open: OpenBench): void {
  it('makes a ready job run: attempt, fence, lease, policy, start', async () => {
    const bench = await open()
    const { fence } = await bench.running({ id: 'first' })
    const added = await bench.add({ ttlMs: 10 })
    await bench.env.advance(9)
    const now = bench.env.now()
    const [claimed] = await bench.claim({ worker: 'worker:w2', leaseMs: 500 })
    expect(claimed).toEqual({
      ...added, state: 'running', phase: null, rev: 2, attempt: 1, fence: fence + 1,
      lease: { worker: 'worker:w2', until: now + 500 }, policy, startedAt: now, expiresAt: null,
      timeline: [
        ...added.timeline, { at: now, event: 'claim', to: 'running', attempt: 1, by: 'worker:w2' },
      ],
    })
    expect(await bench.get('job-1')).toEqual(claimed)
  })

  it('gives a job once', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }, { id: 'c' }])
    const claims = await Promise.all([bench.claim({ limit: 2 }), bench.claim({ limit: 2 })])
    if (bench.embedded) expect(claims.map(ids)).toEqual([['a', 'b'], ['c']])
    expect(claims.flatMap(ids).sort()).toEqual(['a', 'b', 'c'])
    expect(await bench.claim()).toEqual([])
  })

  it('starts the first ones only, when not all have a slot', async () => {
    const bench = await open()
    await bench.addMany(['a', 'b', 'c', 'd'].map((id) => ({ id, ttlMs: 10 })))
    const now = bench.env.now()
    const claimed = await bench.claim({ limit: 3, startable: 1 })
    expect(claimed.map(({ id, state, startedAt }) => [id, state, startedAt])).toEqual([
      ['a', 'running', now], ['b', 'running', null], ['c', 'running', null],
    ])
    expect(await bench.store.get(ids(claimed))).toEqual(claimed)
    const [none] = await bench.claim({ startable: 0 })
    expect(none).toMatchObject({ id: 'd', startedAt: null, attempt: 1, expiresAt: null })
    // Its handler never ran: the ttl goes on.
    await bench.commit(must(none), bench.event('release'))
    expect(await bench.get('d')).toMatchObject({ attempt: 0, expiresAt: now + 10 })
  })
}

function selection(open: OpenBench): void {
  it('gives at most so many jobs as were asked for', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }, { id: 'c' }])
    expect(await bench.claim({ limit: 0 })).toEqual([])
    expect(ids(await bench.claim({ limit: 2 }))).toEqual(['a', 'b'])
    expect(ids(await bench.claim({ limit: 2 }))).toEqual(['c'])
  })

  it('gives only jobs of the queue and of the tasks that the worker has', async () => {
    const bench = await open()
    await bench.addMany([
      { id: 'other-queue', queue: 'mail' }, { id: 'other-task', task: 'crop' }, { id: 'mine' },
    ])
    expect(await bench.claim({ tasks: new Map() })).toEqual([])
    expect(ids(await bench.claim())).toEqual(['mine'])
    const tasks = new Map([['crop', policy], ['resize', policy]])
    expect(ids(await bench.claim({ tasks }))).toEqual(['other-task'])
    expect(ids(await bench.claim({ queue: 'mail' }))).toEqual(['other-queue'])
  })

  it('passes over what is excluded, and leaves it ready', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }, { id: 'c' }])
    const before = await bench.store.get(['a', 'b'])
    expect(ids(await bench.claim({ limit: 1, exclude: new Set(['a', 'b']) }))).toEqual(['c'])
    expect(await bench.store.get(['a', 'b'])).toEqual(before)
    expect(ids(await bench.claim())).toEqual(['a', 'b'])
  })

  it('gives no job that is not ready', async () => {
    const bench = await open()
    const running = await bench.running({ id: 'running' })
    const completed = await bench.running({ id: 'completed' })
    await bench.complete(completed)
    await bench.add({ id: 'delayed', delayMs: 10 })
    await bench.add({ id: 'cancelled' })
    await bench.apply('cancelled', { type: 'cancel' })
    await bench.apply(running.id, { type: 'cancel' })
    await bench.env.advance(5)
    expect(await bench.claim()).toEqual([])
  })
}

function order(open: OpenBench): void {
  const job = fc.record({
    priority: fc.integer({ min: -2, max: 2 }), back: fc.integer({ min: 0, max: 3 }),
    task: fc.constantFrom('resize', 'crop'),
  })

  it('goes by priority, then runAt, then insertion', async () => {
    await fc.assert(fc.asyncProperty(
      fc.array(job, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 5 }),
      async (jobs, limit) => {
        const bench = await open()
        const now = bench.env.now()
        const added = await bench.addMany(jobs.map(({ back, ...rest }, index) =>
          ({ ...rest, id: String(index), runAt: now - back })))
        const sorted = added
          .map(({ id, priority, runAt }, index) => ({ id, priority, runAt, index }))
          .sort((a, b) => a.priority - b.priority || a.runAt - b.runAt || a.index - b.index)
        const claimed: string[] = []
        const tasks = new Map([['resize', policy], ['crop', policy]])
        while (claimed.length < jobs.length) {
          const batch = ids(await bench.claim({ limit, tasks }))
          expect(batch).toHaveLength(Math.min(limit, jobs.length - claimed.length))
          claimed.push(...batch)
        }
        expect(claimed).toEqual(ids(sorted))
      },
    ), runs(25))
  })

  it('keeps the place of what was released or stalled, and moves what was retried', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'd' }])
    const [a, b, c] = await bench.claim({ limit: 3 })
    await bench.env.advance(1)
    await bench.commit(must(a), bench.event('fail', { random: 0.5 }))
    await bench.commit(must(b), bench.event('release'))
    await bench.env.advance(leaseMs)
    await bench.sweep()
    expect(must(c).id).toBe('c')
    expect(ids(await bench.claim())).toEqual(['b', 'c', 'd', 'a'])
  })
}

function pause(open: OpenBench): void {
  it('gives nothing while the queue is paused, and other queues go on', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b', queue: 'mail' }])
    const key = queueSettingKey('images')
    await bench.store.casSetting(key, 0, { paused: true, note: 'x' })
    expect(await bench.claim()).toEqual([])
    expect(ids(await bench.claim({ queue: 'mail' }))).toEqual(['b'])
    await bench.store.casSetting(key, 1, { note: 'x' })
    expect(ids(await bench.claim())).toEqual(['a'])
  })

  it('commits no claim after the pause has answered', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    const key = queueSettingKey('images')
    const [paused, claimed] = await Promise.all([
      bench.store.casSetting(key, 0, { paused: true }), bench.claim(),
    ])
    expect(paused).toBe(true)
    // Elsewhere the claim may have overtaken it.
    if (bench.embedded) expect(claimed).toEqual([])
    for (const record of claimed) await bench.commit(record, bench.event('release'))
    expect(await bench.claim()).toEqual([])
  })
}

function fences(open: OpenBench): void {
  it('gives fences that rise over the whole store, and never fall', async () => {
    const bench = await open()
    const given: number[] = []
    const claim = async (queue: string): Promise<void> => {
      for (const record of await bench.claim({ queue })) {
        given.push(record.fence)
        await bench.commit(record, bench.event('release'))
      }
    }
    await bench.addMany([{ id: 'a' }, { id: 'b', queue: 'mail' }, { id: 'c' }])
    for (const queue of ['images', 'mail', 'images', 'mail']) await claim(queue)
    await bench.reopen()
    await claim('mail')
    await bench.apply('a', { type: 'remove' })
    await bench.apply('c', { type: 'remove' })
    await bench.reopen()
    await claim('mail')
    expect(given).toHaveLength(8)
    expect(given[0]).toBeGreaterThan(0)
    expect([...new Set(given)].sort((a, b) => a - b)).toEqual(given)
  })
}

function policies(open: OpenBench): void {
  it('keeps the rules of the task, under those that the job brought', async () => {
    const bench = await open()
    const crop = { ...policy, retries: 9, timeoutMs: 77 }
    const options = { retries: 0, maxStalls: 4, cancelGraceMs: 5 }
    await bench.addMany([
      { id: 'plain' }, { id: 'own', options }, { id: 'crop', task: 'crop', options },
    ])
    const tasks = new Map([['resize', policy], ['crop', crop]])
    const claimed = await bench.claim({ tasks })
    expect(claimed.map((record) => record.policy)).toEqual([
      policy, { ...policy, ...options }, { ...crop, ...options },
    ])
    expect(claimed.map((record) => record.options)).toEqual([{}, options, options])
  })
}

function expiry(open: OpenBench): void {
  it('gives no job whose ttl has passed, but the next; the old one expires', async () => {
    const bench = await open()
    await bench.addMany([
      { id: 'old', ttlMs: 10 }, { id: 'last-ms', ttlMs: 11 }, { id: 'older', ttlMs: 3 },
      { id: 'no-ttl' },
    ])
    await bench.env.advance(10)
    expect(ids(await bench.claim({ limit: 2 }))).toEqual(['last-ms', 'no-ttl'])
    // The claim may have settled what it came across; the next sweep does the rest.
    await bench.sweep()
    const settled = { state: 'failed', reason: 'expired', settledAt: bench.env.now(), attempt: 0 }
    expect(await bench.store.get(['old', 'older'])).toMatchObject([settled, settled])
    expect((await bench.log()).filter(({ event }) => event === 'expire')).toHaveLength(2)
  })

  it('starts an expired job with a fresh ttl after a retry', async () => {
    const bench = await open()
    await bench.store.insert([newJob({ ttlMs: 10 })])
    await bench.env.advance(10)
    expect(await bench.claim()).toEqual([])
    await bench.sweep()
    await bench.apply('job-1', { type: 'retry' })
    await bench.env.advance(9)
    expect(ids(await bench.claim())).toEqual(['job-1'])
  })
}
