import { isSettled } from '../../records/job.ts'
import type { JobRecord } from '../../records/job.ts'
import { eventFor, judge } from '../dependents.ts'
import type { Change } from '../store.ts'
import { liveColumns, toStored } from './codec.ts'
import type { Stored } from './codec.ts'
import { readStates } from './loading.ts'
import { parentsOf } from './work.ts'
import type { Work } from './work.ts'

/** Children that one transaction brings in line with their parents; the sweep does the rest. */
const followLimit = 1000

/** All that a job's children want to know of it. */
function endOf(record: JobRecord | null): JobRecord['state'] | 'open' | 'gone' {
  if (record === null) return 'gone'
  return isSettled(record) ? record.state : 'open'
}

/** Whether children must hear of a change: an end, a new life, a removal. */
function concernsChildren({ entry, record }: Change): boolean {
  const before = entry.from === null || !isSettled({ state: entry.from }) ? 'open' : entry.from
  return endOf(record) !== before
}

/**
 * Brings blocked jobs in line with what the transaction did to their parents, and on down the
 * graph. Whoever judges a child holds its row, and held those of the parents before: of two
 * parents that end at once, the second one sees what became of the first.
 */
export async function follow(work: Work, limit = followLimit): Promise<number> {
  let seen = 0
  let left = limit
  for (;;) {
    const news = work.changes.slice(seen)
    seen = work.changes.length
    const ended = news.filter(concernsChildren).map(({ entry }) => entry.jobId)
    const blocked = news
      .filter(({ entry, record }) => record?.phase === 'blocked' && entry.event !== 'countParents')
      .map(({ entry }) => entry.jobId)
    if (ended.length + blocked.length === 0) break
    const children = await lockBlocked(work, ended, blocked, Math.max(0, left))
    left -= await judgeChildren(work, children)
  }
  await work.flush()
  return limit - left
}

/** Judges jobs that an earlier transaction had no time for. */
export async function followUnjudged(work: Work, limit: number): Promise<number> {
  if (limit <= 0) return 0
  const { run, schema } = work
  const marked = await run(
    `delete from ${schema}.unjudged where child in (
      select child from ${schema}.unjudged order by child limit $1 for update skip locked
    ) returning child`, [Math.min(limit, followLimit)],
  )
  if (marked.length === 0) return 0
  const ids = marked.map(({ child }) => child as string)
  const first = await judgeChildren(work, await lockBlocked(work, [], ids, ids.length))
  return first + await follow(work, Math.max(0, limit - first))
}

/** The children to judge now, in the order of insertion; the others are left to the sweep. */
async function lockBlocked(
  work: Work, parents: readonly string[], ids: readonly string[], limit: number,
): Promise<readonly Stored[]> {
  const { run, schema } = work
  // What is new in this transaction is not in the database yet.
  const fresh = ids.flatMap((id) => work.pending(id) ?? [])
  const known = new Set(fresh.map(({ record }) => record.id))
  const rows = parents.length + ids.length === known.size && parents.length === 0 ? [] : await run(
    `select ${liveColumns} from ${schema}.jobs where phase = 'blocked' and id in (
      select child from ${schema}.links where parent = any($1::text[])
      union select unnest($2::text[])
    ) order by n for update`, [parents, ids],
  )
  const children = new Map(fresh.map((stored) => [stored.record.id, stored]))
  for (const row of rows) {
    const id = row['id'] as string
    const pending = work.pending(id)
    if (pending === undefined) children.set(id, toStored(row))
    else if (pending?.record.phase === 'blocked') children.set(id, pending)
  }
  const all = [...children.values()]
  const over = all.slice(limit).map(({ record }) => record.id)
  if (over.length > 0) {
    work.leavesUnjudged = true
    await run(
      `insert into ${schema}.unjudged (child) select unnest($1::text[])
      on conflict do nothing`, [over],
    )
  }
  return all.slice(0, limit)
}

async function judgeChildren(work: Work, children: readonly Stored[]): Promise<number> {
  if (children.length === 0) return 0
  const parents = [...new Set(children.flatMap(({ record }) => parentsOf(record)))]
  const stored = parents.filter((id) => work.pending(id) === undefined)
  const states = await readStates(work.run, work.schema, stored)
  const find = (id: string): Pick<JobRecord, 'state'> | undefined => {
    const pending = work.pending(id)
    return pending === undefined ? states.get(id) : pending?.record
  }
  let moved = 0
  for (const child of children) {
    const event = eventFor(child.record, judge(child.record, find), work.now)
    if (event && work.step(child, event)) moved += 1
  }
  return moved
}
