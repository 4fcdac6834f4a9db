import { type } from 'arktype'
import { task } from 'troupe'
import type { Job, Queue, StandardSchemaV1, TasksOf } from 'troupe'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { eventsOf, hold, recordOf, refusal, thrown, useStage } from '../support/stage.ts'

const stage = useStage()

/** What comes in as text and lists, and goes to the handler as numbers, dates and defaults. */
const schemas = {
  zod: z.object({
    file: z.string().min(1), at: z.iso.datetime().pipe(z.coerce.date()),
    sizes: z.array(z.object({ width: z.coerce.number<string>() })), copies: z.number().default(1),
  }),
  valibot: v.object({
    file: v.pipe(v.string(), v.minLength(1)),
    at: v.pipe(v.string(), v.isoTimestamp(), v.transform((text) => new Date(text))),
    sizes: v.array(v.object({ width: v.pipe(v.string(), v.digits(), v.transform(Number)) })),
    copies: v.optional(v.number(), 1),
  }),
  arktype: type({
    file: 'string > 0', at: 'string.date.iso.parse',
    sizes: type({ width: 'string.numeric.parse' }).array(), copies: 'number = 1',
  }),
}

interface Given { file: string; at: string; sizes: { width: string }[]; copies?: number }
const given: Given = { file: 'a.jpg', at: '2026-01-01T00:00:00.000Z', sizes: [{ width: '800' }] }

/** A started queue `q` with one task `work`, and what its handler was given. */
async function open(schema: StandardSchemaV1, start = true) {
  const seen: unknown[] = []
  const troupe = await stage.open()
  const queue = troupe.queue('q', {
    concurrency: 1,
    tasks: {
      work: task({ input: schema, handler: (job) => { seen.push(job.input) } }),
    },
  })
  if (start) await troupe.start()
  const add = (input?: unknown, options = {}) => queue.add('work', input, options)
  return { queue, add, seen, troupe }
}

describe.each<[string, StandardSchemaV1]>(Object.entries(schemas))('%s', (name, schema) => {
  test('the handler gets the output; the store keeps what was given', async () => {
    const { queue, add, seen } = await open(schema)
    const job = await add(given)
    await stage.drive(job.result())
    expect(seen).toEqual([{
      file: 'a.jpg', at: new Date('2026-01-01T00:00:00Z'), sizes: [{ width: 800 }], copies: 1,
    }])
    expect((await recordOf(queue, job.id)).input).toEqual(given)
  })

  test.each([
    ['input', undefined], ['input', null], ['input', []], ['input.file', { ...given, file: 7 }],
    ['input.file', { ...given, file: '' }], ['input.at', { ...given, at: 'tomorrow' }],
    ['input.sizes[1].width', { ...given, sizes: [{ width: '1' }, { width: 'wide' }] }],
    ['input.copies', { ...given, copies: null }],
  ])('a fault at %s is refused at the door: %j', async (path, input) => {
    const { queue, add } = await open(schema)
    const error = await refusal(add(input))
    expect(error.code).toBe('invalid-input')
    // An empty list is no object for one, and an object without properties for another.
    if (Array.isArray(input)) expect(error.message).toMatch(/^input/)
    else expect([name, error.details]).toEqual([name, { path, problem: expect.any(String) }])
    expect(error.message.startsWith(path)).toBe(true)
    expect((await queue.counts()).queued).toBe(0)
  })
})

test('addMany refuses all for one, and says which; so does a flow', async () => {
  const { queue, troupe } = await open(z.object({ n: z.number() }))
  const bad = { task: 'work' as const, input: { n: 'seven' } }
  const error = await refusal(queue.addMany([{ task: 'work', input: { n: 1 } }, bad]))
  expect(error).toMatchObject({ code: 'invalid-input', details: { path: 'jobs[1].input.n' } })
  const specs = { good: queue.spec('work', { n: 1 }), bad: queue.spec('work', bad.input) }
  const flow = troupe.flow(specs)
  expect((await refusal(flow)).code).toBe('invalid-input')
  expect((await queue.counts()).queued).toBe(0)
})

test('each attempt parses anew, and cannot spoil the input of the next', async () => {
  let parses = 0
  const inputs: unknown[] = []
  const schema = z.object({ list: z.array(z.number()) }).transform((value) => {
    parses += 1
    return { ...value, parses }
  })
  const troupe = await stage.open()
  const queue = troupe.queue('q', {
    tasks: {
      work: task({
        input: schema, retries: 1,
        handler: (job) => {
          inputs.push(structuredClone(job.input))
          job.input.list.push(99)
          if (job.attempt === 1) throw new Error('again')
        },
      }),
    },
  })
  await troupe.start()
  const job = await queue.add('work', { list: [1] })
  await stage.drive(job.result())
  // Once at the door.
  expect(inputs).toEqual([{ list: [1], parses: 2 }, { list: [1], parses: 3 }])
  expect((await recordOf(queue, job.id)).input).toEqual({ list: [1] })
})

test('what is no JSON is refused, whatever the schema says to it', async () => {
  const { add } = await open(z.any())
  expect(await refusal(add({ at: new Date() }))).toMatchObject({
    code: 'invalid-input', details: { path: 'input.at' },
  })
})

describe('a stored input that does not fit any more', () => {
  test('fails its attempt as invalid-input, without a retry and without the handler', async () => {
    const before = await open(z.object({ file: z.string() }), false)
    const job = await before.queue.add('work', { file: 'a' }, { id: 'j', retries: 5 })
    const after = await open(z.object({ file: z.string(), width: z.number() }))
    expect(await stage.drive(refusal(job.result()))).toMatchObject({
      code: 'job-failed', details: { reason: 'invalid-input' },
    })
    const record = await recordOf(after.queue, 'j')
    expect(record).toMatchObject({ state: 'failed', reason: 'invalid-input', attempt: 1 })
    expect(record.error).toMatchObject({ name: 'TroupeError', code: 'invalid-input' })
    expect(record.error?.message).toMatch(/^input\.width: /)
    expect(eventsOf(record)).toEqual(['add', 'claim', 'fail'])
    expect(after.seen).toEqual([])
    // The queue lives, and a schema that takes it again gives the job a new life.
    await stage.drive((await after.add({ file: 'b', width: 1 })).result())
    expect(after.seen).toEqual([{ file: 'b', width: 1 }])
  })

  test('of a producer that does not know the schema is refused by the worker', async () => {
    const producer = (await stage.open()).queue<{ work: (job: Job<{ n: string }>) => null }>('q')
    const bad = await producer.add('work', { n: 'seven' })
    const good = await producer.add('work', { n: '7' })
    const { seen, queue } = await open(z.object({ n: z.string().regex(/^\d+$/).transform(Number) }))
    await stage.drive(good.result())
    expect(seen).toEqual([{ n: 7 }])
    expect(await recordOf(queue, bad.id)).toMatchObject({
      state: 'failed', reason: 'invalid-input', input: { n: 'seven' },
    })
  })

  test('a schema that throws fails the attempt, and not the queue', async () => {
    const broken = z.string().transform((text): string => { throw new Error(`broken by ${text}`) })
    const producer = (await stage.open()).queue<{ work: (job: Job<string>) => null }>('q')
    const job = await producer.add('work', 'x')
    const { add, queue } = await open(broken)
    await stage.drive(refusal(job.result()))
    expect(await recordOf(queue, job.id)).toMatchObject({
      state: 'failed', reason: 'invalid-input', error: { message: 'broken by x' },
    })
    await expect(add('y')).rejects.toThrow('broken by y')
  })
})

describe('an async schema', () => {
  const known = new Set(['a'])
  const lookUp = async (id: string): Promise<boolean> => Promise.resolve(known.has(id))

  test.each<[string, StandardSchemaV1<string, string>]>([
    ['zod', z.string().refine(lookUp, 'nobody knows it')],
    ['valibot', v.pipeAsync(v.string(), v.checkAsync(lookUp, 'nobody knows it'))],
  ])('of %s is waited for at the door and at the attempt', async (_name, schema) => {
    known.add('a')
    const { queue, add, seen } = await open(schema)
    expect((await refusal(add('b'))).message).toBe('input: nobody knows it')
    await stage.drive((await add('a')).result())
    expect(seen).toEqual(['a'])
    await queue.pause()
    const job = await add('a', { retries: 3 })
    known.delete('a')
    await queue.resume()
    expect(await stage.drive(refusal(job.result()))).toMatchObject({
      details: { reason: 'invalid-input' },
    })
  })

  test('that takes its time is under the timeout of the attempt, and holds its slot', async () => {
    const gate = hold<boolean>()
    let slow = false
    const { queue, add, seen } = await open(z.string().refine(() => (slow ? gate.promise : true)))
    await queue.pause()
    await add('x', { id: 'late', timeout: '5s', cancelGrace: '1s' })
    await add('x', { id: 'next' })
    slow = true
    await queue.resume()
    await stage.env.advance(6000)
    expect(await recordOf(queue, 'late')).toMatchObject({ state: 'failed', reason: 'timeout' })
    // The slot is taken until the schema has answered.
    expect((await recordOf(queue, 'next')).state).toBe('queued')
    gate.release(true)
    await stage.drive(queue.idle())
    expect((await recordOf(queue, 'next')).state).toBe('completed')
    expect(seen).toEqual(['x'])
  })
})

describe('an input that is left out', () => {
  test.each<[string, StandardSchemaV1, unknown]>([
    ['zod, optional', z.object({ n: z.number() }).optional(), undefined],
    ['zod, default', z.object({ n: z.number() }).default({ n: 5 }), { n: 5 }],
    ['zod, nullish', z.string().nullish(), null],
    ['valibot, optional', v.optional(v.object({ n: v.number() })), undefined],
    ['valibot, default', v.optional(v.object({ n: v.number() }), { n: 5 }), { n: 5 }],
    ['arktype, optional', type({ n: 'number' }).or('undefined'), undefined],
  ])('%s', async (_name, schema, expected) => {
    const { queue, add, seen } = await open(schema)
    const job = await add()
    await stage.drive(job.result())
    expect(seen).toEqual([expected])
    expect((await recordOf(queue, job.id)).input).toBeNull()
  })

  test('is stored like null: a schema that takes null is asked with null first', async () => {
    const { add, seen } = await open(z.string().nullable().default('nothing'))
    await stage.drive((await add()).result())
    await stage.drive((await add(null)).result())
    expect(seen).toEqual([null, null])
  })

  test('is a fault where the schema takes neither', async () => {
    const producer = (await stage.open()).queue<{ work: () => null }>('q')
    const job = await producer.add('work')
    const { queue } = await open(z.string())
    await stage.drive(refusal(job.result()))
    expect((await recordOf(queue, job.id)).error?.message).toMatch(/^input: .*received null/)
  })
})

test('what is no schema is refused when the queue is declared', async () => {
  const troupe = await stage.open()
  const noSchema = { parse: String } as unknown as StandardSchemaV1
  const bad = task({ input: noSchema, handler: () => 1 })
  expect(thrown(() => troupe.queue('q', { tasks: { bad } })).message)
    .toContain('tasks.bad.input must be a Standard Schema')
  // A schema of arktype is a function.
  const queue = troupe.queue('q', {
    tasks: { good: task({ input: type('string'), handler: () => 1 }) },
  })
  expect(await refusal(queue.add('good', 7 as never))).toMatchObject({ code: 'invalid-input' })
  const typed: Queue<TasksOf<typeof queue>> = queue
  await typed.add('good', 'text')
})
