import type { Code } from '../errors.ts'
import type { JobError, Json, Phase, Progress, State } from '../../machines/vocabulary.ts'
import type { Explanation } from '../orchestrator/explain.ts'
import type { Schedule } from '../orchestrator/schedules/schedules.ts'
import type { JobRecord } from '../records/job.ts'
import type { Transition } from '../records/transition.ts'
import type { Counts, Finding, WorkerInfo } from '../stores/reading.ts'

/**
 * The wire format, version 1: what gateway, client, command line and dashboard say to each other.
 * JSON over HTTP; a change that an older client could not read gets another number.
 */
export const protocolVersion = 1

/** What a user may be allowed to do; `read` covers get, list, counts, explain and the stream. */
export const actions = [
  'read', 'add', 'cancel', 'retry', 'remove', 'reschedule', 'pause', 'resume', 'schedule',
] as const
export type Action = (typeof actions)[number]

/** What concerns no queue: `operate` covers workers, doctor and metrics. */
export const serverActions = ['operate', 'audit'] as const
export type ServerAction = (typeof serverActions)[number]

/** What can be done to one job. */
export const jobActions = ['cancel', 'retry', 'remove', 'reschedule'] as const
export type JobAction = (typeof jobActions)[number]

/** What of a record is of no use, or no business, outside. */
type Inner = 'operation' | 'trace' | 'releases' | 'options' | 'parentKeys'

/** A job as `get` sends it. */
export type WireJob = Omit<JobRecord, Inner> & {
  /** What the chart allows now and this user may do. */
  readonly can: readonly JobAction[]
}

/** A job of a list: without what may be large. */
export type WireJobLine = Omit<WireJob, 'input' | 'result' | 'log' | 'timeline' | 'error'> & {
  /** Without stack and cause. */
  readonly error: Pick<JobError, 'name' | 'message' | 'code'> | null
}

/** Query of `GET …/jobs`. `state` may be a list, `a,b`; meta goes as in the stream's filters. */
export const listParameters = [
  'state', 'phase', 'task', 'partition', 'text', 'createdFrom', 'createdTo', 'settledFrom',
  'settledTo', 'sort', 'order', 'limit', 'cursor',
] as const

export interface WirePage {
  readonly jobs: readonly WireJobLine[]
  readonly cursor: string | null
  readonly stopped: { readonly scanned: number; readonly createdAt: number } | null
}

/** The body of `POST …/jobs`; `options` are those of `add`. */
export interface WireAdd {
  readonly task: string
  readonly input?: Json
  readonly options?: { readonly [name: string]: Json }
}

/** The body of `POST …/batch`: all or none. The answer is `WireHandles`. */
export interface WireAddMany {
  readonly jobs: readonly WireAdd[]
}
export interface WireHandles {
  readonly jobs: readonly WireHandle[]
}

/** One of `flow`'s jobs: it may be of any queue. */
export interface WireFlowJob extends WireAdd {
  readonly queue: string
}
export interface WireFlow {
  readonly jobs: { readonly [key: string]: WireFlowJob }
  readonly after?: { readonly [key: string]: readonly string[] }
}
export interface WireFlowHandles {
  readonly jobs: { readonly [key: string]: WireHandle }
}

/** What a verb answers with: its word, `'unknown'` for what is not there. Always status 200. */
export interface WireAnswer<Word extends string = string> {
  readonly answer: Word
}

/** The answer of `explain`. */
export type WireExplanation = Omit<Explanation, 'record'> & { readonly record: WireJob | null }

/** What `add`, `addMany` and `flow` answer for each job. */
export interface WireHandle {
  readonly id: string
  readonly queue: string
  readonly created: boolean
  readonly foundIn: State | null
}

/** The body of a bulk verb; `reason` is for `cancel-many`. Filters as `list` of the library. */
export interface WireBulk {
  readonly filter?: { readonly [name: string]: Json }
  readonly dryRun?: boolean
  readonly reason?: string
}

/** What a bulk verb says after each batch, and in the end with `over: true`. */
export interface WireBulkAnswer {
  readonly matched: number
  readonly done: number
  /** `clean` only. */
  readonly awaited?: number
  readonly over: boolean
}

export interface WireQueue {
  readonly name: string
  /** For a user with a scope, of their own jobs only. */
  readonly counts: Counts
  /** For a user with a scope who has more: the newest 2,000 were counted, or fewer. Else absent. */
  readonly isBounded?: true
  readonly paused: boolean
  readonly limitedUntil: number | null
  readonly rateLimit: {
    readonly max: number
    readonly perMs: number
    readonly perPartition: boolean
  } | null
  readonly concurrencyPerPartition: number | null
  readonly maxQueued: number | null
  /** Tasks that any live worker has handlers for. */
  readonly tasks: readonly string[]
  readonly can: readonly Action[]
}

export interface WireQueues {
  readonly queues: readonly WireQueue[]
}
export interface WireSchedules {
  readonly schedules: readonly Schedule[]
}
/** The body of `POST …/preview`: a rule that is not stored. */
export interface WirePreview {
  /** Times in it are epoch milliseconds. */
  readonly rule: { readonly [name: string]: Json }
  /** 1 to `previewLimit`. Default 10. */
  readonly count?: number
}
/** Occurrences of a rule that is not stored: to find them takes time in which nobody is served. */
export const previewLimit = 100

/** The answer of `preview`: epoch milliseconds. */
export interface WireTimes {
  readonly times: readonly number[]
}
export interface WireWorkers {
  readonly workers: readonly WorkerInfo[]
}
export interface WireFindings {
  readonly findings: readonly Finding[]
}

/** The answer to `GET /v1`. */
export interface WireHello {
  readonly protocol: typeof protocolVersion
  readonly version: string
  readonly user: string
  readonly readOnly: boolean
  readonly queues: readonly string[]
}

/** One line of the audit trail. */
export interface WireAudit {
  readonly at: number
  readonly user: string
  readonly action: string
  readonly queue: string | null
  readonly jobId: string | null
  /** The verb's answer, or the code of its error. */
  readonly outcome: string
}

/** The newest lines, the newest last. */
export interface WireAuditTrail {
  readonly lines: readonly WireAudit[]
}

/** The answer to `GET /ready`: status 200, or 503 with the reason. */
export interface WireReady {
  readonly ready: boolean
  readonly reason: 'closing' | 'stopped' | 'store-failed' | null
}

/** The body of every answer that is no success. */
export interface WireError {
  readonly error: {
    readonly code: WireCode
    readonly message: string
    readonly details: { readonly [name: string]: Json }
  }
}

/** Codes of the library, and those that only a gateway has. */
export type WireCode = Code | GatewayCode
export const gatewayCodes = [
  'unauthorized', 'forbidden', 'read-only', 'unknown-route', 'unknown-queue', 'wrong-method',
  'wrong-content-type', 'wrong-host', 'wrong-origin', 'invalid-body', 'body-too-large', 'slow-body',
  'headers-too-large', 'too-many-requests', 'too-many-streams', 'internal',
] as const
export type GatewayCode = (typeof gatewayCodes)[number]

/**
 * `GET /v1/stream` answers with server-sent events. The `id` of each is a cursor: `Last-Event-ID`
 * (or `?from=`) resumes behind it, from the log, with nothing lost. With a heartbeat
 * comes an `id` alone: to there, nothing happened that the client's filter lets pass.
 */
export interface StreamEvents {
  /** A transition or a report of progress. */
  readonly 'queue.job.changed': WireTransition
  /** Where a client stands that has no place in the log: at the beginning, or behind a gap. */
  readonly 'queue.keyframe': WireKeyframe
  /** The gateway stops; come back in a while. */
  readonly 'queue.closing': { readonly retryMs: number }
}

export type WireTransition = Omit<Transition, 'cursor'> & {
  /** Transitions of this job that a slow client was spared before this one; absent when none. */
  readonly skipped?: number
}

export interface WireKeyframe {
  /**
   * `opened`: a fresh stream. `cursor-too-old`: the log no longer has what came behind the
   * cursor. `invalid-cursor`: the cursor is none of this log. `fell-behind`: more happened than a
   * slow client can be kept informed of. In all cases but the first, ask anew for what you show.
   */
  readonly why: 'opened' | 'cursor-too-old' | 'invalid-cursor' | 'fell-behind'
  readonly counts: { readonly [queue: string]: Counts }
}

/** Filters of the stream; a list means any of these. Meta as `meta.<key>=<JSON or text>`. */
export const streamFilters = ['queue', 'job', 'task', 'state', 'partition'] as const

/** What a stream filter matches a job by. */
export interface StreamFilter {
  readonly queue: readonly string[] | null
  readonly job: readonly string[] | null
  readonly task: readonly string[] | null
  readonly state: readonly State[] | null
  readonly partition: readonly string[] | null
  readonly meta: { readonly [key: string]: Json } | null
}

const part = encodeURIComponent

/** Paths behind the place where the gateway is mounted. */
export const paths = {
  hello: '/v1',
  queues: '/v1/queues',
  queue: (queue: string) => `/v1/queues/${part(queue)}`,
  jobs: (queue: string) => `/v1/queues/${part(queue)}/jobs`,
  batch: (queue: string) => `/v1/queues/${part(queue)}/batch`,
  job: (queue: string, id: string) => `/v1/queues/${part(queue)}/jobs/${part(id)}`,
  explain: (queue: string, id: string) => `/v1/queues/${part(queue)}/jobs/${part(id)}/explain`,
  /** POST: `cancel { reason? }`, `retry {}`, `remove {}`, `reschedule { when }`. */
  act: (queue: string, id: string, action: JobAction) =>
    `/v1/queues/${part(queue)}/jobs/${part(id)}/${action}`,
  /** POST `{ filter, dryRun?, reason? }`; with `Accept: application/x-ndjson` a line a batch. */
  bulk: (queue: string, verb: BulkVerb) => `/v1/queues/${part(queue)}/${verb}`,
  /** POST `{}`. */
  control: (queue: string, verb: 'pause' | 'resume') => `/v1/queues/${part(queue)}/${verb}`,
  /** GET: all. */
  schedules: (queue: string) => `/v1/queues/${part(queue)}/schedules`,
  /** GET, and PUT a `ScheduleSpec`. */
  schedule: (queue: string, key: string) => `/v1/queues/${part(queue)}/schedules/${part(key)}`,
  /** POST `{}`; `preview` is a GET with `?count=`. */
  onSchedule: (queue: string, key: string, verb: ScheduleVerb | 'preview') =>
    `/v1/queues/${part(queue)}/schedules/${part(key)}/${verb}`,
  /** POST a `WirePreview`. */
  preview: (queue: string) => `/v1/queues/${part(queue)}/preview`,
  /** POST `{ jobs: { key: WireFlowJob }, after: { key: [keys] } }`. */
  flow: '/v1/flow',
  workers: '/v1/workers',
  doctor: '/v1/doctor',
  audit: '/v1/audit',
  stream: '/v1/stream',
  openapi: '/v1/openapi.json',
  health: '/health',
  ready: '/ready',
  metrics: '/metrics',
} as const

export const bulkVerbs = ['cancel-many', 'retry-many', 'clean'] as const
export type BulkVerb = (typeof bulkVerbs)[number]
export const scheduleVerbs = ['pause', 'resume', 'trigger', 'remove'] as const
export type ScheduleVerb = (typeof scheduleVerbs)[number]

export type { Counts, JobError, Json, Phase, Progress, State }
