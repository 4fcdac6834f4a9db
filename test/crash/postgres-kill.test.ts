import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { useGround, usePostgres } from '../support/postgres/use-postgres.ts'
import { buildPackage } from './built.ts'
import { during, feed, jobsOf, judge, lease, leaseMs, queues } from './chaos.ts'
import { chance, Client } from './client.ts'
import { Fleet } from './fleet.ts'

const postgres = usePostgres()
const ground = useGround()
const jobs = jobsOf(2000)
let built: string

beforeAll(() => { built = buildPackage() }, 120_000)

test(`${jobs} jobs, and processes that are killed, and stopped past their leases`, async () => {
  const random = chance(11)
  const { url, schema } = postgres
  const client = await Client.open(url, schema, chance(12))
  ground.onClose(() => client.close())
  const fleet = new Fleet(4, { built, url, schema, lease, queues, adds: 10 })
  ground.onClose(() => fleet.close())
  const since = performance.now()
  await Promise.all([0, 1, 2, 3].map((place) => fleet.launch(place)))
  /** Places in which something goes on: two at most, so that there is always somebody at work. */
  const busy = new Map<number, Promise<void>>()
  const count = { kills: 0, freezes: 0 }
  await during(feed(client, jobs, 100), async () => {
    await sleep(100 + random() * 300)
    const place = Math.floor(random() * fleet.size)
    if (busy.has(place) || busy.size >= 2) return
    const isKill = (count.kills + count.freezes) % 5 !== 2
    count[isKill ? 'kills' : 'freezes'] += 1
    const strike = isKill
      ? fleet.kill(place).then(() => fleet.launch(place))
      : fleet.freeze(place, leaseMs + 300 + random() * 1500)
    busy.set(place, strike.finally(() => { busy.delete(place) }))
  })
  await Promise.all(busy.values())
  const figures = await judge(fleet, client, since)
  console.log('processes killed and stopped:', JSON.stringify({ ...count, ...figures }))
  expect(Math.min(count.kills, count.freezes, figures.stalls)).toBeGreaterThan(0)
  // One lease and one sweep of a second; the rest is for a busy machine.
  expect(figures.orphanedMs).toBeLessThan(leaseMs + 1000 + 3000)
  expect(figures.jobs).toBeGreaterThan(client.added)
}, 120_000 + jobs * 60)
