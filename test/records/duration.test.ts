import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDuration } from '../../src/duration.ts'
import { TroupeError } from '../../src/errors.ts'

const century = 100 * 365 * 86_400_000

describe('parseDuration', () => {
  it.each([
    [0, 0], [250, 250], [1.2, 2], [century, century],
    ['0s', 0], ['250ms', 250], ['10s', 10_000], ['5m', 300_000], ['2h', 7_200_000],
    ['1.5h', 5_400_000], ['2d', 172_800_000], ['1w', 604_800_000], ['36500d', century],
    ['1.2ms', 2], ['4.03s', 4_030], ['16.01s', 16_010], ['0.0015s', 2],
  ])('%s is %d ms', (value, ms) => {
    expect(parseDuration(value, 'delay')).toBe(ms)
  })

  it.each([
    -1, NaN, Infinity, -Infinity, century + 1, '', '10', 's', '10 s', ' 10s', '10s ', '-1s', '+1s',
    '1e3s', '.5s', '1.s', '10S', '10sec', '1h30m', '36501d', '99999999999999999999999w', null,
    undefined, true, 10n, [], {}, new Date(0), ['1s'], Object('1s'), Symbol('s'),
  ].map((value) => [value]))('%s is refused', (value) => {
    try {
      parseDuration(value, 'options.delay')
      expect.unreachable()
    } catch (error) {
      if (!(error instanceof TroupeError) || error.code !== 'invalid-option') throw error
      expect(error.details.path).toBe('options.delay')
      expect(error.message).toMatch(/^options\.delay must be milliseconds/)
    }
  })

  it('reads two decimals of any unit exactly', () => {
    const units = [['s', 1_000], ['m', 60_000], ['h', 3_600_000], ['d', 86_400_000]] as const
    fc.assert(fc.property(
      fc.constantFrom(...units), fc.integer({ min: 0, max: 100_000 }), ([unit, ms], hundredths) => {
        const text = `${(hundredths / 100).toFixed(2)}${unit}`
        expect(parseDuration(text, 'x')).toBe(Math.ceil(hundredths * ms / 100))
      },
    ), { numRuns: 1_000 })
  })

  it('never gives a fraction, and never less than what was asked', () => {
    fc.assert(fc.property(fc.double({ min: 0, max: century, noNaN: true }), (ms) => {
      const parsed = parseDuration(ms, 'x')
      expect(Number.isInteger(parsed)).toBe(true)
      expect(parsed >= ms && parsed - 1 < ms).toBe(true)
    }))
  })
})
