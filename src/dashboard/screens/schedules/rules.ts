import type { Schedule } from '../../../orchestrator/schedules/schedules.ts'
import { clockTime, dayOf, shortTime, span } from '../../shell/words.ts'

/** The rule in words: `every 5 min`, `0 3 * * *, clock of Europe/Berlin`. */
export function ruleWords({ rule }: Schedule): string {
  if (rule.every !== undefined) {
    return `every ${typeof rule.every === 'number' ? span(rule.every) : rule.every}`
  }
  return `${rule.cron}, clock of ${rule.timeZone ?? 'UTC'}`
}

/** What bounds the rule, in words; empty when nothing does. */
export function boundWords({ rule, fired }: Schedule): string {
  const parts = [
    ...(rule.limit === undefined ? [] : [`${String(fired)} of at most ${String(rule.limit)}`]),
    ...(rule.endAt === undefined ? []
      : [`until ${new Intl.DateTimeFormat('en-GB').format(rule.endAt)}`]),
  ]
  return parts.join(', ')
}

/** A moment in the viewer's zone; near ones to the second. */
export function whenWords(at: number, now: number): string {
  const day = dayOf(at, now)
  return day === 'today' ? clockTime(at) : `${day} ${shortTime(at)}`
}

/** The viewer's own zone. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone
}
