import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { isLive, isSettled } from '../../records/job.ts'
import type { Dedupe, JobRecord } from '../../records/job.ts'
import type { InsertAnswer } from '../../stores/store.ts'
import { holds } from '../invariants.ts'
import { newJob } from '../records.ts'
import { runs } from '../runs.ts'
import { ids, keepAll } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'
import { insert, keyed, told } from './dedupe.ts'

export function dedupeBatchContract(open: OpenBench): void {
  batches(open)
  sameId(open)
  families(open)
  anySequence(open)
}

function batches(open: OpenBench): void {
  it.each([
    ['simple', null, 'a (a) (a) other'], ['throttle', 50, 'a (a) (a) other'],
    ['debounce', 50, 'a (a) (a) other'], ['supersede', null, 'a b c other'],
  ] as const)('several jobs of one key in one call: %s', async (mode, windowMs, expected) => {
    const bench = await open()
    const jobs = ['a', 'b', 'c'].map((id) =>
      newJob({ id, input: id, dedupe: keyed(mode, windowMs) }))
    const answers = await bench.store.insert([...jobs, newJob({ id: 'other' })])
    expect(told(answers)).toBe(expected)
    for (const { record } of answers) expect(record).toEqual(await bench.get(record.id))
    const waiting = (await bench.list()).filter(({ state }) => state === 'queued')
    const [first] = waiting
    expect(waiting).toHaveLength(2)
    expect(first).toMatchObject({ after: null, input: mode === 'debounce' ? 'c' : first?.id })
  })

  it('one of two calls that come at once makes the job', async () => {
    const bench = await open()
    const dedupe = keyed('simple')
    const answers = await Promise.all(['a', 'b'].map((id) => insert(bench, { id, dedupe })))
    expect(told(answers)).toMatch(bench.embedded ? /^a \(a\)$/ : /^(?:a \(a\)|\(b\) b)$/)
  })
}

function sameId(open: OpenBench): void {
  it('an id that comes twice is one job, also when that one was found by its key', async () => {
    const bench = await open()
    const dedupe = keyed('simple')
    await bench.add({ id: 'old', dedupe })
    const answers = await bench.store.insert([
      newJob({ id: 'twice', dedupe }), newJob({ id: 'twice', dependsOn: ['nobody'] }),
    ])
    expect(told(answers)).toBe('(old) (old)')
    expect(ids(await bench.list())).toEqual(['old'])
  })
}

function families(open: OpenBench): void {
  const dedupe = keyed('simple')

  it('children of a job that was there already depend on that one', async () => {
    const bench = await open()
    const running = await bench.running({ id: 'old', dedupe })
    const answers = await bench.store.insert([
      newJob({ id: 'child', dependsOn: ['new', 'old'], parentKeys: ['first', null] }),
      newJob({ id: 'new', dedupe }),
      newJob({ id: 'grandchild', dependsOn: ['child'] }),
    ])
    expect(told(answers)).toBe('child (old) grandchild')
    expect(await bench.get('child')).toMatchObject({
      phase: 'blocked', dependsOn: ['old', 'old'], parentKeys: ['first', null],
    })
    await bench.complete(running)
    expect(ids(await bench.claim())).toEqual(['child'])
  })

  it('a child of a settled, throttled parent runs at once, or fails with it', async () => {
    const bench = await open()
    const hour = keyed('throttle', 3_600_000)
    await bench.complete(await bench.running({ id: 'done', dedupe: hour }))
    await bench.fail(await bench.running({ id: 'bad', dedupe: { ...hour, key: 'bad' } }))
    await bench.store.insert([
      newJob({ id: 'p', dedupe: hour }), newJob({ id: 'c', dependsOn: ['p'] }),
      newJob({ id: 'q', dedupe: { ...hour, key: 'bad' } }), newJob({ id: 'd', dependsOn: ['q'] }),
    ])
    expect(await bench.store.get(['c', 'd'])).toMatchObject([
      { phase: 'ready', dependsOn: ['done'] }, { state: 'failed', reason: 'dependency' },
    ])
  })
}

const windowMs = 100
const modes = ['simple', 'throttle', 'debounce', 'supersede'] as const

/** What the test itself knows of a job that was added. */
interface Known {
  readonly id: string
  readonly key: string
  readonly mode: Dedupe['mode']
  readonly addedAt: number
  state: JobRecord['state']
  attempt: number
}

const job = fc.record({
  id: fc.option(fc.nat(5).map((n) => `job-${n}`), { freq: 6 }),
  mode: fc.constantFrom(...modes), key: fc.constantFrom('x', 'y'),
})
const act = fc.oneof(
  { weight: 6, arbitrary: fc.record({
    type: fc.constant('insert' as const), jobs: fc.array(job, { minLength: 1, maxLength: 4 }),
  }) },
  { weight: 3, arbitrary: fc.record({
    type: fc.constantFrom('claim' as const, 'pass' as const, 'prune' as const), n: fc.nat(120),
  }) },
  { weight: 5, arbitrary: fc.record({
    type: fc.constantFrom(
      'complete' as const, 'fail' as const, 'release' as const, 'abandon' as const,
    ),
    n: fc.nat(20),
  }) },
  { weight: 2, arbitrary: fc.record({
    type: fc.constantFrom('cancel' as const, 'retry' as const, 'remove' as const), n: fc.nat(20),
  }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reopen' as const), n: fc.constant(0) }) },
)
type Act = typeof act extends fc.Arbitrary<infer A> ? A : never
type Adding = Extract<Act, { readonly jobs: unknown }>['jobs']

/** Dedupe in a few plain words; every question is answered by a look at all jobs. */
class Reference {
  known: Known[] = []

  /** What became of the jobs otherwise. */
  sync(records: readonly JobRecord[]): void {
    const byId = new Map(records.map((record) => [record.id, record]))
    this.known = this.known.filter(({ id }) => byId.has(id))
    for (const each of this.known) {
      const { state = each.state, attempt = 0 } = byId.get(each.id) ?? {}
      Object.assign(each, { state, attempt })
    }
  }

  add(job: Omit<Known, 'state' | 'attempt'>): { readonly id: string; readonly after: string[] } {
    const same = this.known.find(({ id }) => id === job.id)
    if (same) return { id: same.id, after: [] }
    const others = this.known.filter(({ mode, key }) => mode === job.mode && key === job.key)
    const found = others.findLast((other) => this.#isIt(other, job.addedAt))
    if (found && job.mode !== 'supersede') return { id: found.id, after: [] }
    for (const other of job.mode === 'supersede' ? others : []) {
      if (other.state === 'running') other.state = 'cancelling'
      if (other.state === 'queued') other.state = 'cancelled'
    }
    this.known.push({ ...job, state: 'queued', attempt: 0 })
    const after = others.filter(({ state }) => state === 'cancelling')
    return { id: job.id, after: job.mode === 'supersede' ? after.map(({ id }) => id) : [] }
  }

  #isIt(other: Known, now: number): boolean {
    if (other.mode === 'throttle') return now < other.addedAt + windowMs
    if (other.mode === 'debounce') return other.state === 'queued' && other.attempt === 0
    return !isSettled(other)
  }
}

function anySequence(open: OpenBench): void {
  it('answers as a simple reference says, whatever is done', async () => {
    const acts = fc.array(act, { maxLength: 30 })
    await fc.assert(fc.asyncProperty(acts, async (sequence) => {
      const bench = await open()
      const reference = new Reference()
      for (const each of sequence) {
        if (each.type === 'insert') await add(bench, reference, each.jobs)
        else await perform(bench, each)
        reference.sync(await bench.list())
        checkTurns(await bench.list())
      }
    }), runs(80))
  })
}

async function add(bench: Bench, reference: Reference, jobs: Adding): Promise<void> {
  const addedAt = bench.env.now()
  const patches = jobs.map(({ id, mode, key }) => ({
    id: id ?? bench.env.id(), input: bench.env.id(), options: { maxStalls: 3 },
    dedupe: keyed(mode, mode === 'throttle' || mode === 'debounce' ? windowMs : null, mode + key),
  }))
  const before = new Set(reference.known.map(({ id }) => id))
  /** What each id of this call stands for. */
  const meant = new Map<string, string>()
  /** The latest input that a job was moved with. */
  const moved = new Map<string, string>()
  const answers = await bench.store.insert(patches.map((patch) => newJob(patch)))
  for (const [index, { id, dedupe, input }] of patches.entries()) {
    const { key, mode } = dedupe
    const expected = reference.add({ id: meant.get(id) ?? id, key, mode, addedAt })
    if (mode === 'debounce' && expected.id !== id && !meant.has(id)) moved.set(expected.id, input)
    meant.set(id, expected.id)
    const answer = answers[index] as InsertAnswer
    expect([answer.record.id, answer.created]).toEqual([expected.id, !before.has(expected.id)])
    before.add(expected.id)
    const { after } = answer.record
    if (answer.created) expect(after === null ? [] : [after]).toEqual(expected.after)
  }
  const records = new Map((await bench.list()).map((record) => [record.id, record]))
  for (const { id, state } of reference.known) {
    expect([id, records.get(id)?.state]).toEqual([id, state])
  }
  for (const [id, input] of moved) {
    const runAt = addedAt + windowMs
    expect(records.get(id)).toMatchObject({ input, runAt, phase: 'delayed' })
  }
}

/** One of a key that supersedes runs at a time; a throttled job stays for its window. */
function checkTurns(records: readonly JobRecord[]): void {
  for (const key of ['supersedex', 'supersedey']) {
    const live = records.filter((record) => record.dedupe?.key === key && isLive(record))
    holds(live.length <= 1, 'one at a time', live)
  }
}

async function perform(bench: Bench, { type, n }: Exclude<Act, { readonly jobs: unknown }>) {
  const records = await bench.list()
  const pick = (from: readonly JobRecord[]): JobRecord | undefined => from[n % (from.length || 1)]
  switch (type) {
    case 'reopen': return bench.reopen()
    case 'claim': return bench.claim({ limit: 1 + (n % 3), leaseMs: 1e12 })
    case 'pass':
    case 'prune': {
      await bench.env.advance(n)
      const now = bench.env.now()
      const few = { ...keepAll, completed: 0, failed: 0 }
      await bench.sweep({ retention: new Map([['images', type === 'prune' ? few : keepAll]]) })
      const left = new Set(ids(await bench.list()))
      for (const { id, dedupe } of records) {
        holds((dedupe?.until ?? 0) <= now || left.has(id), 'a throttled job stays', { id, now })
      }
      return undefined
    }
    case 'cancel':
    case 'retry':
    case 'remove': {
      // A retry brings back what was superseded, beside its successor: that is what was asked for.
      const record = pick(records.filter(({ dedupe }) =>
        type !== 'retry' || dedupe?.key.startsWith('supersede') !== true))
      return record && bench.apply(record.id, { type })
    }
    default: {
      const record = pick(records.filter(isLive))
      if (!record || (type === 'abandon' && record.state === 'running')) return undefined
      const chance = type === 'fail' ? { random: 0.5 } : {}
      return bench.commit(record, bench.event(type as 'fail', chance))
    }
  }
}
