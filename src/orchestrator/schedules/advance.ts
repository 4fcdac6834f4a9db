import type { StoredSchedule } from '../../records/schedule.ts'
import { Timetable } from './times.ts'

/** With `catchUp: 'none'` an occurrence may be fired so late. */
const latenessMs = 60_000
/** Croner needs about 50 µs for each: so many are looked for at once, and in one gap. */
const slice = 500
const countLimit = 10_000

/** The occurrences of a schedule that have become due. */
export interface Due {
  /** To be fired, oldest first. */
  readonly fire: readonly number[]
  /** How many were dropped. */
  readonly missed: number
  /** The last of them all. */
  readonly until: number
}

/**
 * What is due of a schedule at `now`: null for nothing. Of those that are caught up `most` at once.
 * `breathe` lets others work in between.
 */
export async function dueOf(
  schedule: StoredSchedule, now: number, most: number, breathe: () => Promise<void>,
): Promise<Due | null> {
  const { nextAt, catchUp, limit, fired } = schedule
  if (nextAt === null || nextAt > now) return null
  const timetable = new Timetable(schedule.timing)
  if (catchUp === 'all') {
    const left = limit === null ? most : Math.min(most, limit - fired)
    const fire = [nextAt, ...timetable.between(nextAt, now, left - 1)]
    return { fire, missed: 0, until: fire.at(-1) ?? nextAt }
  }
  const { count, newest } = await countDue(timetable, nextAt, now, breathe)
  const fire = catchUp === 'one' || now - newest <= latenessMs ? [newest] : []
  return { fire, missed: count - fire.length, until: newest }
}

async function countDue(
  timetable: Timetable, first: number, now: number, breathe: () => Promise<void>,
): Promise<{ readonly count: number; readonly newest: number }> {
  const exact = timetable.count(first - 1, now)
  if (exact !== null) return { count: exact, newest: timetable.upTo(now) ?? first }
  let count = 1
  let newest = first
  while (count < countLimit) {
    const found = timetable.between(newest, now, slice)
    count += found.length
    newest = found.at(-1) ?? newest
    if (found.length < slice) return { count, newest }
    await breathe()
  }
  return { count: countLimit, newest: timetable.upTo(now) ?? newest }
}

/** When a schedule fires next, if it goes on behind `time`; null when paused or over. */
export function nextBehind(
  { timing, limit, fired, paused }: Pick<StoredSchedule, 'timing' | 'limit' | 'fired' | 'paused'>,
  time: number,
): number | null {
  if (paused || (limit !== null && fired >= limit)) return null
  return new Timetable(timing).after(time)
}
