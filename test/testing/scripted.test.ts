import { assertJob, testTroupe } from 'troupe/testing'
import type { ScriptStep, TestTroupe } from 'troupe/testing'
import type { AddOptions } from 'troupe'
import { afterEach, beforeEach, expect, it } from 'vitest'

let t: TestTroupe
beforeEach(async () => { t = await testTroupe() })
afterEach(() => t.stop())

/** Adds one job for a handler with these steps. */
async function play(options: AddOptions, ...steps: ScriptStep<string>[]) {
  const work = t.scripted(...steps)
  const queue = t.troupe.queue('q', { tasks: { work } })
  const job = await queue.add('work', 'input', { id: 'a', ...options })
  return { work, queue, job }
}

it('remembers its starts', async () => {
  const { work } = await play({})
  await t.runUntilSettled()
  expect(work.starts).toEqual([{ id: 'a', input: 'input', attempt: 1, at: t.now }])
})

it.each<[name: string, steps: ScriptStep<string>[], fields: object]>([
  ['succeeds without any step', [], { state: 'completed', attempt: 1, result: null }],
  ['returns a result', [{ succeed: { ok: true } }], { state: 'completed', result: { ok: true } }],
  ['fails n times', [{ failTimes: 2 }, { succeed: 3 }], { state: 'completed', attempt: 3 }],
  ['fails n times, and no more', [{ failTimes: 2 }], { state: 'completed', attempt: 3 }],
  ['fails for good', ['fatal'], { state: 'failed', attempt: 1 }],
  ['fails always', ['fail'], { state: 'failed', attempt: 4 }],
  ['throws what it is told to', [{ fail: new TypeError('no') }],
    { error: { name: 'TypeError', message: 'no' } }],
  ['goes by attempts', ['fail', 'succeed', 'fail'], { state: 'completed', attempt: 2 }],
  ['snoozes, without a charge', [{ snooze: '5m' }, 'succeed'], { failures: 0, attempt: 2 }],
  ['takes its time', [{ take: '3m', then: { succeed: 1 } }], { result: 1 }],
  ['decides by input', [{ byInput: (input) => ({ succeed: `${input}!` }) }],
    { result: 'input!' }],
])('%s', async (_name, steps, { state, ...fields }: { state?: 'completed' }) => {
  const { job } = await play({ retries: 3 }, ...steps)
  await t.runUntilSettled()
  const record = await t.record(job)
  assertJob(record, state ?? record.state, fields)
})

it('takes its time only until it is told to stop', async () => {
  const { job } = await play({ timeout: '10s' }, { take: '1h' })
  await t.runUntilSettled()
  assertJob(await t.record(job), 'failed', { reason: 'timeout' })
})

it('hangs until its signal aborts', async () => {
  const { queue, job } = await play({}, 'hang')
  await t.start()
  expect(await queue.cancel('a')).toBe('cancelling')
  await t.runUntilIdle()
  assertJob(await t.record(job), 'cancelled')
})

it('is deaf until it is released, and keeps its slot', async () => {
  const { work, queue, job } = await play({ cancelGrace: '10s' }, 'deaf')
  await t.start()
  await queue.cancel('a')
  await t.advance('11s')
  assertJob(await t.record(job), 'cancelled')
  expect((await queue.status()).running).toBe(1)
  expect(work.release('succeed', 'b')).toBe(0)
  expect(work.release()).toBe(1)
  await t.runUntilIdle()
  expect((await queue.status()).running).toBe(0)
})

it('blocks the event loop: clocks go on, and timers are late', async () => {
  const { job } = await play({}, { block: '20s' })
  let at = 0
  t.env.after(5000, () => { at = t.env.monotonic() })
  await t.runUntilSettled()
  await t.advance(0)
  expect(at).toBe(20_000)
  const { startedAt, settledAt } = await t.record(job)
  expect((settledAt ?? 0) - (startedAt ?? 0)).toBe(20_000)
})

it('names a step that it does not know', async () => {
  const { job } = await play({}, { jump: 1 } as unknown as ScriptStep<string>)
  await t.runUntilSettled()
  assertJob(await t.record(job), 'failed', { error: { name: 'TroupeError' } })
})
