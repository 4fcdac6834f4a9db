import { createTroupe } from 'troupe'
import type { Job, Troupe } from 'troupe'
import { postgresStore } from 'troupe/stores/postgres'
import { afterEach, expect, test } from 'vitest'
import { useOwnDatabase } from '../support/postgres/own-database.ts'
import { newSchemaName, withClient } from '../support/postgres/schemas.ts'
import { usePostgres } from '../support/postgres/use-postgres.ts'

const { url } = useOwnDatabase(usePostgres().url)
const troupes: Troupe[] = []
const roles: string[] = []

const sql = (text: string): Promise<unknown> => withClient(url, (client) => client.query(text))

afterEach(async () => {
  for (const troupe of troupes.splice(0)) await troupe.stop({ grace: 0 })
  for (const role of roles.splice(0)) await sql(`drop owned by ${role}; drop role ${role}`)
})

/** A role without any rights, and the URL for it. */
async function newRole(): Promise<{ readonly role: string; readonly url: string }> {
  const role = newSchemaName()
  await sql(`create role ${role} login password 'secret'`)
  roles.push(role)
  const own = new URL(url)
  own.username = role
  own.password = 'secret'
  return { role, url: own.href }
}

async function open(connection: string, schema: string, migrate: boolean): Promise<Troupe> {
  const troupe = await createTroupe({ store: postgresStore(connection, { schema, migrate }) })
  troupes.push(troupe)
  return troupe
}

test('the rights that the docs name are enough for all that a process does', async () => {
  const schema = newSchemaName()
  const { role, url: limited } = await newRole()
  await expect(open(limited, schema, true)).rejects.toMatchObject({ code: 'store-failed' })
  await expect(open(limited, schema, false)).rejects.toThrow(/is not there.*migrate: true/)
  await open(url, schema, true)
  await sql(`grant usage on schema ${schema} to ${role};
    grant usage on all sequences in schema ${schema} to ${role};
    grant select, insert, update, delete on all tables in schema ${schema} to ${role}`)
  const troupe = await open(limited, schema, false)
  const queue = troupe.queue('q', {
    rateLimit: { max: 100, per: '1s' },
    tasks: {
      work: async (job: Job<string>) => {
        job.log('a line')
        return job.input
      },
    },
  })
  await troupe.start()
  const parent = await queue.add('work', 'a', { id: 'a', partition: 'ann' })
  const dedupe = { key: 'k', mode: 'simple' } as const
  const child = await queue.add('work', 'b', { dependsOn: [parent], dedupe })
  expect(await child.result({ timeout: '9s' })).toBe('b')
  await queue.schedules.upsert('nightly', { cron: '0 3 * * *', task: 'work', input: 'c' })
  await queue.pause()
  expect((await queue.add('work', 'd')).created).toBe(true)
  expect((await queue.list()).jobs).toHaveLength(3)
  expect(await queue.obliterate()).toBe('obliterated')
  expect((await troupe.doctor()).find(({ check }) => check === 'workers')?.level).toBe('ok')
})

test('a schema that was made for a role is enough for it to make its tables', async () => {
  const schema = newSchemaName()
  const { role, url: limited } = await newRole()
  await sql(`create schema ${schema} authorization ${role}`)
  const troupe = await open(limited, schema, true)
  expect((await troupe.doctor()).find(({ check }) => check === 'schema')?.level).toBe('ok')
})
