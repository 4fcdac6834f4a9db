import { Cron } from 'croner'
import { parseDuration } from '../../duration.ts'
import { invalidOption, show, TroupeErrorOf } from '../../errors.ts'
import { parseName, parseTime } from '../../records/options.ts'
import type { Timing } from '../../records/schedule.ts'

/** The shortest interval. What is more frequent is a loop, and no schedule. */
const shortestMs = 100
/** Epoch milliseconds beyond this are no date. */
const latestTime = 8.64e15

/** Checks a rule that begins to hold at `now`. */
export function parseTiming(
  given: Readonly<Record<string, unknown>>, path: string, now: number,
): Timing {
  const { every, cron, timeZone } = given
  if ((every === undefined) === (cron === undefined)) {
    throw invalidOption(path, 'an object with every or cron', every === undefined ? given : 'both')
  }
  const startAt = parseOptionalTime(given['startAt'], `${path}.startAt`)
  const endAt = parseOptionalTime(given['endAt'], `${path}.endAt`)
  if (startAt !== null && endAt !== null && endAt < startAt) {
    throw invalidOption(`${path}.endAt`, 'startAt or later', endAt)
  }
  if (cron !== undefined) {
    const zone = parseZone(timeZone ?? 'UTC', `${path}.timeZone`)
    return { cron: parseCron(cron, zone, `${path}.cron`, now), timeZone: zone, startAt, endAt }
  }
  if (timeZone !== undefined) {
    throw invalidOption(`${path}.timeZone`, 'left out beside every', timeZone)
  }
  const everyMs = parseDuration(every, `${path}.every`)
  if (everyMs < shortestMs) throw invalidOption(`${path}.every`, `at least ${shortestMs} ms`, every)
  return { everyMs, anchor: startAt ?? now, startAt, endAt }
}

function parseOptionalTime(value: unknown, path: string): number | null {
  return value === undefined ? null : parseTime(value, path)
}

function parseZone(value: unknown, path: string): string {
  const zone = parseName(value, path)
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
  } catch {
    throw invalidOption(path, "an IANA time zone such as 'Europe/Berlin'", value)
  }
  // Newer engines take offsets as zones, older ones and other machines do not.
  if (/^[+-]/.test(zone)) throw invalidOption(path, "an IANA time zone such as 'UTC'", value)
  return zone
}

/** Refuses what croner would take besides: single dates and patterns with a year. */
function parseCron(value: unknown, timeZone: string, path: string, now: number): string {
  const expected = "a cron expression of 5 or 6 fields such as '30 4 * * 1-5'"
  const fields = typeof value === 'string' ? value.trim().split(/\s+/) : []
  const pattern = fields.join(' ')
  const nickname = fields.length === 1 && pattern.startsWith('@')
  if (pattern.length > 256 || (fields.length !== 5 && fields.length !== 6 && !nickname)) {
    throw invalidOption(path, expected, value)
  }
  let next
  try {
    next = new Timetable({ cron: pattern, timeZone, startAt: null, endAt: null }).after(now)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new TroupeErrorOf(
      'invalid-option', `${path} must be ${expected}; received ${show(value)}: ${why}`,
      { path, expected, received: show(value) }, { cause: error },
    )
  }
  if (next === null) throw invalidOption(path, 'a cron expression that some day matches', value)
  return pattern
}

/** The occurrences of a rule. */
export class Timetable {
  readonly #timing: Timing
  readonly #cron: Cron | null

  /** Throws when croner does not understand the pattern or the zone. */
  constructor(timing: Timing) {
    this.#timing = timing
    this.#cron = 'cron' in timing
      ? new Cron(timing.cron, { mode: '5-or-6-parts', timezone: timing.timeZone })
      : null
  }

  /** The first occurrence behind `time`; null when there is none. */
  after(time: number): number | null {
    const { startAt, endAt } = this.#timing
    const from = Math.max(Math.floor(time), (startAt ?? 0) - 1)
    const next = this.#cron ? cronAfter(this.#cron, from) : this.#intervalAfter(from)
    return next === null || next > (endAt ?? latestTime) ? null : next
  }

  /** The last occurrence at or before `time`; null when there is none. */
  upTo(time: number): number | null {
    const { startAt, endAt } = this.#timing
    const until = Math.floor(Math.min(time, endAt ?? latestTime))
    const last = this.#cron
      // Behind the reference croner looks at whole seconds, the one that has begun included.
      ? this.#cron.previousRuns(1, new Date(until + 1))[0]?.getTime() ?? null
      : this.#intervalUpTo(until)
    return last === null || last < (startAt ?? 0) ? null : last
  }

  /** Occurrences behind `from`, up to and with `to`: oldest first, at most `max`. */
  between(from: number, to: number, max: number): number[] {
    const found: number[] = []
    let at = this.after(from)
    while (at !== null && at <= to && found.length < max) {
      found.push(at)
      at = this.after(at)
    }
    return found
  }

  /** How many are behind `from`, up to and with `to`; null when that has to be found out. */
  count(from: number, to: number): number | null {
    if (this.#cron) return null
    const first = this.after(from)
    const last = this.upTo(to)
    if (first === null || last === null || last < first) return 0
    return (last - first) / this.#interval().everyMs + 1
  }

  #intervalAfter(time: number): number | null {
    const { everyMs, anchor, first } = this.#interval()
    const at = anchor + Math.max(first, Math.floor((time - anchor) / everyMs) + 1) * everyMs
    return at > latestTime ? null : at
  }

  #intervalUpTo(time: number): number | null {
    const { everyMs, anchor, first } = this.#interval()
    const count = Math.floor((time - anchor) / everyMs)
    return count < first ? null : anchor + count * everyMs
  }

  /** The anchor is an occurrence itself only when it was asked for. */
  #interval(): { readonly everyMs: number; readonly anchor: number; readonly first: 0 | 1 } {
    const timing = this.#timing
    if (!('everyMs' in timing)) throw new Error('a cron rule has no interval')
    const { everyMs, anchor, startAt } = timing
    return { everyMs, anchor, first: startAt === null ? 1 : 0 }
  }
}

function cronAfter(cron: Cron, time: number): number | null {
  const next = cron.nextRun(new Date(time))?.getTime()
  // A time that does not move on would be fired for ever.
  if (next !== undefined && !(next > time)) throw new Error(`croner went from ${time} to ${next}`)
  return next ?? null
}
