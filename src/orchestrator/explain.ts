import { isLive, isSettled } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import type { Facts, WorkerInfo } from '../stores/reading.ts'
import type { Limits } from '../stores/store.ts'
import {
  at, blockedText, expiryText, failureText, leaseText, plural, shown, span,
} from './explain-text.ts'

/** Why a job does not run; one of these for each job at each moment. */
export const reasons = [
  'unknown', 'settled', 'running', 'cancelling', 'blocked', 'delayed', 'paused', 'limit-reached',
  'rate-limited', 'partition-full', 'not-started', 'no-worker', 'abandoned-here', 'draining',
  'slots-full', 'in-line',
] as const

/** The answer of `explain`. */
export interface Explanation {
  /** What holds the job back first; what else does shows when that is gone. */
  readonly why: (typeof reasons)[number]
  /** A few sentences for people. */
  readonly text: string
  readonly record: JobRecord | null
  /** When time alone will change that, epoch milliseconds; null when it will not. */
  readonly until: number | null
  /** Ready jobs that go before it by priority and time; partitions take turns besides. */
  readonly ahead: number | null
  /** The jobs that it still waits for; the state of one that is gone is `removed`. */
  readonly waitsFor: readonly { readonly id: string; readonly state: string }[]
  /** Who runs it, and since when (epoch milliseconds). */
  readonly worker: string | null
  readonly since: number | null
  /** Jobs of this queue whose handlers go on here although they were given up. */
  readonly abandoned: readonly string[]
}

/** What this process knows of the queue. */
export interface Here {
  readonly started: boolean
  /** Tasks that this process has handlers for. */
  readonly tasks: { has(task: string): boolean }
  readonly state: string
  /** Slots that a claim could fill; none while the store refuses writes. */
  readonly freeSlots: number
  readonly concurrency: number
  /** Handlers that run here, abandoned ones included. */
  readonly handlers: number
  readonly abandoned: readonly string[]
  readonly limits: Limits
  readonly now: number
}

type Finding = Partial<Explanation> & Pick<Explanation, 'why' | 'text'>

/** Puts the facts in the order in which they hold a job back. */
export function explain(
  id: string, facts: Facts | null, workers: readonly WorkerInfo[], here: Here,
): Explanation {
  const nothing = {
    record: facts?.record ?? null, until: null, ahead: null, waitsFor: [], worker: null,
    since: null, abandoned: here.abandoned,
  }
  return { ...nothing, ...find(id, facts, workers, here) }
}

function find(
  id: string, facts: Facts | null, workers: readonly WorkerInfo[], here: Here,
): Finding {
  if (!facts) return { why: 'unknown', text: `There is no job ${id} in this queue.` }
  const { record } = facts
  if (isSettled(record)) return settled(record)
  if (isLive(record)) return live(record, here.now)
  const finding = queued(facts, workers, here)
  return { ...finding, text: `${finding.text}${expiryText(record, here.now)}` }
}

function queued(facts: Facts, workers: readonly WorkerInfo[], here: Here): Finding {
  const { phase, runAt } = facts.record
  if (phase === 'blocked') return blocked(facts)
  if (phase === 'delayed' && runAt > here.now) return delayed(facts.record, here.now)
  const held = heldBack(facts, here) ?? nobody(facts, workers, here)
  if (held || phase === 'ready') return held ?? inLine(facts, workers, here)
  return { why: 'delayed', until: runAt, text: `It is due since ${at(runAt)}: ready in a moment.` }
}

function settled(record: JobRecord): Finding {
  const { state, settledAt, by } = record
  return {
    why: 'settled', since: settledAt,
    text: `It ${state === 'cancelled' ? 'was cancelled' : state} at ${at(settledAt)}` +
      `${by === null ? '' : `, by ${by}`}${failureText(record)}.`,
  }
}

function live(record: JobRecord, now: number): Finding {
  const { state, startedAt, lease, attempt, by, reason } = record
  const worker = lease?.worker ?? null
  const since = startedAt === null
    ? 'its handler has not started' : `since ${at(startedAt)}, for ${span(now - startedAt)}`
  const text = state === 'running'
    ? `It runs on ${worker ?? 'a worker'}, attempt ${attempt}, ${since}.`
    : `${by ?? 'Somebody'} asked for its end${reason === null ? '' : ` (${reason})`}; its ` +
      `handler on ${worker ?? 'a worker'} goes on until it heeds that, or its grace is over: ` +
      `${since}.`
  return {
    why: state === 'running' ? 'running' : 'cancelling', worker, since: startedAt,
    text: `${text}${leaseText(lease, now)}`,
  }
}

function blocked({ parents, record }: Facts): Finding {
  const waitsFor = parents.filter(({ open }) => open).map((parent) =>
    ({ id: parent.id, state: parent.record?.state ?? 'removed' }))
  return { why: 'blocked', waitsFor, text: blockedText(waitsFor, record) }
}

function delayed({ runAt, attempt }: JobRecord, now: number): Finding {
  const why = attempt > 0 ? ` Attempt ${attempt} has ended; the next one comes then.` : ''
  return {
    why: 'delayed', until: runAt,
    text: `It is delayed until ${at(runAt)}, for ${span(runAt - now)} more.${why}`,
  }
}

function heldBack(facts: Facts, here: Here): Finding | null {
  const { paused, limitedUntil, rate, partitionRunning, record } = facts
  const ahead = aheadOf(facts)
  if (paused) {
    return { why: 'paused', ahead, text: 'The queue is paused everywhere: resume() lets it go on.' }
  }
  if (limitedUntil !== null) {
    return {
      why: 'limit-reached', ahead, until: limitedUntil,
      text: `A handler called limitReached(): nothing is claimed until ${at(limitedUntil)}.`,
    }
  }
  const { perPartition } = here.limits
  const whose = record.partition === null
    ? 'The jobs without a partition' : `Its partition ${record.partition}`
  if (perPartition !== null && partitionRunning >= perPartition) {
    return {
      why: 'partition-full', ahead,
      text: `${whose} ${record.partition === null ? 'have' : 'has'} ${partitionRunning} running ` +
        `and may have ${perPartition}: one of them must end first.`,
    }
  }
  if (!rate) return null
  const text = rate.until === null
    ? 'The rate limit of its queue is 0: nothing is started.'
    : `The rate limit admits the next start at ${at(rate.until)}; ${place(facts)}.`
  return { why: 'rate-limited', ahead, until: rate.until, text }
}

function nobody(facts: Facts, workers: readonly WorkerInfo[], here: Here): Finding | null {
  const { task } = facts.record
  const ahead = aheadOf(facts)
  const mine = here.tasks.has(task)
  if ((mine && here.started) || able(facts, workers).length > 0) return null
  if (mine) {
    return {
      why: 'not-started', ahead,
      text: 'This process has its handler and never started: call await troupe.start().',
    }
  }
  const others = workers.filter(({ queues }) =>
    queues.some(({ name, tasks }) => name === facts.record.queue && tasks.length > 0))
  const text = others.length === 0
    ? 'no live worker works on this queue'
    : `those of this queue (${shown(others.map(({ worker }) => worker))}) have no such task`
  return { why: 'no-worker', ahead, text: `Nobody has a handler for task ${task}: ${text}.` }
}

/** Workers that have a handler for the job, this process included when it was heard of. */
function able({ record }: Facts, workers: readonly WorkerInfo[]): readonly string[] {
  return workers.filter(({ queues }) => queues.some(({ name, tasks }) =>
    name === record.queue && tasks.includes(record.task))).map(({ worker }) => worker)
}

function inLine(facts: Facts, workers: readonly WorkerInfo[], here: Here): Finding {
  const { record, ahead } = facts
  const others = able(facts, workers)
  if (!here.started || !here.tasks.has(record.task)) {
    const text = `It is ready for ${shown(others)}; ${place(facts)}.`
    return { why: 'in-line', ahead, text }
  }
  const elsewhere = others.length > 1 ? ' Another worker may take it before.' : ''
  if (here.abandoned.includes(record.id)) {
    const text = 'Its last handler was given up and goes on here; only when that has ended does ' +
      `this process start it again.${elsewhere}`
    return { why: 'abandoned-here', ahead, text }
  }
  if (here.state !== 'accepting') {
    const text = `This process claims nothing: ${stateText(here.state)}.${elsewhere}`
    return { why: 'draining', ahead, text }
  }
  if (here.freeSlots > 0) {
    return { why: 'in-line', ahead, text: `It is ready and about to be claimed; ${place(facts)}.` }
  }
  const { abandoned, concurrency, handlers } = here
  if (handlers < concurrency) {
    const text = 'The store refuses writes just now: this process claims when it takes them again.'
    return { why: 'in-line', ahead, text }
  }
  const held = abandoned.length === 0
    ? '' : `, ${abandoned.length} by abandoned handlers (${shown(abandoned)})`
  return {
    why: 'slots-full', ahead,
    text: `All ${plural(concurrency, 'slot')} of this process are held${held}; ${place(facts)}.` +
      elsewhere,
  }
}

function stateText(state: string): string {
  if (state === 'idle') return 'it is just starting'
  const how = state === 'draining' ? 'drain() lets what runs end' : 'drain() has paused it here'
  return `${how}, and resume() takes that back`
}

function aheadOf({ record, ahead }: Facts): number | null {
  return record.phase === 'ready' ? ahead : null
}

function place({ ahead }: Facts): string {
  if (ahead === 0) return 'no job goes before it'
  return `${plural(ahead, 'job')} ${ahead === 1 ? 'goes' : 'go'} before it`
}
