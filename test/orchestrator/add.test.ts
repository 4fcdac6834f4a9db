import type { AddOptions, Job, Queue, Tasks } from 'troupe'
import { describe, expect, test } from 'vitest'
import { listQuery } from '../../src/testing/records.ts'
import { recordOf, refusal, useStage } from '../support/stage.ts'

const stage = useStage()

const tasks = { resize: (_job: Job) => null, crop: () => null }

async function open() {
  const troupe = await stage.open()
  return { troupe, images: troupe.queue('images', { tasks, maxBytes: 1000 }) }
}

async function expectNothingStored(): Promise<void> {
  const { entries } = await stage.store.readLog('images', 0, 10)
  expect(entries).toEqual([])
  const { records } = await stage.store.list(listQuery())
  expect(records).toEqual([])
}

/** As a caller without types would call it. */
function untyped(queue: unknown): Pick<Queue<Tasks>, 'addMany'> & {
  add(task: unknown, input?: unknown, options?: unknown): Promise<{ readonly id: string }>
} {
  return queue as ReturnType<typeof untyped>
}

class Point { readonly x = 1 }
const cycle: Record<string, unknown> = {}
cycle['self'] = { back: cycle }

const badInputs: readonly [string, unknown, string][] = [
  ['a function', { a: { b: () => 1 } }, 'input.a.b'],
  ['a function itself', () => 1, 'input'],
  ['a symbol', { s: Symbol('s') }, 'input.s'],
  ['a BigInt', { n: [1, 2n] }, 'input.n[1]'],
  ['NaN', { n: Number.NaN }, 'input.n'],
  ['Infinity', [Number.POSITIVE_INFINITY], 'input[0]'],
  ['a Date', { at: new Date(0) }, 'input.at'],
  ['a Map', { map: new Map() }, 'input.map'],
  ['a Set', { set: new Set() }, 'input.set'],
  ['a Buffer', { bytes: Buffer.from('a') }, 'input.bytes'],
  ['an object of a class', { point: new Point() }, 'input.point'],
  ['a cycle', cycle, 'input.self.back'],
  ['a NUL character', { text: 'a\0b' }, 'input.text'],
  ['a NUL character in a key', { 'a\0b': 1 }, 'input["a\\u0000b"]'],
  ['a lone surrogate', { 'odd key': ['\uD800'] }, 'input["odd key"][0]'],
  ['undefined in an array', { list: [1, undefined] }, 'input.list[1]'],
  ['a hole in an array', { list: [, 1] }, 'input.list[0]'],  
]

describe('an input that JSON cannot carry is refused, with the path, and nothing is stored', () => {
  test.each(badInputs)('%s', async (_name, input, path) => {
    const { images } = await open()
    const error = await refusal(untyped(images).add('resize', input))
    expect(error.code).toBe('invalid-input')
    expect(error.details).toMatchObject({ path })
    expect(error.message).toContain(path)
    await expectNothingStored()
  })

  test('over the limit of the queue', async () => {
    const { images } = await open()
    const error = await refusal(images.add('resize', { text: 'x'.repeat(1000) }))
    expect(error).toMatchObject({
      code: 'too-large', details: { path: 'input', limit: 1000, bytes: expect.any(Number) },
    })
    await expectNothingStored()
    // {"text":""} takes 11 bytes: this is the largest that fits.
    await images.add('resize', { text: 'x'.repeat(989) })
    await refusal(images.add('resize', { text: 'x'.repeat(990) }))
  })

  test('over the built-in limit of 1 MiB, in bytes and not characters', async () => {
    const troupe = await stage.open()
    const images = troupe.queue('images', { tasks })
    const euros = '€'.repeat(1024 * 512)
    expect(await refusal(images.add('resize', euros))).toMatchObject({ code: 'too-large' })
    await expectNothingStored()
  })

  test('undefined properties are dropped', async () => {
    const { images } = await open()
    const { id } = await images.add('resize', { a: 1, b: undefined })
    const { input } = await recordOf(images, id)
    expect(Object.keys(input as object)).toEqual(['a'])
  })

  test('the stored input is a copy', async () => {
    const { images } = await open()
    const input = { sizes: [1, 2] }
    const { id } = await images.add('resize', input)
    input.sizes.push(3)
    expect((await recordOf(images, id)).input).toEqual({ sizes: [1, 2] })
  })
})

const badOptions: readonly [string, unknown, string][] = [
  ['an unknown option', { retires: 3 }, 'options.retires'],
  ['a name of the prototype', { toString: 1 }, 'options.toString'],
  ['delay with runAt', { delay: 5, runAt: 5 }, 'options'],
  ['options that are no object', 'soon', 'options'],
  ['options in an array', [], 'options'],
  ['a duration without a unit', { delay: '10' }, 'options.delay'],
  ['a duration with an unknown unit', { timeout: '10 minutes' }, 'options.timeout'],
  ['a negative duration', { delay: -1 }, 'options.delay'],
  ['NaN as a duration', { ttl: Number.NaN }, 'options.ttl'],
  ['a timeout of nothing', { timeout: 0 }, 'options.timeout'],
  ['a ttl of nothing', { ttl: '0s' }, 'options.ttl'],
  ['an invalid Date', { runAt: new Date('never') }, 'options.runAt'],
  ['a broken number of retries', { retries: 1.5 }, 'options.retries'],
  ['negative retries', { retries: -1 }, 'options.retries'],
  ['a priority out of range', { priority: 1001 }, 'options.priority'],
  ['a priority as text', { priority: '5' }, 'options.priority'],
  ['an empty id', { id: '' }, 'options.id'],
  ['an id of 129 characters', { id: 'x'.repeat(129) }, 'options.id'],
  ['an id with a line break', { id: 'a\nb' }, 'options.id'],
  ['an unknown backoff', { backoff: { type: 'linear' } }, 'options.backoff.type'],
  ['a backoff function', { backoff: () => 1 }, 'options.backoff'],
  ['a jitter over 1', { backoff: { type: 'exponential', jitter: 2 } }, 'options.backoff.jitter'],
  ['meta that is no JSON', { meta: { at: new Date(0) } }, 'options.meta.at'],
  ['negative stalls', { maxStalls: -1 }, 'options.maxStalls'],
  ['a bad grace', { cancelGrace: 'long' }, 'options.cancelGrace'],
]

describe('a wrong option is refused, with the path, and nothing is stored', () => {
  test.each(badOptions)('%s', async (_name, options, path) => {
    const { images } = await open()
    const error = await refusal(untyped(images).add('resize', {}, options))
    expect(['invalid-option', 'invalid-input']).toContain(error.code)
    expect(error.details).toMatchObject({ path })
    await expectNothingStored()
  })

  test('meta over 16 KiB', async () => {
    const { images } = await open()
    const error = await refusal(images.add('resize', {}, { meta: 'x'.repeat(16 * 1024) }))
    expect(error).toMatchObject({ code: 'too-large', details: { path: 'options.meta' } })
    await expectNothingStored()
  })

  test('an unknown task, with the known ones', async () => {
    const { images } = await open()
    for (const name of ['rezise', 'toString', '__proto__']) {
      const error = await refusal(untyped(images).add(name))
      expect(error).toMatchObject({
        code: 'unknown-task', details: { queue: 'images', task: name, known: ['resize', 'crop'] },
      })
    }
    await expectNothingStored()
  })

  test('a task that is no text', async () => {
    const { images } = await open()
    expect(await refusal(untyped(images).add(7))).toMatchObject({
      code: 'invalid-option', details: { path: 'task' },
    })
    await expectNothingStored()
  })

  test('after stop', async () => {
    const { troupe, images } = await open()
    await troupe.stop()
    expect(await refusal(images.add('resize', {}))).toMatchObject({
      code: 'stopped', details: { operation: 'add' },
    })
    expect(await refusal(images.addMany([{ task: 'resize', input: 1 }]))).toMatchObject({
      code: 'stopped', details: { operation: 'addMany' },
    })
    await expectNothingStored()
  })

  test('options that are undefined say nothing', async () => {
    const { images } = await open()
    const options = { delay: undefined, runAt: 5, id: 'a' } as unknown as AddOptions
    await images.add('resize', {}, options)
    expect(await recordOf(images, 'a')).toMatchObject({ phase: 'ready', runAt: 5 })
  })
})

test('an id that is in use is named as the caller knows it', async () => {
  const { images } = await open()
  const troupe = await stage.open()
  await images.add('resize', { file: 'a.jpg' }, { id: 'mine' })
  const other = troupe.queue<{ work: () => void }>('other')
  expect((await refusal(other.add('work', undefined, { id: 'mine' }))).message)
    .toMatch(/^options: id "mine" belongs to/)
  expect((await refusal(troupe.flow({ a: other.spec('work', undefined, { id: 'mine' }) }))).message)
    .toMatch(/^jobs\.a: id "mine" belongs to/)
})
