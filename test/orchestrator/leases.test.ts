import type { Job, Store } from 'troupe'
import { describe, expect, test } from 'vitest'
import { answerAfter, faultyStore, waitFor } from '../../src/testing/faulty-store.ts'
import type { FaultyStore } from '../../src/testing/faulty-store.ts'
import { eventsOf, hold, recordOf, useStage } from '../support/stage.ts'
import type { Hold } from '../support/stage.ts'

const stage = useStage()

const never = new Promise<never>(() => undefined)

/** A worker that is cut off: its heartbeats do not arrive, and no news reach it. */
function cutOff(inner: Store): FaultyStore {
  const faulty = faultyStore(inner, { watch: () => () => undefined })
  faulty.next('renew', waitFor(never), 1000)
  return faulty
}

interface Life {
  readonly job: Job
  readonly gate: Hold<string>
}

/** Two workers on one store; `stale` is cut off, and works on a job when the test begins. */
async function twoWorkers(options: { maxStalls?: number } = {}) {
  const lives: Life[] = []
  const work = (job: Job): Promise<string> => {
    const gate = hold<string>()
    lives.push({ job, gate })
    return gate.promise
  }
  const { store, calls } = cutOff(stage.store)
  const stale = await stage.open({ store, worker: 'stale' })
  const elsewhere = stale.queue('q', { concurrency: 1, tasks: { work } })
  await stale.start()
  await stage.env.settle()
  await elsewhere.add('work', null, { id: 'job', ...options })
  // It does not hear of the add, either: it is told to look.
  await elsewhere.resume()
  await stage.env.settle()

  const fresh = await stage.open({ worker: 'fresh' })
  const queue = fresh.queue('q', { concurrency: 1, tasks: { work } })
  await fresh.start()
  await stage.env.settle()
  const [first] = lives
  if (!first) throw new Error('the stale worker did not begin')
  return { queue, lives, first, calls }
}

describe('a worker that went silent', () => {
  test('loses its job within one lease and one sweep', async () => {
    const { queue, lives } = await twoWorkers()
    await stage.env.advance(29_999)
    expect(lives).toHaveLength(1)
    expect((await recordOf(queue, 'job')).lease?.worker).toBe('stale')
    await stage.env.advance(1001)
    expect(lives).toHaveLength(2)
    const record = await recordOf(queue, 'job')
    expect(record).toMatchObject({ state: 'running', attempt: 2, stalls: 1, failures: 0 })
    expect(record.lease?.worker).toBe('fresh')
    lives[1]?.gate.release('fresh')
    expect(await stage.drive(queue.job('job').result())).toBe('fresh')
  })

  test('changes nothing, publishes nothing and frees nobody when it comes back', async () => {
    const { queue, lives, first, calls } = await twoWorkers()
    await stage.env.advance(31_000)
    const next = await queue.add('work', null, { id: 'next' })
    await stage.env.settle()
    const before = await recordOf(queue, 'job')
    const log = await stage.store.readLog('q', 0, 100)

    const commits = calls('commit').length
    first.job.progress(99)
    first.gate.release('stale')
    await stage.env.advance(0)
    expect(calls('commit').length).toBe(commits + 1)
    expect(await recordOf(queue, 'job')).toEqual(before)
    const after = await stage.store.readLog('q', log.newest, 100)
    // The stale worker may take the next job now: that is its right. Of the old one, nothing.
    expect(after.entries.filter(({ jobId }) => jobId === 'job')).toEqual([])
    expect(lives.filter(({ job }) => job.id === 'job')).toHaveLength(2)

    lives.find(({ job }) => job.id === 'job' && job.attempt === 2)?.gate.release('fresh')
    expect(await stage.drive(queue.job('job').result())).toBe('fresh')
    expect(eventsOf(await recordOf(queue, 'job'))).toEqual([
      'add', 'claim', 'stall', 'claim', 'complete',
    ])
    await stage.env.settle()
    lives.find(({ job }) => job.id === 'next')?.gate.release('next')
    expect(await stage.drive(next.result())).toBe('next')
  })

  test('more often than maxStalls fails the job', async () => {
    const { queue } = await twoWorkers({ maxStalls: 0 })
    await stage.env.advance(31_000)
    expect(await recordOf(queue, 'job')).toMatchObject({
      state: 'failed', reason: 'stalled', attempt: 1, failures: 0,
    })
  })

  test('cannot keep a job alive that was cancelled', async () => {
    const { queue, first } = await twoWorkers()
    expect(await queue.cancel('job', 'enough')).toBe('cancelling')
    expect(first.job.signal.aborted).toBe(false)
    await stage.env.advance(31_000)
    expect(await recordOf(queue, 'job')).toMatchObject({ state: 'cancelled', reason: 'enough' })
  })

  test('that fails late meets the cancel that it did not hear of: no retry', async () => {
    const { queue, first, lives } = await twoWorkers()
    await queue.cancel('job', 'enough')
    first.gate.fail(new Error('late'))
    await stage.env.advance(60_000)
    expect(await recordOf(queue, 'job')).toMatchObject({
      state: 'cancelled', reason: 'enough', error: { message: 'late' },
    })
    expect(lives).toHaveLength(1)
  })
})

test('the fence rises with every claim', async () => {
  const { lives, queue } = await twoWorkers()
  await stage.env.advance(31_000)
  const fences = lives.map(({ job }) => job.fence)
  expect(fences).toEqual([1, 2])
  expect((await recordOf(queue, 'job')).fence).toBe(2)
})

describe('a lost lease', () => {
  test('that a heartbeat tells of aborts the handler, and nothing is published', async () => {
    const gate = hold()
    const { store, next, calls } = faultyStore(stage.store)
    const troupe = await stage.open({ store })
    const jobs: Job[] = []
    const queue = troupe.queue('q', {
      concurrency: 1,
      tasks: { work: (job: Job) => {
        jobs.push(job)
        return gate.promise
      } },
    })
    await troupe.start()
    const { id } = await queue.add('work', null, { id: 'job' })
    const other = await queue.add('work', null, { id: 'other' })
    await stage.env.advance(9000)
    const before = await recordOf(queue, id)
    next('renew', async () => ({ lost: [id] }))
    await stage.env.advance(1000)
    expect(jobs[0]?.signal.reason).toMatchObject({ code: 'lease-lost', details: { id } })
    expect(await recordOf(queue, id)).toEqual(before)

    // Its handler goes on, and so it keeps the slot; its result is nobody's business any more.
    await stage.env.advance(5000)
    expect(jobs).toHaveLength(1)
    gate.release()
    await stage.env.settle()
    expect(calls('commit').flat().filter(({ record }) => record.id === id)).toEqual([])
    expect(await stage.drive(other.result())).toBeNull()
    // The lease lapses, and the job starts again.
    await stage.drive(queue.job(id).result())
    expect(eventsOf(await recordOf(queue, id))).toEqual([
      'add', 'claim', 'stall', 'claim', 'complete',
    ])
  })
})

test('a heartbeat keeps a long job for as long as it takes', async () => {
  const gate = hold<string>()
  const troupe = await stage.open()
  const queue = troupe.queue('q', { tasks: { work: () => gate.promise } })
  const other = await stage.open()
  other.queue('q', { tasks: { work: () => 'stolen' } })
  await troupe.start()
  const job = await queue.add('work')
  await stage.env.settle()
  await other.start()
  await stage.env.advance(3_600_000)
  expect(await recordOf(queue, job.id)).toMatchObject({ attempt: 1, stalls: 0, rev: 2 })
  gate.release('mine')
  expect(await stage.drive(job.result())).toBe('mine')
})

test('a job whose last attempt waits for an answer is not started beside it', async () => {
  const gate = hold()
  const { store, next, calls } = faultyStore(stage.store, { watch: () => () => undefined })
  const deaf = await stage.open({ store })
  const work = hold<string>()
  const attempts: number[] = []
  const queue = deaf.queue('q', {
    concurrency: 3,
    tasks: {
      long: () => work.promise,
      work: async (job: Job) => {
        attempts.push(job.attempt)
        if (job.attempt > 1) return work.promise
        throw new Error('once')
      },
    },
  })
  await deaf.start()
  await stage.env.settle()
  // The failure is stored, but its answer is late, and no news tell of it.
  next('commit', answerAfter(gate.promise))
  await queue.add('work', null, { id: 'job', retries: 1, backoff: 0 })
  await queue.resume()
  await stage.env.settle()
  const other = await stage.open()
  other.queue('q')
  await other.start()
  await stage.env.advance(0)
  expect(await recordOf(queue, 'job')).toMatchObject({ state: 'queued', phase: 'ready' })
  await queue.add('long', undefined, { id: 'long' })
  await queue.resume()
  await stage.env.settle()
  expect(await recordOf(queue, 'long')).toMatchObject({ state: 'running' })
  expect(attempts).toEqual([1])

  gate.release()
  await stage.env.settle()
  expect(attempts).toEqual([1, 2])
  await stage.env.advance(60_000)
  const held = calls('renew').at(-1)?.held ?? []
  expect(held.map(({ id }) => id).toSorted()).toEqual(['job', 'long'])
  expect(await recordOf(queue, 'job')).toMatchObject({ state: 'running', stalls: 0, attempt: 2 })
  work.release('second')
  await stage.env.settle()
  expect(await recordOf(queue, 'job')).toMatchObject({ state: 'completed', result: 'second' })
})
