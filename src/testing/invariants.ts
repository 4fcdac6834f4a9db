import { phases, states } from '../../machines/vocabulary.ts'
import type { State } from '../../machines/vocabulary.ts'
import { isLive, isSettled } from '../records/job.ts'
import type { JobRecord, TransitionEvent } from '../records/job.ts'
import type { LogEntry } from '../records/transition.ts'
import type { Counts } from '../stores/reading.ts'

/** What a whole log says of one job. */
export interface JobFacts {
  /** Its newest entry; `to` is null when the job was removed. */
  last: LogEntry
  /** Of the life that it is in now. */
  life: Life
  readonly fences: number[]
}

interface Life {
  cancelled: boolean
  /** Failures after which the job went back to the queue. */
  retried: number
  stalls: number
  freeStalls: number
}

/** Thrown when the product has broken a promise. */
class Broken extends Error {
  override readonly name = 'Broken'
}

export function holds(condition: boolean, promise: string, facts?: unknown): asserts condition {
  if (!condition) throw new Broken(`${promise}: ${String(JSON.stringify(facts)).slice(0, 4000)}`)
}

const settled: readonly State[] = ['completed', 'failed', 'cancelled']
const queued: readonly State[] = ['queued']
const live: readonly State[] = ['running', 'cancelling']

/** Written by hand from the design: from where to where each event may lead. */
const legal: Readonly<Record<
  Exclude<TransitionEvent, 'add' | 'remove'>, Readonly<Partial<Record<State, readonly State[]>>>
>> = {
  claim: { queued: ['running'] },
  complete: { running: ['completed'], cancelling: ['completed'] },
  fail: { running: ['queued', 'failed'], cancelling: ['cancelled'] },
  timeout: { running: ['queued', 'failed'] },
  stall: { running: ['queued', 'failed'], cancelling: ['cancelled'] },
  snooze: { running: queued, cancelling: ['cancelled'] },
  release: { running: queued, cancelling: ['cancelled'] },
  abandon: { cancelling: ['cancelled'] },
  progress: { running: ['running'], cancelling: ['cancelling'] },
  cancel: { queued: ['cancelled'], running: ['cancelling'] },
  due: { queued },
  countParents: { queued },
  unblock: { queued },
  expire: { queued: ['failed'] },
  parentFailed: { queued: ['failed'] },
  reschedule: { queued },
  retry: { failed: queued, cancelled: queued },
}

/**
 * Replays a log from its first entry: numbers without a gap, each job's entries hang together,
 * each life settles once, nothing is claimed after a cancel, fences rise.
 */
export function checkLog(log: readonly LogEntry[]): Map<string, JobFacts> {
  const jobs = new Map<string, JobFacts>()
  let fence = 0
  log.forEach((entry, index) => {
    holds(entry.seq === index + 1, 'seq has no gap', { entry, expected: index + 1 })
    if (entry.event === 'claim') {
      holds(entry.fence > fence, 'fences rise', { entry, fence })
      fence = entry.fence
    }
    const job = jobs.get(entry.jobId)
    if (entry.event === 'add') jobs.set(entry.jobId, added(entry, job))
    else {
      holds(job !== undefined, 'a job begins with add', entry)
      follow(job, entry)
    }
  })
  return jobs
}

const newLife = (): Life => ({ cancelled: false, retried: 0, stalls: 0, freeStalls: 0 })

function added(entry: LogEntry, before: JobFacts | undefined): JobFacts {
  const gone = !before || before.last.to === null || settled.includes(before.last.to)
  holds(gone, 'an id is added again only after it is gone', { entry, before })
  const first = entry.rev === 1 && entry.from === null && entry.to === 'queued'
  holds(first && entry.attempt === 0 && entry.fence === 0, 'a job begins queued', entry)
  return { last: entry, life: newLife(), fences: before?.fences ?? [] }
}

function follow(job: JobFacts, entry: LogEntry): void {
  const { last, life } = job
  const facts = { last, entry }
  holds(last.to !== null, 'nothing follows a removal', facts)
  holds(entry.from === last.to, 'each entry begins where the last one ended', facts)
  holds(entry.rev === last.rev + 1, 'rev has no gap', facts)
  holds((entry.phase !== null) === (entry.to === 'queued'), 'only queued has a phase', facts)
  if (entry.event === 'remove') {
    holds(entry.to === null && !live.includes(last.to), 'what is live is not removed', facts)
  } else if (entry.event !== 'add') {
    const reached = legal[entry.event][last.to] ?? []
    holds(entry.to !== null && reached.includes(entry.to), 'the chart allows it', facts)
    if (settled.includes(last.to)) holds(entry.event === 'retry', 'a life settles once', facts)
  }
  checkCharge(job, entry)
  if (entry.event === 'retry') job.life = newLife()
  if (entry.event === 'cancel') life.cancelled = true
  if (entry.event === 'claim') {
    holds(!life.cancelled, 'no attempt starts after a cancel', facts)
    job.fences.push(entry.fence)
  }
  if (entry.to === 'queued' && (entry.event === 'fail' || entry.event === 'timeout')) {
    life.retried += 1
  }
  job.last = entry
}

/** The attempt and the fence change with a claim, and what is handed back costs nothing. */
function checkCharge({ last, life }: JobFacts, entry: LogEntry): void {
  const facts = { last, entry }
  if (entry.event === 'claim') {
    holds(entry.attempt === last.attempt + 1, 'a claim charges an attempt', facts)
    return
  }
  holds(entry.fence === last.fence, 'only a claim gives a fence', facts)
  const back = entry.to === 'queued' && (entry.event === 'release' || entry.event === 'stall')
  if (entry.event === 'retry') holds(entry.attempt === 0, 'a new life begins at 0', facts)
  else if (back && entry.attempt === last.attempt - 1) {
    if (entry.event === 'stall') life.freeStalls += 1
  } else {
    const charged = entry.attempt === last.attempt && !(back && entry.event === 'release')
    holds(charged, 'the attempt stays, and a release is free', facts)
    if (entry.event === 'stall' && entry.to === 'queued') life.stalls += 1
  }
}

/** The log replays to the records; what is gone was removed or, when `pruned`, had settled. */
export function checkRecords(
  jobs: ReadonlyMap<string, JobFacts>, records: readonly JobRecord[],
  { pruned }: { readonly pruned: boolean },
): void {
  const byId = new Map(records.map((record) => [record.id, record]))
  holds(byId.size === records.length, 'a list names each job once', records.map(({ id }) => id))
  for (const record of records) {
    const job = jobs.get(record.id)
    holds(job !== undefined && job.last.to !== null, 'each record is in the log', record)
    checkRecord(record, job)
  }
  for (const [id, { last }] of jobs) {
    if (byId.has(id) || last.to === null) continue
    holds(pruned && settled.includes(last.to), 'nothing gets lost', last)
  }
}

const replayed = ['phase', 'attempt', 'fence', 'reason', 'rev'] as const

function checkRecord(record: JobRecord, { last, life }: JobFacts): void {
  const facts = { record, last, life }
  holds(record.state === last.to, 'the log replays to the state', facts)
  for (const key of replayed) holds(record[key] === last[key], `the log replays to ${key}`, facts)
  for (const key of ['progress', 'error'] as const) {
    const same = JSON.stringify(record[key]) === JSON.stringify(last[key])
    holds(same, `the log replays to ${key}`, facts)
  }
  holds((record.lease !== null) === isLive(record), 'who is live has a lease', facts)
  holds((record.settledAt !== null) === isSettled(record), 'who is settled says when', facts)
  holds(record.result === null || record.state === 'completed', 'only work has a result', facts)
  holds(record.attempt === 0 || record.policy !== null, 'who started has a policy', facts)
  if (!record.policy) return
  const { retries, maxStalls } = record.policy
  holds(life.retried <= retries && record.failures <= retries + 1, 'retries are bounded', facts)
  holds(life.stalls <= maxStalls && record.stalls === life.stalls, 'stalls are bounded', facts)
  holds(life.freeStalls <= 5, 'free releases are bounded', facts)
}

export function checkCounts(counts: Counts, records: readonly JobRecord[]): void {
  const found = Object.fromEntries([...states, ...phases].map((key) => [
    key, records.filter(({ state, phase }) => state === key || phase === key).length,
  ]))
  for (const key of [...states, ...phases]) {
    holds(counts[key] === found[key], 'counts equals the list', { counts, found })
  }
  const sum = states.reduce((total, state) => total + counts[state], 0)
  holds(sum === records.length, 'the counts add up to the jobs', { counts, jobs: records.length })
}

/** What somebody was told is a piece of the log, whole and in its order. */
export function checkTold(told: readonly LogEntry[], log: readonly LogEntry[]): void {
  const first = told[0]?.seq ?? 1
  told.forEach((entry, index) => {
    const expected = log[first - 1 + index]
    const same = expected?.seq === entry.seq && expected.jobId === entry.jobId &&
      expected.rev === entry.rev && expected.event === entry.event && expected.to === entry.to
    holds(same, 'every observer sees the one order', { entry, expected })
  })
}
