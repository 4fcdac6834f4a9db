import { describe, expect, test } from 'vitest'
import { ask, codeOf, get, post, useStand } from './stand.ts'

const stand = useStand()
const path = '/v1/queues/photos/preview'
const hour = 3_600_000

describe('the preview of a rule that is not stored', () => {
  const times = async (url: string, body: unknown): Promise<readonly number[]> => {
    const answer = await post(url, path, body)
    expect(answer.status, answer.text).toBe(200)
    return answer.json['times'] as readonly number[]
  }

  test('tells the next occurrences, and stores nothing', async () => {
    const url = await stand.listen({ readOnly: true })
    const startAt = Date.UTC(2100, 0, 1)
    const rule = { every: '1h', startAt }
    expect(await times(url, { rule, count: 3 }))
      .toEqual([startAt, startAt + hour, startAt + 2 * hour])
    expect(await times(url, { rule })).toHaveLength(10)
    expect(await times(url, { rule: { ...rule, endAt: startAt + hour } })).toHaveLength(2)
    expect(await times(url, { rule: { ...rule, limit: 4 } })).toHaveLength(4)
    expect(await times(url, { rule: { every: 1000 }, count: 100 })).toHaveLength(100)
    expect((await get(url, '/v1/queues/photos/schedules')).json['schedules']).toEqual([])
    expect((await get(url, '/v1/audit')).json['lines']).toEqual([])
  })

  test('goes by the clock of the zone, over the change to summer time', async () => {
    const url = await stand.listen()
    // In 2100 Berlin leaves winter time on 28 March.
    const startAt = Date.UTC(2100, 2, 27)
    const rule = { cron: '0 12 * * *', startAt }
    expect(await times(url, { rule: { ...rule, timeZone: 'Europe/Berlin' }, count: 3 })).toEqual([
      Date.UTC(2100, 2, 27, 11), Date.UTC(2100, 2, 28, 10), Date.UTC(2100, 2, 29, 10),
    ])
    expect(await times(url, { rule, count: 2 })).toEqual([
      Date.UTC(2100, 2, 27, 12), Date.UTC(2100, 2, 28, 12),
    ])
  })

  test.each([
    ['rule', {}], ['rule', { rule: null }], ['rule', { rule: 'nightly' }], ['rule', { rule: [] }],
    ['rule', { rule: {} }],
    ['rule.cron', { rule: { cron: '61 * * * *' } }],
    ['rule.cron', { rule: { cron: '0 0 31 2 *' } }],
    ['rule.timeZone', { rule: { cron: '* * * * *', timeZone: 'Mars/Base' } }],
    ['rule.every', { rule: { every: '1 fortnight' } }],
    ['rule.every', { rule: { every: 99 } }],
    ['rule.task', { rule: { every: '1h', task: 'resize' } }],
    ['count', { rule: { every: '1h' }, count: 0 }],
    ['count', { rule: { every: '1h' }, count: 101 }],
    ['count', { rule: { every: '1h' }, count: '5' }],
    ['counts', { rule: { every: '1h' }, counts: 5 }],
  ])('is refused for a wrong %s: %j', async (field, body) => {
    const url = await stand.listen()
    const answer = await post(url, path, body)
    expect(answer.status).toBe(400)
    expect(['invalid-option', 'invalid-body']).toContain(codeOf(answer))
    expect((answer.json['error'] as { message: string }).message).toContain(field)
  })

  test('is for who may read the queue, and for no scope', async () => {
    const url = await stand.withUsers({
      reader: { can: (action) => action === 'read' },
      adder: { can: (action) => action === 'add' },
      mailer: { can: (_action, queue) => queue === 'mail' },
      scoped: { scope: { partition: 'p' } },
    })
    const body = { rule: { every: '1h' } }
    expect((await post(url, path, body, 'reader')).json['times']).toHaveLength(10)
    expect(codeOf(await post(url, path, body, 'adder'))).toBe('forbidden')
    expect(codeOf(await post(url, path, body, 'mailer'))).toBe('unknown-queue')
    expect(codeOf(await post(url, path, body, 'scoped'))).toBe('forbidden')
    expect(codeOf(await ask(url, 'GET', path, { headers: { 'x-user': 'reader' } })))
      .toBe('wrong-method')
  })
})
