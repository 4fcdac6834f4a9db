import { createRecord, isSettled } from '../../records/job.ts'
import type { JobRecord, NewJob } from '../../records/job.ts'
import { toLogEntry } from '../../records/transition.ts'
import { insertInto } from '../insertion.ts'
import { Rows } from '../rows.ts'
import type { Change, InsertAnswer, InsertOptions } from '../store.ts'
import { toLife, toSpec, toStored } from './codec.ts'
import type { Stored } from './codec.ts'
import { numbers, texts, textsIn } from './columns.ts'
import type { Run } from './database.ts'
import { follow } from './following.ts'
import { eitherTable, lockJobs, readJobs } from './loading.ts'
import { lockSetting, writeSetting } from './settings.ts'
import type { Work } from './work.ts'
import { chunksFrom, parentsOf, toChunks } from './work.ts'

/** Somebody else has added the same id meanwhile: what was read is out of date. */
export class IdRaced extends Error {}

/** Nothing has to be looked up for these jobs: their ids are new, and nobody is concerned. */
export function isPlain(jobs: readonly NewJob[], { maxQueued, setting }: InsertOptions): boolean {
  return setting === undefined && jobs.every(({ queue, hasOwnId, dedupe, dependsOn }) =>
    !hasOwnId && dedupe === null && dependsOn.length === 0 && !maxQueued?.has(queue))
}

/** What a new job has that nothing has to be looked up for; the rest is the table's own default. */
function plainText(schema: string): string {
  return `
with added as (
  insert into ${schema}.jobs (id, queue, task, partition, state, phase, priority, run_at,
    expires_at, created_at, fence, rev, attempt, linked, spec, life)
  select id, queue, task, partition, 'queued', phase, priority, run_at, expires_at, created_at,
    0, 1, 0, false, spec, life
  from unnest(${textsIn('$1')}, ${textsIn('$2')}, ${textsIn('$3')}, ${textsIn('$4')},
    ${textsIn('$5')}, $6::integer[], $7::double precision[], $8::double precision[],
    $9::double precision[], ${textsIn('$10')}, ${textsIn('$11')})
    as g(id, queue, task, partition, phase, priority, run_at, expires_at, created_at, spec, life)
)
${chunksFrom(schema, 12)}`
}

type Added = Change & { readonly record: JobRecord }

/** One statement. It fails as a whole when an id was there already. */
export async function insertPlain(
  run: Run, schema: string, jobs: readonly NewJob[], now: number,
): Promise<readonly Added[]> {
  const changes = jobs.map((job): Added => {
    const record = createRecord(job, now)
    return { record, entry: toLogEntry(record, 'add', null, now, job.by) }
  })
  const records = changes.map(({ record }) => record)
  await run(plainText(schema), [
    texts(records.map(({ id }) => id)),
    texts(records.map(({ queue }) => queue)),
    texts(records.map(({ task }) => task)),
    texts(records.map(({ partition }) => partition)),
    texts(records.map(({ phase }) => phase)),
    numbers(records.map(({ priority }) => priority)),
    numbers(records.map(({ runAt }) => runAt)),
    numbers(records.map(({ expiresAt }) => expiresAt)),
    numbers(records.map(({ createdAt }) => createdAt)),
    texts(records.map((record) => JSON.stringify(toSpec(record)))),
    texts(records.map((record) => JSON.stringify(toLife(record)))),
    ...toChunks(changes.map(({ entry }) => entry)),
  ])
  return changes
}

/**
 * Inserts what has to be checked against other jobs: what bears on it is read and held, and the
 * rules of the in-process engine decide over that.
 */
export async function insertChecked(
  work: Work, jobs: readonly NewJob[], options: InsertOptions,
): Promise<readonly InsertAnswer[]> {
  const { run, schema, now } = work
  const { setting, maxQueued } = options
  const rows = new Rows()
  if (setting) {
    const present = await lockSetting(run, schema, setting.key)
    if (present.version !== setting.version) return []
    rows.restoreSetting(setting.key, present)
  }
  await lockKeys(work, jobs)
  const held = await loadSurroundings(work, jobs)
  work.hold(held.values())
  const first = [...held.values()].sort((a, b) => a.order - b.order)
  for (const { record, order } of first) rows.restore(record, order)
  if (maxQueued) await countQueued(work, rows, maxQueued, jobs)
  const answers = insertInto(rows, jobs, options, now)
  const group = rows.take()
  if (setting && group) {
    await writeSetting(run, schema, setting.key, rows.setting(setting.key))
  }
  for (const event of group?.events ?? []) {
    if (event.type === 'changes') await carryOut(work, held, event.changes)
  }
  await follow(work)
  await checkRaces(work, jobs)
  const latest = new Map(work.changes.map(({ entry, record }) => [entry.jobId, record]))
  return answers.map(({ created, record }) =>
    ({ created, record: latest.get(record.id) ?? record }))
}

async function carryOut(
  work: Work, held: ReadonlyMap<string, Stored>, changes: readonly Change[],
): Promise<void> {
  const present = new Map(held)
  const fresh = changes.filter(({ entry }) => entry.event === 'add').map(({ entry }) => entry.jobId)
  const awaited = new Set((await work.run(
    `select distinct parent from ${work.schema}.links where parent = any($1::text[])`, [fresh],
  )).map(({ parent }) => parent))
  for (const { entry, record } of changes) {
    if (!record) continue
    const stored = present.get(record.id)
    if (stored) present.set(record.id, work.write(stored, record, { ...entry, seq: 0 }))
    else {
      const linked = parentsOf(record).length > 0 || awaited.has(record.id)
      work.insert(record, { ...entry, seq: 0 }, linked)
    }
  }
}

/** Of two adds with one key, or to one bounded queue, the second waits for the first. */
async function lockKeys(work: Work, jobs: readonly NewJob[]): Promise<void> {
  const keys = new Set(jobs.flatMap(({ queue, task, dedupe }) =>
    (dedupe ? [`${work.schema} key ${JSON.stringify([queue, task, dedupe.key])}`] : [])))
  if (keys.size === 0) return
  await work.run(
    `select pg_advisory_xact_lock(k) from (
      select distinct hashtextextended(name, 0) as k from unnest($1::text[]) as name order by k
    ) as keys`, [[...keys]],
  )
}

/** Jobs with these ids, those that hold a key, and the graph around new ones. */
async function loadSurroundings(
  work: Work, jobs: readonly NewJob[],
): Promise<ReadonlyMap<string, Stored>> {
  const { run, schema } = work
  const batch = new Set(jobs.map(({ id }) => id))
  const parents = jobs.flatMap(({ dependsOn }) => dependsOn)
  const ids = new Set([...batch, ...parents, ...await holderIds(work, jobs)])
  const held = await lockJobs(run, schema, [...ids])
  if (parents.length === 0) return held
  // Jobs of the store may wait for an id that is new here: it was there before, and was removed.
  const closing = await run(
    `select child from ${schema}.links where parent = any($1::text[])`,
    [[...batch].filter((id) => !held.has(id))],
  )
  if (closing.length === 0) return held
  const around = await readGraph(work, [...closing.map(({ child }) => child as string), ...parents])
  return new Map([...around, ...held])
}

/** All that is above these jobs. */
async function readGraph(
  { run, schema }: Work, ids: readonly string[],
): Promise<ReadonlyMap<string, Stored>> {
  const rows = await run(
    `with recursive above(id) as (
      select unnest($1::text[]) collate "C" union
      select l.parent from above join ${schema}.links l on l.child = above.id
    ) select id from above`, [ids],
  )
  return readJobs(run, schema, rows.map(({ id }) => id as string))
}

async function holderIds(work: Work, jobs: readonly NewJob[]): Promise<readonly string[]> {
  const keyed = jobs.flatMap(({ queue, task, dedupe }) =>
    (dedupe ? [{ queue, task, key: dedupe.key }] : []))
  if (keyed.length === 0) return []
  const { run, schema, now } = work
  const shape = 'queue text, task text, key text'
  const rows = await run(
    `select j.id from json_to_recordset($1::json) as g(${shape}) join ${schema}.jobs j
      on j.queue = g.queue and j.task = g.task and j.dedupe_key = g.key
    union select h.id from json_to_recordset($1::json) as g(${shape}) join ${schema}.history h
      on h.queue = g.queue and h.task = g.task and h.dedupe_key = g.key
    where h.dedupe_until > $2`, [JSON.stringify(keyed), now],
  )
  return rows.map(({ id }) => id as string)
}

/** The bound of a queue holds over all processes: adds to it go one after the other. */
async function countQueued(
  { run, schema }: Work, rows: Rows, maxQueued: ReadonlyMap<string, number>,
  jobs: readonly NewJob[],
): Promise<void> {
  const bounded = [...new Set(jobs.map(({ queue }) => queue))].filter((name) => maxQueued.has(name))
  for (const name of bounded.sort()) {
    await run(
      'select pg_advisory_xact_lock(hashtextextended($1, 0))', [`${schema} bound ${name}`],
    )
    const [row] = await run(
      `select count(*) as queued from ${schema}.jobs where queue = $1 and state = 'queued'`, [name],
    )
    rows.queue(name).counts.queued = Number(row?.['queued'])
  }
}

/** A whole life of a job may have passed between our look and our insert. */
async function checkRaces(work: Work, jobs: readonly NewJob[]): Promise<void> {
  const own = new Set(jobs.filter(({ hasOwnId }) => hasOwnId).map(({ id }) => id))
  const latest = new Map(work.changes.map(({ entry, record }) => [entry.jobId, record]))
  const added = [...latest.values()].flatMap((record) =>
    (record && !isSettled(record) && own.has(record.id) ? [record.id] : []))
  if (added.length === 0) return
  const rows = await work.run(
    `select id from ${work.schema}.history where id = any($1::text[])`, [added],
  )
  if (rows.length > 0) throw new IdRaced()
}

/** After an answer that was lost: the jobs as they are, if the first try has taken effect. */
export async function findInserted(
  run: Run, schema: string, jobs: readonly NewJob[],
): Promise<readonly InsertAnswer[] | null> {
  const rows = await run(eitherTable(schema, 'id = any($1::text[])'), [jobs.map(({ id }) => id)])
  const found = new Map(rows.map((row) => {
    const { record } = toStored(row)
    return [record.id, record]
  }))
  const answers = jobs.flatMap(({ id }) => {
    const record = found.get(id)
    return record ? [{ created: true, record }] : []
  })
  return answers.length === jobs.length ? answers : null
}

