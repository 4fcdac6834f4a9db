import { postgresStore } from 'troupe/stores/postgres'
import { afterAll, expect, test } from 'vitest'
import { systemEnv } from '../../src/env.ts'
import { toLogEntry } from '../../src/records/transition.ts'
import { listQuery, newJob, recordIn } from '../../src/testing/records.ts'
import { usePostgres } from '../support/postgres/use-postgres.ts'

const { url, schema } = usePostgres()
const stores = [1, 2, 3].map(() => postgresStore(url, { schema, maxConnections: 3 }))
const [first, second, third] = stores as [typeof stores[0], typeof stores[0], typeof stores[0]]
await Promise.all(stores.map((store) => store.open({ env: systemEnv, report: () => undefined })))
afterAll(() => Promise.all(stores.map((store) => store.close())))

const records = (ids: readonly string[]) =>
  ids.map((id, index) => recordIn('completed', { id, fence: index + 1 }))

test('of those who restore and add the same ids at once, each id has one', async () => {
  let count = 0
  for (let round = 0; round < 30; round += 1) {
    const ids = Array.from({ length: 8 }, (_, index) => `${round}-${index}`)
    const [one, added, two] = await Promise.all([
      first.restore({ queue: 'images', jobs: records(ids), log: null }),
      second.insert(ids.map((id) => newJob({ id }))),
      third.restore({ queue: 'images', jobs: records(ids.toReversed()), log: null }),
    ])
    for (const [index, id] of ids.entries()) {
      const created = [
        one.created[index], added[index]?.created, two.created[ids.length - 1 - index],
      ]
      expect(created.filter((isNew) => isNew), id).toHaveLength(1)
    }
    count += ids.length
  }
  const { records: all } = await first.list(listQuery())
  expect(all).toHaveLength(count)
  expect(new Set(all.map(({ id }) => id)).size).toBe(count)
}, 60_000)

test('of those who write one log at once, nobody gets into the midst of a part', async () => {
  const entries = records(['x', 'y', 'z']).map((job) =>
    ({ ...toLogEntry(job, 'complete', 'running', 3_000, 'w1'), queue: 'mail' }))
  const add = (id: string) => second.insert([newJob({ id, queue: 'mail', hasOwnId: false })])
  for (let round = 0; round < 30; round += 1) {
    const { newest } = await first.readLog('mail', 0, 0)
    const part = { queue: 'mail', jobs: [], log: { behind: newest, entries } }
    const [one, two] = await Promise.all([
      first.restore(part), third.restore(part), add(`mail-${round}-1`), add(`mail-${round}-2`),
    ])
    const { entries: log } = await first.readLog('mail', newest, 100)
    const told = log.map(({ jobId }) => jobId.replace(/^mail.*/, '-')).join('')
    expect(one.logged).toBe(two.logged)
    expect(told).toBe(one.logged ? 'xyz--' : '--')
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => newest + index + 1))
  }
}, 60_000)
