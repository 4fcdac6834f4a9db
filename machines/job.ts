import { assertEvent, assign, setup } from 'xstate'
import { backoffMs } from './backoff.ts'
import type { JobContext, JobEvent, JobEventType } from './job-events.ts'
import type { Phase } from './vocabulary.ts'

/** A claim that lapses before its handler started is free this many times in a life. */
export const maxFreeReleases = 5

/** The ttl counts from creation or `runAt`, whichever is later, and ends with the first start. */
export function expiry(
  job: Pick<JobContext, 'createdAt' | 'ttlMs' | 'attempt'>,
  runAt: number,
): number | null {
  if (job.ttlMs === null || job.attempt > 0) return null
  return Math.max(job.createdAt, runAt) + job.ttlMs
}

/** Where a job that waits belongs: blocked before delayed before ready. */
export function phaseFor(openParents: number, runAt: number, now: number): Phase {
  if (openParents > 0) return 'blocked'
  return runAt > now ? 'delayed' : 'ready'
}

function parentFailure({ parent, how }: EventOf<'parentFailed'>): string {
  return `parent ${parent} ${how === 'failed' ? 'failed' : `was ${how}`}`
}

type EventOf<T extends JobEventType> = Extract<JobEvent, { type: T }>

/** An assignment for the named events only. */
function update<T extends JobEventType>(
  types: readonly T[],
  change: (job: JobContext, event: EventOf<T>) => Partial<JobContext>,
) {
  return assign<JobContext, JobEvent, undefined, JobEvent, never>(({ context, event }) => {
    assertEvent(event, types as readonly JobEventType[])
    return change(context, event as EventOf<T>)
  })
}


const retry = [
  { guard: 'isBlocked', target: 'queued.blocked', actions: 'beginNewLife' },
  { target: 'queued.ready', actions: 'beginNewLife' },
] as const
const failing = ['keepProgress', 'keepError', 'countFailure'] as const
const retryLater = [...failing, 'letGo', 'waitForRetry'] as const

export const jobMachine = setup({
  types: { context: {} as JobContext, events: {} as JobEvent, input: {} as JobContext },
  guards: {
    isDue: ({ context, event }) => context.runAt <= event.now,
    isReadyNow: ({ event }) => event.type === 'reschedule' && event.runAt <= event.now,
    hasExpired: ({ context, event }) =>
      context.expiresAt !== null && event.now >= context.expiresAt,
    isFresh: ({ context, event }) => context.expiresAt === null || event.now < context.expiresAt,
    mayRetry: ({ context, event }) =>
      (event.type !== 'fail' || event.retryable) &&
      context.failures < (context.policy?.retries ?? 0),
    neverStarted: ({ context }) =>
      context.startedAt === null && context.releases < maxFreeReleases,
    mayStall: ({ context }) => context.stalls < (context.policy?.maxStalls ?? 0),
    isBlocked: ({ event }) => event.type === 'retry' && event.openParents > 0,
    failsWithParent: ({ context }) => context.onParentFailure === 'fail',
  },
  actions: {
    take: update(['claim'], (job, event) => ({
      attempt: job.attempt + 1,
      fence: event.fence,
      lease: event.lease,
      policy: event.policy,
      startedAt: event.started ? event.now : null,
      expiresAt: null,
    })),
    keepProgress: update(
      ['complete', 'fail', 'timeout', 'snooze', 'release', 'abandon', 'progress'],
      (_job, event) => (event.progress === null ? {} : { progress: event.progress }),
    ),
    keepError: update(['fail', 'timeout'], (_job, event) => ({ error: event.error })),
    keepResult: update(['complete'], (_job, event) => ({
      result: event.result, error: null, reason: null,
    })),
    /** Who ended the life, and when. */
    settle: assign(({ event }) => ({
      lease: null, expiresAt: null, settledAt: event.now, by: event.by,
    })),
    /** Out of `cancelling`: who asked, and why, was kept when the cancel came. */
    settleAsAsked: assign(({ event }) => ({ lease: null, settledAt: event.now })),
    /** Back to the store. */
    letGo: assign(() => ({ lease: null, startedAt: null })),
    waitForRetry: update(['fail', 'timeout'], (job, event) => ({
      runAt: event.now + backoffMs(
        job.policy?.backoff ?? { type: 'custom' }, job.failures, event.random, event.computedMs,
      ),
    })),
    countFailure: assign(({ context }) => ({ failures: context.failures + 1 })),
    countStall: assign(({ context }) => ({ stalls: context.stalls + 1 })),
    countRelease: assign(({ context }) => ({ releases: context.releases + 1 })),
    /** A ttl that ended with a real start stays ended. */
    uncharge: assign(({ context }) => {
      const attempt = context.attempt - 1
      const fresh = context.startedAt === null
      return { attempt, expiresAt: fresh ? expiry({ ...context, attempt }, context.runAt) : null }
    }),
    noteReason: update(['fail', 'cancel'], (_job, event) => ({ reason: event.reason })),
    noteTimeout: assign(() => ({ reason: 'timeout' })),
    noteExpiry: assign(() => ({ reason: 'expired' })),
    noteStall: assign(() => ({ reason: 'stalled' })),
    noteParent: update(['parentFailed'], (_job, event) => ({
      reason: 'dependency',
      error: { name: 'DependencyError', message: parentFailure(event) },
    })),
    noteOpenParents: update(['countParents'], (_job, event) => ({
      openParents: event.openParents,
    })),
    waitForNobody: assign(() => ({ openParents: 0 })),
    noteWhoAsked: update(['cancel'], (_job, event) => ({ by: event.by })),
    sleep: update(['snooze'], (_job, event) => ({ runAt: event.runAt })),
    move: update(['reschedule'], (job, event) => ({
      runAt: event.runAt, expiresAt: expiry(job, event.runAt),
    })),
    beginNewLife: update(['retry'], (job, event) => ({
      attempt: 0, failures: 0, stalls: 0, releases: 0,
      openParents: event.openParents,
      runAt: event.now,
      expiresAt: expiry({ ...job, attempt: 0 }, event.now),
      startedAt: null, settledAt: null,
      progress: null, result: null, error: null, reason: null, by: null,
    })),
  },
}).createMachine({
  id: 'job',
  description: 'The life of one job, from add to its end, and through a retry into a new life.',
  context: ({ input }) => input,
  initial: 'queued',
  states: {
    queued: {
      description: 'Waits in the store. No actor is alive for it.',
      initial: 'ready',
      on: {
        cancel: { target: 'cancelled', actions: ['settle', 'noteReason'] },
        expire: { guard: 'hasExpired', target: 'failed', actions: ['settle', 'noteExpiry'] },
        reschedule: [
          { guard: 'isReadyNow', target: '.ready', actions: 'move' },
          { target: '.delayed', actions: 'move' },
        ],
      },
      states: {
        ready: {
          description: 'May be claimed, in the order of priority, runAt and insertion.',
          on: { claim: { guard: 'isFresh', target: '#job.running', actions: 'take' } },
        },
        delayed: {
          description: 'Waits for runAt: a delay, a backoff or a snooze.',
          on: { due: { guard: 'isDue', target: 'ready' } },
        },
        blocked: {
          description: 'Waits for other jobs, and after them for runAt.',
          on: {
            countParents: { actions: 'noteOpenParents' },
            unblock: [
              { guard: 'isDue', target: 'ready', actions: 'waitForNobody' },
              { target: 'delayed', actions: 'waitForNobody' },
            ],
            parentFailed: {
              guard: 'failsWithParent', target: '#job.failed', actions: ['settle', 'noteParent'],
            },
            // Moving runAt does not free a job from its parents.
            reschedule: { target: 'blocked', actions: 'move' },
          },
        },
      },
    },
    running: {
      description: 'A worker holds the lease and the handler works.',
      tags: ['live'],
      on: {
        complete: { target: 'completed', actions: ['keepProgress', 'keepResult', 'settle'] },
        fail: [
          { guard: 'mayRetry', target: 'queued.delayed', actions: retryLater },
          { target: 'failed', actions: [...failing, 'settle', 'noteReason'] },
        ],
        timeout: [
          { guard: 'mayRetry', target: 'queued.delayed', actions: retryLater },
          { target: 'failed', actions: [...failing, 'settle', 'noteTimeout'] },
        ],
        stall: [
          {
            guard: 'neverStarted', target: 'queued.ready',
            actions: ['countRelease', 'uncharge', 'letGo'],
          },
          { guard: 'mayStall', target: 'queued.ready', actions: ['countStall', 'letGo'] },
          { target: 'failed', actions: ['settle', 'noteStall'] },
        ],
        snooze: { target: 'queued.delayed', actions: ['keepProgress', 'letGo', 'sleep'] },
        release: { target: 'queued.ready', actions: ['keepProgress', 'uncharge', 'letGo'] },
        cancel: { target: 'cancelling', actions: ['noteReason', 'noteWhoAsked'] },
        progress: { actions: 'keepProgress' },
      },
    },
    cancelling: {
      description: 'The end was asked for; the handler was told and has its grace.',
      tags: ['live'],
      on: {
        complete: { target: 'completed', actions: ['keepProgress', 'keepResult', 'settle'] },
        fail: { target: 'cancelled', actions: ['keepProgress', 'keepError', 'settleAsAsked'] },
        snooze: { target: 'cancelled', actions: ['keepProgress', 'settleAsAsked'] },
        release: { target: 'cancelled', actions: ['keepProgress', 'settleAsAsked'] },
        abandon: { target: 'cancelled', actions: ['keepProgress', 'settleAsAsked'] },
        stall: { target: 'cancelled', actions: 'settleAsAsked' },
        progress: { actions: 'keepProgress' },
      },
    },
    completed: { description: 'The result is kept.', tags: ['settled'] },
    failed: {
      description: 'No attempt is left, or none may be made. Kept, and can be retried.',
      tags: ['settled'],
      on: { retry },
    },
    cancelled: {
      description: 'Ended on request. Kept, and can be retried.',
      tags: ['settled'],
      on: { retry },
    },
  },
})
