import type { Pool } from 'pg'

/** Takes out all that a store keeps in a schema, if it is there, but leaves the tables. */
export async function emptySchema(pool: Pool, schema: string): Promise<void> {
  const { rows } = await pool.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = to_regnamespace($1)
    and relkind = 'r' and relname <> 'migrations'`, [`"${schema}"`],
  )
  if (rows.length === 0) return
  await pool.query(rows.map(({ name }) => `delete from "${schema}"."${name}"`).join(';'))
}
