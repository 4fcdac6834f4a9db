import type { JobRecord } from '../../records/job.ts'
import { toLogEntry } from '../../records/transition.ts'
import { claimFrom } from '../claiming.ts'
import { Rows } from '../rows.ts'
import { queueSettingKey, toQueueSetting } from '../settings.ts'
import type { Setting } from '../settings.ts'
import type { Change, ClaimAnswer, ClaimRequest } from '../store.ts'
import { liveColumns, toStored } from './codec.ts'
import type { Stored } from './codec.ts'
import type { Run } from './database.ts'
import { follow } from './following.ts'
import {
  inTurn, nameOf, readLanes, readStarts, readTurns, writeStarts, writeTurns,
} from './turns.ts'
import type { Lane } from './turns.ts'
import type { Work } from './work.ts'

/** Nothing but the order decides who is next. */
export function isUnlimited({ limits }: ClaimRequest): boolean {
  return limits.rate === null && limits.perPartition === null
}

const ready = `phase = 'ready' and partition is null and (expires_at is null or expires_at > $4)
and id not in (select unnest($6::text[]))
and (priority, run_at, n) >= ($11::integer, $12::double precision, $13::bigint)`
const open = `exists (select from gate where value is null or (
  not value @> '{"paused":true}'
  and coalesce((value ->> 'limitedUntil')::double precision, 0) <= $4))`

/** What is not known before the claim. */
const claimedColumns = `t.id, t.n, t.task, t.priority, t.run_at, t.created_at, t.started_at,
t.fence, t.rev, t.attempt, t.dedupe_key, t.dedupe_until, t.linked, t.spec, t.life`

/**
 * Takes the next ready jobs in one statement. The row of the queue's setting is held meanwhile:
 * a pause waits for the claims that have not seen it. What the chart says of a claim besides these
 * columns is put together by `toStored`.
 */
function claimText(schema: string, single: boolean): string {
  const select = `select ctid as spot, task, priority, run_at, n from ${schema}.jobs
    where queue = $2`
  const order = 'order by priority, run_at, n limit $5'
  const next = single
    ? `${select} and task = ($3::text[])[1] and ${ready} and ${open} ${order}
      for update skip locked`
    : `select t.* from unnest($3::text[]) as wanted cross join lateral (
        ${select} and task = wanted and ${ready} and ${open} ${order} for update skip locked
      ) as t ${order}`
  return `
with gate as materialized (
  select value from ${schema}.settings where key = $1 for share
), next as materialized (${next}
), numbered as materialized (
  select spot, row_number() over () as place, nextval('${schema}.fences') as fence from next
), taken as (
  update ${schema}.jobs j set state = 'running', phase = null, rev = j.rev + 1,
    attempt = j.attempt + 1, fence = m.fence, worker = $7, lease_until = $8, claimed_at = $4,
    started_at = case when m.place <= $9 then $4::double precision end, expires_at = null,
    policy = ${single ? '$10' : '($10::json -> j.task)::text'}
  from numbered m where j.ctid = m.spot returning m.place, j.*
), logged as (
  insert into ${schema}.chunks (queue, count, at, entries)
  select $2, count(*), $4, json_agg(json_build_array(
    id, rev, task, 'claim', 'queued', 'running', null, attempt, fence, worker, $4::double precision,
    carried -> 0, carried -> 1, carried -> 2) order by place)::text
  from taken having count(*) > 0
)
select gate.value::text as setting, exists (
  select from ${schema}.jobs where queue = $2 and phase = 'ready' and partition is not null
) as partitioned, ${claimedColumns}
from (select 1) as one left join gate on true left join taken t on true order by t.place`
}

const texts = new Map<string, string>()

function textFor(schema: string, single: boolean): string {
  const key = `${schema} ${single}`
  let text = texts.get(key)
  if (text === undefined) texts.set(key, text = claimText(schema, single))
  return text
}

/** A place in the order of claims: priority, runAt, insert number. */
export type Position = readonly [priority: number, runAt: number, order: number]

/** In front of all jobs. */
const front: Position = [-32_768, -1, 0]

export interface PlainClaim {
  readonly records: readonly JobRecord[]
  readonly last: Position | null
  /** There are ready jobs with a partition, which it does not look at. */
  readonly partitioned: boolean
  /** What holds the whole queue back. */
  readonly paused: boolean
  readonly limitedUntil: number
}

/** Claims jobs without a partition from a queue without limits. */
export async function claimPlain(
  run: Run, schema: string, request: ClaimRequest, now: number, from: Position | null,
): Promise<PlainClaim> {
  const { queue, worker, limit, tasks, exclude, leaseMs, startable = limit } = request
  const names = [...tasks.keys()]
  const policies = new Map([...tasks].map(([name, policy]) => [name, JSON.stringify(policy)]))
  const rows = await run(textFor(schema, names.length === 1), [
    queueSettingKey(queue), queue, names, now, limit, [...exclude], worker, now + leaseMs,
    startable,
    policies.size === 1 ? policies.get(names[0] ?? '') : JSON.stringify(Object.fromEntries(tasks)),
    ...(from ?? front),
  ])
  const setting = (rows[0]?.['setting'] ?? null) as string | null
  const { paused, limitedUntil } = toQueueSetting(
    setting === null ? null : JSON.parse(setting) as Parameters<typeof toQueueSetting>[0],
  )
  const known = { queue, state: 'running', worker, lease_until: now + leaseMs, claimed_at: now }
  const taken = rows.filter(({ id }) => id !== null).map((row) =>
    toStored(Object.assign(row, known, { policy: policies.get(row['task'] as string) })))
  const partitioned = rows[0]?.['partitioned'] === true
  const last = taken.at(-1)
  return {
    records: taken.map(({ record }) => record), partitioned, paused, limitedUntil,
    last: last ? [last.record.priority, last.record.runAt, last.order] : null,
  }
}

/** The changes that a plain claim has made. */
export function claimChanges(records: readonly JobRecord[], now: number): readonly Change[] {
  return records.map((record) => ({
    record,
    entry: toLogEntry(record, 'claim', 'queued', now, record.lease?.worker ?? ''),
  }))
}

/**
 * Claims from a queue with limits or partitions. One process after the other: what bears on the
 * choice is read while the row of the queue's setting is held, and the rules of the in-process
 * engine choose.
 */
export async function claimBounded(
  work: Work, request: ClaimRequest, setting: Setting,
): Promise<ClaimAnswer> {
  const { now } = work
  const { queue, tasks, limit, exclude } = request
  const rows = new Rows()
  rows.restoreSetting(queueSettingKey(queue), setting)
  const turns = await readTurns(work, queue)
  const most = limit + [...exclude].length
  const lanes = await readLanes(work, queue)
  const wanted = lanes.filter(({ task }) => tasks.has(task))
  const candidates = wanted.length === 0 ? [] : await lockCandidates(work, queue, wanted, most)
  const running = await readRunning(work, queue)
  const present = inTurn([...lanes, ...running.map(({ record, order }) => ({ ...record, order }))],
    turns)
  // A partition that comes first in the engine has the first turn there.
  const place = new Map(present.map((name, index) => [name, index]))
  const jobs = [...candidates, ...running].sort((a, b) =>
    (place.get(nameOf(a.record)) ?? 0) - (place.get(nameOf(b.record)) ?? 0))
  for (const { record, order } of jobs) rows.restore(record, order)
  const starts = await readStarts(work, queue)
  rows.restoreStarts(queue, starts)
  const fences = await takeFences(work, limit)
  const base = running.reduce((top, { record }) => Math.max(top, record.fence),
    candidates.reduce((top, { record }) => Math.max(top, record.fence), 0))
  const answer = claimFrom(rows, request, now)
  const stored = new Map(candidates.map((each) => [each.record.id, each]))
  const claimed = new Map<string, JobRecord>()
  for (const event of rows.take()?.events ?? []) {
    if (event.type !== 'changes') continue
    for (const { entry, record } of event.changes) {
      const before = record && stored.get(record.id)
      if (!before) continue
      const fence = entry.event === 'claim' ? fences[record.fence - base - 1] : record.fence
      if (fence === undefined) throw new Error('more was claimed than was asked for')
      const written = { ...record, fence }
      if (entry.event === 'claim') claimed.set(record.id, written)
      work.write(before, written, { ...entry, fence, seq: 0 })
    }
  }
  const records = answer.records.flatMap(({ id }) => claimed.get(id) ?? [])
  await writeTurns(work, queue, turns, present, records)
  if (request.limits.rate !== null) {
    await writeStarts(work, queue, starts, rows.queue(queue).starts.list(), request)
  }
  await follow(work)
  return { records, nextAt: answer.nextAt }
}

/** Of each lane as many as could be claimed at most. */
async function lockCandidates(
  { run, schema }: Work, queue: string, lanes: readonly Lane[], most: number,
): Promise<readonly Stored[]> {
  const job = `select ${liveColumns.replace(/\n/g, ' ')} from ${schema}.jobs
    where queue = $1 and task = lane.task and phase = 'ready'`
  const order = 'order by priority, run_at, n limit $3 for update skip locked'
  const shape = 'json_to_recordset($2::json) as lane(task text, partition text)'
  const rows = await run(
    `select c.* from ${shape} cross join lateral (${job} and partition is null ${order}) as c
    where lane.partition is null union all
    select c.* from ${shape}
    cross join lateral (${job} and partition = lane.partition ${order}) as c`,
    [queue, JSON.stringify(lanes), most],
  )
  return rows.map(toStored)
}

async function readRunning({ run, schema }: Work, queue: string): Promise<readonly Stored[]> {
  const rows = await run(
    `select ${liveColumns} from ${schema}.jobs where queue = $1 and worker is not null order by n`,
    [queue],
  )
  return rows.map(toStored)
}

async function takeFences({ run, schema }: Work, count: number): Promise<readonly number[]> {
  const rows = await run(
    `select nextval('${schema}.fences') as fence from generate_series(1, $1::integer)`, [count],
  )
  return rows.map(({ fence }) => Number(fence))
}
