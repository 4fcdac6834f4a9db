import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { TroupeErrorOf } from '../errors.ts'

/** Leaves the handler: the job runs again after `wait`. */
export function snooze(wait: Duration): never {
  const waitMs = parseDuration(wait, 'snooze')
  throw new TroupeErrorOf('snoozed', `the handler snoozes for ${waitMs} ms`, { waitMs })
}

/** A `Retry-After: 0` must not make a queue start the same job without end. */
const shortestMs = 100

/** Leaves the handler: the queue is held back for `wait`. */
export function limitReached(wait: Duration): never {
  const waitMs = Math.max(shortestMs, parseDuration(wait, 'limitReached'))
  throw new TroupeErrorOf(
    'limit-reached', `the handler reached a limit for ${waitMs} ms`, { waitMs },
  )
}
