import { isLive } from '../../records/job.ts'
import type { JobRecord } from '../../records/job.ts'
import type { WorkerInfo } from '../reading.ts'
import type { Beat } from '../store.ts'
import { liveColumns, toStored } from './codec.ts'
import { numbers, texts, textsIn } from './columns.ts'
import type { Row, Run } from './database.ts'
import { follow } from './following.ts'
import type { Work } from './work.ts'

export interface Renewal {
  readonly lost: readonly string[]
  /** Held, and asked to end: their handlers may not have heard of it. */
  readonly cancelling: readonly JobRecord[]
  /** Owned by this worker, but not held by it any more: the answer to its claim was lost. */
  readonly strays: readonly string[]
  /** Held, but a transaction of somebody holds the row: the lease stays as it was. */
  readonly locked: Beat['held']
}

/**
 * One statement for the beat and all leases of a process. It waits for nobody: a job whose row a
 * transaction of a user holds keeps the lease that it has, and nobody can take it meanwhile.
 */
export async function renewLeases(
  run: Run, schema: string, beat: Beat, now: number,
): Promise<Renewal> {
  const { held, leaving, leaseMs, ...said } = beat
  const until = now + leaseMs
  const info: WorkerInfo = { ...said, at: now }
  const rows = await run(
    `with held as materialized (
      select * from unnest(${textsIn('$1')}, $6::bigint[], $7::double precision[])
        as h(id, fence, started_at)
    ), said as (
      ${leaving
        ? `delete from ${schema}.workers where worker = $2 and $4::text is null`
        : `insert into ${schema}.workers (worker, until, info) values ($2, $3, $4::text::json)
          on conflict (worker) do update set until = excluded.until, info = excluded.info`}
    ), present as materialized (
      select j.id, j.state, h.started_at, j.fence from held h join ${schema}.jobs j
        on j.id = h.id and j.fence = h.fence and j.state <> 'queued'
    ), free as materialized (
      select p.id, p.started_at from present p join ${schema}.jobs j
        on j.id = p.id and j.fence = p.fence
      for update of j skip locked
    ), renewed as (
      update ${schema}.jobs j set lease_until = $3,
        started_at = coalesce(j.started_at, f.started_at)
      from free f where j.id = f.id
    )
    select 'present' as is, id, state from present
    union all select 'free', id, null from free
    union all select 'stray', id, state from ${schema}.jobs
    where worker = $2 and lease_until < $5 and id not in (select id from held)`,
    [
      texts(held.map(({ id }) => id)),
      beat.worker, until, leaving ? null : JSON.stringify(info),
      // Claimed, or renewed, more than a beat ago.
      until - leaseMs / 3,
      numbers(held.map(({ fence }) => fence)),
      numbers(held.map(({ startedAt }) => startedAt)),
    ],
  )
  const idsOf = (kind: string, test = (_row: Row): boolean => true): readonly string[] =>
    rows.filter((row) => row['is'] === kind && test(row)).map(({ id }) => id as string)
  const present = new Set(idsOf('present'))
  const free = new Set(idsOf('free'))
  const cancelling = idsOf('present', ({ state }) => state === 'cancelling')
  const records = cancelling.length === 0 ? [] : await run(
    `select ${liveColumns} from ${schema}.jobs where id = any($1::text[])`, [cancelling],
  )
  return {
    locked: held.filter(({ id }) => present.has(id) && !free.has(id)),
    lost: held.map(({ id }) => id).filter((id) => !present.has(id)),
    cancelling: records.map((row) => toStored(row).record),
    strays: idsOf('stray'),
  }
}

/** Waits until the rows are free, and extends the leases then: before a sweep can take them. */
export async function renewLocked(
  work: Work, { id, fence }: Beat['held'][number], leaseMs: number, now: () => number,
): Promise<void> {
  const { run, schema } = work
  const [row] = await run(
    `select fence from ${schema}.jobs where id = $1 and state <> 'queued' for update`, [id],
  )
  if (Number(row?.fence) !== fence) return
  // By the time that it is when the row is had.
  await run(`update ${schema}.jobs set lease_until = $2 where id = $1`, [id, now() + leaseMs])
}

/** Hands back claims whose answer never came; nothing is charged. */
export async function releaseStrays(work: Work, ids: readonly string[], by: string): Promise<void> {
  const rows = await work.run(
    `select ${liveColumns} from ${work.schema}.jobs where id = any($1::text[]) and worker = $2
    order by id for update`, [ids, by],
  )
  for (const row of rows) {
    const stored = toStored(row)
    if (isLive(stored.record)) {
      work.step(stored, { type: 'release', now: work.now, by, progress: null })
    }
  }
  await follow(work)
}

export async function readWorkers(
  run: Run, schema: string, now: number,
): Promise<readonly WorkerInfo[]> {
  const rows = await run(
    `select info::text as info from ${schema}.workers where until > $1 order by worker`, [now],
  )
  return rows.map(({ info }) => JSON.parse(info as string) as WorkerInfo)
}

/** Workers that never said that they leave are forgotten after a day. */
export async function forgetWorkers(run: Run, schema: string, now: number): Promise<void> {
  await run(`delete from ${schema}.workers where until < $1`, [now - 24 * 60 * 60 * 1000])
}
