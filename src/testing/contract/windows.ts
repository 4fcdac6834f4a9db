import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { isLive } from '../../records/job.ts'
import type { Limits } from '../../stores/store.ts'
import { holds } from '../invariants.ts'
import { policy } from '../records.ts'
import { runs } from '../runs.ts'
import type { Bench, OpenBench } from './bench.ts'

const names = ['a', 'b', null] as const
const perMs = 100

const rate = fc.record({
  max: fc.integer({ min: 0, max: 4 }), perMs: fc.constant(perMs), perPartition: fc.boolean(),
})
type Rate = typeof rate extends fc.Arbitrary<infer R> ? R : never

const act = fc.oneof(
  { weight: 3, arbitrary: fc.record({
    type: fc.constant('add' as const), partitions: fc.array(fc.constantFrom(...names)),
  }) },
  { weight: 5, arbitrary: fc.record({
    type: fc.constant('claim' as const), limit: fc.integer({ min: 1, max: 5 }),
  }) },
  { weight: 3, arbitrary: fc.record({
    type: fc.constantFrom('complete' as const, 'release' as const, 'fail' as const),
    which: fc.nat(20),
  }) },
  { weight: 4, arbitrary: fc.record({
    type: fc.constant('pass' as const), ms: fc.constantFrom(1, 20, 50, 99, 100, 250),
  }) },
  { weight: 1, arbitrary: fc.record({
    type: fc.constant('jump' as const), ms: fc.constantFrom(60, 1000, 86_400_000),
  }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reopen' as const) }) },
)
type Act = typeof act extends fc.Arbitrary<infer A> ? A : never

/** A claim that was given, by the clock of the store. */
interface Start {
  readonly at: number
  readonly partition: string | null
}

export function windowsContract(open: OpenBench): void {
  it('never hold more than max, and never less than they could, whatever is done', async () => {
    const acts = fc.array(act, { maxLength: 40 })
    await fc.assert(fc.asyncProperty(rate, acts, async (limit, sequence) => {
      const bench = await open()
      const starts: Start[] = []
      for (const each of sequence) {
        if (each.type === 'claim') await claim(bench, limit, each.limit, starts)
        else await perform(bench, each)
      }
      for (const name of limit.perPartition ? names : [undefined]) {
        const own = starts.filter(({ partition }) => name === undefined || partition === name)
        checkWindows(own.map(({ at }) => at), limit.max)
      }
      const { entries } = await bench.readLog('images', 0, 1_000_000)
      expect(entries.filter(({ event }) => event === 'claim').map(({ at }) => at))
        .toEqual(starts.map(({ at }) => at))
    }), runs(60))
  })
}

/** Each start begins a window: the fullest windows are among these. */
function checkWindows(starts: readonly number[], max: number): void {
  for (const from of starts) {
    const inside = starts.filter((at) => at >= from && at < from + perMs)
    holds(inside.length <= max, 'no window holds more than max', { inside, max })
  }
}

/** Claims, and holds the answer against what the list and the starts so far lead to. */
async function claim(bench: Bench, limit: Rate, most: number, starts: Start[]): Promise<void> {
  const now = bench.env.now()
  const ready = (await bench.list()).filter(({ phase }) => phase === 'ready')
  const groups = limit.perPartition
    ? names.map((name) => ({
        ready: ready.filter(({ partition }) => partition === name).length,
        starts: starts.filter(({ partition }) => partition === name),
      }))
    : [{ ready: ready.length, starts }]
  const room = groups.map((group) => {
    const inside = group.starts.filter(({ at }) => at > now - perMs)
    return { ...group, inside, free: Math.min(group.ready, limit.max - inside.length) }
  })
  const free = room.reduce((sum, group) => sum + group.free, 0)
  const limits: Limits = { rate: limit, perPartition: null }
  const { records, nextAt } = await bench.claimed({ limits, limit: most, leaseMs: 1e12 })
  expect(records).toHaveLength(Math.min(most, free))
  for (const { partition } of records) starts.push({ at: now, partition })
  if (free >= most) return
  const next = room.filter((group) => group.free < group.ready).map(({ inside }) => {
    const [oldest] = inside
    return (oldest?.at ?? now) + perMs
  })
  expect(nextAt).toBe(limit.max === 0 || next.length === 0 ? null : Math.min(...next))
}

async function perform(
  bench: Bench, each: Exclude<Act, { readonly type: 'claim' }>,
): Promise<void> {
  switch (each.type) {
    case 'add':
      await bench.addMany(each.partitions.map((partition) => ({
        id: bench.env.id(), partition, options: { maxStalls: 3, retries: 5 },
      })))
      return
    case 'pass':
      await bench.env.advance(each.ms)
      await bench.sweep()
      return
    case 'jump':
      bench.env.jump(each.ms)
      await bench.sweep()
      return
    case 'reopen': return bench.reopen()
    default: {
      const live = (await bench.list()).filter(isLive)
      const record = live[each.which % Math.max(1, live.length)]
      const later = { retryable: true, random: 0.5 }
      const event = bench.event(each.type as 'fail', each.type === 'fail' ? later : {})
      if (record) await bench.commit({ ...record, policy: record.policy ?? policy }, event)
    }
  }
}
