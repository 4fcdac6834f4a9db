import * as fc from 'fast-check'
import type { JobEvent } from '../../machines/job-events.ts'
import type { JobError, Policy } from '../../machines/vocabulary.ts'
import { jsonValues, plain, text } from './json-values.ts'

const error: fc.Arbitrary<JobError> =
  fc.record({ name: fc.constant('Error'), message: text(20) }, plain)
const policy: fc.Arbitrary<Policy> = fc.record({
  retries: fc.nat(3), maxStalls: fc.nat(2), timeoutMs: fc.option(fc.integer({ min: 1, max: 9999 })),
  cancelGraceMs: fc.nat(30_000),
  backoff: fc.record({
    type: fc.constant('fixed' as const), delayMs: fc.nat(5000), jitter: fc.constant(0),
  }, plain),
}, plain)

/** An event without the moment and the name, which the sequence gives. */
type Bare = JobEvent extends infer E ? E extends JobEvent ? Omit<E, 'now' | 'by'> : never : never

/** Claims come often, so that most sequences reach most of the chart. */
function anyEvent(): fc.Arbitrary<Bare> {
  const ending = { progress: fc.constant(null) }
  const failing = {
    ...ending, error, random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    computedMs: fc.constant(null),
  }
  const one = <const T extends JobEvent['type'], R extends object>(
    type: T, rest: { readonly [K in keyof R]: fc.Arbitrary<R[K]> },
  ): fc.Arbitrary<{ readonly type: T } & R> =>
    fc.record({ type: fc.constant(type), ...rest }, plain) as unknown as
      fc.Arbitrary<{ readonly type: T } & R>
  const later = fc.integer({ min: 0, max: 3_000_000 })
  return fc.oneof(
    { weight: 6, arbitrary: one('claim', {
      fence: fc.constant(0), policy, started: fc.boolean(),
      lease: fc.constant({ worker: 'worker:1', until: 0 }),
    }) },
    one('complete', { ...ending, result: jsonValues() }),
    one('fail', {
      ...failing, retryable: fc.boolean(),
      reason: fc.constantFrom<'error' | 'invalid-input'>('error', 'invalid-input'),
    }),
    one('timeout', failing), one('snooze', { ...ending, runAt: later }),
    one('release', ending), one('abandon', ending), one('stall', {}),
    one('progress', { progress: fc.record({
      current: fc.nat(10), total: fc.constant(10), message: fc.constant(null),
      percent: fc.constant(null),
    }, plain) }),
    one('cancel', { reason: fc.option(text(10)) }), one('due', {}),
    one('countParents', { openParents: fc.nat(3) }), one('unblock', {}), one('expire', {}),
    one('parentFailed', {
      parent: fc.constant('parent'),
      how: fc.constantFrom<'failed' | 'cancelled' | 'removed'>('failed', 'cancelled', 'removed'),
    }),
    one('reschedule', { runAt: later }), one('retry', { openParents: fc.nat(2) }),
  )
}

/**
 * Sequences of events for the chart of a job, timely or not: `now` never falls, each claim has the
 * next fence, a lease of 30 s from then on, and times lie within the sequence's own.
 */
export function chartEvents(maxLength = 30): fc.Arbitrary<readonly JobEvent[]> {
  const step = fc.tuple(fc.nat(60_000), anyEvent())
  return fc.array(step, { maxLength }).map((steps) => {
    let now = 0
    let fence = 0
    return steps.map(([passed, event]): JobEvent => {
      now += passed
      const at = { ...event, now, by: 'somebody' } as JobEvent
      if (at.type !== 'claim') return at
      return { ...at, fence: fence += 1, lease: { ...at.lease, until: now + 30_000 } }
    })
  })
}
