import type { Finding, WorkerInfo } from '../reading.ts'
import { readWorkers } from './beating.ts'
import type { Connected } from './connected.ts'
import { isLostConnection } from './faults.ts'
import { schemaVersion, versionsOf } from './migrations.ts'
import {
  fine, lookAtConnections, lookAtIndexes, lookAtNotificationQueue, lookAtServer, lookAtSnapshots,
  lookAtVacuum, span, warning,
} from './server-checks.ts'
import type { Seen } from './server-checks.ts'

/** Every process sweeps within 2.5 s. */
const sweptMs = 10_000
const mostListed = 10

/** Looks at server, schema and neighbours: one finding for each thing, and never an error. */
export async function examine(connected: Connected): Promise<readonly Finding[]> {
  await connected.measure()
  const findings: Finding[] = []
  for (const [check, look] of Object.entries(checks)) {
    findings.push({ check, ...await look(connected).catch(unseen) })
  }
  return findings
}

function unseen(error: unknown): Seen {
  if (isLostConnection(error)) throw error
  const isDenied = error instanceof Error && 'code' in error && error.code === '42501'
  return warning(
    `could not be looked at: ${error instanceof Error ? error.message : String(error)}`,
    isDenied ? 'grant pg_monitor to the role of this process' : 'see to the other findings first',
  )
}

const checks: Readonly<Record<string, (connected: Connected) => Promise<Seen>>> = {
  schema: lookAtSchema,
  server: lookAtServer,
  snapshots: lookAtSnapshots,
  vacuum: lookAtVacuum,
  indexes: lookAtIndexes,
  'notification-queue': lookAtNotificationQueue,
  clock: lookAtClock,
  workers: lookAtWorkers,
  queues: lookAtQueues,
  leases: lookAtLeases,
  log: lookAtLog,
  connections: lookAtConnections,
  notifications: lookAtNotifications,
}

async function lookAtSchema({ database }: Connected): Promise<Seen> {
  const present = await versionsOf(database)
  const { name } = database
  if (!present) {
    const advice = 'open the store with migrate: true once'
    return { level: 'error', found: `schema ${name} is not there any more`, advice }
  }
  const { version, minCode } = present
  if (minCode > schemaVersion) {
    return {
      level: 'error',
      found: `schema ${name} has version ${version}, which code of version ${schemaVersion} ` +
        'must not write to',
      advice: 'update the package of this process now',
    }
  }
  if (version <= schemaVersion) return fine(`schema ${name} has version ${version}`)
  return warning(
    `schema ${name} has version ${version}; this process knows version ${schemaVersion}, and may ` +
      'go on with it', 'update the package of this process, too',
  )
}

async function lookAtClock({ clock }: Connected): Promise<Seen> {
  const { ms, errorMs } = clock.skew
  if (!Number.isFinite(errorMs)) return fine('this process goes by its own clock')
  const found = `this machine is ${Math.abs(ms).toFixed(0)} ms ${ms < 0 ? 'behind' : 'ahead of'} ` +
    `the server, ± ${errorMs.toFixed(1)} ms`
  if (Math.abs(ms) < 1000 + errorMs) return fine(found)
  return warning(found, 'leases and delays go by the server and are right; times that your code ' +
    'takes from this machine (runAt) are off by as much: synchronise the clocks')
}

async function lookAtWorkers({ run, schema, now }: Connected): Promise<Seen> {
  const workers = await readWorkers(run, schema, now())
  if (workers.length === 0) {
    return warning('no worker is alive', 'call await troupe.start() in a process with tasks')
  }
  const said = workers.map(({ worker, running }) => `${worker} (${running} running)`)
  const versions = [...new Set(workers.map(({ version }) => version))].sort()
  return fine(`${workers.length} alive, of version ${versions.join(', ')}: ${listed(said)}`)
}

async function lookAtQueues({ run, schema, now }: Connected): Promise<Seen> {
  const step = (kind: string, after: string): string =>
    `(select queue, task from ${schema}.jobs where phase = 'ready' and partition is ${kind} ${after}
    order by queue, task limit 1)`
  const walk = (name: string, kind: string): string => `${name} as (
    ${step(kind, '')} union all select n.* from ${name} w cross join lateral
    ${step(kind, 'and (queue, task) > (w.queue, w.task)')} as n)`
  const rows = await run(
    `with recursive ${walk('plain', 'null')}, ${walk('parted', 'not null')}
    select * from plain union select * from parted order by queue, task`, [],
  )
  const workers = await readWorkers(run, schema, now())
  const left = rows.filter(({ queue, task }) => !isServed(workers, String(queue), String(task)))
    .map(({ queue, task }) => `${String(queue)} (${String(task)})`)
  if (left.length === 0) return fine('for all that is ready, a worker is alive')
  return warning(
    `jobs are ready that no living worker has a handler for: ${listed(left)}`,
    'start a process that declares these queues with these tasks',
  )
}

function isServed(workers: readonly WorkerInfo[], queue: string, task: string): boolean {
  return workers.some(({ queues }) =>
    queues.some(({ name, tasks }) => name === queue && tasks.includes(task)))
}

async function lookAtLeases({ run, schema, now }: Connected): Promise<Seen> {
  const [row] = await run(
    `select count(*) filter (where lease_until < $1) as lapsed, count(*) as live,
    min(lease_until) as oldest from ${schema}.jobs where worker is not null`, [now() - sweptMs],
  )
  const [lapsed, live] = [Number(row?.['lapsed']), Number(row?.['live'])]
  if (lapsed === 0) return fine(`${live} jobs are claimed, all under a lease that holds`)
  return warning(
    `${lapsed} of ${live} claimed jobs have a lease that lapsed up to ${
      span(now() - Number(row?.['oldest']))} ago, and nobody took them back`,
    'a started process takes them back within 2.5 s: start one, or look into its log',
  )
}

async function lookAtLog({ run, schema, now }: Connected): Promise<Seen> {
  const [row] = await run(
    `select coalesce(sum(count), 0) as count, min(at) as oldest
    from (select count, at from ${schema}.chunks where first is null order by id limit 10000) as c`,
    [],
  )
  const count = Number(row?.['count'])
  const ms = count === 0 ? 0 : now() - Number(row?.['oldest'])
  const found = `${count} entries of the log wait for their numbers`
  if (ms < sweptMs) return fine(found)
  return warning(`${found}, for up to ${span(ms)}`, 'a started process numbers them in 2.5 s: ' +
    'start one; if one runs, find who holds the advisory lock in pg_locks')
}

/** The last one: a notice to oneself has had its time to arrive. */
async function lookAtNotifications({ isPushed }: Connected): Promise<Seen> {
  if (isPushed) return fine('notifications arrive here')
  return warning(
    'notifications do not arrive here: this process polls, and hears of others within 2.5 s',
    'connect past a pooler of transactions; if there is none, the listening connection is down ' +
      'and comes back by itself',
  )
}

function listed(names: readonly string[]): string {
  const rest = names.length - mostListed
  return names.slice(0, mostListed).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}
