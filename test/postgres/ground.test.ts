import { fork } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { dropLeftovers, madeAt, newSchemaName, withClient } from '../support/postgres/schemas.ts'
import { findServer } from '../support/postgres/server.ts'
import { useGround, usePostgres } from '../support/postgres/use-postgres.ts'

const root = resolve(import.meta.dirname, '../..')
const postgres = usePostgres()
const ground = useGround()
const clients: pg.Client[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)))
})

async function open(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  clients.push(client)
  await client.connect()
  return client
}

/** Unlike `once` of node it lets errors pass. */
function ended(client: pg.Client): Promise<void> {
  return new Promise((done) => { client.once('end', () => { done() }) })
}

async function schemasLike(name: string): Promise<number> {
  return withClient(postgres.url, async (client) => {
    const { rows } = await client.query('select 1 from pg_namespace where nspname = $1', [name])
    return rows.length
  })
}

describe('the server of a run', () => {
  test('is the one of TROUPE_TEST_POSTGRES_URL, and no other in its place', async () => {
    const found = await findServer({ TROUPE_TEST_POSTGRES_URL: postgres.url })
    expect(found).toMatchObject({ url: postgres.url, where: 'TROUPE_TEST_POSTGRES_URL' })
    const nobody = 'postgres://postgres@127.0.0.1:1/postgres'
    await expect(findServer({ TROUPE_TEST_POSTGRES_URL: nobody })).rejects
      .toThrow(/TROUPE_TEST_POSTGRES_URL is set, but: .*ECONNREFUSED/)
  })

  test('drops what dead runs left more than an hour ago', async () => {
    const hours = (n: number): string => newSchemaName(Date.now() - n * 3_600_000)
    const names = [hours(1.1), hours(0.9)] as const
    expect(madeAt(names[0])).toBeLessThan(Date.now() - 3_600_000)
    await withClient(postgres.url, async (client) => {
      for (const name of names) await client.query(`create schema ${name}`)
    })
    await dropLeftovers(postgres.url)
    expect(await schemasLike(names[0])).toBe(0)
    expect(await schemasLike(names[1])).toBe(1)
    await withClient(postgres.url, (client) => client.query(`drop schema ${names[1]}`))
  })
})

describe('a server of the test\'s own', () => {
  test('keeps what was committed through a crash, and syncs as servers do', async () => {
    const server = await ground.ownServer()
    const client = await open(server.url)
    await client.query('create table kept (n int)')
    await client.query('insert into kept values (1)')
    const { rows } = await client.query(
      `select current_setting('fsync') || current_setting('synchronous_commit') as durable`,
    )
    expect(rows).toEqual([{ durable: 'onon' }])
    const cut = ended(client)
    await server.restart('immediate')
    await cut
    const again = await open(server.url)
    expect((await again.query('select n from kept')).rows).toEqual([{ n: 1 }])
    await server.stop('fast')
    await expect(open(server.url)).rejects.toThrow(/ECONNREFUSED/)
    await server.start()
    expect((await (await open(server.url)).query('select n from kept')).rows).toHaveLength(1)
  }, 60_000)

  test('ends with the process that started it, even a killed one', async () => {
    const script = fileURLToPath(new URL('server-owner.ts', import.meta.url))
    const owner = fork(script, { execArgv: ['--import', 'tsx'], cwd: root })
    const [url] = await once(owner, 'message') as [string]
    await (await open(url)).query('select 1')
    owner.kill('SIGKILL')
    const refused = async (): Promise<string> => {
      const client = new pg.Client({ connectionString: url })
      client.on('error', () => undefined)
      return client.connect().then(() => client.end().then(() => 'open'), (e: Error) => e.message)
    }
    await expect.poll(refused, { timeout: 10_000 }).toMatch(/ECONNREFUSED/)
  }, 60_000)
})

describe('the proxy', () => {
  const url = inject('postgresUrl') ?? ''

  test('passes, refuses, lets in again and cuts', async () => {
    const proxy = await ground.proxy(url)
    const first = await open(proxy.url)
    expect((await first.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    await proxy.refuse()
    await expect(open(proxy.url)).rejects.toThrow(/ECONNREFUSED/)
    expect((await first.query('select 2 as n')).rows).toEqual([{ n: 2 }])
    await proxy.accept()
    const second = await open(proxy.url)
    await second.query('listen chatter')
    expect([proxy.connections, proxy.count(/listen/)]).toEqual([2, 1])
    const cut = ended(second)
    proxy.cut(/listen/)
    await cut
    expect((await first.query('select 3 as n')).rows).toEqual([{ n: 3 }])
    proxy.refuseWhoSays(/listen/i)
    const third = await open(proxy.url)
    await expect(third.query('listen chatter')).rejects.toThrow()
    expect((await first.query('select 4 as n')).rows).toEqual([{ n: 4 }])
  })

  test('lets a request through and loses its answer', async () => {
    const proxy = await ground.proxy(url)
    const client = await open(proxy.url)
    const { schema } = postgres
    await client.query(`create schema ${schema}`)
    await client.query(`create table ${schema}.heard (n int)`)
    proxy.swallow()
    const lost = client.query(`insert into ${schema}.heard values (7)`)
    const fate = lost.then(() => 'answered', () => 'lost')
    const direct = await open(url)
    const heard = async (): Promise<unknown> =>
      (await direct.query(`select n from ${schema}.heard`)).rows
    await expect.poll(heard).toEqual([{ n: 7 }])
    proxy.pass()
    expect(await fate).toBe('lost')
    expect((await (await open(proxy.url)).query('select 1 as n')).rows).toEqual([{ n: 1 }])
  })

  test('delays, and keeps the order', async () => {
    const proxy = await ground.proxy(url)
    const client = await open(proxy.url)
    proxy.delay(60)
    const since = performance.now()
    // More than one piece each way.
    const { rows } = await client.query('select repeat($1, 300000) as text', ['order'])
    expect(performance.now() - since).toBeGreaterThanOrEqual(115)
    expect(rows).toEqual([{ text: 'order'.repeat(300_000) }])
  })
})
