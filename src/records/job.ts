import { expiry, phaseFor } from '../../machines/job.ts'
import type { JobContext, JobEventType } from '../../machines/job-events.ts'
import type { Json, ParentFailurePolicy, Phase, State } from '../../machines/vocabulary.ts'
import type { PolicyOptions } from './policy.ts'

/** One line of a record's own bounded history. */
export interface TimelineEntry {
  readonly at: number
  readonly event: TransitionEvent
  /** The state, or the phase of `queued`, that was reached. */
  readonly to: Exclude<State, 'queued'> | Phase
  readonly attempt: number
  readonly by: string
}

/** What a transition is named after: an event of the chart, the add, or the removal. */
export type TransitionEvent = JobEventType | 'add' | 'remove'

/**
 * The state of one job as plain JSON, never changed in place.
 * Times are milliseconds since the epoch by the store's clock; what is not known yet is null.
 */
export interface JobRecord extends JobContext {
  readonly id: string
  readonly queue: string
  readonly task: string
  readonly input: Json
  readonly state: State
  /** Null unless `state` is `queued`. */
  readonly phase: Phase | null
  /** Lower runs first. */
  readonly priority: number
  /** Number of this record's transitions: 1, 2, 3 … */
  readonly rev: number
  readonly label: string | null
  readonly meta: Json
  readonly partition: string | null
  /** The jobs that it waits for, and under which names a flow knows them. */
  readonly dependsOn: readonly string[]
  readonly parentKeys: readonly (string | null)[] | null
  /** The job that this one has superseded: it starts when that one has settled. */
  readonly after: string | null
  readonly dedupe: HeldKey | null
  /** Lines of `job.log()`; null when there are none. */
  readonly log: JobLog | null
  /** Where the add was made, for tracing: a W3C `traceparent`. */
  readonly trace: string | null
  /** What the caller of `add` set; everything else is resolved at the claim. */
  readonly options: PolicyOptions
  /** The latest entries, oldest first; progress is left out. */
  readonly timeline: readonly TimelineEntry[]
  /** The id of the commit that wrote this, so that a repeated one is recognised. */
  readonly operation: string | null
}

/** A key of `dedupe`, held until the job has settled or until that time (epoch milliseconds). */
export interface HeldKey {
  readonly key: string
  readonly until: number | null
}

export interface LogLine {
  readonly at: number
  readonly attempt: number
  readonly text: string
}

/** The newest lines that a job has logged. */
export interface JobLog {
  readonly lines: readonly LogLine[]
  /** Older lines that had to go. */
  readonly dropped: number
}

/** What `add` does when another job holds the key. */
export const dedupeModes = ['simple', 'throttle', 'debounce', 'supersede'] as const
export interface Dedupe {
  readonly key: string
  readonly mode: (typeof dedupeModes)[number]
  /** For throttle and debounce; else null. */
  readonly windowMs: number | null
}

/** Kept entries of a record's timeline. */
export const timelineLimit = 40

/** A checked job on its way into a store. The store's clock makes times out of it. */
export interface NewJob {
  readonly id: string
  /** The caller chose the id: it may be there already. */
  readonly hasOwnId: boolean
  readonly queue: string
  readonly task: string
  readonly input: Json
  readonly priority: number
  /** Wait this long, or until that moment; neither means now. */
  readonly delayMs: number | null
  readonly runAt: number | null
  readonly ttlMs: number | null
  readonly label: string | null
  readonly meta: Json
  readonly partition: string | null
  readonly dependsOn: readonly string[]
  readonly parentKeys: readonly (string | null)[] | null
  readonly onParentFailure: ParentFailurePolicy
  readonly dedupe: Dedupe | null
  readonly trace: string | null
  readonly options: PolicyOptions
  readonly by: string
}

const nothing: readonly never[] = Object.freeze([])

/** What the store knows of a new job besides what the caller said. */
export interface Surroundings {
  /** How many jobs it has to wait for. */
  readonly openParents: number
  readonly after: string | null
}

/** When a job may run at the earliest, by what the caller of `add` said. */
export function runAtOf(job: NewJob, now: number): number {
  const delayMs = job.dedupe?.mode === 'debounce' ? job.dedupe.windowMs : job.delayMs
  return job.runAt ?? now + (delayMs ?? 0)
}

const alone: Surroundings = Object.freeze({ openParents: 0, after: null })

/** The first record of a job. */
export function createRecord(
  job: NewJob, now: number, { openParents, after }: Surroundings = alone,
): JobRecord {
  const runAt = runAtOf(job, now)
  const phase = phaseFor(openParents, runAt, now)
  return {
    id: job.id,
    queue: job.queue,
    task: job.task,
    input: job.input,
    state: 'queued',
    phase,
    priority: job.priority,
    rev: 1,
    createdAt: now,
    runAt,
    ttlMs: job.ttlMs,
    expiresAt: expiry({ createdAt: now, ttlMs: job.ttlMs, attempt: 0 }, runAt),
    startedAt: null,
    settledAt: null,
    attempt: 0,
    failures: 0,
    stalls: 0,
    releases: 0,
    fence: 0,
    lease: null,
    policy: null,
    openParents,
    onParentFailure: job.onParentFailure,
    progress: null,
    result: null,
    error: null,
    reason: null,
    by: null,
    label: job.label,
    meta: job.meta,
    partition: job.partition,
    dependsOn: job.dependsOn.length === 0 ? nothing : job.dependsOn,
    parentKeys: job.parentKeys,
    after,
    dedupe: job.dedupe && holdKey(job.dedupe, now),
    log: null,
    trace: job.trace,
    options: job.options,
    timeline: [{ at: now, event: 'add', to: phase, attempt: 0, by: job.by }],
    operation: null,
  }
}

function holdKey({ key, mode, windowMs }: Dedupe, now: number): HeldKey {
  return { key, until: mode === 'throttle' ? now + (windowMs ?? 0) : null }
}

/** Completed, failed or cancelled. */
export function isSettled(record: { readonly state: State }): boolean {
  return record.state === 'completed' || record.state === 'failed' || record.state === 'cancelled'
}

/** A worker holds the lease. */
export function isLive(record: { readonly state: State }): boolean {
  return record.state === 'running' || record.state === 'cancelling'
}

/** A record of a file may be older than some of its fields. */
export function withAllFields(stored: JobRecord): JobRecord {
  if ('trace' in stored) return stored
  const later = { parentKeys: null, after: null, dedupe: null, log: null, trace: null }
  return { ...later, ...(stored as JobRecord) }
}
