import fc from 'fast-check'
import { createTroupe, memoryStore } from 'troupe'
import type { QueueSchedules, Tasks } from 'troupe'
import { expect, it } from 'vitest'
import { Scheduler } from '../../../src/orchestrator/schedules/scheduler.ts'
import { answerAfter, faultyStore } from '../../../src/testing/faulty-store.ts'
import { hold, useStage } from '../../support/stage.ts'
import { racyStore } from '../../support/racy-store.ts'
import type { Mishap, Racing } from '../../support/racy-store.ts'
import { runs } from '../../../src/testing/runs.ts'
import { VirtualEnv } from '../../../src/testing/virtual-env.ts'

interface Plan {
  readonly overlap: 'allow' | 'skip' | 'supersede'
  /** How many turns of the event loop a call takes, in turn. */
  readonly delays: readonly number[]
  readonly mishaps: readonly Mishap[]
  /** When the first scheduler stops. */
  readonly stopAfterMs: number
}

const plans: fc.Arbitrary<Plan> = fc.record({
  overlap: fc.constantFrom('allow', 'skip', 'supersede'),
  delays: fc.array(fc.nat(6), { minLength: 1, maxLength: 40 }),
  mishaps: fc.array(fc.oneof(
    { weight: 4, arbitrary: fc.constant('none' as const) },
    fc.constantFrom('refused' as const, 'answer lost' as const),
  ), { maxLength: 60 }),
  stopAfterMs: fc.integer({ min: 0, max: 60_000 }),
})

async function idsOf(
  keys: readonly string[], schedules: Pick<QueueSchedules<Tasks>, 'preview'>,
): Promise<Record<string, string[]>> {
  const ids = keys.map(async (key) => {
    const times = await schedules.preview(key, 1000)
    return [key, times.map((at) => `q/${key}@${new Date(at).toISOString()}`)] as const
  })
  return Object.fromEntries(await Promise.all(ids))
}

/** Three schedulers on a store whose calls and answers come in any order, or not at all. */
async function race({ overlap, delays, mishaps, stopAfterMs }: Plan): Promise<void> {
  const env = new VirtualEnv()
  const inner = memoryStore()
  const troupe = await createTroupe({ store: inner, env })
  const queue = troupe.queue('q', { tasks: { tick: () => null } })
  const common = { task: 'tick', catchUp: 'all', endAt: env.now() + 100_000 } as const
  await queue.schedules.upsert('a', { every: '10s', overlap, ...common })
  await queue.schedules.upsert('b', { cron: '*/7 * * * * *', ...common })
  const expected = await idsOf(['a', 'b'], queue.schedules)
  let turns = 0
  let calls = 0
  const racing: Racing = {
    on: true,
    turn: async () => {
      let left = delays[(turns += 1) % delays.length] ?? 0
      for (; left > 0; left -= 1) await new Promise<void>((resolve) => { env.soon(resolve) })
    },
    mishap: () => mishaps[(calls += 1) - 1] ?? 'none',
  }
  const schedulers = [1, 2, 3].map(() => {
    const store = racyStore(inner, racing)
    const ignore = (): void => undefined
    const outage = { refused: ignore, answered: ignore }
    const scheduler = new Scheduler({ env, store, now: env.now, report: ignore, outage })
    inner.watch((event) => { scheduler.receive(event) })
    scheduler.add('q')
    scheduler.start()
    return scheduler
  })
  await env.advance(stopAfterMs)
  const first = schedulers[0]?.stop()
  await env.advance(200_000 - stopAfterMs)
  await first
  const ids = (await queue.list({ limit: 1000 })).jobs.map(({ id }) => id)
  const [a, b] = await queue.schedules.list()
  expect(ids.filter((id) => id.startsWith('q/b@'))).toEqual(expected['b'])
  expect(b).toMatchObject({ fired: expected['b']?.length, skipped: 0, missed: 0, nextAt: null })
  const added = ids.filter((id) => id.startsWith('q/a@'))
  expect(added).toEqual(overlap === 'skip' ? expected['a']?.slice(0, 1) : expected['a'])
  expect((a?.fired ?? 0) + (a?.skipped ?? 0)).toBe(10)
  if (overlap !== 'skip') expect(a).toMatchObject({ fired: 10, missed: 0, nextAt: null })
  await Promise.all(schedulers.map((scheduler) => scheduler.stop()))
  await troupe.stop()
  expect(env.pendingTimers).toBe(0)
}

it('adds each occurrence once, in whatever order calls and answers come', async () => {
  await fc.assert(fc.asyncProperty(plans, race), runs(60))
}, 600_000)

const stage = useStage()

it('counts once what was skipped, when others come to the end before that is known', async () => {
  const { store, next } = faultyStore(stage.store)
  const troupes = [await stage.open({ store }), await stage.open({ store: stage.store })] as const
  const [queue] = troupes.map((troupe) => troupe.queue('q', { tasks: { tick: () => null } }))
  if (!queue) throw new Error('there is no queue')
  await queue.pause()
  await queue.schedules.upsert('a', {
    every: '10s', task: 'tick', overlap: 'skip', catchUp: 'all', endAt: stage.env.now() + 45_000,
  })
  await queue.schedules.trigger('a')
  await troupes[0].start()
  const answer = hold()
  next('insert', answerAfter(answer.promise))
  await stage.env.advance(11_000)
  await troupes[1].start()
  await stage.env.advance(60_000)
  answer.release()
  await stage.env.advance(60_000)
  expect(await queue.schedules.get('a'))
    .toMatchObject({ fired: 0, skipped: 4, missed: 0, nextAt: null })
})
