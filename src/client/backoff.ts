import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { invalidOption } from '../errors.ts'

/** How a client goes about a gateway that does not answer. */
export interface RetryOptions {
  /** Further tries of a request that can be repeated without harm. Default 4. */
  readonly tries?: number
  /** The first wait; it doubles with each try, and a part is left to chance. Default 250 ms. */
  readonly delay?: Duration
  /** The longest wait. Default 10 s. */
  readonly maxDelay?: Duration
}

export interface Backoff {
  readonly tries: number
  /** The wait after so many failures in a row, from 1; half of it by `random`, in [0, 1). */
  waitMs(failures: number, random: number): number
}

export function parseRetry({ tries = 4, delay = 250, maxDelay = 10_000 }: RetryOptions): Backoff {
  if (!Number.isInteger(tries) || tries < 0) {
    throw invalidOption('connect.retry.tries', 'a whole number from 0', tries)
  }
  const firstMs = parseDuration(delay, 'connect.retry.delay')
  const longestMs = parseDuration(maxDelay, 'connect.retry.maxDelay')
  return {
    tries,
    waitMs: (failures, random) => {
      const wholeMs = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 30))
      return wholeMs / 2 + random * wholeMs / 2
    },
  }
}
