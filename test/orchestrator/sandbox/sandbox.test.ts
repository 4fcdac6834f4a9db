import type { Env, Middleware } from 'troupe'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { systemEnv } from '../../../src/env.ts'
import { fixture, handTimed, reported, settled, useBuilt } from './built.ts'

const built = useBuilt()

/** A started queue with one slot and one task, `work`, which is the module. */
async function queueOf(
  module: string,
  options: { readonly retries?: number; readonly middleware?: Middleware[]; env?: Env } = {},
) {
  const { middleware = [], env = systemEnv, ...rest } = options
  const troupe = await built.open({ env })
  const work = built.task<unknown>({ module: fixture(module), backoff: 0, ...rest })
  const queue = troupe.queue('q', { concurrency: 1, tasks: { work }, middleware })
  await troupe.start()
  return queue
}

/** What the handler tells of its signal. */
function heardBy(id: string): Promise<unknown> {
  const channel = new BroadcastChannel(id)
  return new Promise((done) => {
    channel.onmessage = (event) => {
      channel.close()
      done((event as { readonly data: unknown }).data)
    }
  })
}

describe('a handler in a thread', () => {
  test('has the fields of its job, and a copy of the input', async () => {
    const queue = await queueOf('echo.mjs')
    const given = {
      id: 'a job', label: 'a label', meta: { of: 'mine' }, partition: 'a tenant',
    }
    const job = await queue.add('work', { list: [1, 'two', null] }, given)
    expect(await job.result()).toEqual({
      ...given, queue: 'q', task: 'work', input: { list: [1, 'two', null] }, attempt: 1,
      fence: (await queue.get(job.id))?.fence, parents: [],
    })
  })

  test('has the parents of its job', async () => {
    const queue = await queueOf('echo.mjs')
    const first = await queue.add('work', 'first')
    const second = await queue.add('work', 'second', { dependsOn: [first] })
    expect(await second.result()).toMatchObject({
      parents: [{ id: first.id, state: 'completed', result: { input: 'first' }, error: null }],
    })
  })

  test('gets what the schema makes of the input', async () => {
    const troupe = await built.open()
    const input = z.object({ day: z.string().transform((text) => new Date(text)) })
    const queue = troupe.queue('q', {
      tasks: {
        work: built.task<{ day: string }, { input: { day: string } }>({
          module: fixture('dates.mjs'), input,
        }),
      },
    })
    await troupe.start()
    const job = await queue.add('work', { day: '2026-02-03T00:00:00Z' })
    expect(await job.result()).toEqual({ isDate: true, day: '2026-02-03T00:00:00.000Z' })
    await expect(queue.add('work', { day: 1 } as never)).rejects.toMatchObject({
      code: 'invalid-input',
    })
  })

  test('fails of an input that no thread can be sent', async () => {
    const troupe = await built.open()
    const input = z.number().transform((number) => () => number)
    const queue = troupe.queue('q', {
      tasks: { work: built.task<number>({ module: fixture('echo.mjs'), input, retries: 3 }) },
    })
    await troupe.start()
    const record = await settled(queue, (await queue.add('work', 1)).id)
    expect(record).toMatchObject({ state: 'failed', attempt: 1, error: { name: 'SandboxError' } })
    expect(record.error?.message).toMatch(/^the input cannot be sent to a thread: .*could not be c/)
    expect(built.started()).toBe(1)
  })

  test('is inside of the middleware', async () => {
    const seen: unknown[] = []
    const queue = await queueOf('double.mjs', {
      middleware: [async (job, next) => {
        seen.push(job.input, await next())
        return 'another result'
      }],
    })
    expect(await (await queue.add('work', 21)).result()).toBe('another result')
    expect(seen).toEqual([21, { doubled: 42, threadId: expect.any(Number) }])
  })

  test('may be CommonJS that was compiled from an ES module', async () => {
    const queue = await queueOf('compiled.cjs')
    expect(await (await queue.add('work', 1)).result()).toBe('CommonJS: 1')
  })
})

describe('reports', () => {
  test('come out of a loop that never awaits, while it runs', async () => {
    const queue = await queueOf('spin.mjs')
    const job = await queue.add('work', null, { cancelGrace: 0 })
    await reported(job)
    await job.cancel()
    const record = await settled(queue, job.id)
    expect(record).toMatchObject({ state: 'cancelled', progress: { percent: 1 } })
    expect(record.log?.lines.map(({ text }) => text)).toEqual(['before the loop'])
  })

  test('in thousands keep the latest progress and the newest lines', async () => {
    const queue = await queueOf('report.mjs')
    const record = await settled(queue, (await queue.add('work', 20_000)).id)
    expect(record.progress).toMatchObject({ current: 20_000, message: 'step 20000' })
    expect(record.log?.lines).toHaveLength(200)
    expect(record.log?.lines.at(-1)?.text).toBe('line 20000')
  })
})

describe('the signal in the thread', () => {
  test('aborts on cancel, with a TroupeError as its reason', async () => {
    const queue = await queueOf('listens.mjs')
    const job = await queue.add('work')
    const heard = heardBy(job.id)
    await reported(job)
    expect(await job.cancel('not needed')).toBe('cancelling')
    expect(await heard).toEqual({
      code: 'job-cancelled', details: { id: job.id, reason: 'not needed' },
    })
    expect(await settled(queue, job.id)).toMatchObject({
      state: 'cancelled', reason: 'not needed', error: { code: 'job-cancelled' },
    })
  })

  test('has aborted when the job is cancelled while its thread starts', async () => {
    const queue = await queueOf('listens.mjs', {
      middleware: [async (job, next) => {
        const end = next()
        await queue.cancel(job.id)
        return end
      }],
    })
    const job = await queue.add('work')
    const record = await settled(queue, job.id)
    expect(record).toMatchObject({ state: 'cancelled', error: { code: 'job-cancelled' } })
  })

  test('aborts on timeout', async () => {
    const { env, fire } = handTimed()
    const queue = await queueOf('listens.mjs', { env })
    const job = await queue.add('work', null, { timeout: 555_000 })
    const heard = heardBy(job.id)
    await reported(job)
    fire(555_000)
    expect(await heard).toMatchObject({ code: 'job-timeout', details: { timeoutMs: 555_000 } })
    expect(await settled(queue, job.id)).toMatchObject({ state: 'failed', reason: 'timeout' })
  })

  test('aborts when the lease is lost, and there is time to hear of it', async () => {
    const queue = await queueOf('listens.mjs')
    const job = await queue.add('work')
    const heard = heardBy(job.id)
    await reported(job)
    await queue.obliterate({ force: true })
    expect(await heard).toMatchObject({ code: 'lease-lost' })
  })

  test('aborts when the process stops; the job is given back', async () => {
    const { memoryStore } = await import('troupe')
    const store = memoryStore()
    const troupe = await built.open({ store })
    const work = built.task({ module: fixture('listens.mjs') })
    const queue = troupe.queue('q', { tasks: { work } })
    await troupe.start()
    const job = await queue.add('work')
    const heard = heardBy(job.id)
    await reported(job)
    await troupe.stop({ grace: 0 })
    expect(await heard).toMatchObject({ code: 'stopping' })
    const other = await built.open({ store })
    expect(await other.queue('q').get(job.id)).toMatchObject({ state: 'queued', attempt: 0 })
  })

  test('is seen by throwIfCancelled in a loop that never awaits', async () => {
    const queue = await queueOf('look.mjs')
    const job = await queue.add('work')
    await reported(job)
    await job.cancel()
    expect(await settled(queue, job.id)).toMatchObject({
      state: 'cancelled', error: { code: 'job-cancelled' },
    })
  })
})

describe('a result', () => {
  test('of a megabyte comes back as it was', async () => {
    const queue = await queueOf('values.mjs')
    const result = await (await queue.add('work', 'large')).result()
    expect(result).toEqual({ text: 'ä'.repeat(500 * 1024), list: [1, null, { deep: true }] })
  })

  test('of nothing is null', async () => {
    const queue = await queueOf('values.mjs')
    expect(await (await queue.add('work', 'nothing')).result()).toBeNull()
  })

  test('over the limit, or that is not JSON, fails the job as in the process itself', async () => {
    const queue = await queueOf('values.mjs', { retries: 2 })
    for (const [value, code, message] of [
      ['tooLarge', 'too-large', /^result is larger than the limit of 1048576 bytes/],
      ['date', 'invalid-input', /^result.when: a Date cannot be stored as JSON/],
      ['fn', 'invalid-input', /^result.call: a function cannot be stored as JSON/],
      ['point', 'invalid-input', /^result\[0\]: a Point cannot be stored as JSON/],
      ['cycle', 'invalid-input', /^result.self: the value contains itself/],
      ['bigint', 'invalid-input', /^result: 1n cannot be stored as JSON/],
      ['symbol', 'invalid-input', /^result: Symbol\(no\) cannot be stored as JSON/],
    ] as const) {
      const record = await settled(queue, (await queue.add('work', value)).id)
      expect(record).toMatchObject({
        state: 'failed', reason: 'error', attempt: 1, error: { name: 'TroupeError', code },
      })
      expect(record.error?.message).toMatch(message)
    }
    expect(built.started()).toBe(1)
  })
})

describe('an error in the thread', () => {
  test('arrives with name, message, stack, code and causes', async () => {
    const queue = await queueOf('throws.mjs', { retries: 1 })
    const record = await settled(queue, (await queue.add('work', 'error')).id)
    expect(record).toMatchObject({
      state: 'failed', attempt: 2,
      error: {
        name: 'BadCard', message: 'no money', code: 'card-refused',
        stack: expect.stringContaining('throws.mjs'),
        cause: {
          name: 'TypeError', message: 'the bank', stack: expect.stringContaining('throws.mjs'),
          cause: { name: 'NonError', message: '7' },
        },
      },
    })
  })

  test('that is unrecoverable fails the job at once', async () => {
    const queue = await queueOf('throws.mjs', { retries: 5 })
    const record = await settled(queue, (await queue.add('work', 'final')).id)
    expect(record).toMatchObject({
      state: 'failed', attempt: 1,
      error: { name: 'UnrecoverableError', message: 'never again' },
    })
  })

  test('may be any value, as in the process itself', async () => {
    const queue = await queueOf('throws.mjs')
    for (const [what, error] of [
      ['text', { name: 'NonError', message: 'only text' }],
      ['object', { name: 'NonError', message: '{"status":503}' }],
      ['callable', { name: 'NonError', message: '() => 1' }],
      ['report', { name: 'TroupeError', code: 'invalid-option' }],
    ] as const) {
      const record = await settled(queue, (await queue.add('work', what)).id)
      expect(record, what).toMatchObject({ state: 'failed', error })
    }
  })

  test('is an Error for the middleware and for a backoff of the task', async () => {
    const seen: unknown[] = []
    const troupe = await built.open()
    const work = built.task<string>({
      module: fixture('throws.mjs'), retries: 1,
      backoff: (_failures, error) => {
        seen.push(error)
        return 0
      },
    })
    const queue = troupe.queue('q', { tasks: { work } })
    await troupe.start()
    await settled(queue, (await queue.add('work', 'report')).id)
    expect(seen[0]).toMatchObject({
      code: 'invalid-option', details: { path: 'progress.current' },
    })
    expect(seen[0]).toBeInstanceOf(Error)
  })
})

test('job.snooze and job.limitReached leave the handler, and charge nothing', async () => {
  const queue = await queueOf('leaves.mjs')
  expect(await (await queue.add('work', 'snooze')).result()).toBe(2)
  expect(await (await queue.add('work', 'limit')).result()).toBe(1)
  expect(await queue.counts()).toMatchObject({ completed: 2, failed: 0 })
})
