import { setTimeout as sleep } from 'node:timers/promises'
import { createTroupe, TroupeError } from 'troupe'
import { postgresStore } from 'troupe/stores/postgres'
import { expect, test } from 'vitest'
import { linesOf } from '../../src/testing/history/journal.ts'
import { freePort } from '../support/postgres/embedded.ts'
import { withClient } from '../support/postgres/schemas.ts'
import { useGround, usePostgres } from '../support/postgres/use-postgres.ts'
import { Scene } from './scene.ts'
import type { Process } from './scene.ts'

const postgres = usePostgres()
const ground = useGround()

/** Adds jobs, each with its number as input; answers when all have answered. */
function addAll(process: Process, from: number, count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, async (_, index) => {
    const number = from + index
    const { id } = await process.queue.add('work', number, { id: `job-${number}` })
    process.book.added(id)
    return id
  }))
}

async function results(process: Process, ids: readonly string[]): Promise<unknown[]> {
  return Promise.all(ids.map((id) => process.queue.job(id).result({ timeout: '40s' })))
}

test('a server that is not there is said, without the password, and may come later', async () => {
  const port = await freePort()
  const url = `postgres://somebody:s3cret@127.0.0.1:${port}/postgres`
  const refusal = await createTroupe({ store: postgresStore(url) }).then(
    () => null, (error: unknown) => error,
  )
  expect(refusal).toBeInstanceOf(TroupeError)
  expect(refusal).toMatchObject({ code: 'store-failed', details: { operation: 'open' } })
  expect(String(refusal)).toContain('ECONNREFUSED')
  expect(JSON.stringify(refusal) + String((refusal as Error).stack)).not.toContain('s3cret')

  const server = await ground.ownServer()
  await server.stop('fast')
  const store = postgresStore(server.url, { schema: 'later' })
  await expect(createTroupe({ store })).rejects.toMatchObject({ code: 'store-failed' })
  await server.start()
  const troupe = await createTroupe({ store })
  expect(await troupe.queue('q').counts()).toMatchObject({ queued: 0 })
  await troupe.stop()
}, 60_000)

test('a server that is away for 5 s: handlers finish, and their outcomes are kept', async () => {
  const server = await ground.ownServer()
  const scene = new Scene(ground, server.url, 'away')
  const worker = await scene.open(async ({ input }) => {
    await sleep(input < 5 ? 1500 : 1) // the first five are at work when the server goes
    return input
  })
  const client = await scene.open()
  const early = await addAll(client, 0, 5)
  await expect.poll(() => linesOf({ journals: [worker.book.journal] }, 'start').length).toBe(5)
  early.push(...await addAll(client, 5, 25))
  await server.stop('fast')
  const away = Date.now()
  const late = addAll(client, 30, 10)
  await sleep(5000)
  const back = Date.now()
  await server.start()

  const ids = [...early, ...await late]
  expect(await results(client, ids)).toEqual(ids.map((_, number) => number))
  console.log(`all was settled ${Date.now() - back} ms after the server was started again`)
  const { journal } = worker.book
  const ended = linesOf({ journals: [journal] }, 'end')
    .filter(({ line: { at } }) => at > away && at < back)
  expect(ended).toHaveLength(5)
  // They ran once, and what they said then is what is kept now.
  for (const { line: { id, fence } } of ended) {
    expect(await client.queue.get(id)).toMatchObject({ state: 'completed', fence, attempt: 1 })
  }
  // What could not be written for a while was said, once when it began and once when it was over.
  const again = (): readonly string[] =>
    worker.lines.filter((line) => line.startsWith('the store takes everything again'))
  // A sweep that was refused is tried again within 5 s.
  await expect.poll(() => again().length, { timeout: 10_000 }).toBe(1)
  await scene.check()
}, 90_000)

test('a statement_timeout that nothing can keep to delays, and loses nothing', async () => {
  const server = await ground.ownServer()
  const scene = new Scene(ground, server.url, 'hurried')
  await scene.open(async ({ input }) => {
    await sleep(1)
    if (input % 9 === 0) throw new Error('again')
    return input
  })
  const client = await scene.open()
  const set = (value: string): Promise<void> => withClient(server.url, async (sql) => {
    await sql.query(`set statement_timeout = 0`)
    await sql.query(`alter system set statement_timeout = '${value}'`)
    await sql.query('select pg_reload_conf()')
  })
  const handled = addAll(client, 1, 200)
  await set('1ms')
  const more = addAll(client, 1001, 50)
  await sleep(3000)
  await set('0')
  const ids = [...await handled, ...await more]
  await Promise.all(ids.map((id) => client.queue.job(id).result().catch(() => undefined)))
  await scene.check()
}, 90_000)

test('connections that are cut while they are new harm nobody', async () => {
  const proxy = await ground.proxy(postgres.url)
  const scene = new Scene(ground, proxy.url, postgres.schema)
  const client = await scene.open()
  // What the store says first on each connection of its own.
  proxy.refuseWhoSays(/set enable_seqscan/)
  const counts = Promise.all(Array.from({ length: 30 }, () => client.queue.counts()))
  await expect.poll(() => proxy.refusals).toBeGreaterThan(5)
  await proxy.accept()
  expect(await counts).toHaveLength(30)
})
