import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TroupeError } from '../../src/errors.ts'
import { toProgress } from '../../src/records/progress.ts'

function faultOf(input: unknown): TroupeError {
  try {
    toProgress(input)
  } catch (error) {
    if (error instanceof TroupeError) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('toProgress', () => {
  it('completes what a handler gives', () => {
    expect(toProgress({ current: 1, total: 3, message: 'Loading' }))
      .toStrictEqual({ current: 1, total: 3, message: 'Loading', percent: 33.3 })
    expect(toProgress({ current: 7 }))
      .toStrictEqual({ current: 7, total: null, message: null, percent: null })
    expect(toProgress({ current: 0, total: 8, message: '' }))
      .toStrictEqual({ current: 0, total: 8, message: '', percent: 0 })
  })

  it('takes a number as a percentage', () => {
    expect(toProgress(42)).toStrictEqual({ current: 42, total: 100, message: null, percent: 42 })
  })

  it('holds the percentage at 100, also of nothing', () => {
    expect(toProgress({ current: 9, total: 3 }).percent).toBe(100)
    expect(toProgress({ current: 0, total: 0 }).percent).toBe(100)
  })

  it('takes fields that are undefined as left out', () => {
    expect(toProgress({ current: 1, total: undefined, message: undefined }))
      .toStrictEqual({ current: 1, total: null, message: null, percent: null })
  })

  it('is frozen', () => {
    expect(Object.isFrozen(toProgress(1))).toBe(true)
  })

  it('has a percentage from 0 to 100 with at most one decimal', () => {
    const amount = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })
    fc.assert(fc.property(amount, amount, (current, total) => {
      const { percent } = toProgress({ current, total })
      if (percent === null) expect.unreachable()
      expect(percent >= 0 && percent <= 100).toBe(true)
      expect(Number(percent.toFixed(1))).toBe(percent)
    }))
  })

  it.each<[unknown, string]>([
    [null, 'progress'], [undefined, 'progress'], ['50%', 'progress'], [true, 'progress'],
    [10n, 'progress'], [() => 1, 'progress'],
    [NaN, 'progress.current'], [-1, 'progress.current'], [Infinity, 'progress.current'],
    [{}, 'progress.current'], [[], 'progress.current'], [{ current: '1' }, 'progress.current'],
    [{ current: -1 }, 'progress.current'], [{ total: 3 }, 'progress.current'],
    [{ current: 1, total: -1 }, 'progress.total'], [{ current: 1, total: NaN }, 'progress.total'],
    [{ current: 1, total: null }, 'progress.total'],
    [{ current: 1, message: 5 }, 'progress.message'],
    [{ current: 1, message: null }, 'progress.message'],
    [{ current: 1, message: 'x'.repeat(4_097) }, 'progress.message'],
    [{ current: 1, percent: 5 }, 'progress.percent'], [{ current: 1, totl: 3 }, 'progress.totl'],
    [[1], 'progress.0'],
  ])('refuses %o', (input, path) => {
    const error = faultOf(input)
    expect(error.code).toBe('invalid-option')
    expect(error.details).toMatchObject({ path })
  })

  it('refuses a message that no store could keep, and takes the longest and the oddest', () => {
    for (const message of ['a\0b', '\ud800']) {
      const error = faultOf({ current: 1, message })
      expect(error.code).toBe('invalid-input')
      expect(error.details).toMatchObject({ path: 'progress.message' })
    }
    for (const character of ['x', '€', '\u0001']) {
      const message = character.repeat(4_096)
      expect(toProgress({ current: 1, message }).message).toBe(message)
    }
  })
})
