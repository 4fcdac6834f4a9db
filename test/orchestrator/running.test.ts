import { task } from 'troupe'
import type { Job } from 'troupe'
import { describe, expect, test, vi } from 'vitest'
import { eventsOf, hold, recordOf, useStage } from '../support/stage.ts'
import type { Hold } from '../support/stage.ts'

const stage = useStage()

/** A handler whose runs end when the test says so. */
function workbench() {
  const started: string[] = []
  const open = new Map<string, Hold<string>>()
  const bench = {
    started,
    /** The most that ran at the same time. */
    most: 0,
    running: () => [...open.keys()],
    end: (id: string) => { open.get(id)?.release(`done ${id}`) },
    endAll: () => { for (const { release } of open.values()) release('all') },
    work: async (job: Job<unknown>): Promise<string> => {
      const { promise } = open.set(job.id, hold<string>()).get(job.id) as Hold<string>
      started.push(job.id)
      bench.most = Math.max(bench.most, open.size)
      const answer = await promise
      open.delete(job.id)
      return answer
    },
  }
  return bench
}

describe('concurrency', () => {
  test('is never exceeded, and no slot stays free while something is ready', async () => {
    const bench = workbench()
    const troupe = await stage.open()
    const queue = troupe.queue('q', { concurrency: 2, tasks: { work: bench.work } })
    for (const id of ['a', 'b', 'c', 'd', 'e']) await queue.add('work', null, { id })
    await troupe.start()
    await stage.env.settle()
    expect(bench.running()).toEqual(['a', 'b'])
    for (const [end, next] of [['b', ['a', 'c']], ['a', ['c', 'd']], ['d', ['c', 'e']]] as const) {
      bench.end(end)
      await stage.env.settle()
      expect(bench.running()).toEqual(next)
    }
    bench.endAll()
    await stage.drive(queue.idle())
    expect(bench.most).toBe(2)
    expect(await queue.counts()).toMatchObject({ completed: 5, queued: 0, running: 0 })
  })

  test('is 3 when nothing is said', async () => {
    const bench = workbench()
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: bench.work } })
    await troupe.start()
    await queue.addMany([1, 2, 3, 4].map((n) => ({ task: 'work', input: n })))
    await stage.env.settle()
    expect(bench.running()).toHaveLength(3)
    bench.endAll()
    await stage.env.settle()
    bench.endAll()
    await stage.drive(queue.idle())
  })

  test('is of each queue on its own', async () => {
    const bench = workbench()
    const troupe = await stage.open()
    const a = troupe.queue('a', { concurrency: 1, tasks: { work: bench.work } })
    const b = troupe.queue('b', { concurrency: 1, tasks: { work: bench.work } })
    await troupe.start()
    for (const id of ['1', '2']) {
      await a.add('work', null, { id: `a${id}` })
      await b.add('work', null, { id: `b${id}` })
    }
    await stage.env.settle()
    expect(bench.running().sort()).toEqual(['a1', 'b1'])
    bench.end('a1')
    await stage.env.settle()
    expect(bench.running().sort()).toEqual(['a2', 'b1'])
    bench.endAll()
    await stage.env.settle()
    bench.endAll()
  })

  test('a job that is added later starts at once when a slot is free', async () => {
    const bench = workbench()
    const troupe = await stage.open()
    const queue = troupe.queue('q', { concurrency: 2, tasks: { work: bench.work } })
    await troupe.start()
    for (const id of ['a', 'b']) {
      await queue.add('work', null, { id })
      await stage.env.settle()
      expect(bench.running()).toContain(id)
    }
    bench.endAll()
  })

  test('two troupes on one store share the jobs, and none runs twice', async () => {
    const bench = workbench()
    const first = await stage.open()
    const second = await stage.open()
    const queue = first.queue('q', { concurrency: 2, tasks: { work: bench.work } })
    second.queue('q', { concurrency: 1, tasks: { work: bench.work } })
    await Promise.all([first.start(), second.start()])
    for (let n = 0; n < 6; n += 1) await queue.add('work', null, { id: `j${n}` })
    await stage.env.settle()
    expect(bench.running()).toHaveLength(3)
    for (let round = 0; round < 3; round += 1) {
      bench.endAll()
      await stage.env.settle()
    }
    expect(bench.started.toSorted()).toEqual(['j0', 'j1', 'j2', 'j3', 'j4', 'j5'])
    expect(bench.most).toBe(3)
    const { jobs } = await queue.list()
    expect(new Set(jobs.map(({ by }) => by))).toEqual(new Set(['w1', 'w2']))
  })
})

describe('the order of starts', () => {
  test('is priority, then runAt, then insertion', async () => {
    const started: string[] = []
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      concurrency: 1, tasks: { work: (job: Job) => { started.push(job.id) } },
    })
    const now = stage.env.now()
    await queue.add('work', null, { id: 'plain 1' })
    await queue.add('work', null, { id: 'late', priority: 9 })
    await queue.add('work', null, { id: 'urgent', priority: -3 })
    await queue.add('work', null, { id: 'plain 2' })
    await queue.add('work', null, { id: 'earlier', runAt: now - 10 })
    await queue.add('work', null, { id: 'earliest', runAt: now - 20 })
    await queue.add('work', null, { id: 'urgent too', priority: -3 })
    await troupe.start()
    await stage.drive(queue.idle())
    expect(started).toEqual([
      'urgent', 'urgent too', 'earliest', 'earlier', 'plain 1', 'plain 2', 'late',
    ])
  })

  test('holds across the tasks of a queue', async () => {
    const started: string[] = []
    const note = (job: Job): void => { started.push(`${job.task} ${job.id}`) }
    const troupe = await stage.open()
    const queue = troupe.queue('q', { concurrency: 1, tasks: { a: note, b: note } })
    await queue.add('a', null, { id: '1' })
    await queue.add('b', null, { id: '2' })
    await queue.add('a', null, { id: '3' })
    await queue.add('b', null, { id: '4', priority: 1 })
    await troupe.start()
    await stage.drive(queue.idle())
    expect(started).toEqual(['b 4', 'a 1', 'b 2', 'a 3'])
  })

  test('a process leaves alone the tasks that it does not have', async () => {
    const producer = (await stage.open()).queue<{ a: () => 1; b: () => 2 }>('q')
    await producer.add('b', undefined, { id: 'b' })
    await producer.add('a', undefined, { id: 'a' })
    const troupe = await stage.open()
    const queue = troupe.queue('q', { concurrency: 1, tasks: { a: () => 1 } })
    await troupe.start()
    await stage.drive(queue.idle())
    expect((await recordOf(queue, 'a')).state).toBe('completed')
    expect(await recordOf(queue, 'b')).toMatchObject({ state: 'queued', attempt: 0 })
  })
})

describe('a result', () => {
  test('is stored, and typed', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      tasks: { double: async (job: Job<{ n: number }>) => ({ twice: job.input.n * 2 }) },
    })
    const job = await queue.add('double', { n: 4 })
    await troupe.start()
    const result: { twice: number } = await stage.drive(job.result())
    expect(result).toEqual({ twice: 8 })
    expect(await recordOf(queue, job.id)).toMatchObject({
      state: 'completed', phase: null, result: { twice: 8 }, error: null, reason: null,
      attempt: 1, lease: null, by: 'w1', rev: 3,
    })
  })

  test.each([
    ['an async handler that returns nothing', async () => undefined, null],
    ['a handler that returns nothing', () => undefined, null],
    ['a handler that is not async', () => 7, 7],
    ['a handler that returns null', () => null, null],
    ['undefined properties', () => ({ a: 1, b: undefined }), { a: 1 }],
    ['a task object', task({ handler: () => [true] }), [true]],
    ['false', () => false, false],
  ])('of %s', async (_name, work, expected) => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work } })
    const job = await queue.add('work')
    await troupe.start()
    expect(await stage.drive(job.result())).toEqual(expected)
    expect((await recordOf(queue, job.id)).result).toEqual(expected)
  })
})

test('the job knows itself', async () => {
  const seen: unknown[] = []
  const troupe = await stage.open()
  const queue = troupe.queue('q', {
    tasks: {
      work: (job: Job) => {
        const { id, queue: name, task: of, input, attempt, fence, label, meta, partition } = job
        seen.push({ id, name, of, input, attempt, fence, label, meta, partition })
        seen.push(job.signal.aborted)
      },
    },
  })
  await queue.add('work', [1], { id: 'first' })
  await queue.add('work', [2], {
    id: 'second', label: 'a label', meta: { user: 7 }, partition: 'tenant-1',
  })
  await troupe.start()
  await stage.drive(queue.idle())
  expect(seen).toEqual([
    {
      id: 'first', name: 'q', of: 'work', input: [1], attempt: 1, fence: 1, label: null,
      meta: null, partition: null,
    },
    false,
    {
      id: 'second', name: 'q', of: 'work', input: [2], attempt: 1, fence: 2, label: 'a label',
      meta: { user: 7 }, partition: 'tenant-1',
    },
    false,
  ])
})

test('nothing is said on the console', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  const troupe = await stage.open()
  const queue = troupe.queue('q', { tasks: { work: () => 1 } })
  await troupe.start()
  const job = await queue.add('work')
  const { actor } = job
  await stage.drive(job.result())
  await stage.drive(troupe.stop())
  expect(actor.getSnapshot().value).toBe('completed')
  expect(warn.mock.calls).toEqual([])
  warn.mockRestore()
})

test('1,000 jobs run once each, within the limit', async () => {
  let running = 0
  let most = 0
  const troupe = await stage.open()
  const queue = troupe.queue('q', {
    concurrency: 25,
    tasks: {
      square: async (job: Job<number>) => {
        running += 1
        most = Math.max(most, running)
        await Promise.resolve()
        running -= 1
        return job.input ** 2
      },
    },
  })
  await troupe.start()
  const handles = await queue.addMany(
    Array.from({ length: 1000 }, (_, n) => ({ task: 'square' as const, input: n })),
  )
  const results = await stage.drive(Promise.all(handles.map((job) => job.result())))
  expect(results).toEqual(Array.from({ length: 1000 }, (_, n) => n ** 2))
  expect(most).toBe(25)
  const { jobs } = await queue.list({ limit: 1000 })
  expect(jobs.every((job) => eventsOf(job).join() === 'add,claim,complete')).toBe(true)
  expect(new Set(jobs.map(({ fence }) => fence)).size).toBe(1000)
})
