import type { Job } from 'troupe'
import { describe, expect, test } from 'vitest'
import { answerAfter, faultyStore, refuse, waitFor } from '../../src/testing/faulty-store.ts'
import { expectOutages } from '../support/outage-lines.ts'
import { hold, recordOf, useStage } from '../support/stage.ts'

const stage = useStage()

async function open<R>(work: (job: Job) => R, concurrency = 2) {
  const faulty = faultyStore(stage.store)
  const troupe = await stage.open({ store: faulty.store })
  const queue = troupe.queue('q', { concurrency, tasks: { work } })
  return { faulty, troupe, queue }
}

describe('when the store refuses progress', () => {
  test('the latest report is tried again', async () => {
    const gate = hold()
    const { faulty, troupe, queue } = await open(async (job) => {
      job.progress(10)
      await gate.promise
    })
    faulty.next('progress', refuse, 2)
    await troupe.start()
    const { id } = await queue.add('work')
    await stage.env.settle()
    expect((await recordOf(queue, id)).progress).toBeNull()
    await stage.env.advance(1000)
    expect((await recordOf(queue, id)).progress).toMatchObject({ percent: 10 })
    gate.release()
    await stage.drive(queue.idle())
  })

  test('for good, the last report still comes with the end', async () => {
    const { faulty, troupe, queue } = await open(async (job) => {
      job.progress(10)
      await new Promise<void>((resolve) => { stage.env.after(500, resolve) })
      job.progress(90)
    })
    faulty.next('progress', refuse, 1000)
    await troupe.start()
    const job = await queue.add('work')
    await stage.drive(job.result())
    expect((await recordOf(queue, job.id)).progress).toMatchObject({ percent: 90 })
  })
})

describe('when the store refuses to sweep', () => {
  test('what was due comes due all the same', async () => {
    const { faulty, troupe, queue } = await open(() => 'ran')
    await troupe.start()
    await stage.env.settle()
    const job = await queue.add('work', null, { delay: 100 })
    faulty.next('sweep', refuse, 3)
    expect(await stage.drive(job.result())).toBe('ran')
    expectOutages(stage.takeLines())
  })

  test('or is slow to, what falls due meanwhile is not forgotten', async () => {
    const gate = hold()
    const { faulty, troupe, queue } = await open(() => 'ran')
    faulty.next('sweep', answerAfter(gate.promise))
    await troupe.start()
    await stage.env.advance(0)
    const job = await queue.add('work', null, { delay: 500 })
    await stage.env.advance(5000)
    gate.release()
    expect(await stage.drive(job.result(), 1000)).toBe('ran')
  })
})

describe('when the store refuses a heartbeat', () => {
  test('nothing is aborted on a store of one process, and the next beat renews', async () => {
    const gate = hold<string>()
    const { faulty, troupe, queue } = await open(() => gate.promise)
    await troupe.start()
    const job = await queue.add('work')
    await stage.env.advance(5000)
    faulty.next('renew', refuse)
    await stage.env.advance(55_000)
    expect(await recordOf(queue, job.id)).toMatchObject({ state: 'running', stalls: 0, attempt: 1 })
    gate.release('alive')
    expect(await stage.drive(job.result())).toBe('alive')
    expectOutages(stage.takeLines())
  })

  test('an answer about a former attempt does not end the present one', async () => {
    const gate = hold()
    const work = hold<string>()
    const { faulty, troupe, queue } = await open(async (job) => {
      if (job.attempt > 1) return work.promise
      await new Promise<void>((resolve) => { stage.env.after(9999, resolve) })
      // The beat at 10 s lists this attempt; its answer comes when the next one runs.
      faulty.next('renew', waitFor(gate.promise))
      await new Promise<void>((resolve) => { stage.env.after(500, resolve) })
      return job.snooze(100)
    })
    await troupe.start()
    const job = await queue.add('work')
    await stage.env.advance(12_000)
    expect(await recordOf(queue, job.id)).toMatchObject({ state: 'running', attempt: 2 })
    gate.release()
    await stage.env.advance(1000)
    work.release('the second')
    expect(await stage.drive(job.result(), 5000)).toBe('the second')
    expect((await recordOf(queue, job.id)).stalls).toBe(0)
  })
})
