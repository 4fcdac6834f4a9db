import type { JobEvent } from '../../../machines/job-events.ts'
import { queueSettingKey, schedulesKey } from '../settings.ts'
import type { Retention, SweepRequest } from '../store.ts'
import { liveColumns, toStored } from './codec.ts'
import type { Run } from './database.ts'
import { follow, followUnjudged } from './following.ts'
import type { Work } from './work.ts'

/** When something falls due, and who could work. */
export interface Pulse {
  readonly delayed: number | null
  readonly expiring: number | null
  readonly lease: number | null
  readonly unjudged: boolean
  readonly unnumbered: boolean
  /** Of the queues that were asked for, those with ready jobs. */
  readonly ready: readonly string[]
  /** The versions of those queues' settings, if they were ever set. */
  readonly settings: Readonly<Record<string, number>>
}

function timeOf(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}

/** All that an idle process asks for, in one statement. */
export async function readPulse(
  run: Run, schema: string, queues: readonly string[],
): Promise<Pulse> {
  const [row = {}] = await run(
    `select
      (select run_at from ${schema}.jobs where phase = 'delayed' order by run_at limit 1)
        as delayed,
      (select expires_at from ${schema}.jobs where expires_at is not null
        order by expires_at limit 1) as expiring,
      (select min(lease_until) from ${schema}.jobs where worker is not null) as lease,
      exists (select from ${schema}.unjudged) as unjudged,
      exists (select from ${schema}.chunks where first is null) as unnumbered,
      array_to_json(array(select q from unnest($1::text[]) as q where exists (
        select from ${schema}.jobs
        where queue = q and phase = 'ready' and partition is null
      ) or exists (
        select from ${schema}.jobs
        where queue = q and phase = 'ready' and partition is not null
      )))::text as ready,
      (select json_object_agg(key, version) from ${schema}.settings
        where key = any($2::text[]) and version > 0)::text as settings`,
    [queues, queues.flatMap((queue) => [queueSettingKey(queue), schedulesKey(queue)])],
  )
  return {
    delayed: timeOf(row['delayed']), expiring: timeOf(row['expiring']),
    lease: timeOf(row['lease']), unjudged: row['unjudged'] === true,
    unnumbered: row['unnumbered'] === true,
    ready: JSON.parse((row['ready'] ?? '[]') as string) as string[],
    settings: JSON.parse((row['settings'] ?? '{}') as string) as Pulse['settings'],
  }
}

/** Expires, makes due and takes back what time has reached; answers how many jobs it moved. */
export async function sweepJobs(
  work: Work, pulse: Pulse, { by, limit }: SweepRequest,
): Promise<number> {
  const { now } = work
  let left = limit
  left -= await followUnjudged(work, pulse.unjudged ? left : 0)
  const fact = { now, by }
  const each: readonly [number | null, string, JobEvent][] = [
    [pulse.expiring, 'expires_at <= $1 order by expires_at, n', { ...fact, type: 'expire' }],
    [pulse.delayed, `phase = 'delayed' and run_at <= $1 order by run_at, n`,
      { ...fact, type: 'due' }],
    [pulse.lease, `worker is not null and lease_until <= $1 order by n`,
      { ...fact, type: 'stall' }],
  ]
  for (const [at, condition, event] of each) {
    if (at === null || at > now || left <= 0) continue
    const rows = await work.run(
      `select ${liveColumns} from ${work.schema}.jobs where ${condition} limit $2
      for update skip locked`, [now, left],
    )
    for (const row of rows) if (work.step(toStored(row), event)) left -= 1
    await work.flush()
  }
  await follow(work)
  return limit - Math.max(left, 0)
}

export interface Pruned {
  readonly count: number
  /** When there will be something to prune, if nothing else happens. */
  readonly nextAt: number | null
}

/** Nobody waits for it, and no key is held by it. */
const spare = (schema: string): string => `(h.dedupe_until is null or h.dedupe_until <= $4)
and not (h.linked and exists (select from ${schema}.links l where l.parent = h.id))`

/** Takes out settled jobs of a queue that are over the number to keep, oldest first. */
export async function prune(
  { run, schema, now }: Pick<Work, 'run' | 'schema' | 'now'>, queue: string,
  retention: Retention, limit: number,
): Promise<Pruned> {
  let count = 0
  let nextAt = Infinity
  for (const [failed, keep] of [[false, retention.completed], [true, retention.failed]] as const) {
    // From both ends of one index: neither what is kept nor what is over is read whole.
    const surplus = `select h.id, h.settled_at, h.n, h.linked from (
      select settled_at, n from ${schema}.history where queue = $1 and failed = $2
      order by settled_at desc, n desc offset $3 limit 1
    ) as edge join ${schema}.history h on h.queue = $1 and h.failed = $2
      and (h.settled_at, h.n) <= (edge.settled_at, edge.n)
    where ${spare(schema)}`
    const oldest = 'order by h.settled_at, h.n limit'
    const gone = await run(
      `with over as materialized (${surplus} and h.settled_at <= $5 ${oldest} $6
      ), cut as (
        delete from ${schema}.links where child = any(array(select id from over where linked))
      )
      delete from ${schema}.history where id = any(array(select id from over)) returning id`,
      [queue, failed, keep, now, now - retention.minAgeMs, Math.max(0, limit - count)],
    )
    count += gone.length
    const [next] = await run(
      `select (${surplus.replace('h.id, h.settled_at, h.n, h.linked', 'h.settled_at')}
        ${oldest} 1) as settled, (
        select min(dedupe_until) from ${schema}.history
        where queue = $1 and failed = $2 and dedupe_until > $4
      ) as held`, [queue, failed, keep, now],
    )
    const settled = timeOf(next?.['settled'])
    if (settled !== null) nextAt = Math.min(nextAt, settled + retention.minAgeMs)
    nextAt = Math.min(nextAt, timeOf(next?.['held']) ?? Infinity)
  }
  return { count, nextAt: Number.isFinite(nextAt) ? nextAt : null }
}
