/** What is done to a system's tables with plain SQL. */
import { connect, withClient } from './server.mjs'

/** A transaction that has read, and stays open until it is closed. */
export async function holdSnapshot(url, table) {
  const { query, close } = await connect(url)
  await query('begin isolation level repeatable read')
  await query(`select from ${table} limit 1`)
  return { close }
}

/** Copies of a job that is queued, with what must differ made fresh from `i`; then deleted. */
export async function makeDeadRows(url, { name, fresh }, count) {
  await withClient(url, async (query) => {
    const columns = await query(
      'select attname as column, attidentity from pg_attribute where attrelid = $1::regclass ' +
        `and attnum > 0 and not attisdropped and attgenerated = ''`, [name],
    )
    const copied = columns.filter((each) => each.attidentity === '').map((each) => each.column)
    const values = copied.map((column) => fresh[column] ?? `one.${column}`)
    await query(`create temporary table one as select *, ctid as place from ${name} limit 1`)
    await query(
      `insert into ${name} (${copied.join(', ')}) select ${values.join(', ')} ` +
        `from one, generate_series(1, ${count}) as i`,
    )
    await query(`delete from ${name} where ctid not in (select place from one)`)
  })
}

/** Of all tables of the database that are not PostgreSQL's own, with their indexes. */
export async function userBytes(query) {
  const [{ bytes }] = await query(
    'select coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 as bytes from pg_class c ' +
      `where relkind in ('r', 'm') and relnamespace not in (select oid from pg_namespace ` +
      `where nspname like 'pg\\_%' or nspname = 'information_schema')`,
  )
  return bytes
}
