import type { LogEntry } from '../../records/transition.ts'
import type { LogPage } from '../reading.ts'
import { judgeLog, toRetold } from '../restoration.ts'
import type { RestoredLog } from '../restoration.ts'
import type { Retention } from '../store.ts'
import { fromChunkEntry, toChunkEntry } from './codec.ts'
import type { ChunkEntry } from './codec.ts'
import type { Database, Run } from './database.ts'

/** Rows that one pass numbers at most. */
const batch = 2000

/**
 * Gives numbers to what is visible and has none: one process at a time, whichever comes. Entries
 * of one job are in order, since each was written under the job's row lock after the one before.
 * Answers whether there may be more.
 */
export async function numberEntries(database: Database): Promise<boolean> {
  return database.transaction(async (run) => {
    await becomeSequencer(run, database)
    return numberBatch(run, database.schema)
  })
}

/** One at a time: what comes next sees all that the one before has numbered. */
export async function becomeSequencer(run: Run, { name }: Pick<Database, 'name'>): Promise<void> {
  await run('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`${name} sequencer`])
}

async function numberBatch(run: Run, schema: string): Promise<boolean> {
  const rows = await run(
    `with waiting as materialized (
      select id, queue, count from ${schema}.chunks where first is null order by id limit ${batch}
    ), placed as materialized (
      select id, queue, sum(count) over (partition by queue order by id) - count as before
      from waiting
    ), added as materialized (select queue, sum(count) as added from waiting group by queue
    ), tops as (
      insert into ${schema}.logs as l (queue, newest, oldest)
      select queue, added, 1 from added order by queue
      on conflict (queue) do update set newest = l.newest + excluded.newest
      returning queue, newest
    )
    update ${schema}.chunks c set first = t.newest - a.added + p.before + 1
    from placed p join tops t on t.queue = p.queue join added a on a.queue = p.queue
    where c.id = p.id returning c.id`, [],
  )
  return rows.length === batch
}

export interface LogSpan {
  readonly newest: number
  readonly oldest: number
}

export async function readSpans(run: Run, schema: string): Promise<ReadonlyMap<string, LogSpan>> {
  const rows = await run(`select queue, newest, oldest from ${schema}.logs`, [])
  return new Map(rows.map(({ queue, newest, oldest }) =>
    [queue as string, { newest: Number(newest), oldest: Number(oldest) }]))
}

/**
 * What is trimmed stays so long for those who follow the log and have not come to it yet.
 * Milliseconds.
 */
const trimmedMs = 10_000

/** What has a number, behind `after`; for who follows the log, also what was trimmed just now. */
export async function readNumbered(
  run: Run, schema: string, queue: string, after: number, limit: number, follows = false,
): Promise<LogPage> {
  const rows = await run(
    `select l.newest, l.oldest, c.first, c.entries
    from ${schema}.logs l left join lateral (
      select first, entries from ${schema}.chunks
      where queue = l.queue and $2 < l.newest and first <= $2 + $3 and first >= coalesce((
        select first from ${schema}.chunks
        where queue = l.queue and first <= greatest($2 + 1, $4 * l.oldest)
        order by first desc limit 1
      ), 0) order by first
    ) as c on $3 > 0 where l.queue = $1 order by c.first`,
    [queue, Math.max(after, 0), limit, follows ? 0 : 1],
  )
  const [head] = rows
  if (!head) return { entries: [], oldest: 1, newest: 0 }
  const [oldest, newest] = [Number(head['oldest']), Number(head['newest'])]
  const start = follows ? after + 1 : Math.max(after + 1, oldest)
  const entries: LogEntry[] = []
  for (const row of rows) {
    if (row['first'] === null) continue
    const list = JSON.parse(row['entries'] as string) as ChunkEntry[]
    for (const [index, entry] of list.entries()) {
      const seq = Number(row['first']) + index
      if (seq >= start && entries.length < limit) entries.push(fromChunkEntry(queue, seq, entry))
    }
  }
  return { entries, oldest, newest }
}

/**
 * Puts entries of another log where they belong, with their numbers: what others commit meanwhile
 * must not come in between. For the sequencer only. Answers whether they are there.
 */
export async function retell(
  run: Run, schema: string, queue: string, log: RestoredLog,
): Promise<boolean> {
  while (await numberBatch(run, schema)) { /* until nothing is left */ }
  const { behind, entries } = log
  const page = await readNumbered(run, schema, queue, behind, entries.length)
  const verdict = judgeLog(log, page)
  const last = entries.at(-1)
  if (verdict !== 'free' || !last) return verdict !== 'taken'
  await run(
    `with added as (
      insert into ${schema}.logs as l (queue, newest, oldest) values ($1, $2::bigint + $3, 1)
      on conflict (queue) do update set newest = excluded.newest
    )
    insert into ${schema}.chunks (queue, first, count, at, entries)
    values ($1, $2::bigint + 1, $3, $4, $5)`,
    [queue, behind, entries.length, last.at,
      JSON.stringify(entries.map((entry) => toChunkEntry(toRetold(entry))))],
  )
  return true
}

/** Forgets all of a log; it goes on behind its last number, so that no cursor means two things. */
export async function forgetLog(
  run: Run, schema: string, queue: string, now: number,
): Promise<void> {
  while (await numberBatch(run, schema)) { /* until nothing is left */ }
  await run(
    `with gone as (delete from ${schema}.chunks where queue = $1 and at < $2)
    update ${schema}.logs set oldest = newest + 1 where queue = $1`, [queue, now - trimmedMs],
  )
}

/** Forgets the head of a log. Answers when the next entry will be too old. */
export async function trimLog(
  run: Run, schema: string, queue: string, retention: Retention, now: number,
): Promise<number | null> {
  const [row] = await run(
    `with span as (
      select l.queue, l.oldest, greatest(l.oldest, l.newest - $2 + 1, coalesce((
        select first from ${schema}.chunks where queue = $1 and first is not null and at >= $3
        order by first limit 1
      ), l.newest + 1)) as next from ${schema}.logs l where l.queue = $1
    ), moved as (
      update ${schema}.logs l set oldest = s.next from span s
      where l.queue = s.queue and s.next > l.oldest returning l.queue
    ), gone as (
      delete from ${schema}.chunks c using span s
      where c.queue = s.queue and c.first + c.count <= s.next and c.at < $4
    )
    select (select at from ${schema}.chunks c where c.queue = s.queue and c.first + c.count > s.next
      and c.first is not null order by c.first limit 1) as at from span s`,
    [queue, retention.log, now - retention.logAgeMs, now - trimmedMs],
  )
  const at = row?.['at'] ?? null
  return at === null ? null : Number(at) + retention.logAgeMs + 1
}
