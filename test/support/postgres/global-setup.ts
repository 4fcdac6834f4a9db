import type { TestProject } from 'vitest/node'
import { dropLeftovers } from './schemas.ts'
import { findServer } from './server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The PostgreSQL server of this run. */
    readonly postgresUrl: string | null
    /** Why there is none. */
    readonly postgresFault: string | null
  }
}

/** Finds the server of this run, or starts it; ends it with the run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  try {
    const server = await findServer()
    await dropLeftovers(server.url)
    project.provide('postgresUrl', server.url)
    project.provide('postgresFault', null)
    return () => server.close()
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error)
    const line = '='.repeat(98)
    console.error([
      '', line, 'THERE IS NO POSTGRESQL FOR THE TESTS: those that need it will FAIL.', fault,
      'Set TROUPE_TEST_POSTGRES_URL, or start a server on 127.0.0.1:5432.', line, '',
    ].join('\n'))
    project.provide('postgresUrl', null)
    project.provide('postgresFault', fault)
    return async () => undefined
  }
}
