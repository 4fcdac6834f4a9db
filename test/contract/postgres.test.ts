import { Pool } from 'pg'
import { postgresStore } from 'troupe/stores/postgres'
import { afterAll, vi } from 'vitest'
import { systemEnv } from '../../src/env.ts'
import type { Timer } from '../../src/env.ts'
import type { Store } from '../../src/stores/store.ts'
import { emptySchema } from '../support/postgres/empty-schema.ts'
import { usePostgres } from '../support/postgres/use-postgres.ts'
import { VirtualEnv } from 'troupe/testing'
import { storeContract } from 'troupe/testing/store'

// Each step is a round trip to a server that shares the machine with other tests.
vi.setConfig({ testTimeout: 120_000 })

const { url, schema } = usePostgres()
const pool = new Pool({ connectionString: url, max: 4 })
const open: Store[] = []

/** Time stands still, but the store waits in real time when the server asks for another try. */
class PatientEnv extends VirtualEnv {
  override after = (delayMs: number, action: () => void): Timer => systemEnv.after(delayMs, action)
}

async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map((store) => store.close()))
}

afterAll(async () => {
  await closeAll()
  await pool.end()
})

storeContract('postgres', async () => {
  await closeAll()
  await emptySchema(pool, schema)
  const store = (): Store => {
    const made = postgresStore(pool, { schema, clock: 'process' })
    open.push(made)
    return made
  }
  return { env: new PatientEnv(), store }
})
