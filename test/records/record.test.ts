import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { settledStates, states } from '../../machines/vocabulary.ts'
import { createRecord, isLive, isSettled } from '../../src/records/job.ts'
import { leafOf } from '../../src/records/step.ts'
import { deepFreeze, leaves, newJob, recordIn } from '../../src/testing/records.ts'

describe('createRecord', () => {
  it('is a ready job with one line of history', () => {
    const job = newJob({ priority: 2, label: 'A photo', meta: { a: 1 }, options: { retries: 3 } })
    expect(createRecord(deepFreeze(job), 1_000)).toStrictEqual({
      id: 'job-1', queue: 'images', task: 'resize', input: { file: 'a.jpg' }, state: 'queued',
      phase: 'ready', priority: 2, rev: 1, createdAt: 1_000, runAt: 1_000, ttlMs: null,
      expiresAt: null, startedAt: null, settledAt: null, attempt: 0, failures: 0, stalls: 0,
      releases: 0, fence: 0, lease: null, policy: null, openParents: 0, onParentFailure: 'fail',
      progress: null, result: null, error: null, reason: null, by: null, label: 'A photo',
      meta: { a: 1 }, partition: null, dependsOn: [], parentKeys: null, after: null, dedupe: null,
      log: null, trace: null, options: { retries: 3 },
      timeline: [{ at: 1_000, event: 'add', to: 'ready', attempt: 0, by: 'api' }], operation: null,
    })
  })

  it.each([
    { job: { delayMs: 500 }, parents: 0, phase: 'delayed', runAt: 1_500 },
    { job: { delayMs: 0 }, parents: 0, phase: 'ready', runAt: 1_000 },
    { job: { runAt: 1_001 }, parents: 0, phase: 'delayed', runAt: 1_001 },
    { job: { runAt: 1_000 }, parents: 0, phase: 'ready', runAt: 1_000 },
    { job: { runAt: 10 }, parents: 0, phase: 'ready', runAt: 10 },
    { job: { runAt: 0 }, parents: 0, phase: 'ready', runAt: 0 },
    { job: {}, parents: 2, phase: 'blocked', runAt: 1_000 },
    { job: { delayMs: 500 }, parents: 1, phase: 'blocked', runAt: 1_500 },
  ])('$job with $parents open parents is $phase', ({ job, parents, phase, runAt }) => {
    const record = createRecord(newJob(job), 1_000, { openParents: parents, after: null })
    expect(record).toMatchObject({ state: 'queued', phase, runAt, openParents: parents })
    expect(record.timeline[0]?.to).toBe(phase)
  })

  it.each([
    { job: { ttlMs: 50 }, expiresAt: 1_050 },
    { job: { ttlMs: 50, delayMs: 500 }, expiresAt: 1_550 },
    { job: { ttlMs: 50, runAt: 10 }, expiresAt: 1_050 },
  ])('$job expires at $expiresAt', ({ job, expiresAt }) => {
    const record = createRecord(newJob(job), 1_000, { openParents: 1, after: null })
    expect(record.expiresAt).toBe(expiresAt)
  })

  it('survives JSON', () => {
    const time = fc.nat({ max: 10_000 })
    const nullable = fc.option(time, { nil: null })
    fc.assert(fc.property(nullable, nullable, time, fc.nat(3), (runAt, ttlMs, now, parents) => {
      const around = { openParents: parents, after: null }
      const record = createRecord(newJob({ runAt, ttlMs }), now, around)
      expect(JSON.parse(JSON.stringify(record))).toStrictEqual(record)
    }))
  })
})

describe('a record', () => {
  it('is settled or live by its state alone', () => {
    const settled = states.filter((state) => isSettled({ state }))
    expect(settled).toEqual(settledStates)
    expect(states.filter((state) => isLive({ state }))).toEqual(['running', 'cancelling'])
  })

  it('knows its leaf', () => {
    for (const leaf of leaves) expect(leafOf(recordIn(leaf))).toBe(leaf)
  })
})
