import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TroupeError } from '../../src/errors.ts'
import {
  parseCursor, toCursor, toLogEntry, toTombstone,
} from '../../src/records/transition.ts'
import { boom, half, recordIn } from '../../src/testing/records.ts'

describe('a cursor', () => {
  const name = fc.string({ minLength: 1, maxLength: 128, unit: 'grapheme' })
  const seq = fc.nat({ max: 999_999_999_999_999 })

  it('comes back as it went, whatever the queues are called', () => {
    const odd = fc.oneof(name, fc.constantFrom(',', ':', 'a:1,b:2', '%', '%2C', ' ', '__proto__'))
    fc.assert(fc.property(fc.uniqueArray(fc.tuple(odd, seq), { selector: ([queue]) => queue }),
      (entries) => {
        const position = new Map(entries)
        const cursor = toCursor(position)
        expect(parseCursor(cursor)).toEqual(position)
        expect(toCursor(parseCursor(cursor))).toBe(cursor)
        expect(cursor).toMatch(/^[\x21-\x7e]*$/)
      }), { numRuns: 500 })
  })

  it('of nothing is empty', () => {
    expect(toCursor(new Map())).toBe('')
    expect(parseCursor('')).toEqual(new Map())
  })

  it.each([
    'x', ':', 'a:', ':1', 'a:b', 'a:-1', 'a:1.5', 'a:1,', ',a:1', 'a:1,,b:2', 'a:1:2', 'a:1 ',
    'a:1234567890123456', '%:1', '%E0%A4:1', 'a:1\n', ' ',
  ])('is not %j', (cursor) => {
    try {
      parseCursor(cursor)
      expect.unreachable()
    } catch (error) {
      if (!(error instanceof TroupeError) || error.code !== 'invalid-cursor') throw error
      expect(error.details.cursor).toBe(cursor)
    }
  })

  it('is shown short when it is nonsense', () => {
    try {
      parseCursor('x'.repeat(10_000))
      expect.unreachable()
    } catch (error) {
      if (!(error instanceof TroupeError) || error.code !== 'invalid-cursor') throw error
      expect(error.details.cursor).toHaveLength(200)
    }
  })

  it('is text or fails as a cursor, whatever text comes', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (cursor) => {
      try {
        parseCursor(cursor)
      } catch (error) {
        if (!(error instanceof TroupeError)) throw error
      }
    }))
  })
})

describe('a log entry', () => {
  const record = recordIn('failed', { rev: 6, fence: 9, attempt: 2 })
  const entry = {
    seq: 0, at: 50, queue: 'images', jobId: 'job-1', rev: 6, task: 'resize', event: 'fail',
    from: 'running', to: 'failed', phase: null, attempt: 2, fence: 9, by: 'worker:w1',
    reason: 'error', progress: half, error: boom, cursor: '',
  }

  it('tells how the record came to be what it is', () => {
    expect(toLogEntry(record, 'fail', 'running', 50, 'worker:w1')).toStrictEqual(entry)
  })

  it('has no state before the first transition', () => {
    expect(toLogEntry(recordIn('delayed'), 'add', null, 50, 'api'))
      .toMatchObject({ rev: 1, event: 'add', from: null, to: 'queued', phase: 'delayed' })
  })

  it('of a removal has the next rev and no state after it', () => {
    expect(toTombstone(record, 60, 'ann')).toStrictEqual({
      ...entry, rev: 7, at: 60, by: 'ann', event: 'remove', from: 'failed', to: null,
    })
    expect(toTombstone(recordIn('delayed'), 60, 'ann'))
      .toMatchObject({ from: 'queued', to: null, phase: null })
  })
})
