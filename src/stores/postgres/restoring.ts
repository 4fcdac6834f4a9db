import type { JobRecord } from '../../records/job.ts'
import { idInUse } from '../insertion.ts'
import { isOther } from '../restoration.ts'
import type { Restoration, RestoreAnswer } from '../restoration.ts'
import type { Connected } from './connected.ts'
import { readJobs } from './loading.ts'
import { becomeSequencer, retell } from './log.ts'
import { parentsOf } from './work.ts'
import type { Work } from './work.ts'

/** Takes in settled jobs and log entries of another store, in one transaction. */
export async function restorePart(
  connected: Connected, { queue, jobs, log }: Restoration,
): Promise<RestoreAnswer> {
  const { database } = connected
  const answer = await connected.decide('a restoration', async (work) => {
    const { run, schema } = work
    // First of all: who numbers must not wait for who waits for a row.
    if (log) await becomeSequencer(run, database)
    const logged = log !== null && await retell(run, schema, queue, log)
    return { created: await takeJobs(work, jobs), logged }
  })
  if (answer.logged) connected.wake(queue)
  // There may be more than retention keeps.
  if (answer.created.includes(true)) connected.broadcast.emit([{ type: 'timer', at: 0 }])
  return answer
}

async function takeJobs(work: Work, jobs: readonly JobRecord[]): Promise<readonly boolean[]> {
  if (jobs.length === 0) return []
  const { run, schema } = work
  const ids = [...new Set(jobs.map(({ id }) => id))].sort()
  const free = await holdIds(work, ids)
  const present = await readJobs(run, schema, ids)
  const taken = new Set<string>()
  for (const [index, job] of jobs.entries()) {
    const other = present.get(job.id)?.record
    if (other && isOther(job, other)) throw idInUse(job.id, index, other)
  }
  const awaited = await unjudgeChildren(work, ids.filter((id) => free.has(id) && !present.has(id)))
  const created = jobs.map((job) => {
    const { id } = job
    if (!free.has(id) || present.has(id) || taken.has(id)) return false
    taken.add(id)
    work.receive(job, parentsOf(job).length > 0 || awaited.has(id))
    return true
  })
  await raiseFences(work, Math.max(...jobs.map(({ fence }) => fence)))
  return created
}

/**
 * Keeps everybody else from adding these ids until the transaction ends, and answers those that
 * no live job has: whoever adds one has to put it into `jobs` first, and waits there.
 */
async function holdIds({ run, schema }: Work, ids: readonly string[]): Promise<Set<string>> {
  const rows = await run(
    `insert into ${schema}.jobs (id, queue, task, state, priority, run_at, created_at, fence, rev,
      attempt, linked, spec, life)
    select id, '', '', 'completed', 0, 0, 0, 0, 0, 0, false, '{}', '{}'
    from unnest($1::text[]) as id on conflict (id) do nothing returning id`, [ids],
  )
  const free = rows.map(({ id }) => id as string)
  await run(`delete from ${schema}.jobs where id = any($1::text[])`, [free])
  return new Set(free)
}

/** Jobs that are there already and wait for one of these are looked at by the next sweep. */
async function unjudgeChildren(work: Work, ids: readonly string[]): Promise<ReadonlySet<unknown>> {
  const rows = await work.run(
    `with children as (
      select parent, child from ${work.schema}.links where parent = any($1::text[])
    ), marked as (
      insert into ${work.schema}.unjudged (child) select distinct child from children
      on conflict do nothing
    ) select distinct parent from children`, [ids],
  )
  if (rows.length > 0) work.leavesUnjudged = true
  return new Set(rows.map(({ parent }) => parent))
}

/**
 * The next claim of a job must have a higher fence than any before. Claims take theirs at the same
 * time: only a leap that they cannot make up for meanwhile gives none of them twice.
 */
async function raiseFences({ run, schema }: Work, fence: number): Promise<void> {
  await run(
    `select setval('${schema}.fences', greatest($1::bigint, last_value + 1000000))
    from ${schema}.fences where last_value < $1::bigint`, [fence],
  )
}
