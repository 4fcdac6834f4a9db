import type { BulkAnswer } from 'troupe'
import { byJob } from '../../src/testing/history/journal.ts'
import { holds } from '../../src/testing/invariants.ts'
import type { LogEntry } from '../../src/records/transition.ts'
import type { Run } from './checks.ts'
import { callsOf, spansBetween } from './diary.ts'
import type { Call } from './diary.ts'
import { epoch } from './scheduler.ts'

/** Answers that are evidence still. */
const sure = ({ answered, forgotten }: Call): boolean => answered < Infinity && !forgotten

/** What the store has dated between the call and its answer; it counts whole milliseconds. */
const during = ({ asked, answered }: Call) => ({ at }: LogEntry): boolean =>
  at >= Math.floor(epoch + asked) && at <= epoch + answered

/** Claims are dated by the store, whose clock is the true one where many share it. */
export function checkPauses({ plan, log, calls }: Run): void {
  if (plan.store !== 'memory') return
  for (const { from, until } of spansBetween(callsOf(calls, 'pause'), callsOf(calls, 'resume'))) {
    const claim = log.find(({ event, at }) =>
      event === 'claim' && at > epoch + from && at < Math.floor(epoch + until))
    holds(claim === undefined, 'no claim comes after a pause', { from, until, claim })
  }
}

/** Jobs that come back count, but only adds are refused; occurrences of schedules are not. */
export function checkRoom({ plan: { maxQueued }, log }: Run): void {
  if (maxQueued === null) return
  const queued = new Set<string>()
  let superseder = ''
  for (const entry of log) {
    // Who takes the place of one that was queued makes no more of them.
    if (entry.event === 'cancel' && entry.from === 'queued') {
      superseder = /^superseded by (.*)/.exec(entry.reason ?? '')?.[1] ?? ''
    }
    if (entry.to === 'queued') queued.add(entry.jobId)
    else queued.delete(entry.jobId)
    if (entry.event !== 'add' || entry.by.startsWith('schedule:')) continue
    if (entry.jobId === superseder) continue
    const facts = { maxQueued, queued: queued.size, entry }
    holds(queued.size <= maxQueued, 'an add leaves no more queued than maxQueued', facts)
  }
}

/** Of a first call that was told so; the ids may be those of others. */
export function checkRefusals({ log, calls }: Run): void {
  const adds = callsOf(calls, 'add', 'flow')
  for (const call of adds) {
    if (call.refusal !== 'queue-full' || call.again) continue
    const others = new Set(adds.filter((each) => each !== call)
      .flatMap(({ command }) => command.jobs.map(({ id }) => id)))
    for (const { id } of call.command.jobs) {
      const added = others.has(id) ? undefined : log.find(({ jobId }) => jobId === id)
      holds(added === undefined, 'nothing is left of what was refused', { id, added })
    }
  }
}

/** As many moves as were answered, and no start before the time that the last one has set. */
export function checkReschedules({ plan, log, calls }: Run): void {
  const jobs = byJob(log)
  const moves = callsOf(calls, 'reschedule')
    .filter((call) => sure(call) && call.answer === 'rescheduled')
  for (const { command: { id } } of moves) {
    const entries = jobs.get(id)?.filter(({ event }) => event === 'reschedule') ?? []
    const answered = moves.filter((each) => each.command.id === id)
    const facts = { id, entries, answered }
    holds(entries.length >= answered.length, 'no acknowledged reschedule is lost', facts)
  }
  if (plan.store !== 'memory') return
  for (const call of moves) {
    const entries = jobs.get(call.command.id) ?? []
    const own = entries.filter((entry) => entry.event === 'reschedule' && during(call)(entry))
    const [move] = own
    if (!move || own.length > 1) continue
    const next = entries.find(({ seq, event }) => seq > move.seq &&
      (event === 'claim' || event === 'reschedule' || event === 'retry' || event === 'add'))
    const early = next?.event === 'claim' && next.at < move.at + call.command.ms
    holds(!early, 'nobody starts before the time that was set', { call, move, next })
  }
}

const does = { 'cancel many': 'cancel', 'retry many': 'retry', 'clean': 'remove' } as const

/** It has done as much as it says, and has left out nobody who was there before. */
export function checkBulk({ plan, log, calls, records }: Run): void {
  if (plan.store !== 'memory') return
  const jobs = byJob(log)
  const keyless = records.filter(({ dedupe }) => dedupe === null)
  for (const call of callsOf(calls, 'cancel many', 'retry many', 'clean').filter(sure)) {
    const { command: { type }, answer } = call
    const done = log.filter((entry) => entry.event === does[type] && during(call)(entry))
    const said = (answer as BulkAnswer).done
    const facts = { call, done: done.length }
    // The store may have done the same twice and said what the second time has done.
    holds(said <= done.length, 'a bulk verb does what it says', facts)
    if (type === 'clean') continue
    for (const { id, partition } of keyless) {
      if (type === 'cancel many' && partition !== 'x') continue
      const entries = jobs.get(id) ?? []
      // Workers date their commits by clocks of their own.
      const from = epoch + call.asked - 2 * plan.leaseMs
      const until = epoch + call.answered + 2 * plan.leaseMs
      const before = entries.findLast(({ at }) => at < from)
      const moved = entries.some(({ at }) => at >= from && at <= until)
      if (!before || !isMeant(type, before) || moved) continue
      holds(false, 'a bulk verb leaves nobody out', { call, before })
    }
  }
}

function isMeant(type: 'cancel many' | 'retry many', { to }: LogEntry): boolean {
  if (type === 'retry many') return to === 'failed' || to === 'cancelled'
  return to === 'queued' || to === 'running'
}
