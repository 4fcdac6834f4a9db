import type { JobEvent } from '../../../machines/job-events.ts'
import { isLive } from '../../records/job.ts'
import { toTombstone } from '../../records/transition.ts'
import { judge } from '../dependents.ts'
import { queueSettingKey, schedulesKey } from '../settings.ts'
import type { Setting } from '../settings.ts'
import type { JobRequest, QueueRequest, RequestAnswer } from '../store.ts'
import { toStored } from './codec.ts'
import type { Stored } from './codec.ts'
import type { Database } from './database.ts'
import { follow } from './following.ts'
import { eitherTable, holdJobs, lockJobs, readStates } from './loading.ts'
import { becomeSequencer, forgetLog } from './log.ts'
import { lockSetting, writeSetting } from './settings.ts'
import { parentsOf } from './work.ts'
import type { Work } from './work.ts'

/** Each request stands or falls alone; the chart decides over rows that are held. */
export async function applyRequests(
  work: Work, requests: readonly JobRequest[],
): Promise<readonly RequestAnswer[]> {
  const { run, schema } = work
  const held = await lockJobs(run, schema, requests.map(({ id }) => id))
  work.hold(held.values())
  const answers: RequestAnswer[] = []
  for (const request of requests) {
    const stored = held.get(request.id)
    if (stored?.record.queue !== request.queue) {
      answers.push({ outcome: 'unknown', record: null })
    } else if (request.type === 'remove') {
      answers.push(await remove(work, held, stored, request))
    } else {
      // What an earlier request of the call did to parents must be seen by the next one.
      await work.flush()
      const moved = work.step(stored, await eventOf(work, stored, request))
      if (moved) held.set(request.id, moved)
      answers.push({
        outcome: moved ? 'moved' : 'ignored', record: (moved ?? stored).record,
      })
    }
  }
  await follow(work)
  const latest = new Map(work.changes.map(({ entry, record }) => [entry.jobId, record]))
  return answers.map((answer) => ({
    ...answer, record: (answer.record && latest.get(answer.record.id)) ?? answer.record,
  }))
}

async function remove(
  work: Work, held: Map<string, Stored>, stored: Stored,
  { by, spareAwaited }: Extract<JobRequest, { readonly type: 'remove' }>,
): Promise<RequestAnswer> {
  const { record } = stored
  if (isLive(record)) return { outcome: 'ignored', record }
  if (spareAwaited && stored.linked) {
    await work.flush()
    const [link] = await work.run(
      `select child from ${work.schema}.links where parent = $1 limit 1`, [record.id],
    )
    if (link) return { outcome: 'awaited', record }
  }
  work.drop(stored, toTombstone(record, work.now, by))
  held.delete(record.id)
  return { outcome: 'moved', record }
}

async function eventOf(
  { run, schema, now }: Work, { record }: Stored,
  request: Exclude<JobRequest, { readonly type: 'remove' }>,
): Promise<JobEvent> {
  const { by } = request
  switch (request.type) {
    case 'cancel': return { type: 'cancel', now, by, reason: request.reason }
    case 'retry': {
      // A parent that ends meanwhile does not look at a job that is settled still.
      await holdJobs(run, schema, parentsOf(record))
      const states = await readStates(run, schema, parentsOf(record))
      const { open, failed } = judge(record, (id) => states.get(id))
      // A parent that still stands as failed ends the new life as it ended the old one.
      return { type: 'retry', now, by, openParents: failed ? Math.max(open, 1) : open }
    }
    case 'reschedule': {
      const runAt = request.runAt ?? now + (request.delayMs ?? 0)
      return { type: 'reschedule', now, by, runAt }
    }
  }
}

/**
 * Takes out all jobs of a queue, its log, its settings and its schedules. Writers of all queues
 * wait: what is added meanwhile is wholly there afterwards, or wholly gone.
 */
export async function obliterate(
  work: Work, database: Database, { queue, by, force }: QueueRequest,
): Promise<RequestAnswer> {
  const { run, schema, now } = work
  // Claims take the row of the setting before they touch the tables: so must we.
  const keys = [queueSettingKey(queue), schedulesKey(queue)].sort()
  const settings = new Map<string, Setting>()
  for (const key of keys) settings.set(key, await lockSetting(run, schema, key))
  await becomeSequencer(run, database)
  // Whoever holds a row now and writes later goes first: a weaker lock would meet it in a deadlock.
  await run(
    `lock table ${schema}.jobs, ${schema}.history, ${schema}.chunks in exclusive mode`, [],
  )
  const jobs = (await run(
    `${eitherTable(schema, 'queue = $1')} order by n desc`, [queue],
  )).map(toStored)
  if (jobs.some(({ record }) => isLive(record)) && !force) {
    return { outcome: 'ignored', record: null }
  }
  for (const stored of jobs) work.drop(stored, toTombstone(stored.record, now, by))
  await follow(work)
  await forgetLog(run, schema, queue, now)
  for (const [key, { value, version }] of settings) {
    if (value !== null) await writeSetting(run, schema, key, { value: null, version: version + 1 })
  }
  for (const table of ['starts', 'partitions']) {
    await run(`delete from ${schema}.${table} where queue = $1`, [queue])
  }
  return { outcome: 'moved', record: null }
}
