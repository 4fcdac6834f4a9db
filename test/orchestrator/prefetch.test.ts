import type { Job, Queue, QueueOptions } from 'troupe'
import { describe, expect, test } from 'vitest'
import type { ClaimRequest, Store } from '../../src/stores/store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { SharedStore } from '../support/shared-store.ts'
import { eventsOf, hold, recordOf, useStage } from '../support/stage.ts'

const stage = useStage()

type Tasks = {
  readonly quick: (job: Job<unknown>) => Promise<string>
  readonly slow: (job: Job<unknown>) => Promise<string>
}

const many = <K extends keyof Tasks>(task: K, length: number) =>
  Array.from({ length }, () => ({ task, input: null }) as const)

/**
 * A worker with two slots on a store that others share. `slow` jobs go on until `gate` opens; the
 * claims of the worker are in `claims`.
 */
async function open(options: Omit<QueueOptions, 'tasks'> = {}, wrap = (store: Store) => store) {
  const shared = new SharedStore(stage.env)
  const claims: ClaimRequest[] = []
  const claim = shared.inner.claim.bind(shared.inner)
  shared.inner.claim = (request) => {
    claims.push(request)
    return claim(request)
  }
  const gate = hold<string>()
  const ends = new Map<string, (answer: string) => void>()
  const running = new Set<string>()
  const starts: string[] = []
  let most = 0
  const begin = ({ id }: Job<unknown>): void => {
    starts.push(id)
    running.add(id)
    most = Math.max(most, running.size)
  }
  const tasks: Tasks = {
    quick: async (job) => {
      begin(job)
      await Promise.resolve()
      running.delete(job.id)
      return 'quick'
    },
    slow: async (job) => {
      begin(job)
      // What the store answers to that does not know of the start yet.
      job.progress(10)
      const early = hold<string>()
      ends.set(job.id, early.release)
      const answer = await Promise.race([gate.promise, early.promise])
      running.delete(job.id)
      return answer
    },
  }
  const troupe = await stage.open({ store: wrap(shared.session()) })
  const queue: Queue<Tasks> = troupe.queue('q', { concurrency: 2, ...options, tasks })
  return { shared, claims, gate, ends, running, starts, troupe, queue, most: () => most }
}

/** Jobs that set the pace, and then `count` slow ones, of which two run and others wait here. */
async function hoard(
  options: Omit<QueueOptions, 'tasks'> = {}, wrap?: (store: Store) => Store, ttl?: number,
) {
  const scene = await open(options, wrap)
  await scene.queue.addMany(Array.from({ length: 40 }, (_, n) =>
    ({ task: 'quick', input: null, id: `quick-${n}` }) as const))
  const names = Array.from({ length: 12 }, (_, n) => `slow-${n}`)
  await scene.queue.addMany(names.map((id) =>
    ({ task: 'slow', input: null, id, ...(ttl === undefined ? {} : { ttl }) }) as const))
  await scene.troupe.start()
  await stage.env.settle()
  const live = (await scene.queue.list({ state: 'running' })).jobs
  const waiting = live.filter(({ id, startedAt }) =>
    startedAt === null && !scene.running.has(id))
  expect(waiting.length).toBeGreaterThan(2)
  return { ...scene, names, waiting }
}

describe('of short jobs', () => {
  test('as many come ahead as have ended within the last 100 ms', async () => {
    const { queue, troupe, claims, most } = await open()
    await queue.addMany(many('quick', 2000))
    await troupe.start()
    await stage.drive(queue.idle())
    expect(await queue.counts()).toMatchObject({ completed: 2000 })
    expect(most()).toBe(2)
    expect(claims[0]).toMatchObject({ limit: 2, startable: 2 })
    let ended = 0
    for (const { limit, startable = 0 } of claims) {
      expect(limit - startable).toBeLessThanOrEqual(Math.min(500, ended))
      ended += limit
    }
    expect(claims.length).toBeLessThan(40)
    expect(Math.max(...claims.map(({ limit }) => limit))).toBeGreaterThan(200)
  })

  test('nothing comes ahead once they have become long', async () => {
    const { queue, troupe, claims } = await open()
    await troupe.start()
    await queue.addMany(many('quick', 50))
    await stage.drive(queue.idle())
    await stage.env.advance(200)
    claims.length = 0
    await queue.addMany(many('slow', 9))
    await stage.env.settle()
    expect(claims.map(({ limit, startable = 0 }) => limit - startable)).not.toContainEqual(1)
    expect(await queue.counts()).toMatchObject({ running: 2, ready: 7 })
  })

  test.each([
    ['a rate', { rateLimit: { max: 10_000, per: '1s' } }],
    ['a bound of partitions', { concurrencyPerPartition: 100 }],
  ] as const)('nothing comes ahead under %s', async (_what, limits) => {
    const { queue, troupe, claims } = await open(limits)
    await queue.addMany(many('quick', 100))
    await troupe.start()
    await stage.drive(queue.idle())
    for (const { limit, startable } of claims) expect(limit).toBe(startable)
  })

  test('nothing comes ahead on a store that one process holds', async () => {
    const limits: number[] = []
    const claim = stage.store.claim.bind(stage.store)
    stage.store.claim = (request) => {
      limits.push(request.limit)
      return claim(request)
    }
    const troupe = await stage.open()
    const queue = troupe.queue('q', { concurrency: 2, tasks: { work: () => 1 } })
    await queue.addMany(Array.from({ length: 100 }, () => ({ task: 'work' }) as const))
    await troupe.start()
    await stage.drive(queue.idle())
    expect(Math.max(...limits)).toBe(2)
  })
})

describe('what waits for a slot', () => {
  test('keeps its lease, and has not started for the store until its end says so', async () => {
    const { queue, waiting, gate, starts, shared } = await hoard()
    const [first, second] = waiting
    await stage.env.advance(25_000)
    // Its lease is renewed like any other.
    expect(await recordOf(queue, first?.id ?? '')).toMatchObject({
      state: 'running', startedAt: null, stalls: 0, lease: { until: stage.env.now() + 25_000 },
    })
    const startedAt = stage.env.now()
    gate.release('slow')
    await stage.drive(queue.idle())
    expect(starts).toContain(first?.id)
    expect(await recordOf(queue, second?.id ?? '')).toMatchObject({
      state: 'completed', startedAt, attempt: 1, stalls: 0,
    })
    expect((await shared.inner.counts('q')).get('q')).toMatchObject({ completed: 52 })
  })

  test('tells its start with a beat, when its handler goes on for long', async () => {
    const { queue, waiting, gate, running, ends } = await hoard()
    const [first = '', second = ''] = waiting.map(({ id }) => id)
    await stage.env.advance(1000)
    const [one = ''] = running
    ends.get(one)?.('early')
    await stage.env.settle()
    const startedAt = stage.env.now()
    expect(running).toContain(first)
    expect((await recordOf(queue, first)).startedAt).toBeNull()
    await stage.env.advance(9000)
    expect(await recordOf(queue, first)).toMatchObject({ startedAt, rev: 3 })
    expect((await recordOf(queue, second)).startedAt).toBeNull()
    gate.release('slow')
    await stage.drive(queue.idle())
    expect(await recordOf(queue, first)).toMatchObject({ state: 'completed', startedAt, rev: 4 })
  })

  const endings = ['pause', 'drain', 'stop'] as const
  test.each(endings)('goes back on %s, with nothing charged', async (verb) => {
    const { queue, troupe, waiting, gate, starts, shared } = await hoard()
    const done: Promise<unknown> = verb === 'stop' ? troupe.stop() : queue[verb]()
    await stage.env.settle()
    const records = await shared.inner.get(waiting.map(({ id }) => id))
    for (const record of records) {
      expect(record).toMatchObject({ state: 'queued', phase: 'ready', attempt: 0, lease: null })
    }
    gate.release('slow')
    await stage.drive(done)
    await stage.env.settle()
    expect(starts.filter((id) => waiting.some((each) => each.id === id))).toEqual([])
  })

  test('goes back when a handler says that a limit is reached', async () => {
    const { queue, waiting, shared } = await hoard()
    const key = 'queue:q'
    const { value, version } = await shared.inner.getSetting(key)
    const limitedUntil = stage.env.now() + 5000
    await shared.session().casSetting(key, version, { ...value as object, limitedUntil })
    await stage.env.settle()
    const [{ id } = { id: '' }] = waiting
    expect(await recordOf(queue, id)).toMatchObject({ phase: 'ready', attempt: 0 })
  })

  test('ends at once when it is cancelled, by whomever, and never starts', async () => {
    const { queue, waiting, gate, starts, shared } = await hoard()
    const [mine = '', others = ''] = waiting.map(({ id }) => id)
    const elsewhere = (await stage.open({ store: shared.session() })).queue('q')
    await queue.cancel(mine)
    await elsewhere.cancel(others)
    await stage.env.settle()
    for (const id of [mine, others]) {
      const record = await recordOf(queue, id)
      expect(record).toMatchObject({ state: 'cancelled', startedAt: null })
      expect(eventsOf(record)).toEqual(['add', 'claim', 'cancel', 'release'])
    }
    gate.release('slow')
    await stage.drive(queue.idle())
    expect(starts).not.toContain(mine)
    expect(starts).not.toContain(others)
  })

  test('expires if its ttl passes before it could start', async () => {
    const { queue, waiting, gate, starts } = await hoard({}, undefined, 5000)
    await stage.env.advance(6000)
    gate.release('slow')
    await stage.drive(queue.idle())
    await stage.env.advance(3000)
    for (const { id } of waiting) {
      expect(await recordOf(queue, id)).toMatchObject({ state: 'failed', reason: 'expired' })
      expect(starts).not.toContain(id)
    }
  })

  test('is forgotten when its lease was lost', async () => {
    let lost: readonly string[] = []
    const { queue, waiting, gate, starts } = await hoard({}, (inner) => faultyStore(inner, {
      renew: async (beat) => {
        const answer = await inner.renew(beat)
        return lost.length > 0 ? { lost } : answer
      },
    }).store)
    const [stolen = ''] = waiting.map(({ id }) => id)
    lost = [stolen]
    await stage.env.advance(10_000)
    lost = []
    gate.release('slow')
    await stage.env.settle()
    expect(starts).not.toContain(stolen)
    expect((await recordOf(queue, stolen)).state).toBe('running')
    // Nobody renews it, and so it comes back, uncharged.
    await stage.env.advance(40_000)
    expect(eventsOf(await recordOf(queue, stolen))).toEqual([
      'add', 'claim', 'stall', 'claim', 'complete',
    ])
    expect(await recordOf(queue, stolen)).toMatchObject({ stalls: 0, attempt: 1 })
  })

  test('counts as running, and idle waits for it', async () => {
    const { queue, waiting, gate } = await hoard()
    const { running, ready } = await queue.counts()
    expect(running).toBe(2 + waiting.length)
    expect(running + ready).toBe(12)
    expect((await queue.explain(waiting[0]?.id ?? '')).text).toContain('has not started')
    let idle = false
    const waited = queue.idle().then(() => { idle = true })
    await stage.env.settle()
    expect(idle).toBe(false)
    gate.release('slow')
    await stage.drive(waited)
    expect(await queue.counts()).toMatchObject({ completed: 52, running: 0 })
  })
})
