import { isSettled } from '../../src/records/job.ts'
import type { StoredSchedule } from '../../src/records/schedule.ts'
import { holds } from '../../src/testing/invariants.ts'
import type { LogEntry } from '../../src/records/transition.ts'
import type { Run } from './checks.ts'
import { callsOf, spansBetween } from './diary.ts'
import type { Call, CallOf } from './diary.ts'
import { trouble } from './plan.ts'
import type { QueueName, ScheduleCommand } from './plan.ts'
import { bootMs, epoch } from './scheduler.ts'

type ScheduleCall = CallOf<ScheduleCommand['type']>

/** The job of an occurrence says in its id when that was. */
const idOfOccurrence = /@(\d{4}-[-0-9T:.]+Z)$/

interface Occurrence {
  readonly time: number
  readonly entry: LogEntry
}

/** The occurrences of a schedule that have added a job, in the order of the log. */
function occurrencesOf(log: readonly LogEntry[], key: string): Occurrence[] {
  return log.flatMap((entry) => {
    if (entry.event !== 'add' || entry.by !== `schedule:${key}`) return []
    const time = idOfOccurrence.exec(entry.jobId)?.[1]
    return time === undefined ? [] : [{ time: Date.parse(time), entry }]
  })
}

function changesOf(calls: readonly Call[], queue: QueueName, key?: string): ScheduleCall[] {
  return callsOf(calls, 'schedule', 'unschedule', 'pause schedule', 'resume schedule')
    .filter(({ command }) =>
      command.queue === queue && (key === undefined || command.key === key))
}

const keysOf = (calls: readonly Call[], queue: QueueName): ReadonlySet<string> =>
  new Set(changesOf(calls, queue).map(({ command }) => command.key))

/** Schedules that were set once, and left alone since. */
function untouched(
  { calls, schedules }: Run,
): (readonly [key: string, stored: StoredSchedule, since: number])[] {
  return [...keysOf(calls, 'images')].flatMap((key) => {
    const [set, ...more] = changesOf(calls, 'images', key)
    const stored = schedules.get(key)
    const alone = set?.command.type === 'schedule' && more.length === 0
    return alone && stored ? [[key, stored, set.answered] as const] : []
  })
}

export function checkAtMostOnce({ calls, log }: Run): void {
  for (const key of keysOf(calls, 'images')) {
    const first = new Map<number, LogEntry>()
    for (const { time, entry } of occurrencesOf(log, key)) {
      const twin = first.get(time)
      holds(twin === undefined, 'an occurrence adds one job', { key, twin, entry })
      first.set(time, entry)
    }
  }
}

/** All times of a schedule, by its rule. */
function timesOf({ timing, createdAt }: StoredSchedule): number[] {
  const end = timing.endAt ?? 0
  const [step, first] = 'everyMs' in timing
    ? [timing.everyMs, timing.anchor + timing.everyMs]
    : [stepOf(timing.cron), Math.ceil(createdAt / stepOf(timing.cron)) * stepOf(timing.cron)]
  const times: number[] = []
  for (let time = first; time <= end; time += step) times.push(time)
  return times
}

/** Of the patterns that are drawn: each so many seconds. */
const stepOf = (cron: string): number => Number(/^\*\/(\d+) /.exec(cron)?.[1]) * 1000

/** Each occurrence was fired, skipped or missed by rule. A limit ends it before. */
export function checkNoneLost(run: Run): void {
  for (const [key, stored] of untouched(run)) {
    const { fired, skipped, missed, limit, catchUp, overlap, nextAt } = stored
    const times = timesOf(stored)
    const found = occurrencesOf(run.log, key)
    const facts = { key, stored, found: found.map(({ time }) => time), times }
    holds(nextAt === null, 'in the end every occurrence is dealt with', facts)
    holds(found.every(({ time }) => times.includes(time)), 'it fires at its times', facts)
    holds(limit === null || fired <= limit, 'it fires no more often than its limit', facts)
    const known = overlap === 'skip' ? found.length <= fired : found.length === fired
    holds(known, 'what has fired is known', facts)
    if (limit !== null && fired >= limit) continue
    holds(fired + skipped + missed === times.length, 'no occurrence is lost', facts)
    holds(missed === 0 || catchUp !== 'all', 'who catches up all misses none', facts)
    if (catchUp === 'none' || overlap !== 'allow') continue
    holds(found.at(-1)?.time === times.at(-1), 'the newest occurrence is caught up', facts)
  }
}

/** The way to the store and back, twice. */
const promptMs = 500

/** While nothing goes wrong nobody waits for an occurrence. */
export function checkPrompt(run: Run): void {
  const { plan, log } = run
  if (plan.store !== 'memory') return
  const until = epoch + bootMs + trouble(plan) - promptMs
  for (const [key, stored, since] of untouched(run)) {
    if (stored.limit !== null || stored.overlap === 'skip') continue
    const found = occurrencesOf(log, key)
    for (const time of timesOf(stored)) {
      if (time < epoch + since || time > until) continue
      const prompt = found.some(({ time: fired, entry }) =>
        fired >= time && entry.at <= time + promptMs)
      holds(prompt, 'an occurrence fires at its time', { key, time, stored })
    }
  }
}

export function checkOverlaps({ calls, log }: Run): void {
  const skips = [...keysOf(calls, 'images')].filter((key) => changesOf(calls, 'images', key)
    .every(({ command }) => command.type !== 'schedule' || command.schedule.overlap === 'skip'))
  for (const key of skips) {
    const open = new Map<string, LogEntry>()
    const own = new Set<string>()
    for (const entry of log) {
      const begins = entry.event === 'add' && entry.by === `schedule:${key}`
      const facts = { key, entry, open: [...open.values()] }
      holds(!begins || open.size === 0, 'an occurrence is skipped while a job is there', facts)
      if (begins) own.add(entry.jobId)
      if (!own.has(entry.jobId)) continue
      if (entry.to === null || isSettled({ state: entry.to })) open.delete(entry.jobId)
      else open.set(entry.jobId, entry)
    }
  }
}

/** After `remove` and `pause` have answered, and after an `obliterate`. */
export function checkSilence({ plan, calls, log, scratch }: Run): void {
  if (plan.store !== 'memory') return
  for (const queue of ['images', 'scratch'] as const) {
    for (const key of keysOf(calls, queue)) {
      const own = changesOf(calls, queue, key)
      const opening = own.filter(({ command: { type } }) =>
        type === 'schedule' || type === 'resume schedule')
      const closing = own.filter((call) => !opening.includes(call))
      const ends = callsOf(calls, 'obliterate').filter(({ answer }) => answer === 'obliterated')
      const spans = spansBetween([...closing, ...queue === 'scratch' ? ends : []], opening)
      const found = occurrencesOf(queue === 'images' ? log : scratch.log, key)
      for (const { from, until } of spans) {
        const fired = found.find(({ entry: { at } }) =>
          at > epoch + from && at < Math.floor(epoch + until))
        holds(fired === undefined, 'nothing fires after the end', { key, from, until, fired })
      }
    }
  }
}

/** The last change that was answered, and that no other may have come behind, is there. */
export function checkChanges({ calls, schedules }: Run): void {
  for (const key of keysOf(calls, 'images')) {
    const own = changesOf(calls, 'images', key)
    const last = own.at(-1)
    if (!last || last.forgotten || last.answered === Infinity) continue
    if (own.some((call) => call !== last && call.answered > last.asked)) continue
    const { command, answer } = last
    if (answer === 'too late') continue
    const stored = schedules.get(key)
    const facts = { last, stored }
    switch (command.type) {
      case 'schedule': {
        const same = stored?.job.label === command.schedule.label
        holds(same, 'no acknowledged schedule is lost', facts)
        break
      }
      case 'unschedule':
        holds(stored === undefined, 'no acknowledged removal is lost', facts)
        break
      case 'pause schedule': case 'resume schedule': {
        const paused = answer === 'unknown' ? undefined : command.type === 'pause schedule'
        holds(stored?.paused === paused, 'no acknowledged pause is lost', facts)
        break
      }
      case 'trigger': break
    }
  }
}
