import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JobError } from '../../machines/vocabulary.ts'
import { TroupeError, UnrecoverableError } from '../../src/errors.ts'
import { toJobError } from '../../src/records/job-error.ts'

const limit = 64 * 1024
const unreadable = { name: 'NonError', message: 'the thrown value cannot be read' }

function causes(error: JobError): readonly JobError[] {
  return error.cause ? [error, ...causes(error.cause)] : [error]
}

describe('an error', () => {
  it('keeps name, message, code, stack and cause', () => {
    const cause = Object.assign(new TypeError('disk'), { code: 'ENOSPC' })
    const thrown = new Error('cannot save', { cause })
    expect(toJobError(thrown)).toStrictEqual({
      name: 'Error', message: 'cannot save', stack: thrown.stack,
      cause: { name: 'TypeError', message: 'disk', code: 'ENOSPC', stack: cause.stack },
    })
  })

  it('keeps the name of a class, and a code that is a number as text', () => {
    class HttpError extends Error {
      override readonly name = 'HttpError'
      readonly code = 503
    }
    expect(toJobError(new HttpError('down'))).toMatchObject({ name: 'HttpError', code: '503' })
    expect(toJobError(new UnrecoverableError('no'))).toMatchObject({ name: 'UnrecoverableError' })
    expect(toJobError(new TroupeError('job-removed', 'gone', { id: 'x' })))
      .toMatchObject({ name: 'TroupeError', code: 'job-removed', message: 'gone' })
  })

  it('leaves out what is not there or makes no sense', () => {
    const thrown = Object.assign(new Error('x'), { code: { a: 1 }, stack: undefined })
    expect(toJobError(thrown)).toStrictEqual({ name: 'Error', message: 'x' })
  })

  it('may come from another realm or only look like one', () => {
    expect(toJobError(runInNewContext('new RangeError("far")')))
      .toMatchObject({ name: 'RangeError', message: 'far' })
    expect(toJobError({ name: 'DOMException', message: 'aborted', code: 20 }))
      .toStrictEqual({ name: 'DOMException', message: 'aborted', code: '20' })
  })

  it('has causes that are no errors', () => {
    expect(toJobError(new Error('x', { cause: 'why' })).cause)
      .toStrictEqual({ name: 'NonError', message: 'why' })
    expect(toJobError(new Error('x', { cause: null })).cause)
      .toStrictEqual({ name: 'NonError', message: 'null' })
  })
})

describe('what is no error', () => {
  it.each<[unknown, string]>([
    ['text', 'text'], ['', ''], [42, '42'], [NaN, 'NaN'], [10n, '10'], [true, 'true'],
    [null, 'null'], [undefined, 'undefined'], [Symbol('s'), 'Symbol(s)'],
    [{ status: 500 }, '{"status":500}'], [[1, 'a'], '[1,"a"]'],
    [{ toJSON: () => undefined }, 'an object'], [{ message: 'no name' }, '{"message":"no name"}'],
  ])('%o becomes text', (thrown, message) => {
    expect(toJobError(thrown)).toStrictEqual({ name: 'NonError', message })
  })

  it('may be a function', () => {
    expect(toJobError(() => 1)).toStrictEqual({ name: 'NonError', message: '() => 1' })
  })
})

describe('a hostile value', () => {
  const throws = (): never => { throw new Error('gotcha') }
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic

  it.each<[string, unknown]>([
    ['a getter for message', Object.defineProperty(new Error('x'), 'message', { get: throws })],
    ['a getter for name', Object.defineProperty({}, 'name', { get: throws })],
    ['a getter for stack', Object.defineProperty(new Error('x'), 'stack', { get: throws })],
    ['a toJSON that throws', { toJSON: throws }],
    ['a message that is no text', Object.assign(new Error('x'), { message: Object.create(null) })],
    ['a cycle', cyclic],
    ['a BigInt inside', { a: 1n }],
    ['a proxy that throws', new Proxy({}, { get: throws, has: throws, getPrototypeOf: throws })],
    ['a revoked proxy', (() => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      return proxy
    })()],
  ])('with %s is kept as unreadable', (_name, thrown) => {
    expect(toJobError(thrown)).toStrictEqual(unreadable)
  })

  it('as a cause spoils its own place only', () => {
    const cause = Object.defineProperty(new Error('x'), 'message', { get: throws })
    expect(toJobError(new Error('outer', { cause })))
      .toMatchObject({ name: 'Error', message: 'outer', cause: unreadable })
  })

  it('never gets through: the answer is always JSON without NUL and without half pairs', () => {
    const text = fc.string({ unit: 'binary' })
    const odd = fc.oneof(fc.anything(), text, fc.record({ name: text, message: text, stack: text }),
      fc.constantFrom('\0', '\ud800', new Error('\0\udfff')))
    fc.assert(fc.property(odd, (thrown) => {
      const error = toJobError(thrown)
      const json = JSON.stringify(error)
      expect(JSON.parse(json)).toStrictEqual(error)
      expect(json).not.toMatch(/\\u0000|\\ud[89a-f]/)
    }), { numRuns: 300 })
  })
})

describe('cuts', () => {
  it('long texts, and says so', () => {
    const thrown = Object.assign(new Error('m'.repeat(limit + 1)), {
      stack: 's'.repeat(limit + 1), name: 'n'.repeat(limit + 1), code: 'c'.repeat(limit + 1),
    })
    const error = toJobError(thrown)
    expect(error.truncated).toBe(true)
    for (const text of [error.message, error.stack, error.name, error.code]) {
      expect(text).toHaveLength(limit)
    }
    expect(toJobError('x'.repeat(limit + 1))).toMatchObject({ truncated: true })
  })

  it('not what just fits', () => {
    const thrown = Object.assign(new Error('m'.repeat(limit)), { stack: 's'.repeat(limit) })
    const error = toJobError(thrown)
    expect(error).not.toHaveProperty('truncated')
    expect(error.message).toHaveLength(limit)
  })

  it('no character in half', () => {
    const { message } = toJobError(`${'x'.repeat(limit - 1)}😀`)
    expect(message).toBe(`${'x'.repeat(limit - 1)}\uFFFD`)
  })

  it('marks only the place that was cut', () => {
    const error = toJobError(new Error('outer', { cause: 'x'.repeat(limit + 1) }))
    expect(error).not.toHaveProperty('truncated')
    expect(error.cause).toMatchObject({ truncated: true })
  })

  it('long chains of causes, and endless ones, after eight, and says so', () => {
    const chain = (length: number): Error => {
      let thrown = new Error('0')
      for (let index = 1; index < length; index += 1) {
        thrown = new Error(`${index}`, { cause: thrown })
      }
      return thrown
    }
    const nine = causes(toJobError(chain(9)))
    expect(nine).toHaveLength(9)
    expect(nine.filter(({ truncated }) => truncated)).toEqual([])
    const own = new Error('own')
    own.cause = own
    for (const thrown of [chain(10), own]) {
      const kept = causes(toJobError(thrown))
      expect(kept).toHaveLength(9)
      expect(kept.findIndex(({ truncated }) => truncated)).toBe(8)
    }
  })
})
