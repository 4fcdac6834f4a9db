import { describe, expect, it } from 'vitest'
import { maxFreeReleases } from '../../machines/job.ts'
import type { JobEvent } from '../../machines/job-events.ts'
import type { JobRecord } from '../../src/records/job.ts'
import { can, ignored, leafOf, step } from '../../src/records/step.ts'
import {
  deepFreeze, eventTypes, jobEvent, leaves, now, policy, recordIn,
} from '../../src/testing/records.ts'
import type { Leaf } from '../../src/testing/records.ts'

/**
 * Written by hand from the design, never generated: the leaf that each event reaches from each
 * leaf, `-` where the event is ignored. A name behind `/` is one way for the guards to stand.
 */
const grid = `
                     ready     delayed   blocked   running    cancelling completed failed cancelled
claim                running   -         -         -          -          -         -      -
claim/ttl-left       running   -         -         -          -          -         -      -
claim/ttl-at-its-end -         -         -         -          -          -         -      -
claim/ttl-over       -         -         -         -          -          -         -      -
complete             -         -         -         completed  completed  -         -      -
fail/first-of-2      -         -         -         delayed    cancelled  -         -      -
fail/last-of-2       -         -         -         delayed    cancelled  -         -      -
fail/spent           -         -         -         failed     cancelled  -         -      -
fail/no-retries      -         -         -         failed     cancelled  -         -      -
fail/no-policy       -         -         -         failed     cancelled  -         -      -
fail/unrecoverable   -         -         -         failed     cancelled  -         -      -
fail/invalid-input   -         -         -         failed     cancelled  -         -      -
timeout/left         -         -         -         delayed    -          -         -      -
timeout/spent        -         -         -         failed     -          -         -      -
timeout/no-retries   -         -         -         failed     -          -         -      -
snooze               -         -         -         delayed    cancelled  -         -      -
snooze/past          -         -         -         delayed    cancelled  -         -      -
release              -         -         -         ready      cancelled  -         -      -
release/not-started  -         -         -         ready      cancelled  -         -      -
release/many         -         -         -         ready      cancelled  -         -      -
abandon              -         -         -         -          cancelled  -         -      -
stall/below-max      -         -         -         ready      cancelled  -         -      -
stall/at-max         -         -         -         failed     cancelled  -         -      -
stall/max-0          -         -         -         failed     cancelled  -         -      -
stall/no-policy      -         -         -         failed     cancelled  -         -      -
stall/not-started    -         -         -         ready      cancelled  -         -      -
stall/last-free      -         -         -         ready      cancelled  -         -      -
stall/free-spent     -         -         -         ready      cancelled  -         -      -
stall/all-spent      -         -         -         failed     cancelled  -         -      -
progress             -         -         -         running    cancelling -         -      -
cancel               cancelled cancelled cancelled cancelling -          -         -      -
due                  -         ready     -         -          -          -         -      -
due/to-the-ms        -         ready     -         -          -          -         -      -
due/early            -         -         -         -          -          -         -      -
countParents         -         -         blocked   -          -          -         -      -
unblock              -         -         ready     -          -          -         -      -
unblock/to-the-ms    -         -         ready     -          -          -         -      -
unblock/later        -         -         delayed   -          -          -         -      -
expire               failed    failed    failed    -          -          -         -      -
expire/to-the-ms     failed    failed    failed    -          -          -         -      -
expire/early         -         -         -         -          -          -         -      -
expire/no-ttl        -         -         -         -          -          -         -      -
parentFailed/fail    -         -         failed    -          -          -         -      -
parentFailed/run     -         -         -         -          -          -         -      -
parentFailed/wait    -         -         -         -          -          -         -      -
reschedule/later     delayed   delayed   blocked   -          -          -         -      -
reschedule/to-the-ms ready     ready     blocked   -          -          -         -      -
reschedule/past      ready     ready     blocked   -          -          -         -      -
retry                -         -         -         -          -          -         ready  ready
retry/open-parents   -         -         -         -          -          -         blocked blocked
`

interface Variant {
  readonly event: JobEvent
  readonly job?: Partial<JobRecord>
}

const fail = jobEvent('fail')
const stall = jobEvent('stall')
const unstarted = { startedAt: null }

/** How the record and the event are made for each row. */
const variants: Readonly<Record<string, Variant>> = {
  'claim': { event: jobEvent('claim') },
  'claim/ttl-left': { event: jobEvent('claim'), job: { expiresAt: now + 1 } },
  'claim/ttl-at-its-end': { event: jobEvent('claim'), job: { expiresAt: now } },
  'claim/ttl-over': { event: jobEvent('claim'), job: { expiresAt: now - 1 } },
  'complete': { event: jobEvent('complete') },
  'fail/first-of-2': { event: fail, job: { failures: 0 } },
  'fail/last-of-2': { event: fail, job: { failures: 1 } },
  'fail/spent': { event: fail, job: { failures: 2 } },
  'fail/no-retries': { event: fail, job: { policy: { ...policy, retries: 0 } } },
  'fail/no-policy': { event: fail, job: { policy: null } },
  'fail/unrecoverable': { event: jobEvent('fail', { retryable: false }) },
  'fail/invalid-input': {
    event: jobEvent('fail', { retryable: false, reason: 'invalid-input' }),
  },
  'timeout/left': { event: jobEvent('timeout'), job: { failures: 1 } },
  'timeout/spent': { event: jobEvent('timeout'), job: { failures: 2 } },
  'timeout/no-retries': { event: jobEvent('timeout'), job: { policy: { ...policy, retries: 0 } } },
  'snooze': { event: jobEvent('snooze') },
  'snooze/past': { event: jobEvent('snooze', { runAt: now - 1 }) },
  'release': { event: jobEvent('release') },
  'release/not-started': { event: jobEvent('release'), job: unstarted },
  'release/many': { event: jobEvent('release'), job: { releases: 99 } },
  'abandon': { event: jobEvent('abandon') },
  'stall/below-max': { event: stall, job: { stalls: 0 } },
  'stall/at-max': { event: stall, job: { stalls: 1 } },
  'stall/max-0': { event: stall, job: { policy: { ...policy, maxStalls: 0 } } },
  'stall/no-policy': { event: stall, job: { policy: null } },
  'stall/not-started': { event: stall, job: { ...unstarted, releases: 0, stalls: 1 } },
  'stall/last-free': { event: stall, job: { ...unstarted, releases: 4, stalls: 1 } },
  'stall/free-spent': { event: stall, job: { ...unstarted, releases: 5, stalls: 0 } },
  'stall/all-spent': { event: stall, job: { ...unstarted, releases: 5, stalls: 1 } },
  'progress': { event: jobEvent('progress') },
  'cancel': { event: jobEvent('cancel') },
  'due': { event: jobEvent('due'), job: { runAt: now - 1 } },
  'due/to-the-ms': { event: jobEvent('due'), job: { runAt: now } },
  'due/early': { event: jobEvent('due'), job: { runAt: now + 1 } },
  'countParents': { event: jobEvent('countParents') },
  'unblock': { event: jobEvent('unblock'), job: { runAt: now - 1 } },
  'unblock/to-the-ms': { event: jobEvent('unblock'), job: { runAt: now } },
  'unblock/later': { event: jobEvent('unblock'), job: { runAt: now + 1 } },
  'expire': { event: jobEvent('expire'), job: { expiresAt: now - 1 } },
  'expire/to-the-ms': { event: jobEvent('expire'), job: { expiresAt: now } },
  'expire/early': { event: jobEvent('expire'), job: { expiresAt: now + 1 } },
  'expire/no-ttl': { event: jobEvent('expire'), job: { expiresAt: null } },
  'parentFailed/fail': { event: jobEvent('parentFailed'), job: { onParentFailure: 'fail' } },
  'parentFailed/run': { event: jobEvent('parentFailed'), job: { onParentFailure: 'run' } },
  'parentFailed/wait': { event: jobEvent('parentFailed'), job: { onParentFailure: 'wait' } },
  'reschedule/later': { event: jobEvent('reschedule', { runAt: now + 1 }) },
  'reschedule/to-the-ms': { event: jobEvent('reschedule', { runAt: now }) },
  'reschedule/past': { event: jobEvent('reschedule', { runAt: now - 1 }) },
  'retry': { event: jobEvent('retry') },
  'retry/open-parents': { event: jobEvent('retry', { openParents: 1 }) },
}

const lines = grid.trim().split('\n').map((line) => line.trim().split(/\s+/))
const [head = [], ...rows] = lines
const cells = rows.flatMap(([name = '', ...reached]) =>
  head.map((leaf, column) => ({ name, from: leaf as Leaf, to: reached[column] })))

describe('the table itself', () => {
  it('has every leaf as a column and every event as a row', () => {
    expect(head).toEqual(leaves)
    expect(new Set(rows.map(([name]) => name?.split('/')[0]))).toEqual(new Set(eventTypes))
    expect(rows.map(([name]) => name).sort()).toEqual(Object.keys(variants).sort())
    expect(cells.every(({ to }) => to === '-' || leaves.includes(to as Leaf))).toBe(true)
  })

  it('knows the number of free releases', () => {
    expect(maxFreeReleases).toBe(5)
  })
})

describe.each(leaves)('from %s', (leaf) => {
  it.each(cells.filter(({ from }) => from === leaf))('$name reaches $to', ({ name, from, to }) => {
    const variant = variants[name]
    if (!variant) throw new Error(`no variant ${name}`)
    const before = deepFreeze(recordIn(from, variant.job))
    const moved = step(before, variant.event)
    expect(moved === ignored ? '-' : leafOf(moved.record)).toBe(to)
    expect(can(before, variant.event)).toBe(to !== '-')
  })
})
