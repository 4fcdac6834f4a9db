import * as fc from 'fast-check'
import { TroupeError } from 'troupe'
import { expect, it } from 'vitest'
import type { Ending } from '../../src/testing/handler-journal.ts'
import { holds } from '../../src/testing/invariants.ts'
import { racyStore } from '../support/racy-store.ts'
import type { Mishap, Racing } from '../support/racy-store.ts'
import { runs } from '../../src/testing/runs.ts'
import { memoryPlace } from './places.ts'
import { silence } from '../../src/testing/model/run-model.ts'
import type { Plan } from '../../src/testing/model/worker.ts'
import { World } from '../../src/testing/model/world.ts'

interface Spec {
  readonly plans: readonly Plan[]
  readonly retries: number
  readonly timeout: number | undefined
}

type Act =
  | { readonly type: 'cancel' | 'retry' | 'remove' | 'now'; readonly job: number }
  | { readonly type: 'finish'; readonly how: Ending; readonly job: number }
  | { readonly type: 'pause' | 'resume' | 'join' | 'stop' | 'crash' }
  | { readonly type: 'wait'; readonly ms: number }

const plan = fc.constantFrom<Plan>('complete', 'fail', 'snooze', 'hang', 'hang', 'report', 'deaf')
const spec = fc.record<Spec>({
  plans: fc.array(plan, { minLength: 1, maxLength: 2 }), retries: fc.nat(1),
  timeout: fc.constantFrom(undefined, undefined, 30),
}, { noNullPrototype: true })

const job = fc.nat(2)
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant('cancel' as const), job }) },
  { weight: 5, arbitrary: fc.record({
    type: fc.constant('finish' as const), job,
    how: fc.constantFrom<Ending>('complete', 'fail', 'fatal', 'snooze'),
  }) },
  { weight: 2, arbitrary: fc.record({
    type: fc.constantFrom('retry' as const, 'remove' as const, 'now' as const), job,
  }) },
  { weight: 2, arbitrary: fc.record({
    type: fc.constantFrom('pause' as const, 'resume' as const, 'join' as const),
  }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('stop' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const) }) },
  { weight: 3, arbitrary: fc.record({
    type: fc.constant('wait' as const), ms: fc.constantFrom(1, 15, 40, 120, 10_000, 31_000),
  }) },
)

const mishap = fc.constantFrom<Mishap>('none', 'none', 'none', 'none', 'refused', 'answer lost')

interface Race {
  readonly s: fc.Scheduler
  readonly seed: number
  readonly specs: readonly Spec[]
  readonly acts: readonly Act[]
  readonly mishaps: readonly Mishap[]
}

const race = (mishaps: fc.Arbitrary<Mishap[]>): fc.Arbitrary<Race> => fc.record({
  s: fc.scheduler(), seed: fc.nat(), mishaps,
  specs: fc.array(spec, { minLength: 1, maxLength: 3 }),
  acts: fc.array(act, { minLength: 1, maxLength: 7 }),
})

function perform(world: World, each: Act): Promise<unknown> {
  // Between the end of one process and the start of the next.
  if (world.workers.length === 0) return Promise.resolve()
  const worker = world.worker(world.journal.runs.length)
  const { queue } = worker
  switch (each.type) {
    case 'cancel': return queue.cancel(`job-${each.job}`)
    case 'retry': return queue.retry(`job-${each.job}`)
    case 'remove': return queue.remove(`job-${each.job}`)
    case 'now': return queue.reschedule(`job-${each.job}`, 'now')
    case 'finish':
      for (const run of world.journal.waiting()) {
        if (run.id === `job-${each.job}`) run.finish(each.how)
      }
      return Promise.resolve()
    case 'pause': return queue.pause()
    case 'resume': return queue.resume()
    case 'join': return world.workers.length < 2 ? world.join() : Promise.resolve()
    case 'stop': return world.stop(worker)
    case 'crash': return world.crash(worker)
    case 'wait': return world.place.clock.advance(each.ms)
  }
}

const silent = silence()

/** Without these a process loses its jobs, does not start, or its observers end: as they should. */
const spared = ['renew', 'open', 'getSetting', 'readLog']

/** Everything at once, each await in the order of the scheduler; then quiet, and the promises. */
async function run({ s, seed, specs, acts, mishaps }: Race): Promise<void> {
  const left = [...mishaps]
  const racing: Racing = {
    on: false,
    turn: (name) => s.schedule(Promise.resolve(), name),
    mishap: (method) => (spared.includes(method) ? 'none' : left.shift() ?? 'none'),
  }
  const world = await World.open(memoryPlace(seed, (store) => racyStore(store, racing)))
  world.tolerant = mishaps.length > 0
  racing.on = true
  const queue = world.worker(0).queue
  const adding = specs.map(async ({ plans, retries, timeout }, index) => {
    await racing.turn(`add job-${index}`)
    const options = { id: `job-${index}`, retries, ...(timeout ? { timeout } : {}) }
    const handle = await queue.add('work', { plans }, options)
    world.added.add(handle.id)
  })
  const acting = acts.map(async (each) => {
    await racing.turn(JSON.stringify(each))
    await perform(world, each)
  })
  await playOut(world, s, Promise.allSettled([...adding, ...acting]), racing)
  await world.place.clock.advance(6000)
  world.slow = world.tolerant || world.place.clock.monotonic() > 20_000
  await world.check()
  await world.end()
  silent.check()
}

async function playOut(
  world: World, s: fc.Scheduler, all: Promise<PromiseSettledResult<unknown>[]>, racing: Racing,
): Promise<void> {
  const { clock } = world.place
  const answers = await untilDone(world, s, all)
  racing.on = false
  while (s.count() > 0) {
    await s.waitNext(1)
    await clock.settle()
  }
  const refused: unknown[] = answers.flatMap((answer) =>
    (answer.status === 'rejected' ? [answer.reason as unknown] : []))
  const expected = (error: unknown): boolean => error instanceof TroupeError &&
    (error.code === 'stopped' || (world.tolerant && error.code === 'store-failed'))
  expect(refused.filter((error) => !expected(error))).toEqual([])
}

async function untilDone<T>(world: World, s: fc.Scheduler, work: Promise<T>): Promise<T | never[]> {
  const { clock } = world.place
  let done = false
  const ended = (): void => { done = true }
  work.then(ended, ended)
  for (let turn = 0; turn < 2000; turn += 1) {
    await clock.settle()
    if (s.count() > 0) await s.waitNext(1)
    // What waits for time, or for the answer that a crash has taken away.
    else if (!done) await clock.advance(100)
    if (done && s.count() === 0) return work
    if (turn > 500 && s.count() === 0) return []
  }
  holds(false, 'a race comes to an end')
}

it('cancel, complete, fail, timeout, retry, stop and crash in any order of awaits', async () => {
  await fc.assert(fc.asyncProperty(race(fc.constant([])), run), runs(150))
}, 300_000)

it('the same with calls that the store refuses, and answers that get lost', async () => {
  const mishaps = fc.array(mishap, { minLength: 1, maxLength: 25 })
  await fc.assert(fc.asyncProperty(race(mishaps), run), runs(150))
}, 300_000)
