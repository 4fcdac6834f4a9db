import * as fc from 'fast-check'
import { TroupeError, UnrecoverableError } from 'troupe'
import type { Job, JobRecord, Parent } from 'troupe'
import { expect, test } from 'vitest'
import { runs } from '../../src/testing/runs.ts'
import { Stage } from '../support/stage.ts'

const queueNames = ['a', 'b', 'c'] as const
const kinds = ['good', 'good', 'good', 'flaky', 'bad', 'fatal', 'better'] as const
type Kind = (typeof kinds)[number]

interface Plan {
  /** Indexes of jobs in front of this one. */
  readonly parents: readonly number[]
  readonly policy: 'fail' | 'run' | 'wait'
  readonly kind: Kind
  readonly queue: (typeof queueNames)[number]
  readonly delay: number
}
type Act = readonly [type: 'cancel' | 'remove' | 'retry', job: number]
interface Round {
  /** How many more jobs of the plan are added. */
  readonly adds: number
  readonly acts: readonly Act[]
}
type State = 'waits' | 'free' | 'completed' | 'failed' | 'cancelled' | 'removed'

const nameOf = (index: number): string => `job-${index}`

/** What must become of the jobs: the rules as a person would say them. */
class Reference {
  readonly states = new Map<number, State>()
  readonly lives = new Map<number, number>()
  readonly #plans: readonly Plan[]

  constructor(plans: readonly Plan[]) {
    this.#plans = plans
  }

  /** Nobody can wait for a job that is gone. */
  canAdd(index: number): boolean {
    return this.#parents(index).every((parent) =>
      (this.states.get(parent) ?? 'removed') !== 'removed')
  }

  begin(index: number): void {
    this.lives.set(index, (this.lives.get(index) ?? 0) + 1)
    this.set(index, 'waits')
  }

  set(index: number, state: State): void {
    this.states.set(index, state)
    this.#look(index)
    for (const child of this.states.keys()) {
      if (this.#parents(child).includes(index)) this.#look(child)
    }
  }

  /** Everybody who is free runs, and so do those whom this sets free. */
  run(): void {
    for (const [index, state] of this.states) {
      if (state !== 'free') continue
      const good = endsWell(this.#plan(index).kind, this.lives.get(index) ?? 0)
      this.set(index, good ? 'completed' : 'failed')
      return this.run()
    }
  }

  #look(index: number): void {
    if (this.states.get(index) !== 'waits') return
    const { policy } = this.#plan(index)
    const ends = this.#parents(index).map((parent) => this.states.get(parent))
    const bad = ends.some((end) => end === 'failed' || end === 'cancelled' || end === 'removed')
    const open = ends.some((end) => end === 'waits' || end === 'free')
    if (bad && policy === 'fail') this.set(index, 'failed')
    else if (!open && (!bad || policy === 'run')) this.set(index, 'free')
  }

  #plan(index: number): Plan {
    return this.#plans[index] as Plan
  }

  #parents(index: number): readonly number[] {
    return this.#plan(index).parents
  }
}

/** `better`: only from its second life on. */
function endsWell(kind: Kind, life: number): boolean {
  return kind === 'good' || kind === 'flaky' || (kind === 'better' && life > 1)
}

const maxJobs = 50
const plans = fc.array(fc.record({
  parents: fc.oneof(
    { weight: 1, arbitrary: fc.constant<number[]>([]) },
    { weight: 4, arbitrary: fc.uniqueArray(fc.nat(maxJobs), { minLength: 1, maxLength: 4 }) },
  ),
  policy: fc.constantFrom('fail', 'run', 'wait'),
  kind: fc.constantFrom(...kinds), queue: fc.constantFrom(...queueNames),
  delay: fc.constantFrom(0, 0, 0, 40, 900),
}, { noNullPrototype: true }), { minLength: 1, maxLength: maxJobs, size: 'max' }).map((jobs) =>
  jobs.map(({ parents, ...plan }, index): Plan => ({
    ...plan, parents: index === 0 ? [] : [...new Set(parents.map((parent) => parent % index))],
  })))
const act = fc.tuple(
  fc.constantFrom('cancel', 'remove', 'retry', 'retry', 'retry'), fc.nat(maxJobs),
) as fc.Arbitrary<Act>
const rounds = fc.array(fc.record<Round>({
  adds: fc.nat(maxJobs), acts: fc.array(act, { maxLength: 12 }),
}), { minLength: 1, maxLength: 4 })

/** Three troupes on one store: two work, one on two of the queues, and one only adds. */
class Theatre {
  readonly #stage: Stage
  readonly #reference: Reference
  readonly #plans: readonly Plan[]
  readonly faults: unknown[] = []
  #producer: Awaited<ReturnType<Stage['open']>> | null = null
  #added = 0

  constructor(stage: Stage, all: readonly Plan[]) {
    this.#stage = stage
    this.#plans = all
    this.#reference = new Reference(all)
  }

  async open(): Promise<void> {
    for (const names of [queueNames, ['a', 'b']]) {
      const troupe = await this.#stage.open()
      for (const name of names) {
        troupe.queue(name, {
          concurrency: 3,
          defaults: { retries: 1, backoff: { type: 'fixed', delay: 10, jitter: 0 } },
          tasks: { work: (job: Job<number>) => this.#work(job) },
        })
      }
      await troupe.start()
    }
    this.#producer = await this.#stage.open()
  }

  #work(job: Job<number>): string {
    const { kind, policy, parents } = this.#plans[job.input] as Plan
    const known = job.parents.map(({ id }) => id).sort()
    if (known.join() !== parents.map(nameOf).sort().join()) this.faults.push({ id: job.id, known })
    for (const parent of job.parents) {
      if (!mayRunAfter(parent, policy)) this.faults.push({ id: job.id, parent })
    }
    if (kind === 'fatal') throw new UnrecoverableError('for good')
    if (kind === 'flaky' && job.attempt === 1) throw new Error('once')
    if (!endsWell(kind, this.#reference.lives.get(job.input) ?? 0)) throw new Error('bad')
    return `done ${job.id}`
  }

  /** While nobody claims: adds, then other acts, in step with the reference. */
  async round({ adds, acts }: Round): Promise<void> {
    for (const name of queueNames) await this.#queue(name).pause()
    const end = Math.min(this.#plans.length, this.#added + adds)
    const batch: number[] = []
    for (; this.#added < end; this.#added += 1) batch.push(this.#added)
    await this.#add(batch)
    for (const [type, index] of acts) await this.#act(type, index)
    for (const name of queueNames) await this.#queue(name).resume()
    this.#reference.run()
    await this.#stage.env.advance(2000)
    expect(await this.#states()).toEqual(new Map(
      [...this.#reference.states].map(([index, state]) => [nameOf(index), state]),
    ))
    expect(this.faults).toEqual([])
  }

  /** In one flow if all can be added, else one by one. */
  async #add(batch: readonly number[]): Promise<void> {
    const reference = this.#reference
    const inBatch = (parent: number): boolean => batch.includes(parent)
    const whole = batch.every((index) => this.#plan(index).parents.every((parent) =>
      inBatch(parent) || (reference.states.get(parent) ?? 'removed') !== 'removed'))
    if (whole) {
      for (const index of batch) reference.begin(index)
      const specs = Object.fromEntries(batch.toReversed().map((index) =>
        [nameOf(index), this.#spec(index, inBatch)]))
      const after = Object.fromEntries(batch.map((index) =>
        [nameOf(index), this.#plan(index).parents.filter(inBatch).map(nameOf)]))
      // Keys that are known at run time only are beyond the types.
      await this.#troupe.flow(specs, after)
      return
    }
    for (const index of batch) {
      const { queue, parents } = this.#plan(index)
      const adding = this.#queue(queue).add('work', index, {
        ...this.#options(index), dependsOn: parents.map(nameOf),
      })
      if (reference.canAdd(index)) {
        reference.begin(index)
        await adding
      } else await expect(adding).rejects.toMatchObject({ code: 'unknown-parent' })
    }
  }

  #spec(index: number, inBatch: (parent: number) => boolean) {
    const { queue, parents } = this.#plan(index)
    const dependsOn = parents.filter((parent) => !inBatch(parent)).map(nameOf)
    return this.#queue(queue).spec('work', index, { ...this.#options(index), dependsOn })
  }

  #options(index: number) {
    const { policy, delay } = this.#plan(index)
    return { id: nameOf(index), onParentFailure: policy, delay } as const
  }

  async #act(type: Act[0], given: number): Promise<void> {
    const index = given % this.#plans.length
    const state = this.#reference.states.get(index)
    const queue = this.#queue(this.#plan(index).queue)
    const id = nameOf(index)
    const waits = state === 'waits' || state === 'free'
    const gone = state === undefined || state === 'removed'
    const over = state === 'failed' || state === 'cancelled'
    if (type === 'cancel') {
      if (waits) this.#reference.set(index, 'cancelled')
      expect(await queue.cancel(id)).toBe(gone ? 'unknown' : waits ? 'cancelled' : 'settled')
    } else if (type === 'remove') {
      if (!gone) this.#reference.set(index, 'removed')
      expect(await queue.remove(id)).toBe(gone ? 'unknown' : 'removed')
    } else {
      if (over) this.#reference.begin(index)
      expect(await queue.retry(id)).toBe(gone ? 'unknown' : over ? 'retried' : 'not-failed')
    }
  }

  async #states(): Promise<Map<string, State>> {
    const records = await this.#stage.store.get([...this.#reference.states.keys()].map(nameOf))
    return new Map([...this.#reference.states.keys()].map((index, position) =>
      [nameOf(index), stateOf(records[position])]))
  }

  #plan(index: number): Plan {
    return this.#plans[index] as Plan
  }

  get #troupe() {
    if (!this.#producer) throw new TroupeError('not-started', 'open first', { operation: 'flow' })
    return this.#producer
  }

  #queue(name: string) {
    return this.#troupe.queue<{ work: (job: Job<number>) => string }>(name)
  }
}

function stateOf(record: JobRecord | undefined): State {
  if (!record) return 'removed'
  if (record.phase === 'blocked') return 'waits'
  return record.state as State
}

/** Parents are removed and retried between rounds only, when some jobs were free already. */
function mayRunAfter({ state, result, id }: Parent, policy: Plan['policy']): boolean {
  if (state === 'completed') return result === `done ${id}`
  return policy === 'run' || state === 'removed'
}

test('random graphs settle as the simple rules say, under every policy', async () => {
  await fc.assert(fc.asyncProperty(plans, rounds, async (jobs, parts) => {
    const stage = new Stage()
    const theatre = new Theatre(stage, jobs)
    await theatre.open()
    for (const part of parts) await theatre.round(part)
    await theatre.round({ adds: maxJobs, acts: [] })
    await stage.close()
  }), runs(60))
}, 120_000)
