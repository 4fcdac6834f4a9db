import { randomBytes } from 'node:crypto'
import pg from 'pg'

const prefix = 'troupe_test_'
const hourMs = 60 * 60 * 1000

/** A name for a schema that nobody else has; it says when it was made. */
export function newSchemaName(now = Date.now()): string {
  return `${prefix}${now.toString(36)}_${randomBytes(5).toString('hex')}`
}

/** When a schema was made, if it is one of ours. */
export function madeAt(name: string): number | null {
  const time = new RegExp(`^${prefix}([0-9a-z]{6,10})_[0-9a-f]{10}$`).exec(name)?.[1]
  return time === undefined ? null : Number.parseInt(time, 36)
}

export async function withClient<T>(
  url: string, work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Drops schemas with all that is in them; who still uses one is disconnected. */
export async function dropSchemas(client: pg.Client, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await client.query(`set lock_timeout = '3s'`)
    const drop = `drop schema if exists ${pg.escapeIdentifier(name)} cascade`
    try {
      await client.query(drop)
    } catch {
      await client.query(
        `select pg_terminate_backend(pid) from pg_locks join pg_class on pg_class.oid = relation
         where relnamespace = to_regnamespace($1) and pid <> pg_backend_pid()`,
        [pg.escapeIdentifier(name)],
      )
      await client.query(drop)
    }
  }
}

/** Drops what runs left behind that were killed more than an hour ago. Answers how many. */
export async function dropLeftovers(url: string, now = Date.now()): Promise<number> {
  return withClient(url, async (client) => {
    // Two runs that begin together would wait for each other.
    const { rows: [lock] } = await client.query<{ mine: boolean }>(
      'select pg_try_advisory_lock(hashtext($1)) as mine', [`${prefix}leftovers`],
    )
    if (!lock?.mine) return 0
    const { rows } = await client.query<{ name: string }>(
      'select nspname as name from pg_namespace where starts_with(nspname, $1)', [prefix],
    )
    const old = rows.map(({ name }) => name).filter((name) => {
      const at = madeAt(name)
      return at !== null && at < now - hourMs
    })
    await dropSchemas(client, old)
    return old.length
  })
}
