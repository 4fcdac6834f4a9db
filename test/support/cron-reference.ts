import fc from 'fast-check'

// Cron by brute force: every minute of a year is asked what the clock on the wall says then. It
// shares nothing with the library, and its rules for summer time are those of the guide.

export const zones = [
  'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC', 'Asia/Kolkata',
] as const
export const yearStart = Date.UTC(2026, 0, 1)
export const yearEnd = Date.UTC(2027, 0, 1)
const minuteMs = 60_000
const quarterMs = 15 * minuteMs
const dayMs = 24 * 60 * minuteMs

/** One field of an expression: its text, and what it matches. */
interface Field {
  readonly text: string
  readonly values: ReadonlySet<number>
  readonly kind: 'all' | 'one' | 'many'
}

export interface RandomCron {
  readonly text: string
  readonly zone: string
  readonly second: Field
  readonly minute: Field
  readonly hour: Field
  readonly day: Field
  readonly month: Field
  readonly weekday: Field
}

function range(from: number, to: number, step = 1): number[] {
  const found: number[] = []
  for (let value = from; value <= to; value += step) found.push(value)
  return found
}

function any(min: number, max: number): Field {
  return { text: '*', values: new Set(range(min, max)), kind: 'all' }
}

function one(min: number, max: number): fc.Arbitrary<Field> {
  return fc.integer({ min, max }).map((value) => only(value))
}

function many(min: number, max: number): fc.Arbitrary<Field> {
  const span = fc.uniqueArray(fc.integer({ min, max }), { minLength: 2, maxLength: 2 })
    .map((ends) => ends.sort((a, b) => a - b) as [number, number])
  const list = fc.uniqueArray(fc.integer({ min, max }), { minLength: 2, maxLength: 4 })
    .map((values) => ({ text: values.join(','), values }))
  const ranges = span.map(([from, to]) => ({ text: `${from}-${to}`, values: range(from, to) }))
  const steps = fc.integer({ min: 2, max: Math.min(30, max - min) }).map((step) =>
    ({ text: `*/${step}`, values: range(min, max, step) }))
  const stepped = fc.tuple(span, fc.integer({ min: 2, max: 5 }))
    .filter(([[from, to], step]) => to - from >= step)
    .map(([[from, to], step]) =>
      ({ text: `${from}-${to}/${step}`, values: range(from, to, step) }))
  return fc.oneof(list, ranges, steps, stepped).map(({ text, values }) =>
    ({ text, values: new Set(values), kind: 'many' }))
}

/** A field with one value. */
function only(value: number, text = String(value)): Field {
  return { text, values: new Set([value]), kind: 'one' }
}

const onTheMinute = only(0, '')

/** Each day at that time. */
export function daily(zone: string, hour: number, minute: number): RandomCron {
  return {
    text: `${minute} ${hour} * * *`, zone, second: onTheMinute, minute: only(minute),
    hour: only(hour), day: any(1, 31), month: any(1, 12), weekday: any(0, 6),
  }
}

/** Expressions of 5 and 6 fields in one of the zones. Without `dense` at most every hour or so. */
export function cronArbitrary(dense: boolean): fc.Arbitrary<RandomCron> {
  const rarely = (usual: fc.Arbitrary<Field>, other: fc.Arbitrary<Field>): fc.Arbitrary<Field> =>
    fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: other })
  const minute = one(0, 59)
  const hour = fc.oneof(one(0, 3), one(0, 23), many(0, 23))
  return fc.record({
    zone: fc.constantFrom(...zones),
    second: rarely(
      fc.constant(onTheMinute), dense ? fc.oneof(one(0, 59), many(0, 59)) : one(0, 59),
    ),
    minute: dense ? fc.oneof(minute, many(0, 59), fc.constant(any(0, 59))) : minute,
    hour: dense ? fc.oneof(hour, fc.constant(any(0, 23))) : hour,
    day: rarely(fc.constant(any(1, 31)), fc.oneof(one(1, 28), many(1, 31))),
    month: rarely(fc.constant(any(1, 12)), fc.oneof(one(1, 12), many(1, 12))),
    weekday: rarely(fc.constant(any(0, 6)), fc.oneof(one(0, 6), many(0, 6))),
  }).map((fields) => {
    const { second, minute, hour, day, month, weekday } = fields
    const text = [second, minute, hour, day, month, weekday].map((field) => field.text).join(' ')
    return { ...fields, text: text.trim() }
  }).filter(({ day, month }) =>
    // Not the 31st of months that have none, which is refused.
    [...month.values].some((each) => [...day.values].some((date) => date <= daysOf(each))))
}

function daysOf(month: number): number {
  return month === 2 ? 28 : [4, 6, 9, 11].includes(month) ? 30 : 31
}

/** What the clock says at each minute of the year, as UTC of the same reading. */
const readings = new Map<string, Float64Array>()

function readingsOf(zone: string): Float64Array {
  const known = readings.get(zone)
  if (known) return known
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric',
    hour: 'numeric', minute: 'numeric',
  })
  const found = new Float64Array((yearEnd - yearStart) / minuteMs)
  // Clocks change on quarters of an hour.
  for (let quarter = yearStart; quarter < yearEnd; quarter += quarterMs) {
    const parts = new Map(format.formatToParts(quarter).map(({ type, value }) => [type, value]))
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0] =
      (['year', 'month', 'day', 'hour', 'minute'] as const).map((type) => Number(parts.get(type)))
    const reading = Date.UTC(year, month - 1, day, hour, minute)
    const index = (quarter - yearStart) / minuteMs
    for (let past = 0; past < 15; past += 1) found[index + past] = reading + past * minuteMs
  }
  readings.set(zone, found)
  return found
}

/** All instants of the year at which the expression fires, in order. */
export function occurrencesOf(cron: RandomCron): number[] {
  const clock = readingsOf(cron.zone)
  const fixed = cron.second.kind === 'one' && cron.minute.kind === 'one' && cron.hour.kind === 'one'
  const [second = 0] = cron.second.values
  const [minute = 0] = cron.minute.values
  const [hour = 0] = cron.hour.values
  const target = hour * 60 + minute
  const seconds = [...cron.second.values].sort((a, b) => a - b)
  const found: number[] = []
  let today = -1
  let matches = false
  let done = false
  clock.forEach((reading, index) => {
    const day = Math.floor(reading / dayMs)
    if (day !== today) {
      today = day
      matches = isDay(cron, new Date(reading))
      done = false
    }
    if (!matches || done) return
    const at = yearStart + index * minuteMs
    const minuteOfDay = (reading - day * dayMs) / minuteMs
    if (!fixed) {
      if (!cron.minute.values.has(minuteOfDay % 60)) return
      if (!cron.hour.values.has(Math.floor(minuteOfDay / 60))) return
      for (const each of seconds) found.push(at + each * 1000)
    } else if (minuteOfDay >= target) {
      // Once a day: at its time, or when the clock has jumped over it. What was earlier on the
      // day with which the year begins is no jump.
      done = true
      if (minuteOfDay === target) found.push(at + second * 1000)
      else if (index > 0 && Math.floor((clock[index - 1] ?? 0) / dayMs) === day) found.push(at)
    }
  })
  return found
}

/** Day of month or day of week when both are limited, else both. */
function isDay({ day, month, weekday }: RandomCron, wall: Date): boolean {
  if (!month.values.has(wall.getUTCMonth() + 1)) return false
  const isDate = day.values.has(wall.getUTCDate())
  const isWeekday = weekday.values.has(wall.getUTCDay())
  return day.kind === 'all' || weekday.kind === 'all' ? isDate && isWeekday : isDate || isWeekday
}
