import { isSettled, timelineLimit } from '../../records/job.ts'
import type { JobRecord, TimelineEntry } from '../../records/job.ts'
import { builtInPolicy, resolvePolicy } from '../../records/policy.ts'
import type { Policy } from '../../../machines/vocabulary.ts'
import type { LogEntry } from '../../records/transition.ts'
import type { Row } from './database.ts'

/** A job as it lies in the database: its record, its insert number, and whether it has kin. */
export interface Stored {
  readonly record: JobRecord
  readonly order: number
  /** It has parents, or others wait for it. */
  readonly linked: boolean
}

/** What a record says that no statement asks for, and its value when nothing was said. */
const plainSpec = {
  input: null, label: null, meta: null, dependsOn: [], parentKeys: null, onParentFailure: 'fail',
  after: null, trace: null, options: {}, ttlMs: null,
} as const
const plainLife = {
  failures: 0, stalls: 0, releases: 0, policy: null, openParents: 0,
  progress: null, result: null, error: null, reason: null, by: null, log: null, operation: null,
} as const

type Field = keyof JobRecord
const specFields = Object.entries(plainSpec) as [Field, unknown][]
const lifeFields = Object.entries(plainLife) as [Field, unknown][]

/** The columns that make up a job, in either table, as text where a client might read them. */
export const liveColumns = `id, n, queue, task, partition, state, phase, priority, run_at,
expires_at, created_at, started_at, null::double precision as settled_at, fence, rev, attempt,
worker, lease_until, claimed_at, policy, dedupe_key, dedupe_until, linked, spec, life`
export const historyColumns = `id, n, queue, task, partition, state, null::text as phase,
priority, run_at, null::double precision as expires_at, created_at, started_at, settled_at, fence,
rev, attempt, null::text as worker, null::double precision as lease_until,
null::double precision as claimed_at, null::text as policy, dedupe_key, dedupe_until, linked,
spec, life`

type Compact = readonly [number, TimelineEntry['event'], TimelineEntry['to'], number, string]

function numberOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}

type Parts = { readonly [K in Field]?: JobRecord[K] }
const noTimeline: readonly Compact[] = []

function toEntry([at, event, to, attempt, by]: Compact): TimelineEntry {
  return { at, event, to, attempt, by }
}

/** The policies of tasks are few, and each row of a claim has one of them. */
const policies = new Map<string, Policy>()

function policyOf(json: string): Policy {
  let policy = policies.get(json)
  if (!policy) {
    if (policies.size >= 100) policies.clear()
    policies.set(json, policy = Object.freeze(JSON.parse(json) as Policy))
  }
  return policy
}

/** Reads a row of `liveColumns` or `historyColumns`. */
export function toStored(row: Row): Stored {
  const record = toRecord(
    row, JSON.parse(row['spec'] as string) as Parts, JSON.parse(row['life'] as string) as Parts,
  )
  return { record, order: Number(row['n']), linked: row['linked'] === true }
}

/**
 * Written out field by field, in the order of `createRecord`: objects that are put together by
 * spreading cost ten times as much. A claim writes columns only; what the chart says of it besides
 * is put together here.
 */
function toRecord(row: Row, spec: Parts, life: Parts): JobRecord {
  const worker = row['worker'] as string | null
  const claimedAt = numberOrNull(row['claimed_at'])
  const attempt = Number(row['attempt'])
  const key = row['dedupe_key'] as string | null
  const compact = (life.timeline as readonly unknown[] | undefined ?? noTimeline) as Compact[]
  const timeline = compact.map(toEntry)
  const options = spec.options ?? plainSpec.options
  let policy = life.policy ?? null
  if (claimedAt !== null && worker !== null) {
    const base = row['policy'] as string | null
    policy = resolvePolicy(options, base === null ? builtInPolicy : policyOf(base))
    if (timeline.length >= timelineLimit) timeline.shift()
    timeline.push({ at: claimedAt, event: 'claim', to: 'running', attempt, by: worker })
  }
  return {
    id: row['id'] as string,
    queue: row['queue'] as string,
    task: row['task'] as string,
    input: spec.input ?? null,
    state: row['state'] as JobRecord['state'],
    phase: (row['phase'] ?? null) as JobRecord['phase'],
    priority: Number(row['priority']),
    rev: Number(row['rev']),
    createdAt: Number(row['created_at']),
    runAt: Number(row['run_at']),
    ttlMs: spec.ttlMs ?? null,
    expiresAt: numberOrNull(row['expires_at']),
    startedAt: numberOrNull(row['started_at']),
    settledAt: numberOrNull(row['settled_at']),
    attempt,
    failures: life.failures ?? 0,
    stalls: life.stalls ?? 0,
    releases: life.releases ?? 0,
    fence: Number(row['fence']),
    lease: worker === null ? null : { worker, until: Number(row['lease_until']) },
    policy,
    openParents: life.openParents ?? 0,
    onParentFailure: spec.onParentFailure ?? plainSpec.onParentFailure,
    progress: life.progress ?? null,
    result: life.result ?? null,
    error: life.error ?? null,
    reason: life.reason ?? null,
    by: life.by ?? null,
    label: spec.label ?? null,
    meta: spec.meta ?? null,
    partition: (row['partition'] ?? null) as string | null,
    dependsOn: spec.dependsOn ?? plainSpec.dependsOn,
    parentKeys: spec.parentKeys ?? null,
    after: spec.after ?? null,
    dedupe: key === null ? null : { key, until: numberOrNull(row['dedupe_until']) },
    log: life.log ?? null,
    trace: spec.trace ?? null,
    options,
    timeline,
    operation: claimedAt === null ? life.operation ?? null : null,
  }
}

function without(record: JobRecord, fields: readonly (readonly [Field, unknown])[]): object {
  const kept: Record<string, unknown> = {}
  for (const [field, plain] of fields) {
    const value = record[field]
    if (value === plain) continue
    if (Array.isArray(plain) && (value as readonly unknown[]).length === 0) continue
    if (field === 'options' && Object.keys(record.options).length === 0) continue
    kept[field] = value
  }
  return kept
}

export function toSpec(record: JobRecord): object {
  return without(record, specFields)
}

export function toLife(record: JobRecord): object {
  const timeline = record.timeline.map(({ at, event, to, attempt, by }): Compact =>
    [at, event, to, attempt, by])
  return { ...without(record, lifeFields), timeline }
}

/** A job as a member of the JSON that a statement unfolds with `liveShape` or `historyShape`. */
export function toMember({ record, order, linked }: Stored): Record<string, unknown> {
  const { progress, error, reason } = record
  return {
    id: record.id, n: order === 0 ? null : order, queue: record.queue, task: record.task,
    partition: record.partition, state: record.state, phase: record.phase,
    priority: record.priority, run_at: record.runAt, expires_at: record.expiresAt,
    created_at: record.createdAt, started_at: record.startedAt, settled_at: record.settledAt,
    failed: isSettled(record) ? record.state !== 'completed' : null,
    fence: record.fence, rev: record.rev, attempt: record.attempt,
    worker: record.lease?.worker ?? null, lease_until: record.lease?.until ?? null,
    dedupe_key: record.dedupe?.key ?? null, dedupe_until: record.dedupe?.until ?? null,
    linked,
    carried: progress ?? error ?? reason ? [reason, progress, error] : null,
    spec: toSpec(record), life: toLife(record),
  }
}

/** The columns of `toMember`, with their types. */
export const memberShape = `id text, n bigint, queue text, task text, partition text,
state text, phase text, priority integer, run_at double precision, expires_at double precision,
created_at double precision, started_at double precision, settled_at double precision,
failed boolean, fence bigint, rev integer, attempt integer, worker text,
lease_until double precision, dedupe_key text, dedupe_until double precision, linked boolean,
carried json, spec text, life text`

/** An entry of the log as a chunk keeps it; its number is its place in the chunk. */
export type ChunkEntry = readonly unknown[]

export function toChunkEntry(entry: LogEntry): ChunkEntry {
  return [
    entry.jobId, entry.rev, entry.task, entry.event, entry.from, entry.to, entry.phase,
    entry.attempt, entry.fence, entry.by, entry.at, entry.reason, entry.progress, entry.error,
  ]
}

export function fromChunkEntry(queue: string, seq: number, entry: ChunkEntry): LogEntry {
  const [
    jobId, rev, task, event, from, to, phase, attempt, fence, by, at, reason, progress, error,
  ] = entry
  return {
    seq, at, queue, jobId, rev, task, event, from, to, phase, attempt, fence, by, reason,
    progress, error, cursor: '',
  } as LogEntry
}
