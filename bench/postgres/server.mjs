/** The server that is measured: a database of its own for every measure, and eyes from outside. */
import { randomBytes } from 'node:crypto'

const serverUrl =
  process.env.TROUPE_BENCH_POSTGRES_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres'

/** Facts about the server, or an error that says why there is none. */
export async function serverFacts() {
  return await asAdmin(async (query) => {
    const [{ server_version: version }] = await query('show server_version')
    const shown = ['fsync', 'synchronous_commit', 'shared_buffers', 'max_wal_size']
    const settings = []
    for (const name of shown) settings.push(`${name} ${(await query(`show ${name}`))[0][name]}`)
    return `PostgreSQL ${version.split(' ')[0]}, ${settings.join(', ')}`
  })
}

export async function createDatabase() {
  const name = `troupe_bench_${randomBytes(6).toString('hex')}`
  await asAdmin((query) => query(`create database ${name}`))
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return { name, url: url.href }
}

export const dropDatabase = (name) =>
  asAdmin((query) => query(`drop database if exists ${name} with (force)`))

/** Loaded late: the other tables need no client. */
const loadClient = async () => (await import('pg')).default

async function asAdmin(work) {
  return await withClient(serverUrl, work)
}

/** `work` gets a function that runs one statement and answers with its rows. */
export async function withClient(url, work) {
  const client = await connect(url)
  try {
    return await work(client.query)
  } finally {
    await client.close()
  }
}

export async function connect(url) {
  const { Client } = await loadClient()
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 3_000 })
  client.on('error', () => {})
  await client.connect()
  return {
    query: async (text, values) => (await client.query(text, values)).rows,
    close: () => client.end(),
  }
}
