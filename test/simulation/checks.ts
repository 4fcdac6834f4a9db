import type { JobRecord } from 'troupe'
import type { StoredSchedule } from '../../src/records/schedule.ts'
import type { LogEntry } from '../../src/records/transition.ts'
import { brokenChecks } from '../../src/testing/history.ts'
import { holds } from '../../src/testing/invariants.ts'
import {
  checkBulk, checkPauses, checkRefusals, checkReschedules, checkRoom,
} from './call-checks.ts'
import type { Call } from './diary.ts'
import type { Fleet } from './fleet.ts'
import type { Plan } from './plan.ts'
import {
  checkAtMostOnce, checkChanges, checkNoneLost, checkOverlaps, checkPrompt, checkSilence,
} from './schedule-checks.ts'
import { epoch } from './scheduler.ts'
import { checkGone, checkKept, checkTold, checkUnforced } from './scratch-checks.ts'

/** What a store holds of a queue in the end. */
export interface Stored {
  readonly log: readonly LogEntry[]
  readonly records: readonly JobRecord[]
  readonly schedules: ReadonlyMap<string, StoredSchedule>
}

/** A promise that a run has broken. */
export interface Failure {
  readonly check: string
  readonly how: string
}

/** All that is known of a run when it is over. */
export interface Run {
  readonly plan: Plan
  readonly fleet: Fleet
  readonly log: readonly LogEntry[]
  readonly records: readonly JobRecord[]
  readonly schedules: Stored['schedules']
  /** The queue that may be obliterated. */
  readonly scratch: Stored & { readonly tombstones: readonly LogEntry[] }
  readonly calls: readonly Call[]
  readonly faultsEndAt: number
  readonly drained: boolean
  /** Those who observe from the start were told all. */
  readonly complete: boolean
  /** What was left after all had stopped. */
  readonly left: readonly string[]
  /** What is on the disk in the end could be read. */
  readonly readable: boolean
}

/** What the history checker cannot know: it sees what happened, and not when. */
const checks = {
  'what was written can be read': checkReadable,
  'nobody meets an error of the library': checkFaults,
  'in the end all comes to rest': checkRest,
  'no claim commits after a pause has answered': checkPauses,
  'what a dead node ran is taken back in time': checkDeaths,
  'no add makes more queued than maxQueued': checkRoom,
  'what was refused leaves nothing behind': checkRefusals,
  'a reschedule is stored and heeded': checkReschedules,
  'a bulk verb does what it says': checkBulk,
  'an occurrence adds at most one job': checkAtMostOnce,
  'no occurrence is lost': checkNoneLost,
  'an occurrence fires at its time': checkPrompt,
  'no occurrence overlaps that should be skipped': checkOverlaps,
  'who was paused or removed fires no more': checkSilence,
  'an acknowledged change of a schedule is there': checkChanges,
  'what was obliterated is gone': checkGone,
  'what was added after an obliterate stays': checkKept,
  'only force obliterates what runs': checkUnforced,
  'who runs what was obliterated is told': checkTold,
} as const satisfies Record<string, (run: Run) => void>

export function checkRun(run: Run): Failure[] {
  const { plan, fleet, log, records } = run
  const { concurrency, rate, perPartition, pruned } = plan
  const limits = {
    rate: rate ? { max: rate.max, perMs: rate.per, perPartition: false } : null,
    // The log does not tell the partition of what is gone.
    perPartition: pruned || plan.steps.some(({ type }) => type === 'remove' || type === 'clean')
      ? null : perPartition,
  }
  const jumped = plan.store === 'lowdb' && plan.steps.some(({ type }) => type === 'clock jump')
  const broken = brokenChecks({
    log, records, journals: fleet.journals, told: fleet.told, pruned: isPruned(plan),
    bounds: { concurrency, limits: jumped ? { ...limits, rate: null } : limits },
  })
  const failures = [...broken].map(([check, how]): Failure => ({ check, how }))
  for (const [check, prove] of Object.entries(checks)) {
    try {
      prove(run)
    } catch (error) {
      failures.push({ check, how: error instanceof Error ? error.message : String(error) })
    }
  }
  return failures
}

/** Jobs may have left the store without a word in the log. */
function isPruned({ pruned, steps }: Plan): boolean {
  // A throttle keeps a job only as long as its window.
  return pruned || steps.some((step) => step.type === 'clock jump')
}

function checkFaults({ fleet }: Run): void {
  const [first] = fleet.faults
  const how = first && {
    what: first.what, error: String(first.error), stack: (first.error as Error | null)?.stack,
  }
  holds(first === undefined, 'nobody is told what nobody expects', how)
  const strange = [...fleet.gone, ...fleet.nodes].flatMap(({ name, lines }) => lines
    .filter(({ message }) => /the chart ignores|threw/.test(message))
    .map(({ message }) => `${name}: ${message}`))
  holds(strange.length === 0, 'nothing strange is reported', strange)
}

function checkReadable({ fleet, readable }: Run): void {
  const refused = [...fleet.gone, ...fleet.nodes].flatMap((node) => node.refused ?? [])
  holds(refused.length === 0, 'no store is damaged by what was honest', refused.map(String))
  holds(readable, 'what was written can be read in the end')
}

function checkRest({ drained, complete, left }: Run): void {
  holds(drained, 'when faults end, all that is left is done')
  holds(complete, 'who observes from the start is told all')
  holds(left.length === 0, 'nothing is left after a stop', left)
}

/** What one process holds alone is taken back as soon as the next one opens it. */
function checkBoots({ deaths }: Fleet, log: readonly LogEntry[]): void {
  const deadSince = new Map(deaths.map(({ worker, at }) => [worker, epoch + at]))
  const claims = new Map<number, string>()
  for (const { event, fence, by, at } of log) {
    if (event === 'claim') claims.set(fence, by)
    const owner = event === 'stall' ? claims.get(fence) ?? '' : ''
    const atBoot = at <= (deadSince.get(owner) ?? Infinity) || by === 'boot'
    holds(atBoot, 'what a dead process ran is taken back at boot', { fence, owner, by })
  }
}

/** Retries of a sweep that was refused, the sweep itself, and its way to the store. */
const sweepMs = 3500
const refusedSweepMs = 10_000

function checkDeaths({ plan, fleet, log, faultsEndAt }: Run): void {
  if (plan.store === 'lowdb') return checkBoots(fleet, log)
  const byFence = new Map<number, LogEntry[]>()
  for (const entry of log) {
    const entries = byFence.get(entry.fence)
    if (entries) entries.push(entry)
    else byFence.set(entry.fence, [entry])
  }
  for (const { worker, at } of fleet.deaths) {
    const lapsed = at + plan.leaseMs
    const quiet = at > faultsEndAt || plan.steps.every(({ type }) => type === 'add')
    const deadline = Math.max(lapsed, faultsEndAt) + (quiet ? sweepMs : refusedSweepMs)
    for (const entries of byFence.values()) {
      const claim = entries.find(({ event }) => event === 'claim')
      if (claim?.by !== worker) continue
      const end = entries.find(({ seq, from, to }) =>
        seq > claim.seq && from !== to && to !== 'cancelling')
      const inTime = end !== undefined && end.at <= epoch + deadline
      holds(inTime, 'a dead one holds nothing for long', { claim, end, at, deadline })
    }
  }
}
