import { describe, expect, it } from 'vitest'
import type { JobContext, JobEvent } from '../../machines/job-events.ts'
import type { JobRecord } from '../../src/records/job.ts'
import { ignored, step } from '../../src/records/step.ts'
import type { Moved } from '../../src/records/step.ts'
import {
  boom, contextOf, created, deepFreeze, done, half, jobEvent, now, policy, recordIn,
} from '../../src/testing/records.ts'
import type { Leaf } from '../../src/testing/records.ts'

function move(from: JobRecord, event: JobEvent): Moved {
  const moved = step(deepFreeze(from), event)
  if (moved === ignored) throw new Error(`${event.type} was ignored`)
  return moved
}

/** What `event` changes in the chart's part of the record, and nothing that stays. */
function changes(leaf: Leaf, patch: Partial<JobRecord>, event: JobEvent): Partial<JobContext> {
  const before = contextOf(recordIn(leaf, patch))
  const after = contextOf(move(recordIn(leaf, patch), event).record)
  const changed = Object.entries(after).filter(([key, value]) =>
    JSON.stringify(value) !== JSON.stringify(before[key as keyof JobContext]))
  return Object.fromEntries(changed)
}

const stopped = { lease: null, startedAt: null }
const settledNow = { lease: null, settledAt: now, by: 'somebody' }
const other = { name: 'TypeError', message: 'other' }

describe('claim', () => {
  it('charges an attempt, takes fence, lease and policy, and ends the ttl', () => {
    expect(changes('ready', { ttlMs: 9_000, expiresAt: 10_000, attempt: 2 }, jobEvent('claim')))
      .toEqual({
        attempt: 3, fence: 8, lease: { worker: 'w2', until: 35_000 }, policy, startedAt: now,
        expiresAt: null,
      })
  })

  it('has not started when it goes to a buffer', () => {
    const { record } = move(recordIn('ready'), jobEvent('claim', { started: false }))
    expect(record).toMatchObject({ attempt: 1, startedAt: null })
  })
})

describe('the ends of an attempt', () => {
  it('complete keeps the result and clears the error of an earlier attempt', () => {
    expect(changes('running', { error: boom, failures: 1 }, jobEvent('complete')))
      .toEqual({ ...settledNow, result: { width: 800 }, error: null })
  })

  it('complete wins over a cancel: who asked and why are forgotten', () => {
    expect(changes('cancelling', {}, jobEvent('complete')))
      .toEqual({ ...settledNow, result: { width: 800 }, reason: null })
  })

  it('fail with retries left waits for the backoff and keeps the attempt charged', () => {
    expect(changes('running', { attempt: 2, failures: 1 }, jobEvent('fail')))
      .toEqual({ ...stopped, failures: 2, runAt: now + 100, error: boom })
  })

  it.each([[0, 800], [0.5, 1_000], [0.75, 1_100]])('random %d spreads to %d ms', (random, wait) => {
    const backoff = { type: 'exponential', delayMs: 500, maxMs: 60_000, jitter: 0.2 } as const
    const { record } = move(
      recordIn('running', { policy: { ...policy, backoff }, failures: 1 }),
      jobEvent('timeout', { random }),
    )
    expect(record.runAt).toBe(now + wait)
  })

  it('fail takes the wait that a custom backoff computed', () => {
    const custom = { ...policy, backoff: { type: 'custom' } } as const
    const { record } = move(
      recordIn('running', { policy: custom }), jobEvent('fail', { computedMs: 1_234 }),
    )
    expect(record.runAt).toBe(now + 1_234)
  })

  it('fail without retries left settles with the reason of the event', () => {
    expect(changes('running', { failures: 2 }, jobEvent('fail')))
      .toEqual({ ...settledNow, failures: 3, error: boom, reason: 'error' })
    expect(changes('running', {}, jobEvent('fail', { retryable: false, reason: 'invalid-input' })))
      .toEqual({ ...settledNow, failures: 1, error: boom, reason: 'invalid-input' })
  })

  it('timeout spends a retry, or settles with reason timeout', () => {
    expect(changes('running', {}, jobEvent('timeout')))
      .toEqual({ ...stopped, failures: 1, runAt: now + 100, error: boom })
    expect(changes('running', { failures: 2 }, jobEvent('timeout')))
      .toEqual({ ...settledNow, failures: 3, error: boom, reason: 'timeout' })
  })

  it('snooze moves runAt and spends no retry', () => {
    expect(changes('running', { error: boom, failures: 1 }, jobEvent('snooze')))
      .toEqual({ ...stopped, runAt: 6_500 })
  })

  it('release takes the attempt back and keeps runAt', () => {
    expect(changes('running', { attempt: 3 }, jobEvent('release')))
      .toEqual({ ...stopped, attempt: 2 })
  })

  it('release before the first start brings the ttl back, counted from runAt', () => {
    const unstarted = { startedAt: null, ttlMs: 7_000, runAt: 1_500 }
    expect(changes('running', unstarted, jobEvent('release')))
      .toEqual({ lease: null, attempt: 0, expiresAt: 8_500 })
  })

  it('release after a start does not bring the ttl back', () => {
    const started = { ttlMs: 7_000, runAt: 1_500, attempt: 1 }
    expect(changes('running', started, jobEvent('release')))
      .toEqual({ ...stopped, attempt: 0 })
  })

  it.each([
    jobEvent('complete', { progress: done }), jobEvent('fail', { progress: done }),
    jobEvent('fail', { progress: done, retryable: false }),
    jobEvent('timeout', { progress: done }), jobEvent('snooze', { progress: done }),
    jobEvent('release', { progress: done }),
  ])('$type carries the pending progress, and keeps the stored one when there is none', (event) => {
    // Who was asked to end cannot time out any more.
    // Who was asked to end cannot time out any more.
    const leaves: Leaf[] = event.type === 'timeout' ? ['running'] : ['running', 'cancelling']
    for (const leaf of leaves) {
      expect(changes(leaf, { progress: half }, event)).toHaveProperty('progress', done)
      expect(changes(leaf, { progress: half }, { ...event, progress: null }))
        .not.toHaveProperty('progress')
    }
  })
})

describe('progress', () => {
  it('replaces the progress and nothing else', () => {
    for (const leaf of ['running', 'cancelling'] as const) {
      expect(changes(leaf, {}, jobEvent('progress'))).toEqual({ progress: half })
    }
  })
})

describe('stall', () => {
  it('of a started job spends a stall, no retry, and keeps attempt and runAt', () => {
    expect(changes('running', {}, jobEvent('stall'))).toEqual({ ...stopped, stalls: 1 })
  })

  it('of a job that never started is free and counted', () => {
    const job = { startedAt: null, attempt: 2, releases: 4, stalls: 1 }
    expect(changes('running', job, jobEvent('stall')))
      .toEqual({ lease: null, attempt: 1, releases: 5 })
    expect(changes('running', { ...job, stalls: 0 }, jobEvent('stall')))
      .toEqual({ lease: null, attempt: 1, releases: 5 })
  })

  it('of a job that never started and has no free release left spends a stall', () => {
    expect(changes('running', { startedAt: null, releases: 5 }, jobEvent('stall')))
      .toEqual({ lease: null, stalls: 1 })
  })

  it('beyond maxStalls fails with reason stalled', () => {
    expect(changes('running', { stalls: 1 }, jobEvent('stall')))
      .toEqual({ ...settledNow, reason: 'stalled' })
  })
})

describe('cancel', () => {
  it.each(['ready', 'delayed', 'blocked'] as const)('settles a %s job at once', (leaf) => {
    expect(changes(leaf, { expiresAt: 9_000 }, jobEvent('cancel')))
      .toEqual({ settledAt: now, by: 'somebody', reason: 'not needed', expiresAt: null })
  })

  it('of a running job keeps who asked and why, and the lease', () => {
    expect(changes('running', {}, jobEvent('cancel')))
      .toEqual({ by: 'somebody', reason: 'not needed' })
  })

  it('keeps the error that ends the attempt, and who asked and why', () => {
    expect(changes('cancelling', {}, jobEvent('fail', { error: other })))
      .toEqual({ lease: null, settledAt: now, error: other })
  })

  it.each(['snooze', 'release', 'abandon', 'stall'] as const)('%s only settles it', (type) => {
    expect(changes('cancelling', {}, jobEvent(type))).toEqual({ lease: null, settledAt: now })
  })
})

describe('what happens to waiting jobs', () => {
  it('due changes no field, unblock and countParents the number of open parents', () => {
    expect(changes('delayed', { runAt: now }, jobEvent('due'))).toEqual({})
    expect(changes('blocked', {}, jobEvent('unblock'))).toEqual({ openParents: 0 })
    expect(changes('blocked', { runAt: 9_000 }, jobEvent('unblock'))).toEqual({ openParents: 0 })
    expect(changes('blocked', {}, jobEvent('countParents', { openParents: 3 })))
      .toEqual({ openParents: 3 })
  })

  it('expire fails with reason expired', () => {
    expect(changes('ready', { expiresAt: now }, jobEvent('expire')))
      .toEqual({ settledAt: now, by: 'somebody', reason: 'expired', expiresAt: null })
  })

  it('a failed parent fails it with reason dependency and names the parent', () => {
    expect(changes('blocked', { expiresAt: 9_000 }, jobEvent('parentFailed', { parent: 'p-1' })))
      .toEqual({
        settledAt: now, by: 'somebody', reason: 'dependency', expiresAt: null,
        error: { name: 'DependencyError', message: 'parent p-1 failed' },
      })
  })

  it('reschedule moves runAt and computes the ttl anew, never before createdAt', () => {
    const job = { ttlMs: 500, expiresAt: 1_500 }
    for (const leaf of ['ready', 'delayed', 'blocked'] as const) {
      expect(changes(leaf, job, jobEvent('reschedule')))
        .toEqual({ runAt: 7_000, expiresAt: 7_500 })
    }
    const early = jobEvent('reschedule', { runAt: 10 })
    expect(changes('ready', { ...job, expiresAt: 9_000 }, early))
      .toEqual({ runAt: 10, expiresAt: created + 500 })
  })

  it('reschedule brings no ttl back after the first start', () => {
    expect(changes('delayed', { ttlMs: 500, attempt: 1 }, jobEvent('reschedule')))
      .toEqual({ runAt: 7_000 })
  })
})

describe('retry', () => {
  const spent = {
    attempt: 3, failures: 3, stalls: 1, releases: 5, ttlMs: 600, result: 1, progress: half,
    error: boom, reason: 'error', by: 'worker:w1',
  }
  const fresh = {
    attempt: 0, failures: 0, stalls: 0, releases: 0, runAt: now, expiresAt: now + 600,
    startedAt: null, settledAt: null, progress: null, result: null, error: null, reason: null,
    by: null,
  }

  it.each(['failed', 'cancelled'] as const)('of a %s job begins a new life', (leaf) => {
    expect(changes(leaf, spent, jobEvent('retry'))).toEqual(fresh)
  })

  it('waits again for parents that have not completed', () => {
    const { record } = move(recordIn('failed'), jobEvent('retry', { openParents: 2 }))
    expect(record)
      .toMatchObject({ state: 'queued', phase: 'blocked', runAt: now, openParents: 2 })
  })

  it('keeps the fence, the rev and the timeline of the earlier life', () => {
    const before = recordIn('failed', { ...spent, rev: 9 })
    const { record } = move(before, jobEvent('retry'))
    expect(record).toMatchObject({ fence: 7, rev: 10, createdAt: created })
    expect(record.timeline.slice(0, -1)).toEqual(before.timeline)
    expect(record.timeline.at(-1))
      .toEqual({ at: now, event: 'retry', to: 'ready', attempt: 0, by: 'somebody' })
  })
})

describe('the transition', () => {
  it('tells what the record became, and from where', () => {
    const event = jobEvent('fail', { progress: half })
    const { record, transition } = move(recordIn('running', { rev: 4 }), event)
    expect(record).toMatchObject({ state: 'queued', phase: 'delayed', rev: 5 })
    expect(transition).toEqual({
      seq: 0, at: now, queue: 'images', jobId: 'job-1', rev: 5, task: 'resize', event: 'fail',
      from: 'running', to: 'queued', phase: 'delayed', attempt: 1, fence: 7, by: 'somebody',
      reason: null, progress: half, error: boom, cursor: '',
    })
  })

  it('names who caused it, not who asked for the cancel', () => {
    const event = jobEvent('abandon', { by: 'worker:w1' })
    const { record, transition } = move(recordIn('cancelling'), event)
    expect(transition).toMatchObject({
      event: 'abandon', from: 'cancelling', to: 'cancelled', phase: null, by: 'worker:w1',
      reason: 'changed my mind',
    })
    expect(record.by).toBe('ann')
  })
})
