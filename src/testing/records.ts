import type { JobContext, JobEvent, JobEventType } from '../../machines/job-events.ts'
import type { JobError, Policy, Progress } from '../../machines/vocabulary.ts'
import { createRecord } from '../records/job.ts'
import type { JobRecord, NewJob } from '../records/job.ts'
import type { ListQuery } from '../stores/reading.ts'
import type { Beat } from '../stores/store.ts'
import type { leafOf } from '../records/step.ts'

export type Leaf = ReturnType<typeof leafOf>
export type EventOf<T extends JobEventType> = Extract<JobEvent, { readonly type: T }>

export const leaves = [
  'ready', 'delayed', 'blocked', 'running', 'cancelling', 'completed', 'failed', 'cancelled',
] as const satisfies readonly Leaf[]

/** The moment at which the factories' jobs were added. */
export const created = 1_000
/** The moment of the factories' events. */
export const now = 5_000

export const policy: Policy = {
  retries: 2,
  backoff: { type: 'fixed', delayMs: 100, jitter: 0 },
  timeoutMs: null,
  maxStalls: 1,
  cancelGraceMs: 30_000,
}
export const half: Progress = { current: 1, total: 2, message: 'half', percent: 50 }
export const done: Progress = { current: 2, total: 2, message: null, percent: 100 }
export const boom: JobError = { name: 'Error', message: 'boom' }

export function newJob(patch: Partial<NewJob> = {}): NewJob {
  return {
    id: 'job-1', hasOwnId: true, queue: 'images', task: 'resize', input: { file: 'a.jpg' },
    priority: 5, delayMs: null, runAt: null, ttlMs: null, label: null, meta: null, partition: null,
    dependsOn: [], parentKeys: null, onParentFailure: 'fail', dedupe: null, trace: null,
    options: {}, by: 'api', ...patch,
  }
}

/** Lists everything of a queue, but for what is given. */
export function listQuery(patch: Partial<ListQuery> = {}): ListQuery {
  return {
    queue: 'images', states: null, phase: null, task: null, partition: null, meta: null,
    text: null, created: null, settled: null, sort: 'createdAt', descending: false,
    limit: 1_000_000, cursor: null, ...patch,
  }
}

/** What a worker says of itself. */
export function beat(patch: Partial<Beat> = {}): Beat {
  return {
    worker: 'worker:w1', queues: [{ name: 'images', tasks: ['resize'] }], version: '0.0.0',
    startedAt: created, running: 0, leaving: false, leaseMs: 30_000, held: [], ...patch,
  }
}

const live = {
  attempt: 1, fence: 7, lease: { worker: 'w1', until: 9_000 }, policy, startedAt: 2_000,
} as const
const ended = { ...live, lease: null, settledAt: 3_000, by: 'worker:w1' } as const

const shapes: { readonly [L in Leaf]: Partial<JobRecord> } = {
  ready: {},
  delayed: { phase: 'delayed', runAt: 8_000 },
  blocked: { phase: 'blocked', openParents: 1, dependsOn: ['parent'] },
  running: { ...live, state: 'running', phase: null },
  cancelling: { ...live, state: 'cancelling', phase: null, by: 'ann', reason: 'changed my mind' },
  completed: { ...ended, state: 'completed', phase: null, progress: done, result: 'ok' },
  failed: {
    ...ended, state: 'failed', phase: null, failures: 1, reason: 'error', error: boom,
    progress: half,
  },
  cancelled: { ...ended, state: 'cancelled', phase: null, by: 'ann', reason: 'changed my mind' },
}

/** A plausible record in that leaf of the chart. */
export function recordIn(leaf: Leaf, patch: Partial<JobRecord> = {}): JobRecord {
  return { ...createRecord(newJob(), created), ...shapes[leaf], ...patch }
}

const fact = { now, by: 'somebody' } as const
const ending = { ...fact, progress: null } as const
const failing = { ...ending, error: boom, random: 0.5, computedMs: null } as const

const plainEvents: { readonly [T in JobEventType]: EventOf<T> } = {
  claim: {
    ...fact, type: 'claim', fence: 8, lease: { worker: 'w2', until: 35_000 }, policy,
    started: true,
  },
  complete: { ...ending, type: 'complete', result: { width: 800 } },
  fail: { ...failing, type: 'fail', reason: 'error', retryable: true },
  timeout: { ...failing, type: 'timeout' },
  snooze: { ...ending, type: 'snooze', runAt: 6_500 },
  release: { ...ending, type: 'release' },
  abandon: { ...ending, type: 'abandon' },
  stall: { ...fact, type: 'stall' },
  progress: { ...fact, type: 'progress', progress: half },
  cancel: { ...fact, type: 'cancel', reason: 'not needed' },
  due: { ...fact, type: 'due' },
  countParents: { ...fact, type: 'countParents', openParents: 2 },
  unblock: { ...fact, type: 'unblock' },
  expire: { ...fact, type: 'expire' },
  parentFailed: { ...fact, type: 'parentFailed', parent: 'parent', how: 'failed' },
  reschedule: { ...fact, type: 'reschedule', runAt: 7_000 },
  retry: { ...fact, type: 'retry', openParents: 0 },
}

export const eventTypes = Object.keys(plainEvents) as readonly JobEventType[]

export function jobEvent<T extends JobEventType>(
  type: T, patch: Partial<EventOf<T>> = {},
): EventOf<T> {
  return { ...plainEvents[type], ...patch }
}

const contextKeys = Object.keys({
  createdAt: true, runAt: true, ttlMs: true, expiresAt: true, startedAt: true, settledAt: true,
  attempt: true, failures: true, stalls: true, releases: true, fence: true, lease: true,
  policy: true, openParents: true, onParentFailure: true, progress: true, result: true,
  error: true, reason: true, by: true,
} satisfies Record<keyof JobContext, true>) as readonly (keyof JobContext)[]

/** The part of a record that the chart owns. */
export function contextOf(record: JobRecord): JobContext {
  return Object.fromEntries(contextKeys.map((key) => [key, record[key]])) as unknown as JobContext
}

/** How the interpreter spells the leaf that a record is in. */
export function valueOf(record: Pick<JobRecord, 'state' | 'phase'>) {
  return record.phase === null
    ? record.state as Exclude<JobRecord['state'], 'queued'>
    : { queued: record.phase } as const
}

/** Freezes `value` and all that it holds, so that a write into it throws. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  Object.values(value).forEach(deepFreeze)
  return value
}
