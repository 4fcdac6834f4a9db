import { task, TroupeError, UnrecoverableError } from 'troupe'
import type { Job, Middleware } from 'troupe'
import { describe, expect, test } from 'vitest'
import {
  eventsOf, hold, recordOf, refusal, thrown, untilAborted, useStage,
} from '../support/stage.ts'

const stage = useStage()

/** A troupe with a queue `q` of these tasks, that is started, with middleware around them. */
async function open(
  tasks: Record<string, (job: Job) => unknown>,
  around: { readonly troupe?: readonly Middleware[]; readonly queue?: readonly Middleware[] },
) {
  const troupe = await stage.open({ middleware: around.troupe ?? [] })
  const queue = troupe.queue('q', { concurrency: 1, middleware: around.queue ?? [], tasks })
  await troupe.start()
  return queue
}

describe('the order', () => {
  test('is troupe, queue, handler, and back; the first of a list is the outermost', async () => {
    const seen: string[] = []
    const note = (name: string): Middleware => async (job, next) => {
      seen.push(`${name} in ${job.task}`)
      const result = await next()
      seen.push(`${name} out`)
      return result
    }
    const troupe = await stage.open({ middleware: [note('t1'), note('t2')] })
    const a = troupe.queue('a', {
      middleware: [note('q1'), note('q2')],
      tasks: { work: () => { seen.push('handler') }, other: task({ handler: () => 'other' }) },
    })
    const b = troupe.queue('b', { tasks: { work: () => 'plain' } })
    await troupe.start()
    await stage.drive((await a.add('work')).result())
    const inward = ['t1', 't2', 'q1', 'q2'].map((name) => `${name} in work`)
    const outward = ['q2', 'q1', 't2', 't1'].map((name) => `${name} out`)
    expect(seen.splice(0)).toEqual([...inward, 'handler', ...outward])
    expect(await stage.drive((await a.add('other')).result())).toBe('other')
    expect(seen.splice(0)).toContain('q1 in other')
    expect(await stage.drive((await b.add('work')).result())).toBe('plain')
    expect(seen).toEqual(['t1 in work', 't2 in work', 't2 out', 't1 out'])
  })
})

describe('the result', () => {
  test.each<[string, Middleware, unknown]>([
    ['passes', (_job, next) => next(), 'mine'],
    ['is replaced', async (_job, next) => ({ was: await next() }), { was: 'mine' }],
    ['is what a middleware that is not async says', () => 7, 7],
    ['is null when nothing is returned', async (_job, next) => { await next() }, null],
  ])('%s', async (_name, around, expected) => {
    const queue = await open({ work: () => 'mine' }, { queue: [around] })
    expect(await stage.drive((await queue.add('work')).result())).toEqual(expected)
  })

  test('of a handler that fails can be given by what is around it', async () => {
    const queue = await open({ work: () => { throw new Error('no') } }, {
      queue: [async (_job, next) => next().catch((error: unknown) => String(error))],
    })
    expect(await stage.drive((await queue.add('work')).result())).toBe('Error: no')
  })

  test('must be JSON, whoever gives it', async () => {
    const queue = await open({ work: () => 1 }, { queue: [async () => new Map()] })
    const error = await stage.drive(refusal((await queue.add('work')).result()))
    expect(error).toMatchObject({ code: 'job-failed', details: { reason: 'error' } })
  })

  test('is there without the handler when next() is not called', async () => {
    const ran: string[] = []
    const queue = await open({ work: ({ id }) => { ran.push(id) } }, {
      queue: [async (job, next) => (job.id === 'known' ? 'from the cache' : next())],
    })
    const job = await queue.add('work', null, { id: 'known' })
    await stage.drive((await queue.add('work', null, { id: 'new' })).result())
    expect(await stage.drive(job.result())).toBe('from the cache')
    expect(ran).toEqual(['new'])
  })
})

describe('an error', () => {
  test.each<[string, Middleware]>([
    ['before next()', () => { throw new Error('broken') }],
    ['before next(), later', async () => { throw new Error('broken') }],
    ['after next()', async (_job, next) => { await next(); throw new Error('broken') }],
  ])('%s fails that attempt; retries and siblings go on', async (_name, broken) => {
    const queue = await open({ work: ({ id }) => id }, {
      queue: [(job, next) => (job.id === 'bad' && job.attempt < 3 ? broken(job, next) : next())],
    })
    const bad = await queue.add('work', null, { id: 'bad', retries: 1 })
    const good = await queue.add('work', null, { id: 'good' })
    expect(await stage.drive(good.result())).toBe('good')
    expect(await stage.drive(refusal(bad.result()))).toMatchObject({ code: 'job-failed' })
    const record = await recordOf(queue, 'bad')
    expect(record).toMatchObject({
      state: 'failed', reason: 'error', attempt: 2, error: { message: 'broken' },
    })
    expect(eventsOf(record)).toEqual(['add', 'claim', 'fail', 'due', 'claim', 'fail'])
    await queue.retry('bad')
    await stage.env.settle()
    expect((await recordOf(queue, 'bad')).attempt).toBe(1)
  })

  test('of the handler comes through unchanged, and can be made unrecoverable', async () => {
    const seen: unknown[] = []
    const error = new RangeError('of the handler')
    const queue = await open({ work: () => { throw error } }, {
      queue: [async (_job, next) => {
        try {
          return await next()
        } catch (caught) {
          seen.push(caught)
          throw new UnrecoverableError('no use', { cause: caught })
        }
      }],
    })
    await stage.drive(refusal((await queue.add('work', null, { id: 'j', retries: 5 })).result()))
    expect(seen).toEqual([error])
    expect(await recordOf(queue, 'j')).toMatchObject({
      attempt: 1, error: { name: 'UnrecoverableError', cause: { name: 'RangeError' } },
    })
  })
})

describe('next()', () => {
  test.each<[string, Middleware]>([
    ['one after the other', async (_job, next) => { await next(); await next() }],
    ['at once', async (_job, next) => Promise.all([next(), next()])],
  ])('twice, %s, fails the attempt and runs the handler once', async (_name, twice) => {
    let runs = 0
    const queue = await open({ work: () => { runs += 1 } }, { queue: [twice] })
    const error = await stage.drive(refusal((await queue.add('work')).result()))
    expect(error.message).toContain('a middleware called next() twice')
    expect(runs).toBe(1)
  })

  test('whose answer nobody looks at does not end the process', async () => {
    const queue = await open({ work: () => { throw new Error('of the handler') } }, {
      queue: [async (_job, next) => {
        void next()
        void next()
        stage.env.soon(() => { void next() })
        // An error of the handler that nobody has caught by now would be an unhandled one.
        for (let turn = 0; turn < 3; turn += 1) {
          await new Promise<void>((resolve) => { stage.env.soon(resolve) })
        }
        stage.env.soon(() => { void next() })
        return 'mine'
      }],
    })
    expect(await stage.drive((await queue.add('work')).result())).toBe('mine')
    await stage.env.settle()
  })

  test('that nobody waits for holds the attempt until the handler has ended', async () => {
    const gate = hold()
    const queue = await open({ work: () => gate.promise, next: () => 'next' }, {
      queue: [(_job, next) => { void next(); return 'early' }],
    })
    const job = await queue.add('work')
    const sibling = await queue.add('next')
    await stage.env.settle()
    expect(await queue.counts()).toMatchObject({ running: 1, queued: 1, completed: 0 })
    gate.fail(new Error('nobody catches this'))
    expect(await stage.drive(job.result())).toBe('early')
    expect(await stage.drive(sibling.result())).toBe('early')
  })

  test('that lost a race does not set a second attempt beside the first', async () => {
    const gates = [hold(), hold()]
    let running = 0
    let most = 0
    const queue = await open({
      work: async ({ attempt }) => {
        most = Math.max(most, running += 1)
        await gates[attempt - 1]?.promise
        running -= 1
      },
    }, {
      queue: [(job, next) => Promise.race([
        next(), ...(job.attempt === 1 ? [Promise.reject(new Error('too slow'))] : []),
      ])],
    })
    const job = await queue.add('work', null, { retries: 1, backoff: 0 })
    await stage.env.advance(60_000)
    expect(running).toBe(1)
    gates[0]?.release()
    await stage.env.advance(1000)
    gates[1]?.release()
    await stage.drive(job.result())
    expect(most).toBe(1)
    expect((await recordOf(queue, job.id)).attempt).toBe(2)
  })

  test('after the middleware has ended is refused, and runs nothing', async () => {
    let later: () => Promise<unknown> = () => Promise.resolve()
    const ran: string[] = []
    const queue = await open({ work: ({ id }) => { ran.push(id) } }, {
      queue: [(_job, next) => { later = next; return 'over' }],
    })
    expect(await stage.drive((await queue.add('work')).result())).toBe('over')
    await expect(later()).rejects.toThrow('a middleware called next() after it had ended')
    expect(ran).toEqual([])
  })

  test('does not start the handler of a job that has moved on', async () => {
    const gate = hold()
    const ran: string[] = []
    const queue = await open({ work: ({ id }) => { ran.push(id) } }, {
      queue: [async (job, next) => {
        if (job.id === 'slow') await gate.promise
        return next()
      }],
    })
    const job = await queue.add('work', null, { id: 'slow', cancelGrace: '1s' })
    await stage.env.settle()
    expect(await job.cancel('not needed')).toBe('cancelling')
    await stage.env.advance(1000)
    expect((await recordOf(queue, 'slow')).state).toBe('cancelled')
    gate.release()
    await stage.drive((await queue.add('work', null, { id: 'other' })).result())
    expect(ran).toEqual(['other'])
  })
})

describe('through it pass', () => {
  test('snooze and limitReached, as errors of ours', async () => {
    const seen: unknown[] = []
    const queue = await open({
      snooze: (job) => (job.meta === null ? 'done' : job.attempt < 2 ? job.snooze('10s') : 'slept'),
      limit: (job) => { if (seen.length === 0) job.limitReached('20s'); return 'admitted' },
    }, {
      troupe: [async (_job, next) => {
        try {
          return await next()
        } catch (error) {
          seen.push(error instanceof TroupeError ? [error.code, error.details] : error)
          throw error
        }
      }],
    })
    const held = await queue.add('limit')
    expect(await stage.drive(held.result())).toBe('admitted')
    expect(await recordOf(queue, held.id)).toMatchObject({ attempt: 1, failures: 0 })
    const slept = await queue.add('snooze', null, { meta: 'x' })
    expect(await stage.drive(slept.result())).toBe('slept')
    expect(await recordOf(queue, slept.id)).toMatchObject({ attempt: 2, failures: 0 })
    expect(seen).toEqual([
      ['limit-reached', { waitMs: 20_000 }], ['snoozed', { waitMs: 10_000 }],
    ])
  })

  test('snooze of a middleware itself', async () => {
    const queue = await open({ work: () => 'worked' }, {
      queue: [(job, next) => (job.attempt === 1 ? job.snooze('5s') : next())],
    })
    const job = await queue.add('work')
    expect(await stage.drive(job.result())).toBe('worked')
    expect(eventsOf(await recordOf(queue, job.id)))
      .toEqual(['add', 'claim', 'snooze', 'due', 'claim', 'complete'])
  })

  test('a cancel and its reason', async () => {
    const seen: unknown[] = []
    const queue = await open({ work: untilAborted }, {
      queue: [async (job, next) => next().finally(() => { seen.push(job.signal.reason) })],
    })
    const job = await queue.add('work')
    await stage.env.settle()
    await job.cancel('enough')
    expect(await stage.drive(refusal(job.result()))).toMatchObject({ code: 'job-cancelled' })
    expect(seen).toMatchObject([{ code: 'job-cancelled', details: { reason: 'enough' } }])
  })
})

test('one that never ends is ended by the timeout, and keeps its slot', async () => {
  const queue = await open({ work: () => 1 }, {
    queue: [(job, next) => (job.id === 'stuck' ? new Promise(() => undefined) : next())],
  })
  await queue.add('work', null, { id: 'stuck', timeout: '10s', cancelGrace: '2s' })
  await queue.add('work', null, { id: 'other' })
  await stage.env.advance(60_000)
  expect(await recordOf(queue, 'stuck')).toMatchObject({ state: 'failed', reason: 'timeout' })
  expect((await recordOf(queue, 'other')).state).toBe('queued')
})

test('what is no list of functions is refused', async () => {
  const troupe = await stage.open()
  expect(thrown(() => troupe.queue('q', { middleware: [7 as never] })).message)
    .toContain('middleware[0] must be a function')
  expect(thrown(() => troupe.queue('q', { middleware: {} as never })).message)
    .toContain('middleware must be an array of functions')
  expect((await refusal(stage.open({ middleware: [null as never] }))).message)
    .toContain('createTroupe.middleware[0] must be a function')
})
