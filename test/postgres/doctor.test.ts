import pg from 'pg'
import { createTroupe } from 'troupe'
import type { Finding, Troupe, TroupeOptions } from 'troupe'
import { postgresStore } from 'troupe/stores/postgres'
import { afterEach, describe, expect, test } from 'vitest'
import { systemEnv } from '../../src/env.ts'
import { useOwnDatabase } from '../support/postgres/own-database.ts'
import { newSchemaName, withClient } from '../support/postgres/schemas.ts'
import { useGround, usePostgres } from '../support/postgres/use-postgres.ts'

const server = usePostgres()
const { url } = useOwnDatabase(server.url)
const ground = useGround()
const closers: (() => Promise<unknown>)[] = []
/** Made once: it takes seconds. */
let ownServer: ReturnType<typeof ground.ownServer> | undefined

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

interface Patient {
  readonly troupe: Troupe
  readonly schema: string
  readonly find: (check: string) => Promise<Finding | undefined>
}

async function open(
  { schema = newSchemaName(), connection = url, ...options }:
    TroupeOptions & { readonly schema?: string; readonly connection?: string | pg.Pool } = {},
): Promise<Patient> {
  const troupe = await createTroupe({ store: postgresStore(connection, { schema }), ...options })
  closers.push(() => troupe.stop({ grace: 0 }))
  const find = async (check: string): Promise<Finding | undefined> =>
    (await troupe.doctor()).find((finding) => finding.check === check)
  return { troupe, schema, find }
}

async function connect(connectionString: string, name = 'a reader'): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, application_name: name })
  client.on('error', () => undefined)
  await client.connect()
  closers.push(() => client.end())
  return client
}

function poolOf(options: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(options)
  closers.push(() => pool.end())
  return pool
}

const sql = (text: string, at = url): Promise<pg.QueryResult> =>
  withClient(at, (client) => client.query(text))

/** A finding that is not well. */
function amiss(level: 'warning' | 'error', found: RegExp, advice = /./): object {
  return { level, found: expect.stringMatching(found), advice: expect.stringMatching(advice) }
}

test('one finding for each thing; what is not well says what to do', async () => {
  const { troupe, schema, find } = await open({ worker: 'ann' })
  const queue = troupe.queue('q', { tasks: { greet: () => 'hello' } })
  await troupe.start()
  await (await queue.add('greet')).result()
  await expect.poll(() => find('workers')).toMatchObject({ level: 'ok' })
  const findings = await troupe.doctor()
  expect(findings.map(({ check }) => check)).toEqual([
    'schema', 'server', 'snapshots', 'vacuum', 'indexes', 'notification-queue', 'clock', 'workers',
    'queues', 'leases', 'log', 'connections', 'notifications',
  ])
  for (const { level, found, advice } of findings) {
    expect(found).not.toMatch(/NaN|undefined|null|could not/)
    expect(advice === null).toBe(level === 'ok')
  }
  const said = new Map(findings.map(({ check, level, found }) => [check, `${level}: ${found}`]))
  expect(said.get('schema')).toBe(`ok: schema ${schema} has version 1`)
  expect(said.get('server')).toMatch(/^ok: PostgreSQL 1\d/)
  expect(said.get('vacuum')).toMatch(/jobs: \d+ rows, \d+ dead, .*history: .*chunks: /)
  expect(said.get('indexes')).toMatch(/^ok: \d+ indexes, \d+ KB in all$/)
  expect(said.get('notification-queue')).toBe('ok: 0.0 % of the queue of NOTIFY are used')
  expect(said.get('clock')).toMatch(/^ok: this machine is \d+ ms .*, ± \d+\.\d ms$/)
  expect(said.get('workers')).toBe('ok: 1 alive, of version 0.1.0: ann (0 running)')
  expect(said.get('queues')).toBe('ok: for all that is ready, a worker is alive')
  expect(said.get('leases')).toBe('ok: 0 jobs are claimed, all under a lease that holds')
  expect(said.get('notifications')).toBe('ok: notifications arrive here')
})

test('a schema that newer code has made, and one that is gone', async () => {
  const { schema, find } = await open()
  const version = (minCode: number): Promise<unknown> => sql(`insert into ${schema}.migrations
    (version, min_code) values ((select max(version) + 1 from ${schema}.migrations), ${minCode})`)
  await version(1)
  expect(await find('schema')).toMatchObject(amiss('warning', /./, /update the package/))
  await version(3)
  expect(await find('schema')).toMatchObject(amiss('error', /./, /update the package/))
  await sql(`drop schema ${schema} cascade`)
  expect(await find('schema')).toMatchObject(amiss('error', /./, /migrate: true/))
  expect(await find('leases')).toMatchObject(amiss('warning', /could not be looked at/))
})

describe('the server', () => {
  test.each([
    ['synchronous_commit=off', 'warning', 'set synchronous_commit = on'],
    ['default_transaction_isolation=serializable', 'warning', 'read committed'],
    ['default_transaction_read_only=on', 'error', 'the primary'],
  ])('with %s', async (setting, level, advice) => {
    const { schema } = await open()
    const pool = poolOf({ connectionString: url, options: `-c ${setting}`, max: 3 })
    const { find } = await open({ schema, connection: pool })
    const finding = await find('server')
    expect(finding).toMatchObject({ level })
    expect(finding?.advice).toContain(advice)
  })

  test('the oldest snapshot, who holds it, and how to end that', async () => {
    const { find } = await open()
    const reader = await connect(url, 'a long report')
    await reader.query('begin isolation level repeatable read')
    const { rows: [own] } = await reader.query<{ pid: number }>('select pg_backend_pid() as pid')
    const young = await find('snapshots')
    expect(young).toMatchObject({ level: 'ok' })
    expect(young?.found).toContain(`session ${own?.pid} (a long report)`)
    await sql(`do $$ begin for i in 1..100001 loop
      perform pg_current_xact_id(); commit; end loop; end $$`)
    const old = await find('snapshots')
    expect(old).toMatchObject({ level: 'warning' })
    expect(old?.found).toMatch(/\): 1\d{5} transactions/)
    expect(old?.advice).toContain(`select pg_terminate_backend(${own?.pid})`)
    await reader.query('commit')
    expect(await find('snapshots')).toMatchObject({ level: 'ok' })
  })

  test('a role that may not see the others is told so', async () => {
    const role = newSchemaName()
    await sql(`create role ${role} login password 'secret'; grant create on database
      ${new URL(url).pathname.slice(1)} to ${role}`)
    closers.push(() => sql(`drop owned by ${role}; drop role ${role}`))
    const limited = new URL(url)
    limited.username = role
    limited.password = 'secret'
    await connect(url)
    const { find } = await open({ connection: limited.href })
    const snapshots = await find('snapshots')
    expect(snapshots).toMatchObject({ level: 'warning' })
    expect(snapshots?.advice).toBe(`grant pg_read_all_stats to ${role}`)
    await sql('revoke select on pg_stat_activity from public')
    const denied = await find('connections')
    expect(denied).toMatchObject(amiss('warning', /./, /^grant pg_monitor/))
    expect(denied?.found).toContain('permission denied')
    await sql('grant select on pg_stat_activity to public')
  })

  test('prepared transactions, and connections that run out', async () => {
    const own = await (ownServer ??= ground.ownServer())
    await sql('alter system set max_prepared_transactions = 5', own.url)
    await sql('alter system set superuser_reserved_connections = 280', own.url)
    await own.restart('fast')
    const { find } = await open({ connection: own.url })
    await sql(`begin; select pg_current_xact_id(); prepare transaction 'forgotten'`, own.url)
    expect((await find('snapshots'))?.found).toContain('prepared transaction forgotten (postgres)')
    expect(await find('connections')).toMatchObject({ level: 'ok' })
    while (closers.length < 16) await connect(own.url)
    expect(await find('connections')).toMatchObject({ level: 'warning' })
    while (closers.length < 24) await connect(own.url)
    const full = await find('connections')
    expect(full).toMatchObject(amiss('error', /./, /maxConnections/))
    expect(full?.found).toMatch(/^\d\d of 20 connections are in use, \d+ by Troupe$/)
  }, 60_000)
})

describe('the tables', () => {
  test('dead rows that nobody takes away', async () => {
    const { schema, find } = await open()
    await sql(`alter table ${schema}.chunks set (autovacuum_enabled = off)`)
    expect((await find('vacuum'))?.advice).toMatch(/autovacuum is off for .*chunks/)
    await sql(`alter table ${schema}.chunks reset (autovacuum_enabled)`)
    const { rows: [{ on }] } = await sql(`select current_setting('autovacuum') = 'on' as on`)
    const reader = await connect(url)
    await reader.query('begin isolation level repeatable read; select 1')
    await sql(`insert into ${schema}.chunks (queue, count, at, entries)
      select 'q', 1, 0, '[]' from generate_series(1, 60000)`)
    await sql(`delete from ${schema}.chunks`)
    const advice = expect.stringMatching(on === true
      ? /does not keep up with chunks/ : /autovacuum is off/)
    await expect.poll(() => find('vacuum'), { timeout: 10_000 }).toMatchObject({
      level: 'warning', found: expect.stringMatching(/chunks: \d+ rows, 60000 dead/), advice,
    })
  })

  test('an index that is much larger than what is in it', async () => {
    const { schema, find } = await open()
    await sql(`insert into ${schema}.settings (key, version) select i || noise, 0
      from generate_series(10000, 29999) as i, (
        select string_agg(md5(n::text), '') as noise from generate_series(1, 60) as n) as long`)
    await sql(`vacuum analyze ${schema}.settings`)
    expect(await find('indexes')).toMatchObject({ level: 'ok' })
    await sql(`delete from ${schema}.settings`)
    await sql(`vacuum analyze ${schema}.settings`)
    const finding = await find('indexes')
    expect(finding).toMatchObject({ level: 'warning' })
    expect(finding?.found).toMatch(/^settings_pkey has \d+ MB for about 0 KB of entries$/)
    const remedy = `reindex index concurrently "${schema}"."settings_pkey"`
    expect(finding?.advice).toContain(remedy)
    await sql(remedy)
    expect(await find('indexes')).toMatchObject({ level: 'ok' })
  })
})

describe('the workers', () => {
  test('a clock that is off, and one that is this process\'s own', async () => {
    const ahead = { ...systemEnv, now: () => systemEnv.now() + 5000 }
    const clock = await (await open({ env: ahead })).find('clock')
    expect(clock).toMatchObject(amiss('warning', /./, /synchronise/))
    expect(clock?.found).toMatch(/^this machine is (49|50)\d\d ms ahead of the server/)
    const store = postgresStore(url, { schema: newSchemaName(), clock: 'process' })
    const own = await (await open({ env: ahead, store })).find('clock')
    expect(own).toMatchObject({ level: 'ok', found: 'this process goes by its own clock' })
  })

  test('none alive, and jobs that nobody has a handler for', async () => {
    const { schema, troupe, find } = await open()
    expect(await find('workers')).toMatchObject(amiss('warning', /./, /troupe\.start/))
    const plain = troupe.queue<{ send: () => null; pack: () => null }>('mails')
    await plain.add('send')
    await plain.add('pack', undefined, { partition: 'ann' })
    await plain.add('send', undefined, { delay: '1h' })
    expect(await find('queues'))
      .toMatchObject(amiss('warning', /: mails \(pack\), mails \(send\)$/))
    const other = await open({ schema })
    other.troupe.queue('mails', { tasks: { pack: () => null } })
    await other.troupe.start()
    const afterBeats = { timeout: 10_000 }
    await expect.poll(() => find('queues'), afterBeats)
      .toMatchObject(amiss('warning', /: mails \(send\)$/))
    const third = await open({ schema })
    third.troupe.queue('mails', { tasks: { send: () => null } })
    await third.troupe.start()
    await expect.poll(() => find('queues'), afterBeats).toMatchObject({ level: 'ok' })
  })

  test('leases that lapsed, and entries without numbers, while nobody sweeps', async () => {
    const { schema, troupe, find } = await open()
    await troupe.queue<{ send: () => null }>('mails').add('send')
    await sql(`update ${schema}.chunks set at = at - 600000`)
    await sql(`update ${schema}.jobs set state = 'running', phase = null, worker = 'gone',
      fence = 1, attempt = 1, claimed_at = created_at,
      lease_until = extract(epoch from now()) * 1000 - 300000`)
    const lapsed = await find('leases')
    expect(lapsed).toMatchObject(amiss('warning', /^1 of 1 claimed jobs .*to 5 min ago/))
    const log = await find('log')
    expect(log).toMatchObject(amiss('warning', /^1 entries .*, for up to 10 min$/))
    const other = await open({ schema })
    other.troupe.queue('mails', { tasks: { send: () => null } })
    await other.troupe.start()
    await expect.poll(() => find('leases'), { timeout: 10_000 }).toMatchObject({ level: 'ok' })
    await expect.poll(() => find('log'), { timeout: 10_000 }).toMatchObject({ level: 'ok' })
  })

  test('notifications that do not come through', async () => {
    const proxy = await ground.proxy(url)
    proxy.refuseWhoSays(/listen/i)
    const { find } = await open({ connection: proxy.url })
    expect(await find('notifications')).toMatchObject(amiss('warning', /./, /pooler/))
    await proxy.accept()
    await expect.poll(() => find('notifications'), { timeout: 15_000 })
      .toMatchObject({ level: 'ok' })
  }, 30_000)

  test('a pool with a password of its own listens, too', async () => {
    const own = await (ownServer ??= ground.ownServer())
    const { hostname, port, username, password, pathname } = new URL(own.url)
    const pool = poolOf({
      host: hostname, port: Number(port), user: username, password, database: pathname.slice(1),
    })
    const { find } = await open({ connection: pool })
    expect(await find('notifications')).toMatchObject({ level: 'ok' })
  }, 60_000)
})
