import { memoryStore } from 'troupe'
import { factsOf, faultyStore, recordLog, refuse, replayLog, testTroupe } from 'troupe/testing'
import { beforeAll, describe, expect, it } from 'vitest'
import type { JobRecord } from 'troupe'

let lines: string[]
let mail: string[]
let records: JobRecord[]

beforeAll(async () => {
  const t = await testTroupe()
  const work = t.scripted({ byInput: (input) => input as 'fail' })
  const queues = ['images', 'mail'].map((name) => t.troupe.queue(name, { tasks: { work } }))
  for (const [index, queue] of queues.entries()) {
    await queue.add('work', 'succeed', { id: `${index}-a` })
    await queue.add('work', 'fail', { id: `${index}-b`, retries: 1 })
    await queue.add('work', { take: '1m' }, { id: `${index}-c`, delay: '1h' })
    await queue.add('work', 'succeed', { id: `${index}-gone`, delay: '1h' })
    await queue.remove(`${index}-gone`)
  }
  await t.start()
  await t.advance('1h')
  lines = await recordLog(t.troupe)
  mail = await recordLog(t.troupe, { queue: 'mail' })
  records = (await Promise.all(queues.map((queue) => queue.list()))).flatMap(({ jobs }) => jobs)
  await t.runUntilSettled()
  await t.stop()
})

describe('a recorded log', () => {
  it('replays to what the records are', () => {
    const states = new Map(records.map((record) => [record.id, factsOf(record)]))
    expect(replayLog(lines)).toEqual(states)
    expect(new Set(records.map(({ state }) => state))).toEqual(
      new Set(['completed', 'failed', 'running']))
  })

  it('holds one queue, if that is asked for', () => {
    expect([...replayLog(mail).keys()].sort()).toEqual(['1-a', '1-b', '1-c'])
  })

  it('is read line by line: up to there it tells what was', () => {
    const first = replayLog(mail.slice(0, 1)).get('1-a')
    expect(first).toMatchObject({ state: 'queued', phase: 'ready', attempt: 0, rev: 1 })
  })

  it.each([
    ['no JSON', () => ['{'], 'lines[0] must be a line of JSON'],
    ['no transition', () => ['{}'], 'lines[0] must be a transition'],
    ['a missing line', () => mail.filter((line) => !line.includes('"claim"')),
      'must be transition 2 of job'],
    ['a line from elsewhere', () => mail.map((line) => (line.includes('"claim"')
      ? line.replace('"from":"queued"', '"from":"failed"') : line)), 'from queued'],
  ])('is refused with %s', (_name, change, told) => {
    expect(() => replayLog(change())).toThrow(told)
  })

  it('rejects with what the log cannot tell', async () => {
    const t = await testTroupe()
    await t.troupe.stop()
    await expect(recordLog(t.troupe)).rejects.toMatchObject({ code: 'stopped' })
    await t.stop()
  })

  it('rejects when the store cannot read', async () => {
    const { store, next } = faultyStore(memoryStore())
    const t = await testTroupe({ store })
    await t.troupe.queue('q', { tasks: { work: t.scripted() } }).add('work', null)
    next('readLog', refuse)
    await expect(t.until(recordLog(t.troupe))).rejects.toMatchObject({ code: 'store-failed' })
    t.takeLogged()
    await t.stop()
  })
})
