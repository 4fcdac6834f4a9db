import { describe, expect, expectTypeOf, it } from 'vitest'
import { invalidOption, show, TroupeError, UnrecoverableError } from '../../src/errors.ts'

describe('TroupeError', () => {
  it('carries code, message, details and cause', () => {
    const cause = new Error('disk')
    const error = new TroupeError('store-failed', 'no', { operation: 'commit' }, { cause })
    expect(error).toBeInstanceOf(Error)
    expect(error).toBeInstanceOf(TroupeError)
    expect(error).toMatchObject({
      name: 'TroupeError', code: 'store-failed', message: 'no', details: { operation: 'commit' },
      cause,
    })
    expect(error.stack).toContain('errors.test.ts')
  })

  it('is known by its brand: two copies of the package agree', () => {
    const stranger = Object.assign(new Error('x'), { [Symbol.for('troupe.error')]: true })
    expect(stranger).toBeInstanceOf(TroupeError)
    const others = [new Error('x'), new UnrecoverableError('x'), {}, null, undefined, 'x', 5]
    for (const other of others) {
      expect(other instanceof TroupeError).toBe(false)
    }
    const lookalike = { name: 'TroupeError', code: 'timeout', message: 'x', details: {} }
    expect(lookalike instanceof TroupeError).toBe(false)
  })

  it('is narrowed by its code', () => {
    const error: unknown = new TroupeError('timeout', 'slow', { id: 'a', timeoutMs: 5 })
    if (!(error instanceof TroupeError)) return expect.unreachable()
    switch (error.code) {
      case 'timeout':
        expectTypeOf(error.details).toEqualTypeOf<
          { readonly id: string; readonly timeoutMs: number }
        >()
        expect(error.details.timeoutMs).toBe(5)
        break
      case 'job-failed':
        expectTypeOf(error.details.reason).toEqualTypeOf<string | null>()
        expect.unreachable()
        break
      default:
        expect.unreachable()
    }
  })

  it('takes only details that fit its code', () => {
    // @ts-expect-error -- `job-removed` carries an id
    expect(() => new TroupeError('job-removed', 'x', { wrong: 1 })).not.toThrow()
    // @ts-expect-error -- there is no such code
    expect(() => new TroupeError('no-such-code', 'x', {})).not.toThrow()
  })
})

describe('UnrecoverableError', () => {
  it('is an error of its own name that keeps a cause', () => {
    const error = new UnrecoverableError('no', { cause: 1 })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name: 'UnrecoverableError', message: 'no', cause: 1 })
  })
})

describe('invalidOption', () => {
  it('says where, what would be right, and what came', () => {
    const error = invalidOption('options.delay', 'a duration', '10 apples')
    expect(error.code).toBe('invalid-option')
    expect(error.message).toBe('options.delay must be a duration; received "10 apples"')
    expect(error.details)
      .toEqual({ path: 'options.delay', expected: 'a duration', received: '"10 apples"' })
  })
})

describe('show', () => {
  it.each<[unknown, string]>([
    ['a "b"', '"a \\"b\\""'], ['x'.repeat(99), `"${'x'.repeat(60)}"`], [5, '5'], [NaN, 'NaN'],
    [5n, '5n'], [null, 'null'], [undefined, 'undefined'], [true, 'true'],
    [Symbol('s'), 'Symbol(s)'],
    [() => 1, 'a function'], [[1], 'an array'], [{ a: 1 }, 'an object'], [new Date(0), 'a Date'],
    [new Map(), 'a Map'], [Object.create(null), 'an object'],
  ])('%o', (value, text) => {
    expect(show(value)).toBe(text)
  })
})
