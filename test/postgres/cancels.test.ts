import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTroupe } from 'troupe'
import type { Job, Store } from 'troupe'
import { postgresStore } from 'troupe/stores/postgres'
import { expect, test } from 'vitest'
import { withClient } from '../support/postgres/schemas.ts'
import { useGround, usePostgres } from '../support/postgres/use-postgres.ts'
import { Scene } from './scene.ts'
import type { Process } from './scene.ts'

const postgres = usePostgres()
const ground = useGround()
/** A third of the lease. */
const lease = '3s'
const beatMs = 1000

/** When each handler heard that it should end. */
const heard = new Map<string, number>()

function untilTold({ id, signal }: Job<number>): Promise<never> {
  return new Promise((_done, failed) => {
    signal.addEventListener('abort', () => {
      heard.set(id, performance.now())
      failed(signal.reason)
    })
  })
}

/** Cancels a job that runs elsewhere; answers how long it took until its handler heard of it. */
async function latency(client: Process, number: number): Promise<number> {
  const job = await client.queue.add('work', number)
  client.book.added(job.id)
  const state = async (): Promise<unknown> => (await client.queue.get(job.id))?.state
  // Without notifications a claim comes by the poll.
  await expect.poll(state, { interval: 5, timeout: 6000 }).toBe('running')
  const asked = performance.now()
  const answer = await job.cancel('enough')
  client.book.cancel(job.id, answer)
  expect(answer).toBe('cancelling')
  await expect.poll(() => heard.has(job.id), { timeout: 15_000, interval: 1 }).toBe(true)
  await expect(job.result()).rejects.toMatchObject({ code: 'job-cancelled' })
  return (heard.get(job.id) ?? Infinity) - asked
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * share) - 1] ?? Infinity
}

/** How long this machine takes now for what a cancel needs of any client: no product is in it. */
async function bareLatencies(count: number): Promise<number[]> {
  return withClient(postgres.url, (sender) => withClient(postgres.url, async (listener) => {
    await listener.query('listen troupe_test_bare')
    const times: number[] = []
    for (let number = 0; number < count; number += 1) {
      const since = performance.now()
      const heard = once(listener, 'notification')
      await sender.query('begin')
      for (let statement = 0; statement < 3; statement += 1) await sender.query('select 1')
      await sender.query('commit')
      await sender.query('notify troupe_test_bare')
      await heard
      await listener.query('select 1')
      times.push(performance.now() - since)
    }
    return times
  }))
}

test('a cancel reaches the handler in another process within 100 ms', async () => {
  const scene = new Scene(ground, postgres.url, postgres.newSchema())
  await scene.open(untilTold)
  const client = await scene.open()
  let over = Infinity
  // A machine that is busy with other tests gets more than one chance, and its own slowness.
  for (let round = 0; round < 4 && over > 0; round += 1) {
    const times: number[] = []
    const bare = await bareLatencies(20)
    for (let number = 0; number < 50; number += 1) times.push(await latency(client, number))
    bare.push(...await bareLatencies(20))
    const figures = [times, bare].map((each) =>
      [0.5, 0.9, 0.99].map((share) => percentile(each, share).toFixed(1)).join(', '))
    console.log(`cancel to abort elsewhere: p50, p90, p99 ${figures.join(' ms; bare ')} ms`)
    over = percentile(times, 0.99) - (100 + 2 * percentile(bare, 0.99))
  }
  expect(over).toBeLessThan(0)
  await scene.check()
}, 120_000)

test('a cancel that comes before the answer to the claim is heard at once', async () => {
  const schema = postgres.newSchema()
  const store = postgresStore(postgres.url, { schema })
  let answerNow = (): void => undefined
  const answered = new Promise<void>((resolve) => { answerNow = resolve })
  const claim: Store['claim'] = async (request) => {
    const answer = await store.claim(request)
    if (answer.records.length > 0) await answered
    return answer
  }
  const late = new Proxy(store, {
    get: (target, name) => {
      if (name === 'claim') return claim
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) as unknown : member
    },
  })
  const ran: string[] = []
  const worker = await createTroupe({ store: late })
  worker.queue('images', { tasks: { work: async ({ id }: Job) => { ran.push(id) } } })
  const client = await createTroupe({ store: postgresStore(postgres.url, { schema }) })
  const job = await client.queue<{ work: (job: Job) => Promise<void> }>('images').add('work')
  try {
    await withClient(postgres.url, async (listener) => {
      await listener.query(`listen "troupe_${schema}"`)
      await worker.start()
      const state = async (): Promise<unknown> => (await client.queue('images').get(job.id))?.state
      await expect.poll(state).toBe('running')
      const told = new Promise<void>((resolve) => {
        listener.on('notification', ({ payload }) => { if (payload?.includes(job.id)) resolve() })
      })
      expect(await job.cancel('enough')).toBe('cancelling')
      await told
      // The other process reads the record, too, before its claim is answered.
      await sleep(100)
    })
    answerNow()
    // Far less than a beat, which comes each 10 s.
    await expect(job.result({ timeout: 2000 })).rejects.toMatchObject({ code: 'job-cancelled' })
    expect(ran).toEqual([])
  } finally {
    answerNow()
    await Promise.all([worker.stop(), client.stop()])
  }
}, 30_000)

test('with notifications cut off for good, a cancel arrives within one beat', async () => {
  const proxy = await ground.proxy(postgres.url)
  const scene = new Scene(ground, postgres.url, postgres.newSchema())
  const worker = await scene.open(untilTold, { url: proxy.url, lease })
  const client = await scene.open()
  expect(proxy.count(/listen/i)).toBe(1)
  proxy.refuseWhoSays(/listen/i)
  proxy.cut(/listen/i)
  const times: number[] = []
  for (let number = 0; number < 5; number += 1) {
    await sleep(number * 170) // at other moments of the beat
    times.push(await latency(client, number))
  }
  console.log(`without notifications: ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`)
  expect(Math.max(...times)).toBeLessThan(beatMs + 300)
  expect(proxy.count(/listen/i)).toBe(0)

  // It comes back by itself, and then all is as fast as before.
  await proxy.accept()
  await expect.poll(() => proxy.count(/listen/i), { timeout: 15_000 }).toBe(1)
  expect(await latency(client, 99)).toBeLessThan(beatMs / 2)
  expect(worker.lines).not.toContain('the store refused to commit; trying again')
  await scene.check()
}, 60_000)

test('who waits for a result elsewhere hears of it when notifications are cut off', async () => {
  const proxy = await ground.proxy(postgres.url)
  const scene = new Scene(ground, postgres.url, postgres.newSchema())
  await scene.open(async ({ input }) => {
    await sleep(200)
    return input
  })
  const client = await scene.open(null, { url: proxy.url })
  proxy.refuseWhoSays(/listen/i)
  proxy.cut(/listen/i)
  const job = await client.queue.add('work', 7)
  client.book.added(job.id)
  const since = performance.now()
  expect(await job.result({ timeout: '15s' })).toBe(7)
  console.log(`a result without notifications: ${(performance.now() - since).toFixed(0)} ms`)
  await scene.check()
}, 60_000)
