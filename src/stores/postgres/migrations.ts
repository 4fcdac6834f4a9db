import { TroupeErrorOf } from '../../errors.ts'
import type { Database } from './database.ts'

/**
 * What this code can work with: the schema as it makes it, and every later one whose `minCode` is
 * not higher. A migration that older code cannot live with raises `minCode` to its own number.
 */
export const schemaVersion = 1

interface Migration {
  readonly minCode: number
  readonly sql: (schema: string) => string
}

/** Numbered from 1, only ever added to; each runs once, all in one transaction. */
const migrations: readonly Migration[] = [
  { minCode: 1, sql: (schema) => jobTable(schema) + historyTable(schema) + otherTables(schema) },
]

/** For a table whose rows are rewritten all the time. */
const busy = `fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 5000, autovacuum_analyze_scale_factor = 0.05,
  autovacuum_vacuum_cost_delay = 0`

/**
 * Live jobs are in `jobs`, settled ones in `history`. Columns are what statements search, claim
 * and compare by; what only travels is JSON: `spec` was said by the caller of `add`, `life` came
 * later. Times are milliseconds since the epoch. No foreign keys: they would lock hot rows.
 */
function jobTable(schema: string): string {
  return `
create sequence ${schema}.fences;
create sequence ${schema}.orders;
create sequence ${schema}.turns;

create table ${schema}.jobs (
  id text collate "C" primary key,
  n bigint not null default nextval('${schema}.orders'),
  queue text collate "C" not null,
  task text collate "C" not null,
  partition text collate "C",
  state text not null,
  phase text,
  priority integer not null,
  run_at double precision not null,
  expires_at double precision,
  created_at double precision not null,
  started_at double precision,
  fence bigint not null,
  rev integer not null,
  attempt integer not null,
  worker text collate "C",
  lease_until double precision,
  claimed_at double precision,
  policy text,
  dedupe_key text collate "C",
  dedupe_until double precision,
  linked boolean not null,
  carried json,
  spec text not null,
  life text not null
) with (${busy});
create index jobs_in_order on ${schema}.jobs (queue, n);
create index jobs_ready on ${schema}.jobs (queue, task, priority, run_at, n)
  where phase = 'ready' and partition is null;
create index jobs_ready_in_partition on ${schema}.jobs
  (queue, task, partition, priority, run_at, n)
  where phase = 'ready' and partition is not null;
create index jobs_delayed on ${schema}.jobs (run_at) where phase = 'delayed';
create index jobs_expiring on ${schema}.jobs (expires_at) where expires_at is not null;
create index jobs_live on ${schema}.jobs (queue, partition) where worker is not null;
create index jobs_keyed on ${schema}.jobs (queue, task, dedupe_key)
  where dedupe_key is not null;

`
}

function historyTable(schema: string): string {
  return `
create table ${schema}.history (
  id text collate "C" primary key,
  n bigint not null,
  queue text collate "C" not null,
  task text collate "C" not null,
  partition text collate "C",
  state text not null,
  failed boolean not null,
  priority integer not null,
  run_at double precision not null,
  created_at double precision not null,
  started_at double precision,
  settled_at double precision not null,
  fence bigint not null,
  rev integer not null,
  attempt integer not null,
  dedupe_key text collate "C",
  dedupe_until double precision,
  linked boolean not null,
  spec text not null,
  life text not null
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
create index history_in_order on ${schema}.history (queue, n);
create index history_by_age on ${schema}.history (queue, failed, settled_at, n);
create index history_keyed on ${schema}.history (queue, task, dedupe_key)
  where dedupe_until is not null;

`
}

/** The graph, the log, settings, limits and workers. */
function otherTables(schema: string): string {
  return `
create table ${schema}.links (
  parent text collate "C" not null,
  child text collate "C" not null,
  primary key (parent, child)
);
create index links_of_child on ${schema}.links (child);
create table ${schema}.unjudged (child text collate "C" primary key);

create table ${schema}.chunks (
  id bigint generated always as identity primary key,
  queue text collate "C" not null,
  first bigint,
  count integer not null,
  at double precision not null,
  entries text not null
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_vacuum_cost_delay = 0);
alter table ${schema}.chunks alter column entries set storage external;
create index chunks_numbered on ${schema}.chunks (queue, first) where first is not null;
create index chunks_unnumbered on ${schema}.chunks (id) where first is null;
create table ${schema}.logs (
  queue text collate "C" primary key,
  newest bigint not null,
  oldest bigint not null
) with (fillfactor = 50);

create table ${schema}.settings (
  key text collate "C" primary key,
  value jsonb,
  version integer not null
);
create table ${schema}.partitions (
  queue text collate "C" not null,
  name text collate "C" not null,
  turn bigint not null,
  primary key (queue, name)
) with (fillfactor = 50);
create table ${schema}.starts (queue text collate "C" primary key, starts json not null)
  with (fillfactor = 50);
create table ${schema}.workers (
  worker text collate "C" primary key,
  until double precision not null,
  info json not null
) with (fillfactor = 50);
`
}

interface Versions {
  readonly version: number
  readonly minCode: number
}

/**
 * Brings the schema up to what this code needs. Several processes may try at once: one does it.
 * With `allowed` false nothing is changed, and an old schema is refused.
 */
export async function migrate(database: Database, allowed: boolean): Promise<void> {
  const present = await versionsOf(database)
  if (present) refuseNewer(database, present)
  if (present && present.version >= schemaVersion) return
  if (!allowed) {
    throw refusal(
      `schema ${database.schema} ${present ? `has version ${present.version}` : 'is not there'}; ` +
        `this code needs version ${schemaVersion}. Open the store with migrate: true once`,
    )
  }
  await database.transaction(async (run) => {
    const { name, schema } = database
    await run(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, [`migrate ${name}`])
    // Who may not make schemas may have been given one.
    const [there] = await run('select to_regnamespace($1)::text as name', [schema])
    if (there?.['name'] === null) await run(`create schema ${schema}`, [])
    await run(`create table if not exists ${schema}.migrations (
      version integer primary key, min_code integer not null,
      at timestamptz not null default now())`, [])
    const rows = await run(`select version from ${schema}.migrations`, [])
    const done = new Set(rows.map(({ version }) => Number(version)))
    for (const [index, { minCode, sql }] of migrations.entries()) {
      if (done.has(index + 1)) continue
      for (const statement of sql(schema).split(/;\n/)) {
        if (statement.trim() !== '') await run(statement, [])
      }
      await run(
        `insert into ${schema}.migrations (version, min_code) values ($1, $2)`,
        [index + 1, minCode],
      )
    }
  })
  const after = await versionsOf(database)
  if (after) refuseNewer(database, after)
}

/** Null when there is no schema yet. */
export async function versionsOf({ run, schema }: Database): Promise<Versions | null> {
  const [there] = await run(`select to_regclass($1)::text as name`, [`${schema}.migrations`])
  if (there?.['name'] === null) return null
  const [row] = await run(
    `select max(version) as version, max(min_code) as min_code from ${schema}.migrations`, [],
  )
  if (!row || row['version'] === null) return null
  return { version: Number(row['version']), minCode: Number(row['min_code']) }
}

function refuseNewer({ schema }: Database, { version, minCode }: Versions): void {
  if (minCode <= schemaVersion) return
  throw refusal(
    `schema ${schema} has version ${version}, which needs code for version ${minCode} or later; ` +
      `this code knows version ${schemaVersion}: update the package of this process`,
  )
}

function refusal(message: string): TroupeErrorOf<'store-failed'> {
  return new TroupeErrorOf('store-failed', message, { operation: 'open' })
}
