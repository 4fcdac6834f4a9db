import type { Env } from '../../env.ts'
import { isLive, isSettled } from '../../records/job.ts'
import type { JobRecord } from '../../records/job.ts'
import type { Commit, CommitAnswer } from '../store.ts'
import { toChunkEntry, toLife } from './codec.ts'
import { numbers, texts, textsIn } from './columns.ts'
import type { Connected } from './connected.ts'
import type { Run } from './database.ts'
import { isRefusedData } from './faults.ts'
import { follow } from './following.ts'
import { lockJobs, readStates } from './loading.ts'
import type { Work } from './work.ts'

/** How long to wait for rows that somebody holds, from the first time on; milliseconds. */
const firstWaitMs = 4
const longestWaitMs = 200

function settleText(schema: string): string {
  return `
with given as materialized (
  select * from unnest(${textsIn('$1')}, $2::integer[], $3::bigint[], ${textsIn('$4')},
    $5::integer[], $6::double precision[], $7::double precision[], $8::double precision[],
    ${textsIn('$9')}, ${textsIn('$10')}) as g(id, was, fence, state, attempt, started_at,
    settled_at, run_at, life, entry)
), free as materialized (
  select j.ctid as spot, g.* from given g join ${schema}.jobs j
    on j.id = g.id and j.fence = g.fence and j.rev = g.was and j.state <> 'queued'
    and not j.linked
  for update of j skip locked
), gone as (
  delete from ${schema}.jobs j using free g where j.ctid = g.spot
  returning j.id, j.n, j.queue, j.task, j.partition, g.state, j.priority, g.run_at,
    j.created_at, g.started_at, g.settled_at, g.fence, j.rev + 1 as rev, g.attempt, j.dedupe_key,
    j.dedupe_until, j.spec, g.life, g.entry
), kept as (
  insert into ${schema}.history (id, n, queue, task, partition, state, failed, priority,
    run_at, created_at, started_at, settled_at, fence, rev, attempt, dedupe_key,
    dedupe_until, linked, spec, life)
  select id, n, queue, task, partition, state, state <> 'completed', priority, run_at, created_at,
    started_at, settled_at, fence, rev, attempt, dedupe_key, dedupe_until, false, spec, life
  from gone
), logged as (
  insert into ${schema}.chunks (queue, count, at, entries)
  select queue, count(*), max(settled_at), '[' || string_agg(entry, ',') || ']'
  from gone group by queue
)
select id from gone`
}

/**
 * Commits, each member for itself. One that the database refuses for what it holds does not keep
 * the others back; nor does one whose row somebody holds, in a transaction of theirs that is open.
 */
export async function commitAll(
  connected: Connected, commits: readonly Commit[],
): Promise<readonly CommitAnswer[]> {
  try {
    return await commitTogether(connected, commits)
  } catch (error) {
    if (commits.length === 1 || !isRefusedData(error)) throw error
    const middle = commits.length >> 1
    return [
      ...await commitAll(connected, commits.slice(0, middle)),
      ...await commitAll(connected, commits.slice(middle)),
    ]
  }
}

async function commitTogether(
  connected: Connected, commits: readonly Commit[],
): Promise<readonly CommitAnswer[]> {
  const { run, schema, database, env } = connected
  const plain = commits.filter(isPlainSettling(commits))
  const settled = plain.length === 0 ? new Set<string>() : await database.persist(
    'a commit', () => settlePlain(run, schema, plain), false,
  )
  const answers = new Map<Commit, CommitAnswer>()
  const done = plain.filter(({ record }) => settled.has(record.id))
  for (const commit of done) answers.set(commit, { outcome: 'ok', record: commit.record })
  connected.publish(done.map(({ transition, record }) => ({ entry: transition, record })))
  let rest = commits.filter((commit) => !answers.has(commit))
  for (let waitMs = firstWaitMs; rest.length > 0; waitMs *= 1.5) {
    const open = rest
    const given = await connected.decide('a commit', (work) => commitHeld(work, open, true), false)
    open.forEach((commit, index) => {
      const answer = given[index]
      if (answer) answers.set(commit, answer)
    })
    rest = open.filter((commit) => !answers.has(commit))
    // Who waited in the database would keep a connection, and the rows that it has already.
    if (rest.length > 0) await pause(env, Math.min(Math.round(waitMs), longestWaitMs))
  }
  return commits.map((commit) => answers.get(commit) ?? { outcome: 'lost' })
}

const pause = (env: Env, ms: number): Promise<void> =>
  new Promise((resolve) => { env.after(ms, resolve) })

/**
 * Commits one by one over rows that are held: whatever `settlePlain` does not do. `freeOnly`: those
 * whose rows somebody holds have no answer.
 */
export async function commitHeld(
  work: Work, commits: readonly Commit[], freeOnly = false,
): Promise<readonly (CommitAnswer | null)[]> {
  const { run, schema } = work
  const held = await lockJobs(run, schema, commits.map(({ record }) => record.id), freeOnly)
  const missing = commits.map(({ record }) => record.id).filter((id) => !held.has(id))
  const busy: ReadonlySet<string> = new Set(
    freeOnly ? (await readStates(run, schema, missing)).keys() : [],
  )
  const answers = commits.map((commit): CommitAnswer | null => {
    const stored = held.get(commit.record.id)
    if (!stored && busy.has(commit.record.id)) return null
    const answer = judgeCommit(commit, stored?.record)
    if (answer === 'write' && stored) {
      held.set(commit.record.id, work.write(stored, commit.record, commit.transition))
      return { outcome: 'ok', record: commit.record }
    }
    return answer === 'write' ? { outcome: 'lost' } : answer
  })
  await follow(work)
  return answers
}

/**
 * Settles attempts in one statement: each by compare-and-set on fence and rev, from the live jobs
 * to the history, with its entry of the log. Jobs with kin are left out, whatever they are: their
 * children have to hear of it. So is what somebody holds: the others need not wait for that.
 * Answers the ids of those that were settled.
 */
async function settlePlain(
  run: Run, schema: string, commits: readonly Commit[],
): Promise<ReadonlySet<string>> {
  // Locks are taken in the order of the ids, as everywhere.
  const members = [...commits].sort((a, b) => (a.record.id < b.record.id ? -1 : 1))
  const records = members.map(({ record }) => record)
  const rows = await run(settleText(schema), [
    texts(records.map(({ id }) => id)),
    numbers(members.map(({ rev }) => rev)),
    numbers(members.map(({ fence }) => fence)),
    texts(records.map(({ state }) => state)),
    numbers(records.map(({ attempt }) => attempt)),
    numbers(records.map(({ startedAt }) => startedAt)),
    numbers(records.map(({ settledAt }) => settledAt)),
    numbers(records.map(({ runAt }) => runAt)),
    texts(records.map((record) => JSON.stringify(toLife(record)))),
    texts(members.map(({ transition }) => JSON.stringify(toChunkEntry(transition)))),
  ])
  return new Set(rows.map(({ id }) => id as string))
}

/** Members that settle an attempt and are the only ones of their job in the group. */
function isPlainSettling(commits: readonly Commit[]): (commit: Commit) => boolean {
  const times = new Map<string, number>()
  for (const { record } of commits) times.set(record.id, (times.get(record.id) ?? 0) + 1)
  return ({ record }) => isSettled(record) && times.get(record.id) === 1
}

function judgeCommit(commit: Commit, current: JobRecord | undefined): CommitAnswer | 'write' {
  if (!current) return { outcome: 'lost' }
  if (current.operation === commit.record.operation) return { outcome: 'ok', record: current }
  if (current.fence !== commit.fence || !isLive(current)) return { outcome: 'lost' }
  if (current.rev !== commit.rev) return { outcome: 'conflict', record: current }
  return 'write'
}
