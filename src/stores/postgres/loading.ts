import type { JobRecord } from '../../records/job.ts'
import { historyColumns, liveColumns, toStored } from './codec.ts'
import type { Stored } from './codec.ts'
import type { Run } from './database.ts'

/**
 * Reads jobs and holds their rows until the transaction ends. A row that moves from one table to
 * the other while it is waited for is looked for again. `freeOnly`: what somebody holds is left
 * out.
 */
export async function lockJobs(
  run: Run, schema: string, ids: readonly string[], freeOnly = false,
): Promise<Map<string, Stored>> {
  const found = new Map<string, Stored>()
  const lock = async (table: string, columns: string): Promise<void> => {
    const missing = ids.filter((id) => !found.has(id))
    if (missing.length === 0) return
    const rows = await run(
      `select ${columns} from ${schema}.${table} where id = any($1::text[])
      order by id for update${freeOnly ? ' skip locked' : ''}`, [missing],
    )
    for (const row of rows) {
      const stored = toStored(row)
      found.set(stored.record.id, stored)
    }
  }
  await lock('jobs', liveColumns)
  await lock('history', historyColumns)
  // A retry moves a row back; nobody can do that twice while we look.
  if (found.size < new Set(ids).size) await lock('jobs', liveColumns)
  return found
}

/** Both tables in one statement, as they are at one moment. */
export function eitherTable(schema: string, condition: string): string {
  return `select ${liveColumns} from ${schema}.jobs where ${condition}
  union all select ${historyColumns} from ${schema}.history where ${condition}`
}

export async function readJobs(
  run: Run, schema: string, ids: readonly string[],
): Promise<Map<string, Stored>> {
  if (ids.length === 0) return new Map()
  const rows = await run(eitherTable(schema, 'id = any($1::text[])'), [ids])
  return new Map(rows.map((row) => {
    const stored = toStored(row)
    return [stored.record.id, stored]
  }))
}

/** The states of jobs, by id; those that are not there are left out. */
export async function readStates(
  run: Run, schema: string, ids: readonly string[],
): Promise<Map<string, Pick<JobRecord, 'state'>>> {
  if (ids.length === 0) return new Map()
  const rows = await run(
    `select id, state from ${schema}.jobs where id = any($1::text[])
    union all select id, state from ${schema}.history where id = any($1::text[])`, [ids],
  )
  return new Map(rows.map(({ id, state }) =>
    [id as string, { state: state as JobRecord['state'] }]))
}

/**
 * Waits for whoever is about to end, revive or remove one of these jobs, and keeps the next one
 * out until the transaction ends.
 */
export async function holdJobs(run: Run, schema: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  for (const table of ['jobs', 'history']) {
    await run(
      `select id from ${schema}.${table} where id = any($1::text[]) order by id for share`, [ids],
    )
  }
}
