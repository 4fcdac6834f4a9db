import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { isLive } from '../../records/job.ts'
import type { NewJob } from '../../records/job.ts'
import type { Limits } from '../../stores/store.ts'
import { ClaimOrder } from '../claim-order.ts'
import { policy } from '../records.ts'
import { runs } from '../runs.ts'
import { ids, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'

function bound(perPartition: number): Limits {
  return { rate: null, perPartition }
}

const everyTask = new Map([['resize', policy], ['crop', policy]])

/** Jobs by their partitions: `'a a b -'` are a1, a2, b3, -4; `-` has none. */
function add(bench: Bench, names: string, patch: Partial<NewJob> = {}): Promise<unknown> {
  return bench.addMany(names.split(' ').map((name, index) => ({
    id: name + String(index + 1), partition: name === '-' ? null : name, ...patch,
  })))
}

/** Claims one by one. */
async function oneByOne(bench: Bench, count: number, tasks = everyTask): Promise<string> {
  const claimed: string[] = []
  for (let left = count; left > 0; left -= 1) {
    claimed.push(...ids(await bench.claim({ limit: 1, tasks })))
  }
  return claimed.join(' ')
}

export function partitionsContract(open: OpenBench): void {
  bounds(open)
  wakes(open)
  turns(open)
  wayBack(open)
  newcomers(open)
  anyLoad(open)
}

function bounds(open: OpenBench): void {
  it('gives at most so many of a partition, and those without one count as one', async () => {
    const bench = await open()
    await add(bench, 'a a a b - - -')
    expect(ids(await bench.claim({ limits: bound(2) }))).toEqual(['a1', 'b4', '-5', 'a2', '-6'])
    expect(await bench.claimed({ limits: bound(2) })).toEqual({ records: [], nextAt: null })
    expect(ids(await bench.claim({ limits: bound(3), worker: 'worker:w2' }))).toEqual(['a3', '-7'])
  })

  it('counts what is being cancelled as running, and nothing else', async () => {
    const bench = await open()
    await add(bench, 'a a a a a')
    await bench.claim({ limits: bound(1) })
    await bench.apply('a1', { type: 'cancel' })
    expect(await bench.claim({ limits: bound(1) })).toEqual([])
    await bench.commit(must(await bench.get('a1')), bench.event('abandon'))
    const [second] = await bench.claim({ limits: bound(1) })
    await bench.fail(must(second))
    const [third] = await bench.claim({ limits: bound(1) })
    await bench.commit(must(third), bench.event('snooze', { runAt: bench.env.now() + 50 }))
    expect(ids(await bench.claim({ limits: bound(1) }))).toEqual(['a4'])
    await bench.env.advance(50)
    await bench.sweep()
    expect(await bench.claim({ limits: bound(1) })).toEqual([])
  })

  it('holds over a reopen', async () => {
    const bench = await open()
    await add(bench, 'a a b a b')
    await bench.claim({ limits: bound(1), limit: 1 })
    await bench.reopen()
    await bench.claim({ limits: bound(1) })
    expect((await bench.list()).filter(isLive).map(({ partition }) => partition).sort())
      .toEqual(['a', 'b'])
    expect(await bench.claim({ limits: bound(1) })).toEqual([])
  })

  it('stands beside a rate limit: a full partition takes no token, and blocks none', async () => {
    const bench = await open()
    await add(bench, 'a a a b c')
    const limits = { rate: { max: 3, perMs: 100, perPartition: false }, perPartition: 1 }
    expect(ids(await bench.claim({ limits, limit: 2 }))).toEqual(['a1', 'b4'])
    expect(ids(await bench.claim({ limits }))).toEqual(['c5'])
    await bench.env.advance(100)
    expect(await bench.claimed({ limits })).toEqual({ records: [], nextAt: null })
    await add(bench, 'd e f g')
    const { records, nextAt } = await bench.claimed({ limits })
    expect([ids(records), nextAt]).toEqual([['d1', 'e2', 'f3'], bench.env.now() + 100])
  })
}

function wakes(open: OpenBench): void {
  const endings: Readonly<Record<string, (bench: Bench) => Promise<unknown>>> = {
    completed: async (bench) => bench.complete(must(await bench.get('a1'))),
    failed: async (bench) => bench.fail(must(await bench.get('a1'))),
    snoozed: async (bench) =>
      bench.commit(must(await bench.get('a1')), bench.event('snooze', { runAt: 9e12 })),
    stalled: async (bench) => {
      await bench.env.advance(30)
      await bench.sweep()
    },
  }

  it.each(Object.keys(endings))('tells who waits when a job of a full one has %s', async (how) => {
    const bench = await open()
    await bench.add({ id: 'a1', partition: 'a', options: { maxStalls: 0 } })
    await bench.claim({ limits: bound(1), leaseMs: 30 })
    await bench.add({ id: 'a2', partition: 'a' })
    expect(await bench.claim({ limits: bound(1), worker: 'worker:w2' })).toEqual([])
    bench.events.length = 0
    await endings[how]?.(bench)
    expect(bench.events).toContainEqual({ type: 'wake', queue: 'images' })
    expect(ids(await bench.claim({ limits: bound(1), worker: 'worker:w2' }))).toEqual(['a2'])
  })
}

function turns(open: OpenBench): void {
  it('go round: the partition that was served longest ago is next', async () => {
    const bench = await open()
    await add(bench, 'a a a a a b b c - -')
    expect(await oneByOne(bench, 7)).toBe('a1 b6 c8 -9 a2 b7 -10')
    await add(bench, 'd d')
    expect(await oneByOne(bench, 5)).toBe('a3 d1 a4 d2 a5')
  })

  it('are the same in one claim', async () => {
    const bench = await open()
    await add(bench, 'a a a b - c c')
    expect(ids(await bench.claim())).toEqual(['a1', 'b4', '-5', 'c6', 'a2', 'c7', 'a3'])
  })

  it('come after the priority, and before time and insertion', async () => {
    const bench = await open()
    const now = bench.env.now()
    await add(bench, 'b b', { runAt: now - 90 })
    await bench.addMany([
      { id: 'a-late', partition: 'a', runAt: now - 10 },
      { id: 'a-early', partition: 'a', runAt: now - 20 },
      { id: 'a-twin', partition: 'a', runAt: now - 20 },
      { id: 'c-first', partition: 'c', priority: 1 },
      { id: 'c-second', partition: 'c', priority: 1 },
      { id: 'a-last', partition: 'a', priority: 9 },
      { id: 'c-last', partition: 'c', priority: 9 },
    ])
    expect(await oneByOne(bench, 9))
      .toBe('c-first c-second b1 a-early b2 a-twin a-late c-last a-last')
  })

  it('are of the partition, not of its tasks', async () => {
    const bench = await open()
    await add(bench, 'a a a')
    await bench.addMany([
      { id: 'crop-a', task: 'crop', partition: 'a' },
      { id: 'crop-b', task: 'crop', partition: 'b' },
    ])
    const crop = new Map([['crop', policy]])
    expect(await oneByOne(bench, 2, new Map([['resize', policy]]))).toBe('a1 a2')
    expect(await oneByOne(bench, 1, crop)).toBe('crop-b')
    expect(await oneByOne(bench, 2)).toBe('a3 crop-a')
  })

  it('are kept by a partition that is full, or whose first job is passed over', async () => {
    const bench = await open()
    await add(bench, 'a a b b b c c c')
    await bench.claim({ limits: bound(1), limit: 3 })
    await bench.complete(must(await bench.get('b3')))
    expect(ids(await bench.claim({ limits: bound(1) }))).toEqual(['b4'])
    expect(await oneByOne(bench, 1)).toBe('a2')
    expect(await oneByOne(bench, 3)).toBe('c7 b5 c8')

    await add(bench, 'd e f')
    expect(ids(await bench.claim({ limit: 1, exclude: new Set(['d1']) }))).toEqual(['e2'])
    expect(await oneByOne(bench, 2)).toBe('d1 f3')
  })
}

function wayBack(open: OpenBench): void {
  it('are kept by a partition whose only job is given back, taken back or moved', async () => {
    const bench = await open()
    await add(bench, 'a')
    const [first] = await bench.claim()
    await add(bench, 'b')
    await bench.commit(must(first), bench.event('release'))
    expect(ids(await bench.claim({ limit: 1, leaseMs: 10 }))).toEqual(['a1'])
    await add(bench, 'c')
    await bench.env.advance(10)
    await bench.sweep()
    await bench.apply('b1', { type: 'reschedule', delayMs: 0 })
    expect(await oneByOne(bench, 3)).toBe('b1 a1 c1')
  })
}

function newcomers(open: OpenBench): void {
  it('go to the end of the line: without end they starve nobody', async () => {
    const bench = await open()
    await add(bench, 'old old old old old')
    const claimed: string[] = []
    for (let step = 0; step < 30; step += 1) {
      await bench.add({ id: `new-${step}`, partition: `new-${step}` })
      claimed.push(await oneByOne(bench, 1))
    }
    expect(claimed.filter((id) => id.startsWith('old')))
      .toEqual(['old1', 'old2', 'old3', 'old4', 'old5'])
    const firsts = claimed.filter((id) => id.startsWith('new'))
    expect(firsts).toEqual(firsts.map((_id, index) => `new-${index}`))
  })

  it('wait for one job, not for the flood of another', async () => {
    const bench = await open()
    await add(bench, Array.from({ length: 200 }, () => 'flood').join(' '))
    await oneByOne(bench, 3)
    await bench.add({ id: 'small', partition: 'small' })
    expect(await oneByOne(bench, 2)).toBe('flood4 small')
  })
}

const names = ['a', 'b', 'c', null] as const
const job = fc.record({
  partition: fc.constantFrom(...names), priority: fc.constantFrom(5, 5, 5, 1),
  task: fc.constantFrom('resize', 'crop'), delayMs: fc.constantFrom(null, null, null, 20),
})
const act = fc.oneof(
  { weight: 3, arbitrary: fc.record({
    type: fc.constant('add' as const), jobs: fc.array(job, { maxLength: 4 }),
  }) },
  { weight: 4, arbitrary: fc.record({
    type: fc.constant('claim' as const), limit: fc.integer({ min: 1, max: 4 }),
    tasks: fc.constantFrom(['resize'], ['crop'], ['resize', 'crop']),
  }) },
  { weight: 4, arbitrary: fc.record({
    type: fc.constantFrom('complete' as const, 'release' as const, 'fail' as const),
    which: fc.nat(20),
  }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('cancel' as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('sweep' as const) }) },
)
type Act = typeof act extends fc.Arbitrary<infer A> ? A : never

function anyLoad(open: OpenBench): void {
  it('bounds hold, turns go round, and nobody waits for nothing, whatever is done', async () => {
    const acts = fc.array(act, { maxLength: 40 })
    const bounds = fc.integer({ min: 1, max: 3 })
    await fc.assert(fc.asyncProperty(acts, bounds, async (sequence, max) => {
      const bench = await open()
      // A worker is named after its tasks, and a job after its own.
      const order = new ClaimOrder((worker, id) =>
        !worker.includes(must(id.split('-')[0])), max)
      let seen = 0
      for (const each of sequence) {
        await perform(bench, each, max)
        for (const change of bench.changes.slice(seen)) order.follow(change)
        seen = bench.changes.length
      }
    }), runs(60))
  })
}

async function perform(bench: Bench, each: Act, max: number): Promise<void> {
  if (each.type === 'add') {
    const { env } = bench
    await bench.addMany(each.jobs.map((job) => ({ ...job, id: `${job.task}-${env.id()}` })))
  } else if (each.type === 'sweep') {
    await bench.env.advance(50)
    await bench.sweep()
  } else if (each.type === 'claim') {
    const expected = await claimable(bench, each.tasks, max)
    const claimed = await bench.claim({
      limit: each.limit, worker: each.tasks.join(), limits: bound(max),
      tasks: new Map(each.tasks.map((name) => [name, policy])),
    })
    expect(claimed).toHaveLength(Math.min(each.limit, expected))
  } else {
    const records = (await bench.list()).filter(isLive)
    const record = records[each.which % Math.max(1, records.length)]
    if (!record) return
    if (each.type === 'cancel') await bench.apply(record.id, { type: 'cancel' })
    else await bench.commit(record, bench.event(each.type as 'complete'))
  }
}

/** How many jobs the bound leaves to a worker with these tasks. */
async function claimable(bench: Bench, tasks: readonly string[], max: number): Promise<number> {
  const records = await bench.list()
  return names.reduce((sum, name) => {
    const own = records.filter(({ partition }) => partition === name)
    const ready = own.filter(({ phase, task }) => phase === 'ready' && tasks.includes(task))
    return sum + Math.min(ready.length, max - own.filter(isLive).length)
  }, 0)
}
