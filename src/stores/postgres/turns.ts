import type { JobRecord } from '../../records/job.ts'
import type { Start } from '../starts.ts'
import type { ClaimRequest } from '../store.ts'
import type { Work } from './work.ts'

/** The turn of each partition that was served: the lowest is next. */
export type Turns = ReadonlyMap<string, number>

/** Jobs without a partition are one, too, and have their turn under the empty name. */
export function nameOf({ partition }: Pick<JobRecord, 'partition'>): string {
  return partition ?? ''
}

/** The partitions in the order of their turns; new ones come last, in the order of their jobs. */
export function inTurn(
  places: readonly Pick<Lane, 'partition' | 'order'>[], turns: Turns,
): readonly string[] {
  const turnOf = (name: string): number => turns.get(name) ?? Number.POSITIVE_INFINITY
  const sorted = [...places].sort((a, b) => {
    const [left, right] = [turnOf(nameOf(a)), turnOf(nameOf(b))]
    return left === right ? a.order - b.order : left - right
  })
  return [...new Set(sorted.map(nameOf))]
}

export async function readTurns({ run, schema }: Work, queue: string): Promise<Turns> {
  const rows = await run(
    `select name, turn from ${schema}.partitions where queue = $1`, [queue],
  )
  return new Map(rows.map(({ name, turn }) => [name as string, Number(turn)]))
}

/** The ready jobs of one task in one partition. */
export interface Lane {
  readonly task: string
  readonly partition: string | null
  /** The insert number of the first of them. */
  readonly order: number
}

/** All lanes of a queue, by steps through the index: the jobs in them are not counted. */
export async function readLanes({ run, schema }: Work, queue: string): Promise<readonly Lane[]> {
  const next = (kind: string, after: string): string =>
    `(select task, partition, n from ${schema}.jobs where queue = $1 and phase = 'ready'
    and partition ${kind} ${after} order by task, partition, priority, run_at, n limit 1)`
  const rows = await run(
    `with recursive parted as (
      ${next('is not null', '')} union all select j.* from parted p cross join lateral
      ${next('is not null', 'and (task, partition) > (p.task, p.partition)')} as j
    ), plain as (
      ${next('is null', '')} union all select j.* from plain p cross join lateral
      ${next('is null', 'and task > p.task')} as j
    ) select * from parted union all select * from plain`, [queue],
  )
  return rows.map(({ task, partition, n }) =>
    ({ task: task as string, partition: partition as string | null, order: Number(n) }))
}

export async function readStarts({ run, schema }: Work, queue: string): Promise<readonly Start[]> {
  const [row] = await run(
    `select starts::text as starts from ${schema}.starts where queue = $1`, [queue],
  )
  return row ? JSON.parse(row['starts'] as string) as Start[] : []
}

export async function writeStarts(
  { run, schema, now }: Work, queue: string, before: readonly Start[], after: readonly Start[],
  { limits }: ClaimRequest,
): Promise<void> {
  const perMs = limits.rate?.perMs ?? 0
  const kept = JSON.stringify(after.filter(([at]) => at > now - perMs))
  if (kept === JSON.stringify(before)) return
  await run(
    `insert into ${schema}.starts (queue, starts) values ($1, $2::json)
    on conflict (queue) do update set starts = excluded.starts`, [queue, kept],
  )
}

/**
 * Newcomers get a turn behind all others; who was served goes behind them; who has nothing to do
 * any more loses its turn. `present` is in the order of the turns.
 */
export async function writeTurns(
  { run, schema }: Work, queue: string, turns: Turns, present: readonly string[],
  records: readonly JobRecord[],
): Promise<void> {
  const names = new Set(present)
  const gone = [...turns.keys()].filter((name) => !names.has(name))
  if (gone.length > 0) {
    await run(
      `delete from ${schema}.partitions where queue = $1 and name = any($2::text[])`, [queue, gone],
    )
  }
  const served = new Set(records.map(nameOf).reverse())
  const next = [
    ...present.filter((name) => !turns.has(name) && !served.has(name)),
    ...[...served].reverse(),
  ]
  if (next.length === 0 || (present.length === 1 && turns.size === 1 && gone.length === 0)) return
  await run(
    `insert into ${schema}.partitions (queue, name, turn)
    select $1, name, nextval('${schema}.turns') from unnest($2::text[]) as name
    on conflict (queue, name) do update set turn = excluded.turn`, [queue, next],
  )
}
