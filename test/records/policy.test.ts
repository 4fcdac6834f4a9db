import { describe, expect, it } from 'vitest'
import { TroupeError } from '../../src/errors.ts'
import { builtInPolicy, parseBackoff, resolvePolicy } from '../../src/records/policy.ts'

describe('parseBackoff', () => {
  it.each<[unknown, unknown]>([
    [500, { type: 'fixed', delayMs: 500, jitter: 0 }],
    ['2s', { type: 'fixed', delayMs: 2_000, jitter: 0 }],
    [{ type: 'fixed', delay: '2s' }, { type: 'fixed', delayMs: 2_000, jitter: 0 }],
    [{ type: 'fixed', delay: 5, jitter: 1 }, { type: 'fixed', delayMs: 5, jitter: 1 }],
    [
      { type: 'exponential' },
      { type: 'exponential', delayMs: 1_000, maxMs: 300_000, jitter: 0.2 },
    ],
    [
      { type: 'exponential', delay: '2s', max: '1m', jitter: 0 },
      { type: 'exponential', delayMs: 2_000, maxMs: 60_000, jitter: 0 },
    ],
    [
      { type: 'exponential', delay: 7, max: 7 },
      { type: 'exponential', delayMs: 7, maxMs: 7, jitter: 0.2 },
    ],
  ])('%o becomes %o', (given, parsed) => {
    expect(parseBackoff(given, 'backoff')).toStrictEqual(parsed)
  })

  it('lifts the default cap to a delay that is longer', () => {
    const parsed = parseBackoff({ type: 'exponential', delay: '1h' }, 'backoff')
    expect(parsed).toMatchObject({ delayMs: 3_600_000, maxMs: 3_600_000 })
  })

  it.each<[unknown, string]>([
    [null, 'backoff'], [undefined, 'backoff'], [true, 'backoff'], [() => 5, 'backoff'],
    [-1, 'backoff'], ['5', 'backoff'],
    [{}, 'backoff.type'], [[], 'backoff.type'], [{ delay: 5 }, 'backoff.type'],
    [{ type: 'linear' }, 'backoff.type'], [{ type: 'custom' }, 'backoff.type'],
    [{ type: 'fixed' }, 'backoff.delay'], [{ type: 'fixed', delay: -1 }, 'backoff.delay'],
    [{ type: 'fixed', delay: 5, max: 9 }, 'backoff.max'],
    [{ type: 'fixed', delay: 5, delayMs: 9 }, 'backoff.delayMs'],
    [{ type: 'fixed', delay: 5, jitter: 1.01 }, 'backoff.jitter'],
    [{ type: 'fixed', delay: 5, jitter: -0.1 }, 'backoff.jitter'],
    [{ type: 'fixed', delay: 5, jitter: NaN }, 'backoff.jitter'],
    [{ type: 'exponential', delay: 'x' }, 'backoff.delay'],
    [{ type: 'exponential', max: 'x' }, 'backoff.max'],
    [{ type: 'exponential', delay: 10, max: 9 }, 'backoff.max'],
    [{ type: 'exponential', jitter: '0.2' }, 'backoff.jitter'],
    [{ type: 'exponential', factor: 3 }, 'backoff.factor'],
  ])('refuses %o', (given, path) => {
    try {
      parseBackoff(given, 'backoff')
      expect.unreachable()
    } catch (error) {
      if (!(error instanceof TroupeError) || error.code !== 'invalid-option') throw error
      expect(error.details.path).toBe(path)
    }
  })
})

describe('resolvePolicy', () => {
  it('has the built-in values of the documentation', () => {
    expect(builtInPolicy).toStrictEqual({
      retries: 0, timeoutMs: null, maxStalls: 1, cancelGraceMs: 30_000,
      backoff: { type: 'exponential', delayMs: 1_000, maxMs: 300_000, jitter: 0.2 },
    })
  })

  it('lets the nearer one win, field by field', () => {
    const queue = resolvePolicy({ retries: 1, maxStalls: 4 }, builtInPolicy)
    const task = resolvePolicy({ retries: 2, timeoutMs: 50 }, queue)
    expect(resolvePolicy({ retries: 0 }, task))
      .toStrictEqual({ ...builtInPolicy, retries: 0, timeoutMs: 50, maxStalls: 4 })
    expect(builtInPolicy.retries).toBe(0)
  })

  it('shares the base when nothing is set, and gives what nobody can change', () => {
    expect(resolvePolicy({}, builtInPolicy)).toBe(builtInPolicy)
    expect(Object.isFrozen(builtInPolicy)).toBe(true)
    expect(Object.isFrozen(resolvePolicy({ retries: 1 }, builtInPolicy))).toBe(true)
  })
})
