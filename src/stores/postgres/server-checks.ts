import type { Finding } from '../reading.ts'
import type { Connected } from './connected.ts'
import type { Row } from './database.ts'

/** What one look has shown. */
export type Seen = Omit<Finding, 'check'>

/** From here on an old snapshot costs: dead rows that vacuum may not take. */
const snapshotMs = 60_000
const snapshotAge = 100_000
/** Autovacuum comes long before. */
const deadRows = 50_000
const indexBytes = 32 * 1024 * 1024

export function fine(found: string): Seen {
  return { level: 'ok', found, advice: null }
}

export function warning(found: string, advice: string): Seen {
  return { level: 'warning', found, advice }
}

export async function lookAtServer({ run }: Connected): Promise<Seen> {
  const [row = {}] = await run(
    `select current_setting('server_version') as version,
      current_setting('server_version_num')::integer as number, pg_is_in_recovery() as standby,
      current_setting('transaction_read_only') = 'on' as readonly,
      current_setting('default_transaction_isolation') as isolation,
      current_setting('fsync') = 'on' as syncs, current_setting('synchronous_commit') as sync`, [],
  )
  const found = `PostgreSQL ${String(row['version'])}`
  const error = (what: string, advice: string): Seen =>
    ({ level: 'error', found: `${found}, ${what}`, advice })
  if (Number(row['number']) < 140_000) return error('which is too old', 'use 14 or later')
  if (row['standby'] === true || row['readonly'] === true) {
    return error('which takes no writes', 'connect to the primary')
  }
  if (row['syncs'] !== true || row['sync'] === 'off') {
    const what = row['syncs'] === true ? 'synchronous_commit' : 'fsync'
    return warning(
      `${found}, with ${what} off`, `a crash loses what was acknowledged: set ${what} = on`,
    )
  }
  if (row['isolation'] === 'read committed') return fine(found)
  return warning(
    `${found}, with default_transaction_isolation = ${String(row['isolation'])}`,
    'set it to read committed for the role of this process: others make claims fail and repeat',
  )
}

export async function lookAtSnapshots({ run }: Connected): Promise<Seen> {
  const [row] = await run(
    `select * from (
      select greatest(age(backend_xid), age(backend_xmin)) as age, 'session ' || pid as what,
        coalesce(nullif(application_name, ''), usename) as whose, xact_start as since,
        format('select pg_terminate_backend(%s)', pid) as remedy
      from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()
        and backend_type is distinct from 'autovacuum worker'
      union all select age(transaction), 'prepared transaction ' || gid, owner, prepared,
        format('rollback prepared %L', gid)
      from pg_prepared_xacts where database = current_database()
      union all select age(xmin), 'replication slot ' || slot_name, slot_type, null,
        format('select pg_drop_replication_slot(%L)', slot_name)
      from pg_replication_slots
    ) as held cross join lateral (
      select extract(epoch from clock_timestamp() - since)::double precision * 1000 as ms
    ) as lasted where age is not null order by age desc, ms desc nulls last limit 1`, [],
  )
  const hidden = await hiddenSessions(run)
  if (!row) return hidden ?? fine('nobody holds an old snapshot')
  const [age, ms] = [Number(row['age']), Number(row['ms'] ?? 0)]
  const found = `the oldest snapshot is held by ${String(row['what'])} (${
    String(row['whose'])}): ${age} transactions${ms > 0 ? `, ${span(ms)}` : ''} old`
  if (age < snapshotAge && ms < snapshotMs) return hidden ?? fine(found)
  return warning(found, 'vacuum can take no row that died since, and claims slow down: ' +
    `end it, if it may end (${String(row['remedy'])}), and keep transactions short`)
}

async function hiddenSessions(run: Connected['run']): Promise<Seen | null> {
  const [row] = await run(
    `select current_user as role, pg_has_role(current_user, 'pg_read_all_stats', 'usage') as may,
    (select count(*) from pg_stat_activity where usename <> current_user) as others`, [],
  )
  if (row?.['may'] === true || Number(row?.['others']) === 0) return null
  const role = String(row?.['role'])
  return warning(
    `role ${role} may not read of ${Number(row?.['others'])} sessions of others what they hold`,
    `grant pg_read_all_stats to ${role}`,
  )
}

export async function lookAtVacuum({ run, database }: Connected): Promise<Seen> {
  const rows = await run(
    `select s.relname as name, n_live_tup as live, n_dead_tup as dead,
      extract(epoch from clock_timestamp() - greatest(last_vacuum, last_autovacuum))
        ::double precision * 1000 as ms,
      current_setting('autovacuum') = 'off'
        or coalesce(array_to_string(c.reloptions, ',') ~ 'autovacuum_enabled=(false|off|0)', false)
        as off
    from pg_stat_user_tables s join pg_class c on c.oid = s.relid
    where schemaname = $1 and s.relname in ('jobs', 'history', 'chunks') order by s.relname desc`,
    [database.name],
  )
  const found = rows.map(({ name, live, dead, ms }) => `${String(name)}: ${Number(live)} rows, ${
    Number(dead)} dead, ${ms === null ? 'not vacuumed yet' : `vacuumed ${span(Number(ms))} ago`}`)
  const text = found.join('; ')
  const names = (list: readonly Row[]): string => list.map(({ name }) => String(name)).join(', ')
  const off = rows.filter((row) => row['off'] === true)
  if (off.length > 0) return warning(text, `autovacuum is off for ${names(off)}: turn it on`)
  const full = rows.filter(({ live, dead }) => Number(dead) > deadRows + Number(live) / 2)
  if (full.length === 0) return fine(text)
  return warning(text, `vacuum does not keep up with ${names(full)}: see snapshots first; else ` +
    'raise autovacuum_max_workers, lower autovacuum_naptime, or run vacuum by hand')
}

/** The size that an index should have goes by the width of its columns and what a page leaves. */
export async function lookAtIndexes({ run, database }: Connected): Promise<Seen> {
  const rows = await run(
    `select c.relname as name, pg_relation_size(c.oid) as size,
      greatest(c.reltuples, 0) * (20 + (
        select sum(coalesce(s.avg_width, 16)) from unnest(i.indkey) as k
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k
        left join pg_stats s on s.schemaname = $1 and s.tablename = t.relname
          and s.attname = a.attname
      )) / 0.7 as needed
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
    where t.relnamespace = (select oid from pg_namespace where nspname = $1)
    order by size desc`, [database.name],
  )
  const total = rows.reduce((sum, { size }) => sum + Number(size), 0)
  const bloated = rows.filter(({ size, needed }) =>
    Number(size) > indexBytes && Number(size) > 4 * Number(needed))
  if (bloated.length === 0) return fine(`${rows.length} indexes, ${bytes(total)} in all`)
  const found = bloated.map(({ name, size, needed }) =>
    `${String(name)} has ${bytes(Number(size))} for about ${bytes(Number(needed))} of entries`)
  const remedy = bloated.map(({ name }) => `reindex index concurrently ${database.schema}."${
    String(name)}"`)
  return warning(found.join('; '), `if it stays so: ${remedy.join('; ')}`)
}

export async function lookAtNotificationQueue({ run }: Connected): Promise<Seen> {
  const [row] = await run('select pg_notification_queue_usage() as used', [])
  const used = Number(row?.['used'])
  const found = `${(used * 100).toFixed(1)} % of the queue of NOTIFY are used`
  if (used < 0.1) return fine(found)
  const advice = 'when it is full, commits that notify fail: a session that said LISTEN stays ' +
    'in a transaction; find it in pg_stat_activity (state idle in transaction) and end it'
  return { level: used < 0.5 ? 'warning' : 'error', found, advice }
}

export async function lookAtConnections({ run }: Connected): Promise<Seen> {
  const [row] = await run(
    `select count(*) as used, count(*) filter (where application_name like 'troupe%') as ours,
    current_setting('max_connections')::integer
      - current_setting('superuser_reserved_connections')::integer
      - coalesce(current_setting('reserved_connections', true), '0')::integer as most
    from pg_stat_activity where datid is not null
      and coalesce(backend_type, 'client backend') = 'client backend'`, [],
  )
  const [used, most] = [Number(row?.['used']), Number(row?.['most'])]
  const found = `${used} of ${most} connections are in use, ${Number(row?.['ours'])} by Troupe`
  if (used < most * 0.8) return fine(found)
  return { level: used < most ? 'warning' : 'error', found,
    advice: 'lower maxConnections of the stores, or raise max_connections of the server' }
}

/** A length of time, for people. */
export function span(ms: number): string {
  const units = [['d', 86_400_000], ['h', 3_600_000], ['min', 60_000]] as const
  const unit = units.find(([, size]) => ms >= size * 2)
  return unit ? `${Math.floor(ms / unit[1])} ${unit[0]}` : `${Math.round(ms / 1000)} s`
}

function bytes(count: number): string {
  return count < 1_048_576 ? `${Math.ceil(count / 1024)} KB` : `${Math.round(count / 1_048_576)} MB`
}
