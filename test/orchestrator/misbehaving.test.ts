import type { Job, JobRecord } from 'troupe'
import { describe, expect, test } from 'vitest'
import { hold, recordOf, useStage } from '../support/stage.ts'

const stage = useStage()

/**
 * Runs one bad job between good ones, with one slot, and gives its record when all is quiet. The
 * good ones must come to their results whatever the bad one does.
 */
async function runAmongOthers(
  bad: (job: Job) => unknown, options: { retries?: number; maxBytes?: number } = {},
): Promise<JobRecord> {
  const { retries = 2, maxBytes = 1000 } = options
  const troupe = await stage.open()
  const queue = troupe.queue('q', {
    concurrency: 1, maxBytes, tasks: { bad, good: async (job: Job<number>) => job.input },
  })
  await troupe.start()
  const before = await queue.add('good', 1)
  const { id } = await queue.add('bad', { list: [1] }, { retries, backoff: 0 })
  const after = await queue.add('good', 2)
  expect(await stage.drive(Promise.all([before.result(), after.result()]))).toEqual([1, 2])
  await stage.env.advance(5000)
  await stage.drive(queue.idle())
  expect(await queue.counts()).toMatchObject({ completed: expect.any(Number), running: 0 })
  return recordOf(queue, id)
}

describe('a handler that throws what is no error', () => {
  test.each([
    ['text', 'just text', 'just text'],
    ['a number', 42, '42'],
    ['null', null, 'null'],
    ['undefined', undefined, 'undefined'],
    ['an object', { status: 500 }, '{"status":500}'],
    ['an object without a prototype', Object.create(null), '{}'],
    ['a symbol', Symbol('odd'), 'Symbol(odd)'],
  ])('%s', async (_name, value: unknown, message) => {
    const record = await runAmongOthers(() => { throw value }, { retries: 1 })
    expect(record).toMatchObject({
      state: 'failed', reason: 'error', attempt: 2, error: { name: 'NonError', message },
    })
  })

  test('an object that cannot be read', async () => {
    const hostile = new Proxy({}, { get: () => { throw new Error('no') } })
    expect(await runAmongOthers(async () => { throw hostile })).toMatchObject({
      state: 'failed', error: { name: 'NonError', message: 'the thrown value cannot be read' },
    })
  })
})

test('a handler that throws synchronously fails like any other', async () => {
  const record = await runAmongOthers(() => { throw new RangeError('at once') })
  expect(record).toMatchObject({
    state: 'failed', attempt: 3, error: { name: 'RangeError', message: 'at once' },
  })
  expect(record.error?.stack).toContain('at once')
})

test('causes, codes and long messages are kept, cut and marked', async () => {
  const { error } = await runAmongOthers(() => {
    const cause = Object.assign(new Error('disk full'), { code: 'ENOSPC' })
    throw new Error('x'.repeat(100_000), { cause })
  }, { retries: 0 })
  expect(error).toMatchObject({
    truncated: true, cause: { message: 'disk full', code: 'ENOSPC' },
  })
  expect(error?.message).toHaveLength(64 * 1024)
})

test('a handler that never returns holds its own slot, and nobody else\'s', async () => {
  const troupe = await stage.open()
  const queue = troupe.queue('q', {
    concurrency: 2,
    tasks: { hang: () => new Promise<never>(() => undefined), good: () => 'ok' },
  })
  await troupe.start()
  const hung = await queue.add('hang')
  const others = await queue.addMany(Array.from({ length: 5 }, () => ({ task: 'good' as const })))
  const results = await stage.drive(Promise.all(others.map((job) => job.result())))
  expect(results).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
  await stage.env.advance(3_600_000)
  expect(await recordOf(queue, hung.id)).toMatchObject({ state: 'running', stalls: 0, attempt: 1 })
})

describe('a result that cannot be stored fails that job alone, without a retry', () => {
  test.each([
    ['a function', () => () => 1, 'result'],
    ['a BigInt inside', async () => ({ sizes: [1n] }), 'result.sizes[0]'],
    ['a Date', async () => new Date(0), 'result'],
    ['NaN', () => Number.NaN, 'result'],
    ['undefined in an array', async () => [undefined], 'result[0]'],
    ['a NUL character', () => 'a\0', 'result'],
    ['a getter that throws', () => ({ get x(): number { throw new Error('bad getter') } }), 'bad'],
  ])('%s', async (_name, bad: () => unknown, text) => {
    const record = await runAmongOthers(bad)
    expect(record).toMatchObject({
      state: 'failed', reason: 'error', attempt: 1, result: null,
      error: { message: expect.stringContaining(text) },
    })
  })

  test('one over the limit', async () => {
    expect(await runAmongOthers(async () => 'x'.repeat(999))).toMatchObject({
      state: 'failed', attempt: 1, error: { code: 'too-large' },
    })
  })

  test('a cycle', async () => {
    const loop: unknown[] = []
    loop.push(loop)
    expect(await runAmongOthers(async () => loop)).toMatchObject({
      state: 'failed', attempt: 1, error: { code: 'invalid-input' },
    })
  })
})

describe('a thenable that is no promise', () => {
  test('answers once, however often it says so', async () => {
    const record = await runAmongOthers(() => ({
      then(resolve: (value: string) => void, reject: (error: Error) => void) {
        resolve('first')
        resolve('second')
        reject(new Error('third'))
        throw new Error('fourth')
      },
    }))
    expect(record).toMatchObject({ state: 'completed', result: 'first', attempt: 1 })
  })

  test('does not free a slot twice', async () => {
    let running = 0
    let most = 0
    const gate = hold()
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      concurrency: 1,
      tasks: {
        twice: () => ({ then: (resolve: (value: number) => void) => { resolve(1); resolve(2) } }),
        count: async () => {
          running += 1
          most = Math.max(most, running)
          await gate.promise
          running -= 1
        },
      },
    })
    await troupe.start()
    for (let n = 0; n < 3; n += 1) await queue.add('twice')
    for (let n = 0; n < 3; n += 1) await queue.add('count')
    await stage.env.settle()
    gate.release()
    await stage.drive(queue.idle())
    expect(most).toBe(1)
  })
})

test('a handler may change its input; the stored one stays, for each attempt', async () => {
  const seen: unknown[] = []
  const record = await runAmongOthers((job) => {
    const input = job.input as { list: number[] }
    seen.push([...input.list])
    input.list.push(2)
    throw new Error('again')
  })
  expect(seen).toEqual([[1], [1], [1]])
  expect(record).toMatchObject({ input: { list: [1] }, attempt: 3 })
})
