import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backoffLimitMs, backoffMs } from '../../machines/backoff.ts'
import type { Backoff } from '../../machines/vocabulary.ts'

const year = 365 * 24 * 60 * 60 * 1000
const failures = fc.integer({ min: 1, max: 10_000 })
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const jitter = fc.double({ min: 0, max: 1, noNaN: true })
const delayMs = fc.integer({ min: 0, max: 100 * year })
const fixed = fc.record({ type: fc.constant('fixed' as const), delayMs, jitter })
const exponential = fc.tuple(delayMs, delayMs, jitter).map(([one, other, spread]) => ({
  type: 'exponential' as const,
  delayMs: Math.min(one, other), maxMs: Math.max(one, other), jitter: spread,
}))
const any: fc.Arbitrary<Backoff> = fc.oneof(fixed, exponential, fc.constant({ type: 'custom' }))

const doubling = { type: 'exponential', delayMs: 1_000, maxMs: 300_000, jitter: 0 } as const

describe('backoff', () => {
  it('is a whole number from 0 to a year, whatever comes', () => {
    const computed = fc.option(fc.double({ noNaN: true }), { nil: null })
    fc.assert(fc.property(any, failures, random, computed, (backoff, count, chance, answer) => {
      const wait = backoffMs(backoff, count, chance, answer)
      expect(Number.isInteger(wait)).toBe(true)
      expect(wait).toBeGreaterThanOrEqual(0)
      expect(wait).toBeLessThanOrEqual(year)
    }), { numRuns: 1_000 })
    expect(backoffLimitMs).toBe(year)
  })

  it('stays sane for each of 10,000 failures', () => {
    for (const plain of [0, 1, 1_000]) {
      for (let count = 1; count <= 10_000; count += 1) {
        const wait = backoffMs({ ...doubling, delayMs: plain, jitter: 1 }, count, 0.75, null)
        if (!(wait >= 0 && wait <= 300_000)) expect.unreachable(`${wait} after ${count} failures`)
      }
    }
    expect(backoffMs({ ...doubling, delayMs: 0 }, 10_000, 0.5, null)).toBe(0)
    expect(backoffMs(doubling, 10_000, 0.5, null)).toBe(300_000)
  })

  it('fixed is the same after every failure', () => {
    const whole = fc.integer({ min: 0, max: year })
    fc.assert(fc.property(whole, failures, random, (ms, count, chance) => {
      expect(backoffMs({ type: 'fixed', delayMs: ms, jitter: 0 }, count, chance, null)).toBe(ms)
    }))
  })

  it('exponential doubles with each failure until the cap', () => {
    const counts = Array.from({ length: 11 }, (_, index) => index + 1)
    const waits = counts.map((count) => backoffMs(doubling, count, 0.5, null))
    expect(waits).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000,
    ])
  })

  it('never falls from one failure to the next, without jitter', () => {
    fc.assert(fc.property(exponential, failures, (backoff, count) => {
      const plain = { ...backoff, jitter: 0 }
      expect(backoffMs(plain, count + 1, 0.5, null))
        .toBeGreaterThanOrEqual(backoffMs(plain, count, 0.5, null))
    }))
  })

  it('the cap holds after the jitter', () => {
    fc.assert(fc.property(exponential, failures, random, (backoff, count, chance) => {
      expect(backoffMs(backoff, count, chance, null)).toBeLessThanOrEqual(backoff.maxMs)
    }), { numRuns: 1_000 })
    expect(backoffMs({ ...doubling, jitter: 1 }, 20, 0.999, null)).toBe(300_000)
  })

  it('jitter spreads around the plain wait by at most its fraction, and reaches both ends', () => {
    const small = fc.integer({ min: 0, max: 1_000_000 })
    fc.assert(fc.property(small, jitter, random, failures, (ms, spread, chance, count) => {
      const wait = backoffMs({ type: 'fixed', delayMs: ms, jitter: spread }, count, chance, null)
      expect(Math.abs(wait - ms)).toBeLessThanOrEqual(ms * spread + 0.5)
    }))
    const spread = { type: 'fixed', delayMs: 1_000, jitter: 0.2 } as const
    expect(backoffMs(spread, 1, 0, null)).toBe(800)
    expect(backoffMs(spread, 1, 0.5, null)).toBe(1_000)
    expect(backoffMs(spread, 1, 0.999_999, null)).toBe(1_200)
    expect(backoffMs({ ...doubling, jitter: 0.2 }, 3, 0, null)).toBe(3_200)
  })

  it('a computed wait passes through, whatever the type says', () => {
    fc.assert(fc.property(any, failures, random, fc.integer({ min: 0, max: year }),
      (backoff, count, chance, answer) => {
        expect(backoffMs(backoff, count, chance, answer)).toBe(answer)
      }))
    expect(backoffMs({ type: 'custom' }, 1, 0.5, 0)).toBe(0)
    expect(backoffMs({ type: 'custom' }, 1, 0.5, -5)).toBe(0)
    expect(backoffMs({ type: 'custom' }, 1, 0.5, 2 * year)).toBe(year)
  })

  it('a custom backoff without an answer waits not at all', () => {
    expect(backoffMs({ type: 'custom' }, 3, 0.9, null)).toBe(0)
  })
})
