import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTiming, Timetable } from '../../../src/orchestrator/schedules/times.ts'
import type { Timing } from '../../../src/records/schedule.ts'
import {
  cronArbitrary, daily, occurrencesOf, yearEnd, yearStart, zones,
} from '../../support/cron-reference.ts'
import { runs } from '../../../src/testing/runs.ts'
import { thrown } from '../../support/stage.ts'

function timetable(rule: Readonly<Record<string, unknown>>, now = yearStart): Timetable {
  return new Timetable(parseTiming(rule, 'rule', now))
}

function iso(times: readonly number[]): string[] {
  return times.map((time) => new Date(time).toISOString())
}

function next(rule: Readonly<Record<string, unknown>>, from: string, count: number): string[] {
  return iso(timetable(rule).between(Date.parse(from), Number.POSITIVE_INFINITY, count))
}

describe('cron', () => {
  it('agrees with the clock on the wall, over a year in zones with summer time', () => {
    const start = fc.integer({ min: yearStart, max: yearEnd - 1 })
    fc.assert(fc.property(cronArbitrary(true), start, (cron, time) => {
      const table = timetable({ cron: cron.text, timeZone: cron.zone })
      const expected = occurrencesOf(cron)
      const from = expected.findIndex((at) => at > time)
      const some = from === -1 ? [] : expected.slice(from, from + 300)
      const until = (some.length === 300 ? some.at(-1) : undefined) ?? yearEnd - 1
      expect(iso(table.between(time, until, 1000))).toEqual(iso(some))
      const last = from === -1 ? expected.at(-1) : expected[from - 1]
      if (last !== undefined) expect(table.upTo(time)).toBe(last)
    }), runs(60))
  }, 600_000)

  it.each(zones)('agrees with it on fixed times of the night, all year long, in %s', (zone) => {
    for (let quarter = 0; quarter < 16; quarter += 1) {
      const cron = daily(zone, Math.floor(quarter / 4), (quarter % 4) * 15)
      const table = timetable({ cron: cron.text, timeZone: zone })
      expect(iso(table.between(yearStart - 1, yearEnd - 1, 1000))).toEqual(iso(occurrencesOf(cron)))
    }
  })

  it('runs a fixed time in the gap of spring right behind it, and skips in a list', () => {
    const zone = { timeZone: 'Europe/Berlin' }
    expect(next({ cron: '30 2 * * *', ...zone }, '2026-03-28T12:00Z', 2))
      .toEqual(['2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z'])
    expect(next({ cron: '30 2,4 * * *', ...zone }, '2026-03-28T12:00Z', 2))
      .toEqual(['2026-03-29T02:30:00.000Z', '2026-03-30T00:30:00.000Z'])
  })

  it('runs a fixed time once in the hour that comes twice, and all else twice', () => {
    const zone = { timeZone: 'Europe/Berlin' }
    expect(next({ cron: '30 2 * * *', ...zone }, '2026-10-24T12:00Z', 2))
      .toEqual(['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z'])
    expect(next({ cron: '30 * * * *', ...zone }, '2026-10-25T00:00Z', 3))
      .toEqual(['2026-10-25T00:30:00.000Z', '2026-10-25T01:30:00.000Z', '2026-10-25T02:30:00.000Z'])
  })

  it('knows seconds, names, last days, nicknames and UTC by default', () => {
    expect(next({ cron: '*/20 * * * * *' }, '2026-01-01T00:00:05.500Z', 2))
      .toEqual(['2026-01-01T00:00:20.000Z', '2026-01-01T00:00:40.000Z'])
    expect(next({ cron: '0 9 * jan MON' }, '2026-01-01T00:00Z', 1))
      .toEqual(['2026-01-05T09:00:00.000Z'])
    expect(next({ cron: ' 0  0 L * * ' }, '2026-02-01T00:00Z', 1))
      .toEqual(['2026-02-28T00:00:00.000Z'])
    expect(next({ cron: '@daily' }, '2026-02-01T00:00Z', 1)).toEqual(['2026-02-02T00:00:00.000Z'])
    expect(next({ cron: '0 0 29 2 *' }, '2026-02-01T00:00Z', 1))
      .toEqual(['2028-02-29T00:00:00.000Z'])
  })

  it('begins at startAt and ends at endAt, both of them included', () => {
    const startAt = Date.parse('2026-05-01T12:00Z')
    const bounds = { startAt, endAt: new Date('2026-05-01T14:00Z') }
    const table = timetable({ cron: '0 * * * *', ...bounds })
    expect(iso(table.between(0, yearEnd, 10)))
      .toEqual(['2026-05-01T12:00:00.000Z', '2026-05-01T13:00:00.000Z', '2026-05-01T14:00:00.000Z'])
    expect(table.upTo(bounds.startAt - 1)).toBeNull()
    expect(table.upTo(yearEnd)).toBe(bounds.endAt.getTime())
    expect(table.after(bounds.endAt.getTime())).toBeNull()
  })
})

describe('every', () => {
  const now = 1_000_000

  it('begins one interval after it was registered, or at startAt itself', () => {
    expect(timetable({ every: '1s' }, now).between(0, now + 3000, 10))
      .toEqual([now + 1000, now + 2000, now + 3000])
    expect(timetable({ every: '1s', startAt: now + 300 }, now).between(0, now + 2400, 10))
      .toEqual([now + 300, now + 1300, now + 2300])
  })

  it('is a whole number of intervals away from its anchor, wherever one looks', () => {
    const place = fc.integer({ min: 0, max: 10_000_000 })
    const every = fc.integer({ min: 100, max: 100_000 })
    fc.assert(fc.property(every, place, place, fc.boolean(), (ms, from, span, given) => {
      const startAt = given ? now : undefined
      const table = timetable({ every: ms, startAt, endAt: now + 9_000_000 }, now)
      const expected: number[] = []
      for (let at = given ? now : now + ms; at <= now + 9_000_000; at += ms) {
        if (at > from && at <= from + span) expected.push(at)
      }
      expect(table.between(from, from + span, 200_000)).toEqual(expected)
      expect(table.count(from, from + span)).toBe(expected.length)
      if (expected.length > 0) expect(table.upTo(from + span)).toBe(expected.at(-1))
    }), runs(100))
  })

  it('ends with the calendar', () => {
    const timing: Timing = { everyMs: 1000, anchor: 8.64e15 - 500, startAt: null, endAt: null }
    expect(new Timetable(timing).after(8.64e15 - 500)).toBeNull()
  })
})

describe('a bad rule', () => {
  const cron = '* * * * *'
  const cases: [string, Record<string, unknown>, string][] = [
    ['neither', {}, 'rule'],
    ['both', { every: '1s', cron }, 'rule'],
    ['too often', { every: 99 }, 'rule.every'],
    ['no time at all', { every: 0 }, 'rule.every'],
    ['no duration', { every: 'often' }, 'rule.every'],
    ['a zone for an interval', { every: '1s', timeZone: 'UTC' }, 'rule.timeZone'],
    ['too few fields', { cron: '* * * *' }, 'rule.cron'],
    ['too many fields', { cron: '* * * * * * *' }, 'rule.cron'],
    ['a year', { cron: '0 0 1 1 * * 2030' }, 'rule.cron'],
    ['a date', { cron: '2026-05-05T00:00:00Z' }, 'rule.cron'],
    ['no text', { cron: 5 }, 'rule.cron'],
    ['nothing', { cron: '' }, 'rule.cron'],
    ['minute 60', { cron: '60 * * * *' }, 'rule.cron'],
    ['weekday 8', { cron: '0 0 * * 8' }, 'rule.cron'],
    ['a backward range', { cron: '5-1 * * * *' }, 'rule.cron'],
    ['no step', { cron: '*/0 * * * *' }, 'rule.cron'],
    ['words', { cron: 'a b c d e' }, 'rule.cron'],
    ['an unknown nickname', { cron: '@reboot' }, 'rule.cron'],
    ['31 February', { cron: '0 0 31 2 *' }, 'rule.cron'],
    ['much', { cron: `${'1,'.repeat(200)}1 * * * *` }, 'rule.cron'],
    ['no zone', { cron, timeZone: 'Middle/Earth' }, 'rule.timeZone'],
    ['an empty zone', { cron, timeZone: '' }, 'rule.timeZone'],
    ['an offset', { cron, timeZone: '+02:00' }, 'rule.timeZone'],
    ['a number as zone', { cron, timeZone: 2 }, 'rule.timeZone'],
    ['no start', { cron, startAt: 'soon' }, 'rule.startAt'],
    ['an invalid Date', { cron, endAt: new Date(Number.NaN) }, 'rule.endAt'],
    ['an end before the start', { cron, startAt: 2, endAt: 1 }, 'rule.endAt'],
  ]

  it.each(cases)('of %s is refused, and the field named', (_name, rule, path) => {
    const error = thrown(() => parseTiming(rule, 'rule', yearStart))
    expect(error).toMatchObject({ code: 'invalid-option', details: { path } })
    expect(error.message).toContain(path)
  })

  it('says what croner says', () => {
    expect(thrown(() => parseTiming({ cron: '61 * * * *' }, 'rule', 0)).message)
      .toMatch(/received "61 \* \* \* \*": .*minute: 61/)
  })
})
