import { isLive, isSettled } from '../../src/records/job.ts'
import { linesOf } from '../../src/testing/history/journal.ts'
import { holds } from '../../src/testing/invariants.ts'
import type { Run } from './checks.ts'
import { callsOf } from './diary.ts'
import { repeats } from './plan.ts'
import type { Plan } from './plan.ts'
import { epoch } from './scheduler.ts'

/** Nothing of it comes back, and no word of those that ran. */
export function checkGone({ plan, scratch, calls }: Run): void {
  const { log, records } = scratch
  const begun = new Set<string>()
  for (const entry of log) {
    if (entry.event === 'add') begun.add(entry.jobId)
    holds(begun.has(entry.jobId), 'nobody writes about who is gone', entry)
  }
  for (const { id } of records) holds(begun.has(id), 'nobody is there who was not added', id)
  // One that is repeated adds anew what is gone.
  if (repeats(plan, 'insert')) return
  for (const { answer, asked, forgotten } of callsOf(calls, 'obliterate')) {
    if (answer !== 'obliterated' || forgotten) continue
    for (const fill of callsOf(calls, 'fill')) {
      if (fill.answered > asked || fill.again) continue
      const back = fill.command.jobs.find(({ id }) => begun.has(id))
      holds(back === undefined, 'what was obliterated does not come back', { fill, back })
    }
  }
}

/** Who was added, and is not there, was obliterated by a call that came later. */
export function checkKept({ plan, scratch: { records }, calls }: Run): void {
  const kept = new Map(records.map((record) => [record.id, record]))
  const again = repeats(plan, 'apply')
  const obliterations = callsOf(calls, 'obliterate')
    .filter(({ answer }) => answer !== 'running' || again)
  for (const fill of callsOf(calls, 'fill')) {
    if (fill.answered === Infinity || fill.forgotten) continue
    if (obliterations.some(({ answered }) => answered > fill.asked || again)) continue
    for (const { id } of fill.command.jobs) {
      const record = kept.get(id)
      const there = record !== undefined && isSettled(record)
      holds(there, 'what was added later stays', { fill, record })
    }
  }
}

/** `remove` is never asked of this queue. */
export function checkUnforced({ scratch: { tombstones }, calls }: Run): void {
  const forced = callsOf(calls, 'obliterate').filter(({ command }) => command.force)
  for (const entry of tombstones) {
    if (!entry.from || !isLive({ state: entry.from })) continue
    const asked = forced.some((call) => epoch + call.asked <= entry.at + 1)
    holds(asked, 'only force takes away what runs', { entry })
  }
}

/** A process that is frozen, or cut off, hears of it when that has passed. */
export const hearingMs = ({ leaseMs }: Plan): number => 4 * leaseMs + 1000

/** A handler whose job is gone is told: by the news, the next heartbeat, or its own clock. */
export function checkTold({ plan, fleet, scratch: { tombstones } }: Run): void {
  if (plan.store !== 'memory') return
  const withinMs = hearingMs(plan)
  const journals = [...fleet.gone, ...fleet.nodes].map(({ scratchBook }) => scratchBook.journal)
  const ends = new Map(linesOf({ journals }, 'end').map(({ line }) => [line.fence, line]))
  for (const { journal, line } of linesOf({ journals }, 'start')) {
    if (journal.killed) continue
    const gone = tombstones.find(({ fence }) => fence === line.fence)
    const end = ends.get(line.fence)
    if (!gone?.from || !isLive({ state: gone.from }) || !end || end.aborted !== null) continue
    const late = epoch + end.at > gone.at + withinMs
    holds(!late, 'who runs is told that the job is gone', { gone, line, end })
  }
}
