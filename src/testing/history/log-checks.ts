import type { LogEntry } from '../../records/transition.ts'
import { checkLog, checkRecords, checkTold, holds } from '../invariants.ts'
import type { JobFacts } from '../invariants.ts'
import { byJob } from './journal.ts'
import type { History } from './journal.ts'

const settled = ['completed', 'failed', 'cancelled']
const live = ['running', 'cancelling']

const isSettled = ({ to }: LogEntry): boolean => to !== null && settled.includes(to)
const isLive = ({ to }: LogEntry | { readonly to: null }): boolean =>
  to !== null && live.includes(to)

export function checkSeq({ log }: History): void {
  log.forEach((entry, index) => {
    holds(entry.seq === index + 1, 'entries are numbered 1, 2, 3', { entry, expected: index + 1 })
  })
}

export function checkRevs({ log }: History): void {
  for (const entries of byJob(log).values()) {
    let last = 0
    for (const entry of entries) {
      if (entry.event === 'add') last = 0
      last += 1
      holds(entry.rev === last, 'the revs of a job are 1, 2, 3', { entry, expected: last })
    }
  }
}

/** What the chart says of each job by itself; no order of claims is promised across jobs. */
function replay(entries: readonly LogEntry[]): JobFacts | undefined {
  const numbered = entries.map((entry, index) => ({ ...entry, seq: index + 1 }))
  return [...checkLog(numbered).values()][0]
}

export function checkChart({ log }: History): void {
  for (const entries of byJob(log).values()) replay(entries)
}

/** A removal and a later add of the same id begin another life, and so does a retry. */
export function checkSettlements({ log }: History): void {
  for (const entries of byJob(log).values()) {
    let end: LogEntry | null = null
    for (const entry of entries) {
      if (entry.event === 'add' || entry.event === 'retry') end = null
      if (!isSettled(entry)) continue
      holds(end === null, 'a life ends once', { end, entry })
      end = entry
    }
  }
}

/** Written by who holds the claim. */
const workersEvents = [
  'complete', 'fail', 'timeout', 'snooze', 'release', 'abandon', 'progress',
]

/** Who writes holds the newest claim, which nobody has taken away. */
export function checkStaleWrites({ log }: History): void {
  for (const entries of byJob(log).values()) {
    let claim: LogEntry | null = null
    let before: LogEntry | { readonly to: null } = { to: null }
    for (const entry of entries) {
      if (entry.event === 'claim') claim = entry
      else if (workersEvents.includes(entry.event)) {
        const facts = { claim, before, entry }
        holds(claim !== null && isLive(before), 'who writes still has the job', facts)
        holds(entry.fence === claim.fence, 'who writes has the newest fence', facts)
        holds(entry.by === claim.by, 'who writes is who has claimed', facts)
      }
      before = entry
    }
  }
}

export function checkFences({ log }: History): void {
  const given = new Map<number, LogEntry>()
  for (const entries of byJob(log).values()) {
    let newest = 0
    for (const entry of entries) {
      if (entry.event !== 'claim') continue
      const facts = { entry, newest, twin: given.get(entry.fence) }
      holds(!given.has(entry.fence), 'no fence is given twice', facts)
      holds(entry.fence > newest, 'the fences of a job rise', facts)
      newest = entry.fence
      given.set(entry.fence, entry)
    }
  }
}

export function checkCancels({ log }: History): void {
  for (const entries of byJob(log).values()) {
    let cancel: LogEntry | null = null
    for (const entry of entries) {
      if (entry.event === 'cancel') cancel = entry
      else if (entry.event === 'retry' || entry.event === 'add') cancel = null
      else holds(entry.event !== 'claim' || !cancel, 'who is cancelled is not claimed', {
        cancel, entry,
      })
    }
  }
}

export function checkReplay({ log, records, pruned = false }: History): void {
  const facts = new Map<string, JobFacts>()
  for (const [id, entries] of byJob(log)) {
    const job = replay(entries)
    if (job) facts.set(id, job)
  }
  checkRecords(facts, records, { pruned })
}

export function checkObservers({ log, told = [] }: History): void {
  for (const entries of told) checkTold(entries, log)
}
