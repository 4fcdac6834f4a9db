import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { invalidOption } from '../errors.ts'
import type { Backoff, Policy } from '../../machines/vocabulary.ts'

/**
 * Computes the wait before the next attempt: milliseconds or a duration.
 * `attempt` is the number of failures so far: 1 after the first.
 */
export type BackoffFunction = (attempt: number, error: Error) => Duration

/** Backoff as a user writes it. A bare duration is a fixed wait. */
export type BackoffOption =
  | Duration
  | { readonly type: 'fixed'; readonly delay: Duration; readonly jitter?: number }
  | {
      readonly type: 'exponential'
      /** The first wait; doubles with each failure. Default 1 s. */
      readonly delay?: Duration
      /** The cap. Default 5 min. */
      readonly max?: Duration
      /** Spreads each wait by up to this fraction, 0 to 1. Default 0.2. */
      readonly jitter?: number
    }

/** The part of a policy that somebody has set. */
export type PolicyOptions = Partial<Policy>

export const builtInPolicy: Policy = Object.freeze({
  retries: 0,
  backoff: Object.freeze({ type: 'exponential', delayMs: 1000, maxMs: 300_000, jitter: 0.2 }),
  timeoutMs: null,
  maxStalls: 1,
  cancelGraceMs: 30_000,
})

/** Add option, then task, then queue, then built-in: the first that says something wins. */
export function resolvePolicy(options: PolicyOptions, base: Policy): Policy {
  // Most jobs set nothing: they all share the one object of their task.
  for (const _ in options) return Object.freeze({ ...base, ...options })
  return base
}

const backoffForm =
  "a duration, { type: 'fixed', delay } or { type: 'exponential', delay, max, jitter }"

/** Checks a backoff that is no function. */
export function parseBackoff(value: unknown, path: string): Backoff {
  if (typeof value === 'number' || typeof value === 'string') {
    return { type: 'fixed', delayMs: parseDuration(value, path), jitter: 0 }
  }
  if (typeof value !== 'object' || value === null) throw invalidOption(path, backoffForm, value)
  const given = value as Record<string, unknown>
  const type = given['type']
  if (type !== 'fixed' && type !== 'exponential') {
    throw invalidOption(`${path}.type`, "'fixed' or 'exponential'", type)
  }
  const known = type === 'fixed' ? ['type', 'delay', 'jitter'] : ['type', 'delay', 'max', 'jitter']
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) throw invalidOption(`${path}.${key}`, 'left out', given[key])
  }
  const jitter = given['jitter'] ?? (type === 'fixed' ? 0 : 0.2)
  if (typeof jitter !== 'number' || !(jitter >= 0 && jitter <= 1)) {
    throw invalidOption(`${path}.jitter`, 'a fraction from 0 to 1', jitter)
  }
  if (type === 'fixed') {
    return { type, delayMs: parseDuration(given['delay'], `${path}.delay`), jitter }
  }
  const delayMs = parseDuration(given['delay'] ?? 1000, `${path}.delay`)
  const maxMs = parseDuration(given['max'] ?? Math.max(300_000, delayMs), `${path}.max`)
  if (maxMs < delayMs) throw invalidOption(`${path}.max`, 'at least delay', given['max'])
  return { type, delayMs, maxMs, jitter }
}
