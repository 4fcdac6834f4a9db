import type { Backoff } from './vocabulary.ts'

/** Waits longer than this are cut: a year, so that `runAt` stays a sane date. */
export const backoffLimitMs = 365 * 24 * 60 * 60 * 1000

/**
 * Milliseconds to wait before the attempt that follows failure number `failures` (1, 2, 3 …).
 *
 * `random` is in [0, 1): 0.5 gives the plain delay, the ends give `1 ± jitter` times it.
 * The cap holds after the jitter. A custom backoff has no rule of its own here: its function
 * has run already and its answer travels in the event as `computedMs`.
 */
export function backoffMs(
  backoff: Backoff,
  failures: number,
  random: number,
  computedMs: number | null,
): number {
  if (computedMs !== null) return clamp(computedMs, backoffLimitMs)
  if (backoff.type === 'custom') return 0
  const spread = 1 + backoff.jitter * (2 * random - 1)
  if (backoff.type === 'fixed') return clamp(backoff.delayMs * spread, backoffLimitMs)
  // 2 ** 1024 is Infinity, and 0 * Infinity is NaN: stop doubling long before that.
  const doublings = Math.min(failures - 1, 60)
  const plain = Math.min(backoff.delayMs * 2 ** doublings, backoff.maxMs)
  return clamp(plain * spread, Math.min(backoff.maxMs, backoffLimitMs))
}

function clamp(ms: number, max: number): number {
  return Math.round(Math.min(Math.max(ms, 0), max))
}
