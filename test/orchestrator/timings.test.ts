import { createTroupe } from 'troupe'
import { expect, test } from 'vitest'
import { openWithJournal } from '../support/log-journal.ts'
import type { Work } from '../support/log-journal.ts'
import { Life } from '../../src/testing/mortal.ts'
import { hold, refusal, useStage } from '../support/stage.ts'
import type { Hold } from '../support/stage.ts'

const stage = useStage()
const open = (work?: Work, start?: boolean) => openWithJournal(stage, work, start)

test('wait and run are apart, and count from when the job could run', async () => {
  const { times, lines, queue } = await open(({ input }) => new Promise<void>((resolve) => {
    stage.env.after(input as number, resolve)
  }))
  const attempts = (): unknown[] => times().filter(([_word, waitMs]) => waitMs !== null)
  await queue.add('work', 700)
  const second = await queue.add('work', 300, { id: 'second' })
  await stage.drive(second.result())
  expect(attempts()).toEqual([
    ['claimed', 0, null], ['completed', 0, 700], ['claimed', 700, null], ['completed', 700, 300],
  ])
  lines.length = 0
  await queue.add('work', 500)
  const delayed = await queue.add('work', 10, { delay: 200 })
  await stage.drive(delayed.result())
  expect(attempts()).toEqual([
    ['claimed', 0, null], ['completed', 0, 500], ['claimed', 300, null],
    ['completed', 300, 10],
  ])
})

test('wait and run are of the attempt, not of the job', async () => {
  const gates = new Map<string, Hold<void>>()
  const { times, queue } = await open(async (job) => {
    const gate = hold()
    gates.set(`${job.id} ${job.attempt}`, gate)
    await gate.promise
  })
  await queue.add('work', null, { id: 'j', retries: 1, backoff: { type: 'fixed', delay: 1000 } })
  await stage.env.advance(40)
  await queue.add('work', null, { id: 'between' })
  gates.get('j 1')?.fail(new Error('again'))
  await stage.env.advance(1300)
  gates.get('between 1')?.release()
  await stage.env.advance(7)
  gates.get('j 2')?.release()
  await stage.env.settle()
  const ofJob = times('j')
  expect(ofJob).toEqual([
    ['added', null, null], ['claimed', 0, null], ['retrying', 0, 40], ['due', null, null],
    ['claimed', 300, null], ['completed', 300, 7],
  ])
})

test('the wait counts from the release, the unblocking and the new life', async () => {
  let limited = false
  const { times, troupe, queue } = await open((job) => {
    if (job.label === null || limited) return
    limited = true
    job.limitReached(100)
  }, false)
  const parent = await queue.add('work', null, { id: 'parent' })
  const child = await queue.add('work', null, { id: 'j', dependsOn: [parent], label: 'limited' })
  await stage.env.advance(1000)
  await troupe.start()
  await stage.drive(child.result())
  const ofChild = times('j')
  expect(ofChild).toEqual([
    ['added', null, null], ['unblocked', null, null], ['claimed', 0, null],
    ['released', 0, 0], ['claimed', 100, null], ['completed', 100, 0],
  ])
  await queue.pause()
  await queue.add('work', null, { id: 'again', delay: '1h' })
  await queue.cancel('again')
  await stage.env.advance(5000)
  await queue.retry('again')
  await stage.env.advance(60)
  await queue.resume()
  await stage.drive(queue.job('again').result())
  expect(times().at(-1)).toEqual(['completed', 60, 0])
})

test('the run of a stall ends when it is noticed', async () => {
  const life = new Life()
  const dead = await createTroupe({
    worker: 'dead', env: life.env(stage.env, stage.env.disk), store: life.store(stage.store),
  })
  const mortal = dead.queue('q', { tasks: { work: () => new Promise(() => undefined) } })
  await mortal.add('work', undefined, { id: 'j' })
  await dead.start()
  await stage.env.settle()
  life.kill()
  const { lines, queue } = await open()
  await stage.drive(queue.job('j').result())
  expect(lines.map(({ message, by, waitMs, runMs }) => [message, by, waitMs, runMs])).toEqual([
    ['queue.job.stalled', 'w1', 0, 30_000], ['queue.job.claimed', 'w1', 0, null],
    ['queue.job.completed', 'w1', 0, 0],
  ])
})

test('the wait counts from runAt, although nobody noticed it', async () => {
  const { times, troupe, queue } = await open(() => { throw new Error('no') }, false)
  await queue.add('work', null, { id: 'j', delay: '10s' })
  await stage.env.advance(25_000)
  await troupe.start()
  await stage.drive(refusal(queue.job('j').result()))
  expect(times('j')).toEqual([
    ['added', null, null], ['due', null, null], ['claimed', 15_000, null], ['failed', 15_000, 0],
  ])
})

test('a clock that is set back gives no negative times', async () => {
  const { times, queue } = await open(() => { stage.env.jump(-5000) })
  const job = await queue.add('work')
  stage.env.jump(-5000)
  await stage.drive(job.result())
  expect(times().slice(1)).toEqual([['claimed', 0, null], ['completed', 0, 0]])
})

test('the wait of an attempt is known behind a long history', async () => {
  const { times, queue } = await open((job) => (job.attempt < 60 ? job.snooze(5) : undefined))
  const job = await queue.add('work')
  await stage.drive(job.result())
  expect(times().at(-1)).toEqual(['completed', 0, 0])
})
