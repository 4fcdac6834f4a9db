import * as fc from 'fast-check'
import { TroupeError } from '../../index.ts'
import { it } from 'vitest'
import { dedupeModes, isLive } from '../../records/job.ts'
import { can } from '../../records/step.ts'
import type { LogEntry } from '../../records/transition.ts'
import { noLimits } from '../../stores/store.ts'
import type { Change, Limits } from '../../stores/store.ts'
import { checkCounts, checkLog, checkRecords, checkTold, holds } from '../invariants.ts'
import { checkAwaited, checkBlocked, Kinship } from '../kinship.ts'
import { beat, done } from '../records.ts'
import { runs } from '../runs.ts'
import { keepAll } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'

const queues = ['images', 'mail'] as const
const id = fc.nat(7).map((n) => `job-${n}`)
const queueOf = (name: string): string => queues[Number(name.slice(4)) % 2] ?? 'images'
const wait = fc.constantFrom(0, 1, 40, 200)

/** One call of the store; what makes no sense at its moment must be harmless. */
type Act = (bench: Bench) => Promise<unknown>

const keyed = fc.constantFrom(...dedupeModes).map((mode) => ({
  mode, key: 'k', windowMs: mode === 'throttle' || mode === 'debounce' ? 60 : null,
}))
const added = fc.record({
  name: id, partition: fc.constantFrom(null, 'p', 'q'), dedupe: fc.option(keyed),
  parents: fc.oneof(fc.constant([]), fc.uniqueArray(id, { minLength: 1, maxLength: 3 })),
})
const insert = fc.record({
  jobs: fc.array(added, { maxLength: 3 }), delayMs: fc.option(wait),
  ttlMs: fc.constantFrom(null, 60), priority: fc.nat(2), maxStalls: fc.nat(2),
  onParentFailure: fc.constantFrom('fail', 'run', 'wait'),
}).map(({ jobs, maxStalls, ...rest }): Act => async (bench) => {
  const patches = jobs.map(({ name, parents, ...own }) => ({
    id: name, queue: queueOf(name), dependsOn: parents, options: { maxStalls }, ...own, ...rest,
  }))
  try {
    await bench.addMany(patches)
  } catch (error) {
    const refused = error instanceof TroupeError &&
      (error.code === 'unknown-parent' || error.code === 'dependency-cycle')
    if (!refused) throw error
  }
})

const limit = fc.integer({ max: 3, min: 1 })
const limits = fc.constantFrom<Limits>(
  noLimits, { rate: null, perPartition: 1 },
  { rate: { max: 2, perMs: 100, perPartition: true }, perPartition: null },
)
const claim = fc.record({ queue: fc.constantFrom(...queues), limit, limits })
  .map((request): Act => (bench) => bench.claim({ ...request, leaseMs: 100 }))

const commit = fc.record({
  name: id, rev: fc.constantFrom(0, 0, 0, -1), fence: fc.constantFrom(0, 0, 0, -1),
  type: fc.constantFrom('complete', 'fail', 'timeout', 'snooze', 'release', 'abandon'),
  progress: fc.option(fc.constant(done)),
}).map(({ name, rev, fence, type, progress }): Act => async (bench) => {
  const record = await bench.get(name)
  if (!record) return
  const event = bench.event(type as 'complete', { progress })
  const believed = isLive(record) ? record : { ...record, state: 'running', phase: null } as const
  if (!can(believed, event)) return
  const decided = bench.decide(believed, event)
  await bench.store.commit([{ ...decided, rev: decided.rev + rev, fence: decided.fence + fence }])
})

const progress = fc.tuple(id, fc.constantFrom(0, 0, -1)).map(([name, back]): Act =>
  async (bench) => {
    const fence = ((await bench.get(name))?.fence ?? 0) + back
    await bench.store.progress([{ id: name, fence, by: 'worker:w1', progress: done, log: null }])
  })

const apply = fc.array(fc.tuple(
  id, fc.constantFrom('cancel', 'cancel', 'retry', 'reschedule', 'remove'), wait,
), { maxLength: 2 }).map((requests): Act => (bench) => bench.store.apply(
  requests.map(([name, type, delayMs]) => ({
    ...bench.request(name, type === 'reschedule' ? { type, delayMs } : { type }),
    queue: queueOf(name),
  })),
))

const sweep = fc.record({ ms: wait, limit: fc.integer({ min: 1, max: 4 }), prune: fc.boolean() })
  .map(({ ms, limit, prune }): Act => async (bench) => {
    await bench.env.advance(ms)
    const retention = { ...keepAll, completed: prune ? 1 : 100, failed: prune ? 1 : 100 }
    const request = { limit, retention: new Map(queues.map((name) => [name, retention])) }
    for (let more = true; more;) more = (await bench.sweep(request)).more
  })

const renew = fc.subarray([0, 1, 2, 3, 4]).map((numbers): Act => async (bench) => {
  const held = await bench.store.get(numbers.map((n) => `job-${n}`))
  await bench.store.renew(beat({
    leaseMs: 100, held: held.flatMap((record) => record ?? []),
  }))
})

const pause = fc.tuple(fc.constantFrom(...queues), fc.boolean()).map(([queue, paused]): Act =>
  async (bench) => {
    const key = `queue:${queue}`
    const { version } = await bench.store.getSetting(key)
    await bench.store.casSetting(key, version, { paused })
  })

const weights = (withReopen: boolean): fc.Arbitrary<Act> => fc.oneof(
  { weight: 5, arbitrary: insert }, { weight: 6, arbitrary: claim },
  { weight: 6, arbitrary: commit }, { weight: 3, arbitrary: progress },
  { weight: 4, arbitrary: apply }, { weight: 4, arbitrary: sweep },
  { weight: 2, arbitrary: renew }, { weight: 1, arbitrary: pause },
  { weight: withReopen ? 1 : 0, arbitrary: fc.constant<Act>((bench) => bench.reopen()) },
)

export function anySequenceContract(open: OpenBench): void {
  it('keeps log, records, counts and what was told at one', async () => {
    const acts = fc.array(weights(true), { maxLength: 40 })
    await fc.assert(fc.asyncProperty(acts, async (sequence) => {
      const bench = await open()
      const follower = new Follower(bench)
      for (const act of sequence) {
        await act(bench)
        await checkAll(bench)
        await follower.check()
      }
    }), runs(60))
  })

  it('keeps them at one when several calls come at once', async () => {
    const groups = fc.array(fc.array(weights(false), { maxLength: 5 }), { maxLength: 8 })
    await fc.assert(fc.asyncProperty(groups, async (sequence) => {
      const bench = await open()
      const follower = new Follower(bench)
      for (const group of sequence) {
        await Promise.all(group.map((act) => act(bench)))
        await checkAll(bench)
        await follower.check()
      }
    }), runs(60))
  })
}

async function checkAll(bench: Bench): Promise<void> {
  const fences: number[] = []
  for (const queue of queues) {
    const log = await bench.log(queue)
    const records = await bench.list(queue)
    const jobs = checkLog(log)
    checkRecords(jobs, records, { pruned: true })
    checkCounts(await bench.counts(queue), records)
    const told = await bench.tail(queue)
    checkTold(told, log)
    holds((told.at(-1)?.seq ?? log.length) === log.length, 'all is told', { told, log })
    checkNews(bench.changes.filter(({ entry }) => entry.queue === queue), told)
    for (const job of jobs.values()) fences.push(...job.fences)
  }
  holds(new Set(fences).size === fences.length, 'no fence is given twice', fences)
}

/** What the watcher was told of at once is what the tail has numbered, job by job. */
function checkNews(changes: readonly Change[], told: readonly LogEntry[]): void {
  const byJob = (entries: readonly LogEntry[]): unknown[] => entries
    .map(({ jobId, rev, event, to }) => [jobId, rev, event, to])
    .sort(([one], [other]) => (String(one) < String(other) ? -1 : one === other ? 0 : 1))
  const heard = byJob(changes.map(({ entry }) => entry))
  const same = JSON.stringify(heard) === JSON.stringify(byJob(told.slice(-heard.length)))
  holds(same && heard.length <= told.length, 'who watches hears all, too', { changes, told })
}

/** Sees at each transition, and at rest, that parents and children are at one. */
class Follower {
  readonly #bench: Bench
  readonly #kinship = new Kinship()
  #seen = 0

  constructor(bench: Bench) {
    this.#bench = bench
  }

  async check(): Promise<void> {
    const { changes } = this.#bench
    if (changes.length < this.#seen) {
      this.#seen = 0
      this.#kinship.forget()
    }
    for (const change of changes.slice(this.#seen)) this.#kinship.follow(change)
    this.#seen = changes.length
    const records = (await Promise.all(queues.map((queue) => this.#bench.list(queue)))).flat()
    checkBlocked(records)
    const logs = await Promise.all(queues.map((queue) => this.#bench.log(queue)))
    const last = new Map(logs.flat().map(({ jobId, to }) => [jobId, to]))
    checkAwaited(records, (id) => last.get(id) === null)
  }
}
