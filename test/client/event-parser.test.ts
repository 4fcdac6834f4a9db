import { describe, expect, test } from 'vitest'
import { EventParser } from '../../src/client/event-parser.ts'
import type { ServerEvent } from '../../src/client/event-parser.ts'

const encoder = new TextEncoder()

function parse(text: string, chunkLength = text.length, limit?: number) {
  const events: ServerEvent[] = []
  const parser = new EventParser((event) => { events.push(event) }, limit)
  const bytes = encoder.encode(text)
  for (let at = 0; at < bytes.length; at += chunkLength) {
    parser.push(bytes.subarray(at, at + chunkLength))
  }
  return { events, parser }
}

const stream = ': hello\n\nevent: a\nid: 1\ndata: {"ä":\ndata: "💚"}\n\ndata:x\r\nretry: 5\r\n\r\n' +
  'id: 2\r\rdata: y\r\revent: alone\n\ndata\n\n'

describe('events out of bytes', () => {
  test.each([1, 2, 3, 7, 1000])('in chunks of %i', (chunkLength) => {
    expect(parse(stream, chunkLength).events).toEqual([
      { name: 'a', id: '1', data: '{"ä":\n"💚"}' },
      { name: 'message', id: '1', data: 'x' },
      { name: 'message', id: '2', data: 'y' },
      { name: 'message', id: '2', data: '' },
    ])
  })

  test('an id alone counts when its event is whole, and not before', () => {
    const { events, parser } = parse('id: 7\n')
    expect(parser.lastId).toBe('')
    parser.push(encoder.encode('\n'))
    expect([parser.lastId, events]).toEqual(['7', []])
  })

  test('an event that is too long is an error, in one line and in many', () => {
    expect(() => parse(`data: ${'x'.repeat(200)}`, 10, 100)).toThrow('more than 100 characters')
    expect(() => parse('data: xxxxxxxxxx\n'.repeat(20), 10, 100)).toThrow('more than 100')
    expect(parse('data: xxxxxxxxxx\n\n'.repeat(20), 10, 100).events).toHaveLength(20)
  })
})
