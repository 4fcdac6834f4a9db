import { beforeAll, describe, expect, test } from 'vitest'
import type { LogEntry } from '../../../src/records/transition.ts'
import { brokenChecks, checkHistory, checkNames } from '../../../src/testing/history.ts'
import type { Check } from '../../../src/testing/history.ts'
import { linesOf, parseLines } from '../../../src/testing/history/journal.ts'
import type { History } from '../../../src/testing/history/journal.ts'
import { validHistory, withLines } from './valid-history.ts'

let history: History

beforeAll(async () => { history = await validHistory() })

/** The entry of a job that is the `nth` of this event. */
function entry(event: LogEntry['event'], id?: string, nth = 0): LogEntry {
  const found = history.log.filter((each) =>
    each.event === event && (id === undefined || each.jobId === id))[nth]
  if (!found) throw new Error(`there is no ${nth}. ${event} of ${id ?? 'any job'}`)
  return found
}

/** The log with `change` in the place of one entry, numbered anew. */
function edited(at: LogEntry, ...change: readonly LogEntry[]): History {
  const log = history.log.flatMap((each) => each.seq === at.seq ? change : [each])
  return { ...history, log: numbered(log), told: [] }
}

function numbered(log: readonly LogEntry[]): LogEntry[] {
  return log.map((each, index) => ({ ...each, seq: index + 1 }))
}

/** The log with one entry moved behind another. */
function moved(from: LogEntry, behind: LogEntry): History {
  const rest = history.log.filter((each) => each.seq !== from.seq)
  const log = rest.flatMap((each) => each.seq === behind.seq ? [each, from] : [each])
  return { ...history, log: numbered(log), told: [] }
}

const withRecord = (id: string, patch: object): History => ({
  ...history, records: history.records.map((each) => each.id === id ? { ...each, ...patch } : each),
})
const withoutRecord = (id: string): History => ({
  ...history, records: history.records.filter((each) => each.id !== id),
})
const without = (id: string): History => ({
  ...withoutRecord(id), log: numbered(history.log.filter(({ jobId }) => jobId !== id)), told: [],
})

/** Histories that break one promise each, in one way each. */
const broken: readonly (readonly [check: Check, how: string, history: () => History])[] = [
  ['nothing acknowledged is lost', 'an add is nowhere', () => without('j5')],
  ['nothing acknowledged is lost', 'a cancel is not in the log',
    () => withLines(history, (line) => line.what === 'added' && line.id === 'a'
      ? [line, { what: 'cancel', id: 'a', answer: 'cancelling' }] : [line])],
  ['nothing acknowledged is lost', 'a retry is not in the log',
    () => withLines(history, (line) => line.what === 'retried'
      ? [{ ...line, id: 'b' }] : [line])],
  ['what was seen is what happened', 'who completed was seen to fail',
    () => withLines(history, (line) => line.what === 'seen' && line.id === 'a'
      ? [{ ...line, state: 'failed', result: null }] : [line])],
  ['what was seen is what happened', 'another result was seen',
    () => withLines(history, (line) => line.what === 'seen' && line.id === 'a'
      ? [{ ...line, result: 'other' }] : [line])],
  ['each life settles exactly once', 'a job completes twice', () => {
    const done = entry('complete', 'a')
    return edited(done, done, { ...done, rev: done.rev + 1, from: 'completed' })
  }],
  ['the chart allows each step', 'a job fails out of the queue',
    () => edited(entry('claim', 'a'))],
  ['the chart allows each step', 'a claim charges nothing', () => {
    const claim = entry('claim', 'd', 1)
    return edited(claim, { ...claim, attempt: 1 })
  }],
  ['no stale write is accepted', 'an older fence completes', () => {
    const done = entry('complete', 'b')
    return edited(done, { ...done, fence: entry('claim', 'b').fence })
  }],
  ['no stale write is accepted', 'one writes after the job was taken away', () => {
    const stall = entry('stall')
    const late: LogEntry = {
      ...stall, event: 'complete', rev: stall.rev + 1, from: 'running', to: 'completed',
      by: entry('claim', stall.jobId).by, phase: null,
    }
    return edited(stall, stall, late)
  }],
  ['no stale write is accepted', 'another worker writes', () => {
    const done = entry('complete', 'a')
    return edited(done, { ...done, by: 'somebody' })
  }],
  ['fences rise and never repeat', 'two jobs get one fence', () => {
    const claim = entry('claim', 'e')
    return edited(claim, { ...claim, fence: entry('claim', 'b').fence })
  }],
  ['fences rise and never repeat', 'a job gets a smaller fence', () => {
    const claim = entry('claim', 'd', 1)
    return edited(claim, { ...claim, fence: 0.5 })
  }],
  ['rev has no gap', 'a transition is missing', () => edited(entry('claim', 'a'))],
  ['rev has no gap', 'a transition is there twice',
    () => edited(entry('add', 'a'), entry('add', 'a'), { ...entry('claim', 'a'), rev: 1 })],
  ['seq has no gap and no duplicate', 'a number is missing',
    () => ({ ...history, log: history.log.filter(({ seq }) => seq !== 5) })],
  ['seq has no gap and no duplicate', 'a number is there twice',
    () => ({
      ...history, log: history.log.map((each) => each.seq === 6 ? { ...each, seq: 5 } : each),
    })],
  ['the log replays to the records', 'another state', () => withRecord('a', { state: 'failed' })],
  ['the log replays to the records', 'another attempt', () => withRecord('b', { attempt: 3 })],
  ['the log replays to the records', 'another fence', () => withRecord('b', { fence: 1 })],
  ['the log replays to the records', 'another reason', () => withRecord('c', { reason: null })],
  ['the log replays to the records', 'another error', () => withRecord('c', { error: null })],
  ['the log replays to the records', 'another progress',
    () => withRecord('a', { progress: { current: 9, total: null, message: null, percent: null } })],
  ['the log replays to the records', 'a record is gone', () => withoutRecord('a')],
  ['every observer sees the one order', 'somebody missed one',
    () => ({ ...history, told: [history.log.filter(({ seq }) => seq !== 5)] })],
  ['never more handlers than concurrency', 'a third one starts', () => crowded()],
  ['never more handlers than concurrency', 'a job runs twice in a process',
    () => withLines(history, (line) => line.what === 'start' && line.id === 'e'
      ? [line, { ...line, fence: 999 }] : [line])],
  ['the rate limit holds', 'a window holds one more', () => {
    const claims = history.log.filter(({ event }) => event === 'claim')
    const at = claims[0]?.at ?? 0
    const early = claims.slice(0, 5).map(({ seq }) => seq)
    return {
      ...history, told: [],
      log: history.log.map((each) => early.includes(each.seq) ? { ...each, at } : each),
    }
  }],
  ['the partition limit holds', 'two of one partition run',
    () => moved(entry('claim', 'j3'), entry('claim', 'j0'))],
  ['no attempt starts after a cancel', 'who is cancelled is claimed', () => {
    const cancel = entry('cancel', 'h')
    return edited(cancel, cancel, { ...entry('claim', 'a'), jobId: 'h' })
  }],
  ['no child starts before its parents have ended', 'a child starts early',
    () => moved(entry('claim', 'e'), entry('add', 'e'))],
  ['no child starts before its parents have ended', 'a child of a failed parent starts',
    () => withRecord('g', { onParentFailure: 'fail' })],
  ['no child starts before its parents have ended', 'a child fails for nothing',
    () => moved(entry('parentFailed', 'f'), entry('add', 'f'))],
  ['no child is stranded', 'nobody freed a child', () => withRecord('g', {
    state: 'queued', phase: 'blocked', openParents: 1,
  })],
  ['what starts was claimed', 'a start has no claim',
    () => edited(entry('claim', 'e'))],
  ['what starts was claimed', 'another worker has the claim', () => {
    const claim = entry('claim', 'e')
    return edited(claim, { ...claim, by: 'somebody' })
  }],
  ['a claim starts once', 'a second process starts it', () => {
    const { line } = linesOf(history, 'start').find(({ line: { id } }) => id === 'e') ?? {}
    const journals = [...history.journals, {
      process: 'w3', worker: 'w2', killed: false, lines: line ? [line] : [],
    }]
    return { ...history, journals }
  }],
  ['log and handlers agree', 'a handler failed whose job completed',
    () => withLines(history, (line) => line.what === 'end' && line.id === 'e'
      ? [{ ...line, ending: 'fail' }] : [line])],
  ['log and handlers agree', 'a report of progress is lost',
    () => withLines(history, (line) => line.what === 'end' && line.id === 'e'
      ? [{ ...line, reported: 2 }] : [line])],
  ['log and handlers agree', 'nobody ran what completed',
    () => withLines(history, (line) => 'id' in line && line.id === 'e' && line.what !== 'added'
      ? [] : [line])],
  ['a result is that of its handler', 'another result is stored',
    () => withRecord('a', { result: 'other' })],
  ['in the end all is settled', 'one is left', () => withRecord('a', {
    state: 'queued', phase: 'ready', settledAt: null,
  })],
]

/** Three handlers that run at once, in a process with two slots. */
function crowded(): History {
  const journals = history.journals.map((journal) => {
    const starts = journal.lines.filter(({ what }) => what === 'start')
    const rest = journal.lines.filter(({ what }) => what !== 'start')
    return { ...journal, lines: [...starts.slice(0, 3), ...rest, ...starts.slice(3)] }
  })
  return { ...history, journals }
}

describe('the history checker', () => {
  test('finds nothing in a history in which all is well', () => {
    const events = new Set(history.log.map(({ event }) => event))
    expect([...events]).toEqual(expect.arrayContaining([
      'add', 'claim', 'complete', 'fail', 'snooze', 'cancel', 'stall', 'due', 'unblock',
      'parentFailed', 'retry',
    ]))
    expect(history.journals.some(({ killed }) => killed)).toBe(true)
    checkHistory(history)
  })

  test.each(broken)('finds that this does not hold: %s (%s)', (check, _how, history) => {
    const found = brokenChecks(history())
    expect([...found.keys()]).toContain(check)
  })

  test('has a broken history for each of its checks', () => {
    expect([...new Set(broken.map(([check]) => check))].sort()).toEqual([...checkNames].sort())
  })

  test('names all that is broken', () => {
    expect(() => { checkHistory({ ...history, records: [] }) })
      .toThrow(/^\d broken:\n {2}the log replays to the records\n {4}nothing gets lost: /)
  })

  test('reads journals, and no torn line', () => {
    expect(parseLines('{"what":"added","id":"a"}\n{"what":"ad')).toEqual([
      { what: 'added', id: 'a' },
    ])
  })
})
