import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { newSchemaName } from '../support/postgres/schemas.ts'
import type { TcpProxy } from '../support/postgres/tcp-proxy.ts'
import { useGround, usePostgres } from '../support/postgres/use-postgres.ts'
import { buildPackage } from './built.ts'
import { during, feed, jobsOf, judge, lease, queues } from './chaos.ts'
import { chance, Client } from './client.ts'
import { Fleet } from './fleet.ts'

const postgres = usePostgres()
const ground = useGround()
const jobs = jobsOf(1000)
const limitMs = 120_000 + jobs * 60
let built: string

beforeAll(() => { built = buildPackage() }, 120_000)

async function open(url: string, schema: string): Promise<{ client: Client; fleet: Fleet }> {
  const client = await Client.open(url, schema, chance(22))
  ground.onClose(() => client.close())
  const fleet = new Fleet(4, { built, url, schema, lease, queues, adds: 5 })
  ground.onClose(() => fleet.close())
  await Promise.all([0, 1, 2, 3].map((place) => fleet.launch(place)))
  return { client, fleet }
}

test(`${jobs} jobs, and a server that crashes every few seconds`, async () => {
  const random = chance(21)
  const server = await ground.ownServer()
  const { client, fleet } = await open(server.url, newSchemaName())
  const since = performance.now()
  let crashes = 0
  await during(feed(client, jobs, 100), async () => {
    await sleep(2000 + random() * 2500)
    crashes += 1
    await server.stop('immediate')
    await sleep(random() * 800)
    await server.start()
  })
  const figures = await judge(fleet, client, since)
  console.log('server crashed:', JSON.stringify({ crashes, ...figures }))
  expect(crashes).toBeGreaterThan(1)
  expect(figures.jobs).toBe(client.added + fleet.started * 5)
}, limitMs)

/** What a network does to those who talk over it, and takes back. */
const faults: readonly ((proxy: TcpProxy, ms: number) => Promise<void>)[] = [
  async (proxy) => { proxy.cut() },
  async (proxy, ms) => {
    proxy.swallow()
    await sleep(ms)
    proxy.pass()
  },
  async (proxy, ms) => {
    proxy.delay(ms / 5)
    await sleep(ms * 2)
    proxy.pass()
  },
  async (proxy, ms) => {
    await proxy.refuse()
    proxy.cut()
    await sleep(ms * 3)
    await proxy.accept()
  },
]

test(`${jobs} jobs, and connections that are cut, with their answers lost`, async () => {
  const random = chance(31)
  const proxy = await ground.proxy(postgres.url)
  const { client, fleet } = await open(proxy.url, postgres.schema)
  const since = performance.now()
  let struck = 0
  await during(feed(client, jobs, 100), async () => {
    await sleep(200 + random() * 600)
    const fault = faults[Math.floor(random() * faults.length)]
    struck += 1
    await fault?.(proxy, 20 + random() * 130)
  })
  await proxy.accept()
  proxy.pass()
  const figures = await judge(fleet, client, since)
  console.log('connections cut:', JSON.stringify({ struck, ...figures }))
  expect(figures.jobs).toBe(client.added + fleet.started * 5)
}, limitMs)
