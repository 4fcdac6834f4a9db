import { postgresStore } from 'troupe/stores/postgres'
import { VirtualEnv } from 'troupe/testing'
import { expect, test } from 'vitest'
import { newJob } from '../../src/testing/records.ts'
import { withClient } from '../support/postgres/schemas.ts'
import { usePostgres } from '../support/postgres/use-postgres.ts'

const { url, schema } = usePostgres()

test('who closes has told the others of all that it did', async () => {
  await withClient(url, async (client) => {
    const told = new Set<string>()
    let last: () => void
    const ended = new Promise<void>((resolve) => { last = resolve })
    client.on('notification', ({ payload = '' }) => {
      const { queues = [] } = JSON.parse(payload) as { readonly queues?: readonly string[] }
      for (const queue of queues) told.add(queue)
      if (queues.includes('barrier')) last()
    })
    await client.query(`listen troupe_${schema}`)
    // Notices are gathered for a while: here, time stands still.
    const store = postgresStore(url, { schema })
    await store.open({ env: new VirtualEnv(), report: () => undefined })
    const queues = Array.from({ length: 8 }, (_, index) => `queue-${index}`)
    const begun: Promise<unknown>[] = []
    for (const queue of queues) {
      const inserting = store.insert([newJob({ id: queue, queue })])
      if (begun.push(inserting) < queues.length) await inserting
    }
    await store.close()
    await Promise.all(begun)
    await client.query(`notify troupe_${schema}, '{"queues":["barrier"]}'`)
    await ended
    expect([...told].sort()).toEqual(['barrier', ...queues])
  })
})
