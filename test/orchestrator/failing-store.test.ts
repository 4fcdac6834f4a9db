import type { Job } from 'troupe'
import { describe, expect, test } from 'vitest'
import { faultyStore, loseAnswer, refuse, waitFor } from '../../src/testing/faulty-store.ts'
import type { FaultyStore } from '../../src/testing/faulty-store.ts'
import { expectOutages } from '../support/outage-lines.ts'
import { eventsOf, hold, recordOf, refusal, useStage } from '../support/stage.ts'
import type { Hold } from '../support/stage.ts'

const stage = useStage()

async function open<R>(work: (job: Job) => R, concurrency = 2) {
  const faulty = faultyStore(stage.store)
  const troupe = await stage.open({ store: faulty.store })
  const queue = troupe.queue('q', { concurrency, tasks: { work } })
  return { faulty, troupe, queue }
}

function operations(faulty: FaultyStore): string[] {
  return faulty.calls('commit').flat().map(({ record }) => record.operation ?? '')
}

describe('when the store refuses to insert', () => {
  test('the add is refused, and the next one is not', async () => {
    const { faulty, queue } = await open(() => 1)
    faulty.next('insert', refuse)
    expect(await refusal(queue.add('work', 1))).toMatchObject({ code: 'store-failed' })
    const { id } = await queue.add('work', 2)
    expect((await queue.list()).jobs.map((job) => job.id)).toEqual([id])
  })
})

describe('when the store refuses to commit', () => {
  test('the result is not lost: the commit is repeated until it is taken', async () => {
    let runs = 0
    const { faulty, troupe, queue } = await open(() => `run ${runs += 1}`)
    await troupe.start()
    faulty.next('commit', refuse, 4)
    const job = await queue.add('work')
    await stage.env.settle()
    expect((await recordOf(queue, job.id)).state).toBe('running')
    expect(await stage.drive(job.result())).toBe('run 1')
    expect(faulty.calls('commit')).toHaveLength(5)
    expect(new Set(operations(faulty)).size).toBe(1)
    expect(eventsOf(await recordOf(queue, job.id))).toEqual(['add', 'claim', 'complete'])
    expectOutages(stage.takeLines())
  })

  test('whose answer was lost, the repetition settles once', async () => {
    let runs = 0
    const { faulty, troupe, queue } = await open((job) => {
      runs += 1
      if (job.input === 'bad' && job.attempt === 1) throw new Error('once')
      return runs
    })
    await troupe.start()
    faulty.next('commit', loseAnswer, 2)
    await queue.add('work', 'good', { id: 'good' })
    await queue.add('work', 'bad', { id: 'bad', retries: 3, backoff: 100 })
    await stage.env.advance(10_000)
    expect(eventsOf(await recordOf(queue, 'good'))).toEqual(['add', 'claim', 'complete'])
    expect(eventsOf(await recordOf(queue, 'bad'))).toEqual([
      'add', 'claim', 'fail', 'due', 'claim', 'complete',
    ])
    expect(runs).toBe(3)
    const { entries } = await stage.store.readLog('q', 0, 100)
    expect(entries.filter(({ event }) => event === 'complete')).toHaveLength(2)
    expectOutages(stage.takeLines(), 1, 2)
  })

  test('no new job starts meanwhile, and all that wait start after', async () => {
    const running = new Set<string>()
    const gates = new Map<string, Hold<void>>()
    const { faulty, troupe, queue } = await open(async (job) => {
      const gate = hold()
      gates.set(job.id, gate)
      running.add(job.id)
      await gate.promise
      running.delete(job.id)
    }, 3)
    await troupe.start()
    for (const id of ['a', 'b', 'c', 'd', 'e']) await queue.add('work', null, { id })
    await stage.env.settle()
    expect([...running]).toEqual(['a', 'b', 'c'])

    faulty.next('commit', refuse, 3)
    gates.get('b')?.release()
    await stage.env.settle()
    const others = [...running].filter((id) => id !== 'a' && id !== 'c')
    gates.get('c')?.release()
    await stage.env.settle()
    expect([...running].filter((id) => id !== 'a')).toEqual(others)
    // The store takes commits again; 'a' runs on, and yet both free slots must be filled.
    await stage.env.advance(1000)
    expect([...running].toSorted()).toEqual(['a', 'd', 'e'])
    for (const { release } of gates.values()) release()
    await stage.drive(queue.idle())
    expect(await queue.counts()).toMatchObject({ completed: 5 })
    expectOutages(stage.takeLines(), 1, 2)
  })

  test('stop gives up after its grace, and what was not taken runs again elsewhere', async () => {
    let runs = 0
    const { faulty, troupe, queue } = await open(() => { runs += 1 })
    await troupe.start()
    faulty.next('commit', refuse, 1000)
    const { id } = await queue.add('work')
    await stage.env.settle()
    await stage.drive(troupe.stop({ grace: 1000 }), 20_000)
    expect(stage.takeLines().length).toBeGreaterThan(0)
    const [record] = await stage.store.get([id])
    expect(record?.state).toBe('running')

    const second = await stage.open()
    const again = second.queue('q', { tasks: { work: () => { runs += 1 } } })
    await second.start()
    await stage.env.advance(40_000)
    expect(await recordOf(again, id)).toMatchObject({ state: 'completed', stalls: 1 })
    expect(runs).toBe(2)
  })
})

describe('when the store refuses to claim', () => {
  test('the claim is tried again, and idle waits for it', async () => {
    const { faulty, troupe, queue } = await open(() => 'ran')
    await troupe.start()
    await stage.env.settle()
    faulty.next('claim', refuse, 3)
    const job = await queue.add('work')
    let idle = false
    const waiting = queue.idle().then(() => { idle = true })
    await stage.env.settle()
    expect(idle).toBe(false)
    expect(await stage.drive(job.result())).toBe('ran')
    await stage.drive(waiting)
    expectOutages(stage.takeLines())
  })

  test('while it stops, no timer stays behind', async () => {
    const gate = hold()
    const { faulty, troupe, queue } = await open(() => 1)
    await troupe.start()
    await stage.env.settle()
    faulty.next('claim', async () => {
      await gate.promise
      return refuse(async () => undefined)
    })
    await queue.add('work')
    await stage.env.settle()
    const stopping = troupe.stop()
    gate.release()
    await stage.drive(stopping)
    expect(stage.env.pendingTimers).toBe(0)
    expectOutages(stage.takeLines(), 0, 1)
  })
})

describe('when the store refuses to read its settings', () => {
  test('start is refused, and can be tried again', async () => {
    const { faulty, troupe, queue } = await open(() => 'ran')
    const other = troupe.queue('other', { tasks: { work: () => 'ran too' } })
    faulty.next('getSetting', refuse)
    const jobs = [await queue.add('work'), await other.add('work')]
    expect(await refusal(troupe.start())).toMatchObject({ code: 'store-failed' })
    expect(await refusal(queue.idle())).toMatchObject({ code: 'not-started' })
    await stage.env.advance(5000)
    expect(await other.counts()).toMatchObject({ queued: 1 })
    await troupe.start()
    const results = await stage.drive(Promise.all(jobs.map((job) => job.result())))
    expect(results).toEqual(['ran', 'ran too'])
  })

  test('a queue that is declared after start begins a little later', async () => {
    const { faulty, troupe } = await open(() => 1)
    await troupe.start()
    faulty.next('getSetting', refuse, 2)
    const late = troupe.queue('late', { tasks: { work: () => 'ran' } })
    expect(await stage.drive((await late.add('work')).result())).toBe('ran')
    expectOutages(stage.takeLines())
  })

  test('a queue that could not begin yet does not keep a stop waiting', async () => {
    const { faulty, troupe } = await open(() => 1)
    await troupe.start()
    faulty.next('getSetting', refuse)
    troupe.queue('late', { tasks: { work: () => 'ran' } })
    await stage.env.settle()
    await stage.drive(troupe.stop(), 100)
    expect(stage.env.pendingTimers).toBe(0)
    expectOutages(stage.takeLines())
  })
})

test('when the store hangs for good, stop still ends', async () => {
  const { faulty, troupe, queue } = await open(() => 1)
  await troupe.start()
  await stage.env.settle()
  faulty.next('commit', waitFor(new Promise(() => undefined)))
  await queue.add('work')
  await stage.env.settle()
  await stage.drive(troupe.stop({ grace: 1000 }), 10_000)
  expect(stage.env.pendingTimers).toBe(0)
})
