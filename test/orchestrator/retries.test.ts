import { TroupeError, UnrecoverableError, task } from 'troupe'
import type { AddOptions, BackoffFunction, BackoffOption, Job } from 'troupe'
import { describe, expect, test } from 'vitest'
import { eventsOf, hold, recordOf, useStage } from '../support/stage.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'

const stage = useStage()

/** Runs a job that always fails, and tells when its attempts started, from the add on. */
async function startsOf(
  options: AddOptions, taskBackoff?: BackoffOption | BackoffFunction,
): Promise<number[]> {
  const starts: number[] = []
  const troupe = await stage.open()
  const begin = stage.env.now()
  const queue = troupe.queue('q', {
    tasks: {
      work: task({
        ...(taskBackoff === undefined ? {} : { backoff: taskBackoff }),
        handler: (job: Job): void => {
          starts.push(stage.env.now() - begin)
          throw new Error(`attempt ${job.attempt}`)
        },
      }),
    },
  })
  await troupe.start()
  const { id } = await queue.add('work', null, { ...options, id: 'job' })
  await stage.env.advance(24 * 60 * 60 * 1000)
  expect(await recordOf(queue, id)).toMatchObject({
    state: 'failed', reason: 'error', attempt: starts.length, failures: starts.length,
    error: { name: 'Error', message: `attempt ${starts.length}` },
  })
  return starts
}

describe('a wait between attempts', () => {
  test('does not come to be without retries', async () => {
    expect(await startsOf({})).toEqual([0])
  })

  test('is fixed', async () => {
    expect(await startsOf({ retries: 3, backoff: '2s' })).toEqual([0, 2000, 4000, 6000])
  })

  test('is fixed, of nothing', async () => {
    expect(await startsOf({ retries: 2, backoff: 0 })).toEqual([0, 0, 0])
  })

  test('doubles, up to the cap', async () => {
    const backoff = { type: 'exponential', delay: '1s', max: '5s', jitter: 0 } as const
    expect(await startsOf({ retries: 5, backoff })).toEqual([0, 1000, 3000, 7000, 12_000, 17_000])
  })

  test('is exponential from 1 s with jitter 0.2 when nothing is said', async () => {
    const starts = await startsOf({ retries: 10 })
    const waits = starts.slice(1).map((start, index) => start - (starts[index] ?? 0))
    expect(waits).toHaveLength(10)
    waits.forEach((wait, index) => {
      const plain = Math.min(1000 * 2 ** index, 300_000)
      expect(wait).toBeGreaterThanOrEqual(plain * 0.8)
      expect(wait).toBeLessThanOrEqual(Math.min(plain * 1.2, 300_000))
    })
    expect(new Set(waits.map((wait, index) => wait / 2 ** index)).size).toBeGreaterThan(5)
  })

  test('stays within its jitter at both ends of chance', async () => {
    const backoff = { type: 'fixed', delay: 1000, jitter: 0.5 } as const
    for (const [chance, wait] of [[0, 500], [0.5, 1000], [0.999_999, 1500]] as const) {
      stage.env = new VirtualEnv()
      stage.env.random = () => chance
      expect(await startsOf({ retries: 1, backoff })).toEqual([0, wait])
      await stage.close()
      stage.reset()
    }
  })

  test('is computed by the task\'s own function, from the failures and the error', async () => {
    const asked: unknown[] = []
    const starts = await startsOf({ retries: 3 }, (failures, error) => {
      asked.push([failures, error.message])
      return failures === 2 ? '3s' : failures * 100
    })
    expect(starts).toEqual([0, 100, 3100, 3400])
    // The last failure needs no wait, but asks for one all the same or not: both are right.
    expect(asked.slice(0, 3)).toEqual([[1, 'attempt 1'], [2, 'attempt 2'], [3, 'attempt 3']])
  })

  test.each([
    ['throws', () => { throw new TypeError('bad arithmetic') }],
    ['answers nonsense', () => Number.NaN],
    ['answers a promise', (async () => 5) as unknown as BackoffFunction],
  ] as [string, BackoffFunction][])('a function that %s is logged, and replaced', async (
    _name, backoff,
  ) => {
    const starts = await startsOf({ retries: 2 }, backoff)
    expect(starts[1]).toBeGreaterThanOrEqual(800)
    expect(starts[1]).toBeLessThanOrEqual(1200)
    const lines = stage.takeLines()
    expect(lines.length).toBeGreaterThanOrEqual(2)
    for (const { level, message, err } of lines) {
      expect(level).toBe('error')
      expect(message).toContain('backoff of task work')
      expect(err).toBeInstanceOf(Error)
    }
  })

  test('add option goes before task, task before queue', async () => {
    const starts = new Map<string, number[]>()
    const troupe = await stage.open()
    const begin = stage.env.now()
    const fail = (job: Job): void => {
      starts.set(job.id, [...(starts.get(job.id) ?? []), stage.env.now() - begin])
      throw new Error('no')
    }
    const queue = troupe.queue('q', {
      defaults: { retries: 1, backoff: 100 },
      tasks: { plain: fail, own: task({ backoff: () => 200, handler: fail }) },
    })
    await troupe.start()
    await queue.add('plain', null, { id: 'queue' })
    await queue.add('own', null, { id: 'task' })
    await queue.add('own', null, { id: 'add', backoff: 300 })
    await stage.drive(queue.idle())
    await stage.env.advance(1000)
    expect(Object.fromEntries(starts)).toEqual({ queue: [0, 100], task: [0, 200], add: [0, 300] })
  })
})

test('UnrecoverableError fails at once, whatever is left', async () => {
  const troupe = await stage.open()
  const queue = troupe.queue('q', {
    defaults: { retries: 5 },
    tasks: {
      work: async () => { throw new UnrecoverableError('no such file') },
      sub: async () => { throw new (class Gone extends UnrecoverableError {})('gone') },
    },
  })
  await troupe.start()
  const job = await queue.add('work')
  const other = await queue.add('sub')
  await expect(stage.drive(job.result())).rejects.toMatchObject({
    code: 'job-failed',
    details: {
      id: job.id, reason: 'error', error: { name: 'UnrecoverableError', message: 'no such file' },
    },
  })
  await expect(stage.drive(other.result())).rejects.toBeInstanceOf(TroupeError)
  expect(await recordOf(queue, job.id)).toMatchObject({ attempt: 1, failures: 1 })
})

describe('between attempts', () => {
  test('the record is queued, delayed, with the error so far', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      tasks: { work: (job: Job) => { if (job.attempt === 1) throw new Error('once') } },
    })
    await troupe.start()
    const job = await queue.add('work', null, { retries: 1, backoff: '10s' })
    await stage.env.settle()
    expect(await recordOf(queue, job.id)).toMatchObject({
      state: 'queued', phase: 'delayed', attempt: 1, failures: 1, lease: null, startedAt: null,
      error: { message: 'once' }, runAt: stage.env.now() + 10_000,
    })
    await stage.drive(job.result())
    expect(await recordOf(queue, job.id)).toMatchObject({
      state: 'completed', attempt: 2, error: null, reason: null,
    })
  })

  test('others go first: a retry joins the back of its priority', async () => {
    const started: string[] = []
    const gate = hold()
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      concurrency: 1,
      tasks: {
        work: async (job: Job) => {
          started.push(job.id)
          if (job.id === 'bad' && job.attempt === 1) throw new Error('once')
          if (job.id === 'a') await gate.promise
        },
      },
    })
    await queue.add('work', null, { id: 'bad', retries: 1, backoff: 10 })
    await queue.add('work', null, { id: 'a' })
    await queue.add('work', null, { id: 'a2' })
    await queue.add('work', null, { id: 'b', priority: 6 })
    await troupe.start()
    await stage.env.advance(20)
    gate.release()
    await stage.drive(queue.idle())
    expect(started).toEqual(['bad', 'a', 'a2', 'bad', 'b'])
  })
})

describe('the retry verb', () => {
  test('gives a new life: budgets, ttl and error anew, while the timeline goes on', async () => {
    let broken = true
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      tasks: {
        work: (job: Job) => {
          job.progress({ current: 1, total: 4 })
          if (broken) throw new Error(`attempt ${job.attempt}`)
          return job.attempt
        },
      },
    })
    await troupe.start()
    const options = { retries: 1, backoff: 100, ttl: '1h' } as const
    const { id } = await queue.add('work', null, options)
    await stage.env.advance(5000)
    expect(await recordOf(queue, id)).toMatchObject({ state: 'failed', attempt: 2, failures: 2 })

    await queue.pause()
    expect(await queue.retry(id)).toBe('retried')
    const now = stage.env.now()
    expect(await recordOf(queue, id)).toMatchObject({
      state: 'queued', phase: 'ready', attempt: 0, failures: 0, error: null, reason: null,
      progress: null, settledAt: null, startedAt: null, runAt: now, expiresAt: now + 3_600_000,
    })
    await queue.resume()
    await stage.env.advance(5000)
    expect(await recordOf(queue, id)).toMatchObject({ state: 'failed', attempt: 2, failures: 2 })

    broken = false
    expect(await queue.retry(id)).toBe('retried')
    expect(await stage.drive(queue.job<number>(id).result())).toBe(1)
    const life = ['claim', 'fail', 'due', 'claim', 'fail']
    const record = await recordOf(queue, id)
    expect(eventsOf(record)).toEqual([
      'add', ...life, 'retry', ...life, 'retry', 'claim', 'complete',
    ])
    expect(record.fence).toBe(5)
  })

  test('goes to the back of its priority', async () => {
    const started: string[] = []
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      concurrency: 1, tasks: { work: (job: Job) => { started.push(job.id) } },
    })
    await queue.add('work', null, { id: 'old' })
    await queue.cancel('old')
    await stage.env.advance(1)
    await queue.add('work', null, { id: 'new' })
    await stage.env.advance(1)
    await queue.retry('old')
    await troupe.start()
    await stage.drive(queue.idle())
    expect(started).toEqual(['new', 'old'])
  })

  test('answers what it found', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => 1 } })
    const { id } = await queue.add('work')
    expect(await queue.retry(id)).toBe('not-failed')
    expect(await queue.retry('nobody')).toBe('unknown')
    expect(await troupe.queue('other').retry(id)).toBe('unknown')
    await queue.cancel(id)
    expect(await queue.retry(id)).toBe('retried')
    await troupe.start()
    await stage.drive(queue.idle())
    expect(await queue.retry(id)).toBe('not-failed')
    expect((await recordOf(queue, id)).state).toBe('completed')
  })
})
