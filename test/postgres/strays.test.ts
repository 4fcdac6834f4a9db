import { setTimeout as sleep } from 'node:timers/promises'
import type { JobRecord, Store } from 'troupe'
import { postgresStore } from 'troupe/stores/postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemEnv } from '../../src/env.ts'
import { noLimits } from '../../src/stores/store.ts'
import { withClient } from '../support/postgres/schemas.ts'
import { usePostgres } from '../support/postgres/use-postgres.ts'
import { beat, newJob, policy } from '../../src/testing/records.ts'

const postgres = usePostgres()
const leaseMs = 1000
const worker = 'worker:w1'
const cancel = { type: 'cancel', queue: 'images', by: 'api', reason: null } as const
let store: Store

beforeAll(async () => {
  store = postgresStore(postgres.url, { schema: postgres.schema })
  await store.open({ env: systemEnv, report: () => undefined })
})

afterAll(() => store.close())

/** Claims a job for a worker that never gets the answer. */
async function claimUnheard(id: string): Promise<void> {
  const { records } = await store.claim({
    queue: 'images', worker, limit: 1, startable: 0, leaseMs, tasks: new Map([['resize', policy]]),
    exclude: new Set<string>(), limits: noLimits,
  })
  expect(records.map((record) => record.id)).toEqual([id])
}

/** The job when the beats of its worker, which hold nothing, have brought it on. */
async function afterBeats(id: string): Promise<JobRecord | undefined> {
  await expect.poll(async () => {
    await store.renew(beat({ leaseMs, held: [] }))
    return (await store.get([id]))[0]?.lease
  }, { timeout: 10_000 }).toBe(null)
  return (await store.get([id]))[0]
}

test('a claim whose answer was lost is handed back, uncharged', async () => {
  await store.insert([newJob({ id: 'lost' })])
  await claimUnheard('lost')
  expect(await afterBeats('lost')).toMatchObject({
    state: 'queued', phase: 'ready', attempt: 0, stalls: 0,
  })
  await store.apply([{ ...cancel, id: 'lost' }])
})

/** A parent that was claimed for nobody, and two children. */
async function familyOf(parent: string): Promise<string[]> {
  const children = [`${parent}-runs`, `${parent}-fails`] as const
  await store.insert([
    newJob({ id: parent }),
    newJob({ id: children[0], dependsOn: [parent], onParentFailure: 'run' }),
    newJob({ id: children[1], dependsOn: [parent], onParentFailure: 'fail' }),
  ])
  await claimUnheard(parent)
  return [...children]
}

const freed = [{ state: 'queued', phase: 'ready' }, { state: 'failed', reason: 'dependency' }]

test('when it was cancelled before, it ends, and its children hear of it', async () => {
  const children = await familyOf('before')
  expect(await store.apply([{ ...cancel, id: 'before' }])).toMatchObject([
    { record: { state: 'cancelling' } },
  ])
  expect(await afterBeats('before')).toMatchObject({ state: 'cancelled' })
  expect(await store.get(children)).toMatchObject(freed)
  await store.apply([{ ...cancel, id: 'before-runs' }])
})

/** Statements on this schema that wait for a lock. */
async function waiting(): Promise<number | null> {
  return withClient(postgres.url, async (client) => (await client.query(
    `select from pg_stat_activity where wait_event_type = 'Lock' and query like $1`,
    [`%"${postgres.schema}"%`],
  )).rowCount)
}

test('when it is cancelled just then, it ends, and its children hear of it', async () => {
  const children = await familyOf('then')
  await sleep(leaseMs / 2) // older than a beat
  await withClient(postgres.url, async (holder) => {
    await holder.query('begin')
    await holder.query(`select from ${postgres.schema}.jobs where id = 'then' for update`)
    // The cancel comes first; the beat has seen a claim that nobody knows of, and then waits.
    const cancelled = store.apply([{ ...cancel, id: 'then' }])
    await expect.poll(waiting).toBe(1)
    const beaten = store.renew(beat({ leaseMs, held: [] }))
    await expect.poll(waiting).toBe(2)
    await holder.query('commit')
    await Promise.all([cancelled, beaten])
  })
  expect(await store.get(['then', ...children])).toMatchObject([{ state: 'cancelled' }, ...freed])
})
