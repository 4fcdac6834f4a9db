import { createTroupe } from 'troupe'
import type { Queue, Tasks, Troupe } from 'troupe'
import { postgresStore } from 'troupe/stores/postgres'
import { afterEach, expect, test } from 'vitest'
import { createGateway } from '../../src/gateway/gateway.ts'
import { connect } from '../../src/client/connect.ts'
import { EventReader } from './stand.ts'
import type { SeenEvent } from './stand.ts'
import { usePostgres } from '../support/postgres/use-postgres.ts'

const postgres = usePostgres()
const closers: (() => unknown)[] = []
afterEach(async () => { for (const close of closers.splice(0).reverse()) await close() })

interface Place {
  readonly troupe: Troupe
  readonly queue: Queue<Tasks>
  readonly url: string
}

/** A troupe with connections of its own to the database, and a gateway before it. */
async function place(schema: string, worker: string): Promise<Place> {
  const troupe = await createTroupe({ store: postgresStore(postgres.url, { schema }), worker })
  closers.push(() => troupe.stop({ grace: 0 }))
  const queue: Queue<Tasks> = troupe.queue('photos', {
    concurrency: 4, tasks: { resize: () => 'done' },
  })
  const gateway = createGateway(troupe)
  closers.push(() => gateway.close())
  return { troupe, queue, url: (await gateway.listen({ port: 0 })).url }
}

async function open(url: string, id?: string): Promise<EventReader> {
  const abort = new AbortController()
  const headers: Record<string, string> = id === undefined ? {} : { 'last-event-id': id }
  const response = await fetch(`${url}/v1/stream?queue=photos`, { headers, signal: abort.signal })
  closers.push(() => { abort.abort() })
  return new EventReader(response, () => { abort.abort() })
}

/** Each is a place in the log, whoever tells it. */
function seqs(events: readonly SeenEvent[]): unknown[] {
  for (const { id, data } of events) expect(id).toBe(`photos:${String(data['seq'])}`)
  return events.map(({ data }) => data['seq'])
}
const from = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => first + index)

/** `event` of each transition of each job. */
function byJob(events: readonly SeenEvent[]): ReadonlyMap<string, string[]> {
  const found = new Map<string, string[]>()
  for (const { data } of events) {
    const id = String(data['jobId'])
    found.set(id, [...found.get(id) ?? [], String(data['event'])])
  }
  return found
}

test('what another troupe on the database does is told once, in order, and resumed', async () => {
  const schema = postgres.newSchema()
  const here = await place(schema, 'here')
  const there = await place(schema, 'there')
  await there.troupe.start()
  const add = (count: number, prefix: string) =>
    there.queue.addMany(from(0, count).map((n) => ({ task: 'resize', id: `${prefix}${n}` })))

  const stream = await open(here.url)
  expect((await stream.take(1))[0]).toMatchObject({ event: 'queue.keyframe', id: 'photos:0' })
  await add(20, 'a')
  const first = await stream.take(60)
  expect(seqs(first)).toEqual(from(1, 60))
  const life = ['add', 'claim', 'complete']
  expect(byJob(first)).toEqual(new Map(from(0, 20).map((n) => [`a${n}`, life])))
  const claims = first.filter(({ data }) => data['event'] === 'claim')
  expect(new Set(claims.map(({ data }) => data['by']))).toEqual(new Set(['there']))

  // Cut in the middle of what it was told; more happens before it comes back.
  const cut = first[25]?.id ?? ''
  stream.close()
  await add(20, 'b')
  const again = await open(here.url, cut)
  await add(20, 'c')
  const rest = await again.take(154)
  expect(seqs(rest)).toEqual(from(27, 154))
  expect(rest.slice(0, 34)).toEqual(first.slice(26))
  expect([...byJob(rest.slice(34)).values()]).toEqual(Array.from({ length: 40 }, () => life))

  // The place is the log's and not the gateway's: another one goes on from it just the same.
  const elsewhere = await open(there.url, rest[99]?.id ?? '')
  const last = await here.queue.add('resize', null, { id: 'last' })
  await last.result()
  expect(seqs(await elsewhere.take(57))).toEqual(from(127, 57))
  expect(seqs(await again.take(3))).toEqual(from(181, 3))
})

test('a client sees a job that another troupe runs', async () => {
  const schema = postgres.newSchema()
  const here = await place(schema, 'here')
  const there = await place(schema, 'there')
  await there.troupe.start()
  const client = connect(here.url)
  closers.push(() => { client.close() })
  const job = await client.queue('photos').add('resize', null, { id: 'j1' })
  await expect(job.result()).resolves.toBe('done')
  expect(await there.queue.get('j1')).toMatchObject({ state: 'completed', by: 'there' })
})
