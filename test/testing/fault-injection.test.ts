import { memoryStore } from 'troupe'
import {
  answerAfter, assertJob, brokenChecks, checkHistory, checkNames, faultyStore, loseAnswer, refuse,
  repeat, testTroupe, waitFor,
} from 'troupe/testing'
import type { TestTroupe } from 'troupe/testing'
import { expect, it } from 'vitest'

/** A queue with one task on a store that misbehaves on demand. */
async function open() {
  const faulty = faultyStore(memoryStore())
  const t = await testTroupe({ store: faulty.store })
  const queue = t.troupe.queue('q', { tasks: { work: t.scripted() } })
  return { t, queue, faulty }
}

async function stop(t: TestTroupe): Promise<void> {
  t.takeLogged()
  checkHistory(await t.history('q'))
  await t.stop()
}

it('refuses a call: nothing has happened, and the caller is told', async () => {
  const { t, queue, faulty } = await open()
  faulty.next('insert', refuse)
  await expect(queue.add('work', null)).rejects.toMatchObject({ code: 'store-failed' })
  expect(await queue.counts()).toMatchObject({ queued: 0 })
  await stop(t)
})

it('loses an answer: it has happened, and the caller does not know', async () => {
  const { t, queue, faulty } = await open()
  faulty.next('insert', loseAnswer)
  await expect(queue.add('work', null, { id: 'a' })).rejects.toMatchObject({ code: 'store-failed' })
  expect((await queue.add('work', null, { id: 'a' })).created).toBe(false)
  faulty.next('commit', loseAnswer, 2)
  await t.runUntilIdle()
  assertJob(await queue.get('a'), 'completed', { attempt: 1 })
  expect(faulty.calls('commit')).toHaveLength(3)
  await stop(t)
})

it('repeats a call: what was done once stays done once', async () => {
  const inner = faultyStore(memoryStore())
  const faulty = faultyStore(inner.store)
  const t = await testTroupe({ store: faulty.store })
  const queue = t.troupe.queue('q', { tasks: { work: t.scripted() } })
  faulty.next('insert', repeat)
  faulty.next('commit', repeat)
  await queue.add('work', null, { id: 'a' })
  await t.runUntilSettled()
  assertJob(await queue.get('a'), 'completed', { attempt: 1, rev: 3 })
  expect([inner.calls('insert').length, inner.calls('commit').length]).toEqual([2, 2])
  await stop(t)
})

it.each([['a call', waitFor], ['an answer', answerAfter]])('delays %s', async (_name, delay) => {
  const { t, queue, faulty } = await open()
  let go = (): void => undefined
  const gate = new Promise<void>((resolve) => { go = resolve })
  faulty.next('insert', delay(gate))
  const adding = queue.add('work', null, { id: 'a' })
  await t.env.settle()
  expect((await queue.counts()).queued).toBe(delay === waitFor ? 0 : 1)
  go()
  await adding
  await t.runUntilSettled()
  await stop(t)
})

it('the history checker finds what a store has got wrong', async () => {
  const { t, queue } = await open()
  await queue.add('work', null, { id: 'a' })
  await t.runUntilSettled()
  const history = await t.history('q')
  expect(brokenChecks(history)).toEqual(new Map())
  const [record] = history.records
  if (!record) throw new Error('there is no record')
  const lied = { ...history, records: [{ ...record, attempt: 2 }] }
  expect([...brokenChecks(lied).keys()]).toEqual(['the log replays to the records'])
  expect(() => { checkHistory(lied) }).toThrow('the log replays to the records')
  expect(checkNames).toHaveLength(21)
  await stop(t)
})
