import type { Job } from 'troupe'
import { expect, test } from 'vitest'
import { hold, refusal, thrown, useStage } from '../support/stage.ts'

const stage = useStage()

async function open(maxQueued: number) {
  const troupe = await stage.open()
  const end = hold()
  const queue = troupe.queue('q', {
    maxQueued, concurrency: 1,
    tasks: { work: (_job: Job) => end.promise, other: (_job: Job) => end.promise },
  })
  return { troupe, queue, end }
}

test('an add that would make it more is refused, with the figures', async () => {
  const { troupe, queue, end } = await open(2)
  await queue.add('work', null, { id: 'a' })
  await queue.add('work', null, { id: 'b', delay: '1h' })
  const error = await refusal(queue.add('other'))
  expect(error.code).toBe('queue-full')
  expect(error.details).toEqual({ queue: 'q', queued: 2, adding: 1, maxQueued: 2 })
  expect(error.message).toMatch(/queue q has 2 queued jobs and takes 2/)
  await troupe.start()
  await stage.env.settle()
  // One of them runs now, and is queued no more.
  await queue.add('other', null, { id: 'c' })
  expect((await refusal(queue.add('other'))).code).toBe('queue-full')
  end.release()
})

test('addMany is all or nothing', async () => {
  const { queue } = await open(2)
  const specs = ['a', 'b', 'c'].map((id) => ({ task: 'work' as const, input: null, id }))
  const error = await refusal(queue.addMany(specs))
  expect(error).toMatchObject({
    code: 'queue-full', details: { queued: 0, adding: 3, maxQueued: 2 },
  })
  expect(await queue.counts()).toMatchObject({ queued: 0 })
  await queue.addMany(specs.slice(0, 2))
  expect(await queue.counts()).toMatchObject({ queued: 2 })
})

test('a flow is all or nothing, over its queues', async () => {
  const { troupe, queue } = await open(1)
  const free = troupe.queue('free', { tasks: { work: (_job: Job) => null } })
  const flow = { first: free.spec('work', null), a: queue.spec('work'), b: queue.spec('other') }
  const error = await refusal(troupe.flow(flow, { a: ['first'], b: ['a'] }))
  expect(error).toMatchObject({ code: 'queue-full', details: { queue: 'q', adding: 2 } })
  expect([await free.counts(), await queue.counts()]).toMatchObject([{ queued: 0 }, { queued: 0 }])
  const { first, a } = flow
  await troupe.flow({ first, a }, { a: ['first'] })
  expect(await queue.counts()).toMatchObject({ queued: 1, blocked: 1 })
})

test('jobs that are there already do not count', async () => {
  const { queue } = await open(2)
  const dedupe = { key: 'k', mode: 'simple' } as const
  await queue.addMany([{ task: 'work', input: null, id: 'a' }, { task: 'work', dedupe }])
  expect(await queue.add('work', null, { id: 'a' })).toMatchObject({ created: false })
  expect(await queue.add('work', null, { dedupe })).toMatchObject({ created: false })
  const again = await queue.addMany([{ task: 'work', id: 'a' }, { task: 'work', dedupe }])
  expect(again.map(({ created }) => created)).toEqual([false, false])
})

test('a retry goes past it: the job was let in before', async () => {
  const { queue } = await open(1)
  const first = await queue.add('work')
  await first.cancel()
  await queue.add('work')
  expect(await queue.retry(first.id)).toBe('retried')
  expect(await queue.counts()).toMatchObject({ queued: 2 })
})

test('0 takes nothing, and a wrong value is refused', async () => {
  const { troupe, queue } = await open(0)
  expect((await refusal(queue.add('work'))).code).toBe('queue-full')
  for (const value of [-1, 2.5, '3']) {
    const error = thrown(() => troupe.queue('other', { maxQueued: value as number }))
    expect(error).toMatchObject({ code: 'invalid-option' })
  }
})
