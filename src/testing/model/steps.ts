import * as fc from 'fast-check'
import { TroupeError } from '../../index.ts'
import type { AddOptions, State } from '../../index.ts'
import { expect } from 'vitest'
import type { Ending } from '../handler-journal.ts'
import { must } from '../contract/bench.ts'
import { refusalOf, refusals } from './refusals.ts'
import type { Input, Plan, Worker } from './worker.ts'
import type { World } from './world.ts'

/** What a simple mind knows of the jobs: in which state each one is, and whether all is paused. */
export class Model {
  jobs = new Map<string, State>()
  paused = false

  /** After all has settled: time and claims have moved on by themselves, within the rules. */
  async sync(world: World): Promise<void> {
    this.jobs = new Map((await world.jobs()).map(({ id, state }) => [id, state]))
    this.paused = await world.isPaused()
  }

  /** One of the known ids, or one that nobody has. */
  pick(n: number): string {
    return [...this.jobs.keys()][n % (this.jobs.size + 1)] ?? 'nobody'
  }
}

export type Command = fc.AsyncCommand<Model, World>

/** Does one thing, and then sees that all promises hold. */
export class Step implements Command {
  readonly #name: string
  readonly #act: (model: Model, world: World) => Promise<void>
  readonly #possible: (world: World) => boolean

  constructor(
    name: string, act: (model: Model, world: World) => Promise<void>,
    possible: (world: World) => boolean = () => true,
  ) {
    this.#name = name
    this.#act = act
    this.#possible = possible
  }

  check = (): boolean => true

  async run(model: Model, world: World): Promise<void> {
    if (!this.#possible(world)) return
    await this.#act(model, world)
    await world.settle()
    await world.check()
    await model.sync(world)
  }

  toString = (): string => this.#name
}

const plan = fc.constantFrom<Plan>(
  'complete', 'fail', 'fatal', 'snooze', 'hang', 'hang', 'hang', 'report', 'report', 'deaf',
)
const input = fc.record<Input>(
  { plans: fc.array(plan, { minLength: 1, maxLength: 3 }) }, { noNullPrototype: true },
)
const options: fc.Arbitrary<AddOptions> = fc.record({
  priority: fc.constantFrom(1, 5, 5, 9), delay: fc.constantFrom(0, 5, 70, 2000),
  retries: fc.nat(2), timeout: fc.constantFrom(30, 500), ttl: fc.constantFrom(20, 5000),
  maxStalls: fc.nat(2), onParentFailure: fc.constantFrom('fail', 'run', 'wait'),
  partition: fc.constantFrom('x', 'y'),
}, { requiredKeys: [], noNullPrototype: true })

/** Chooses a worker, a job or a handler: whatever is there, by the remainder. */
export const number = fc.nat(20)
const id = fc.oneof(
  { weight: 6, arbitrary: fc.nat(15).map((n) => `job-${n}`) },
  { weight: 1, arbitrary: fc.nat(3).map((n) => `cursed-${n}`) },
)

export interface Adding {
  readonly id: string
  readonly input: Input
  readonly options: AddOptions
  /** Which of the jobs that were added before. */
  readonly parents: readonly number[]
}

const parents = fc.oneof(fc.constant([]), fc.array(number, { minLength: 1, maxLength: 3 }))
export const adding: fc.Arbitrary<Adding> = fc.record({ id, input, options, parents })

export const show = (value: unknown): string => JSON.stringify(value)

export const add = fc.tuple(number, adding).map(([n, job]) => new Step(
  `add ${show(job)}`,
  async (model, world) => {
    const links = [{ id: job.id, dependsOn: parentsOf(world, job) }]
    const expected = refusalOf(links, await world.jobs())
    const handle = await addTo(world, world.worker(n), job)
    expect(handle).toBe(expected ?? handle)
    if (typeof handle !== 'string') expect(handle?.created).toBe(!model.jobs.has(job.id))
  },
))

function parentsOf(world: World, job: Adding): string[] {
  const known = [...world.added]
  return known.length === 0 ? [] : job.parents.map((n) => known[n % known.length] ?? '')
}

/** The handle, or the code of what speaks against these parents; null when the troupe stopped. */
export async function addTo(world: World, worker: Worker, job: Adding) {
  const dependsOn = parentsOf(world, job)
  const adds = worker.queue.add('work', job.input, { ...job.options, id: job.id, dependsOn })
  try {
    const handle = await world.unlessStopped(adds)
    if (handle) world.added.add(handle.id)
    return handle
  } catch (error) {
    if (error instanceof TroupeError && refusals.includes(error.code)) return error.code
    throw error
  }
}

const several = fc.array(adding, { minLength: 1, maxLength: 5 })
export const addMany = fc.tuple(number, several, fc.nat(9)).map(
  ([n, jobs, chore]) => new Step(`addMany ${show(jobs)} chore ${chore}`, async (model, world) => {
    const { queue } = world.worker(n)
    // Those with parents come after the one before them in the list as well.
    const specs = jobs.map((job, index) => {
      const before = job.parents.length > 0 ? jobs[index - 1]?.id ?? [] : []
      const dependsOn = parentsOf(world, job).concat(before)
      return { task: 'work' as const, input: job.input, ...job.options, id: job.id, dependsOn }
    })
    const expected = refusalOf(specs, await world.jobs())
    // One of them may want an id for another task: then nothing at all may be stored.
    const wrong = { ...must(specs[0]), task: 'chore' as const }
    const known = new Set([...model.jobs.keys(), ...jobs.map((job) => job.id)])
    if (chore < 2 && known.size > 0) {
      const refused = queue.addMany([...specs, wrong])
      await expect(refused).rejects.toMatchObject({ code: 'id-in-use' })
      expect((await world.jobs()).map((job) => job.id)).toEqual([...model.jobs.keys()])
      return
    }
    if (expected) {
      await expect(queue.addMany(specs)).rejects.toMatchObject({ code: expected })
      expect((await world.jobs()).map((job) => job.id)).toEqual([...model.jobs.keys()])
      return
    }
    const seen = new Set(model.jobs.keys())
    for (const handle of await queue.addMany(specs)) {
      expect(handle.created).toBe(!seen.has(handle.id))
      seen.add(handle.id)
      world.added.add(handle.id)
    }
  }),
)

const answersToCancel: Readonly<Record<State, string>> = {
  queued: 'cancelled', running: 'cancelling', cancelling: 'cancelling',
  completed: 'settled', failed: 'settled', cancelled: 'settled',
}

export const cancel = fc.tuple(number, number).map(([n, which]) => new Step(
  `cancel ${which}`,
  async (model, world) => {
    const target = model.pick(which)
    const state = model.jobs.get(target)
    const answer = await world.worker(n).queue.cancel(target, 'by command')
    expect(answer).toBe(state ? answersToCancel[state] : 'unknown')
    const now = (await world.job(target))?.state
    if (answer === 'cancelled') expect(now).toBe('cancelled')
    if (answer === 'cancelling') expect(['cancelling', 'cancelled']).toContain(now)
  },
))

export const retry = fc.tuple(number, number).map(([n, which]) => new Step(
  `retry ${which}`,
  async (model, world) => {
    const target = model.pick(which)
    const state = model.jobs.get(target)
    const may = state === 'failed' || state === 'cancelled'
    expect(await world.worker(n).queue.retry(target))
      .toBe(!state ? 'unknown' : may ? 'retried' : 'not-failed')
  },
))

export const remove = fc.tuple(number, number).map(([n, which]) => new Step(
  `remove ${which}`,
  async (model, world) => {
    const target = model.pick(which)
    const state = model.jobs.get(target)
    const live = state === 'running' || state === 'cancelling'
    const answer = await world.worker(n).queue.remove(target)
    expect(answer).toBe(!state ? 'unknown' : live ? 'live' : 'removed')
    expect(await world.job(target) === undefined).toBe(answer !== 'live')
  },
))

const when = fc.constantFrom('now' as const, '5ms' as const, '3s' as const)
export const reschedule = fc.tuple(number, number, when).map(([n, which, at]) => new Step(
  `reschedule ${which} ${at}`,
  async (model, world) => {
    const target = model.pick(which)
    const state = model.jobs.get(target)
    expect(await world.worker(n).queue.reschedule(target, at))
      .toBe(!state ? 'unknown' : state === 'queued' ? 'rescheduled' : 'not-queued')
  },
))

export const pause = number.map((n) => new Step('pause', async (model, world) => {
  const answer = await world.worker(n).queue.pause()
  expect(answer).toBe(model.paused ? 'already-paused' : 'paused')
  const before = (await world.jobs()).map(({ fence }) => fence)
  await world.settle()
  const after = (await world.jobs()).map(({ fence }) => fence)
  expect(Math.max(0, ...after), 'no claim commits after pause has answered')
    .toBeLessThanOrEqual(Math.max(0, ...before))
}))

export const resume = number.map((n) => new Step('resume', async (model, world) => {
  const worker = world.worker(n)
  const { drained } = worker
  // What was paused for all goes on for all, whoever takes it back.
  for (const each of model.paused ? world.workers : [worker]) world.reopen(each, false)
  const answer = await worker.queue.resume()
  if (model.paused || drained !== null) {
    expect(answer).toBe(model.paused || drained ? 'resumed' : 'not-paused')
  }
}))

export const drain = number.map((n) => new Step('drain', async (_model, world) => {
  const worker = world.worker(n)
  worker.queue.drain().catch((error: unknown) => { worker.faults.push(error) })
  await world.settle()
  worker.drained = true
}))

export const ending = fc.constantFrom<Ending>('complete', 'complete', 'fail', 'fatal', 'snooze')
export const finish = fc.tuple(number, ending).map(([which, how]) => new Step(
  `finish ${which} ${how}`,
  async (_model, world) => {
    const waiting = world.journal.waiting()
    const run = must(waiting[which % waiting.length])
    const before = await world.job(run.id)
    run.finish(how)
    await world.settle()
    const after = await world.job(run.id)
    if (before?.fence !== run.fence) return
    const spent = before.failures >= (before.policy?.retries ?? 0)
    // What throws after its time was up has timed out, whatever it throws.
    const final = spent || (how === 'fatal' && run.aborted !== 'job-timeout')
    const states: Readonly<Record<Ending, State>> = {
      complete: 'completed', snooze: 'queued', limit: 'queued',
      fail: final ? 'failed' : 'queued', fatal: final ? 'failed' : 'queued',
    }
    if (before.state === 'running') expect(after?.state).toBe(states[how])
    if (before.state !== 'cancelling') return
    expect(after?.state).toBe(how === 'complete' ? 'completed' : 'cancelled')
  },
  (world) => world.journal.waiting().length > 0,
))

export const advance = fc.constantFrom(1, 10, 60, 60, 500, 1500, 11_000, 32_000).map((ms) =>
  new Step(`advance ${ms}`, (_model, world) => world.place.clock.advance(ms)))

export const join = fc.constant(new Step(
  'join', async (_model, world) => { await world.join() }, (world) => world.workers.length < 2,
))

export const stop = number.map((n) =>
  new Step('stop', (_model, world) => world.stop(world.worker(n))))
export const crash = number.map((n) =>
  new Step('crash', (_model, world) => world.crash(world.worker(n))))
