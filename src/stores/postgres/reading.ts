import { phases, states } from '../../../machines/vocabulary.ts'
import { isSettled } from '../../records/job.ts'
import type { JobRecord } from '../../records/job.ts'
import { linkTo } from '../dependents.ts'
import type { Counts, Facts } from '../reading.ts'
import { queueSettingKey, toQueueSetting } from '../settings.ts'
import { Starts } from '../starts.ts'
import type { Start } from '../starts.ts'
import type { Limits } from '../store.ts'
import type { Run } from './database.ts'
import { readJobs } from './loading.ts'
import { readSetting } from './settings.ts'
import { parentsOf } from './work.ts'

const none = Object.fromEntries([...states, ...phases].map((key) => [key, 0])) as unknown as Counts

export async function countJobs(
  run: Run, schema: string, queue: string | null,
): Promise<ReadonlyMap<string, Counts>> {
  const rows = await run(
    `select queue, state, phase, count(*) as count from ${schema}.jobs
    where $1::text is null or queue = $1 group by queue, state, phase
    union all select queue, state, null, count(*) from ${schema}.history
    where $1::text is null or queue = $1 group by queue, state
    union all select queue, null, null, 0 from ${schema}.logs
    where $1::text is null and oldest <= newest`, [queue],
  )
  const all = new Map<string, Record<keyof Counts, number>>()
  if (queue !== null) all.set(queue, { ...none })
  for (const { queue: name, state, phase, count } of rows) {
    let counts = all.get(name as string)
    if (!counts) all.set(name as string, counts = { ...none })
    for (const key of [state, phase]) {
      if (key !== null) counts[key as keyof Counts] += Number(count)
    }
  }
  return all
}

/** Gathers what bears on whether a job runs. */
export async function explainJob(
  run: Run, schema: string, queue: string, id: string, limits: Limits, now: number,
): Promise<Facts | null> {
  const record = (await readJobs(run, schema, [id])).get(id)?.record
  if (record?.queue !== queue) return null
  const setting = await readSetting(run, schema, queueSettingKey(queue))
  const { paused, limitedUntil } = toQueueSetting(setting.value)
  const rateAt = await rateAdmitsAt(run, schema, record, limits.rate, now)
  const [row = {}] = await run(
    `select (select count(*) from ${schema}.jobs where queue = $1 and worker is not null
        and partition is not distinct from $2) as running,
      (select count(*) from ${schema}.jobs, (
        select priority as p, run_at as r, n as o from ${schema}.jobs
        where id = $3 and phase = 'ready'
      ) as own where queue = $1 and phase = 'ready'
        and (priority, run_at, n) < (own.p, own.r, own.o)) as ahead`,
    [queue, record.partition, id],
  )
  return {
    record, paused,
    limitedUntil: limitedUntil > now ? limitedUntil : null,
    rate: rateAt > now ? { until: Number.isFinite(rateAt) ? rateAt : null } : null,
    partitionRunning: Number(row['running']),
    ahead: Number(row['ahead']),
    parents: await readParents(run, schema, record),
  }
}

async function rateAdmitsAt(
  run: Run, schema: string, { queue, partition }: JobRecord, rate: Limits['rate'], now: number,
): Promise<number> {
  if (rate === null) return now
  const [row] = await run(
    `select starts::text as starts from ${schema}.starts where queue = $1`, [queue],
  )
  const starts = new Starts()
  const known = row ? JSON.parse(row['starts'] as string) as Start[] : []
  for (const start of known) starts.add(start)
  return starts.nextAt(rate, partition, now)
}

async function readParents(
  run: Run, schema: string, record: JobRecord,
): Promise<Facts['parents']> {
  const found = await readJobs(run, schema, parentsOf(record))
  const parents = record.dependsOn.map((id) => {
    const parent = found.get(id)?.record
    return { id, record: parent ?? null, open: linkTo(record, parent) === 'open' }
  })
  if (record.after === null) return parents
  const predecessor = found.get(record.after)?.record ?? null
  const open = predecessor !== null && !isSettled(predecessor)
  return [...parents, { id: record.after, record: predecessor, open }]
}
