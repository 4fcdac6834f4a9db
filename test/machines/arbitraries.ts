import fc from 'fast-check'
import type { JobContext, JobEvent, JobEventType } from '../../machines/job-events.ts'
import type { Backoff, JobError, Json, Policy, Progress } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../../src/records/job.ts'
import { eventTypes, recordIn } from '../../src/testing/records.ts'
import type { Leaf } from '../../src/testing/records.ts'

/** Few moments, so that times meet, pass and miss each other by one often. */
const moment = fc.integer({ min: 0, max: 12 })
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const budget = fc.integer({ min: 0, max: 4 })
/** fast-check would make some records without a prototype; JSON never does. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T, keyof T>(model, { noNullPrototype: true })

const by = fc.constantFrom('worker:w1', 'api', 'sweep', 'ann')
const json = fc.constantFrom<Json>(null, 0, 'ok', [1, 2], { deep: { er: true } })
const progress = record<Progress>({
  current: budget,
  total: orNull(budget),
  message: orNull(fc.constant('m')),
  percent: orNull(budget),
})
const error = record<JobError>({ name: fc.constant('Error'), message: fc.constantFrom('a', 'b') })
const lease = record({ worker: fc.constantFrom('w1', 'w2'), until: moment })
const jitter = fc.constantFrom(0, 0.2, 1)
const backoff: fc.Arbitrary<Backoff> = fc.oneof(
  record({ type: fc.constant('fixed' as const), delayMs: moment, jitter }),
  record({ type: fc.constant('exponential' as const), delayMs: moment, maxMs: moment, jitter }),
  fc.constant({ type: 'custom' as const }),
)
const policy = record<Policy>({
  retries: budget, backoff, timeoutMs: orNull(moment), maxStalls: budget, cancelGraceMs: moment,
})

/** Every field that a guard or an action reads, in any combination, sane or not. */
const anyContext = record<JobContext>({
  createdAt: moment,
  runAt: moment,
  ttlMs: orNull(moment),
  expiresAt: orNull(moment),
  startedAt: orNull(moment),
  settledAt: orNull(moment),
  attempt: budget,
  failures: budget,
  stalls: budget,
  releases: fc.integer({ min: 3, max: 6 }),
  fence: budget,
  lease: orNull(lease),
  policy: orNull(policy),
  openParents: fc.integer({ min: 0, max: 2 }),
  onParentFailure: fc.constantFrom('fail', 'run', 'wait'),
  progress: orNull(progress),
  result: json,
  error: orNull(error),
  reason: orNull(fc.constantFrom('error', 'why')),
  by: orNull(by),
})

const random = fc.constantFrom(0, 0.25, 0.5, 0.999)
const ending = { now: moment, by, progress: orNull(progress) }
const failing = { ...ending, error, random, computedMs: orNull(moment) }

type Model<E> = { [K in Exclude<keyof E, 'type'>]: fc.Arbitrary<E[K]> }
const models: { readonly [T in JobEventType]: Model<Extract<JobEvent, { type: T }>> } = {
  claim: { now: moment, by, fence: budget, lease, policy, started: fc.boolean() },
  complete: { ...ending, result: json },
  fail: {
    ...failing, reason: fc.constantFrom('error', 'invalid-input'), retryable: fc.boolean(),
  },
  timeout: failing,
  snooze: { ...ending, runAt: moment },
  release: ending,
  abandon: ending,
  stall: { now: moment, by },
  progress: { now: moment, by, progress },
  cancel: { now: moment, by, reason: orNull(fc.constant('why')) },
  due: { now: moment, by },
  countParents: { now: moment, by, openParents: fc.integer({ min: 0, max: 2 }) },
  unblock: { now: moment, by },
  expire: { now: moment, by },
  parentFailed: { now: moment, by, parent: fc.constantFrom('p1', 'p2'),
    how: fc.constantFrom('failed', 'cancelled', 'removed'),
  },
  reschedule: { now: moment, by, runAt: moment },
  retry: { now: moment, by, openParents: fc.integer({ min: 0, max: 2 }) },
}

export function anyEventOf(type: JobEventType): fc.Arbitrary<JobEvent> {
  return fc.record({ type: fc.constant(type), ...models[type] }, { noNullPrototype: true }) as
    fc.Arbitrary<JobEvent>
}

export const anyEvent = fc.oneof(...eventTypes.map(anyEventOf))

export function anyRecordIn(leaf: Leaf): fc.Arbitrary<JobRecord> {
  return anyContext.map((context) => {
    const { state, phase } = recordIn(leaf)
    return { ...recordIn(leaf), ...context, state, phase }
  })
}
