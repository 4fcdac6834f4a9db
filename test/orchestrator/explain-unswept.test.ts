import type { Job, Store } from 'troupe'
import { describe, expect, test } from 'vitest'
import { faultyStore, refuse } from '../../src/testing/faulty-store.ts'
import { untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()

const tasks = {
  work: (_job: Job<undefined>) => 'done',
  wait: (job: Job<undefined>) => untilAborted(job),
}

async function open(store: Store = stage.store) {
  const troupe = await stage.open({ store })
  return { troupe, queue: troupe.queue('q', { tasks }) }
}

describe('before the store is swept, explain says of', () => {
  test('a running job whose worker was not heard of', async () => {
    let silent = false
    const { store, next } = faultyStore(stage.store, {
      renew: async (beat) => (silent && !beat.leaving
        ? refuse(async () => undefined) as Promise<never> : stage.store.renew(beat)),
    })
    const { troupe, queue } = await open(store)
    await troupe.start()
    await queue.add('wait', undefined, { id: 'a' })
    await stage.env.settle()
    silent = true
    next('sweep', refuse, 40)
    await stage.env.advance(31_000)
    expect((await queue.explain('a')).text).toContain(
      'Its worker was not heard of, its lease ended at 2026-01-01T00:00:30.000Z')
    stage.takeLines()
  })

  test('a blocked job that its parents have ended', async () => {
    const { queue } = await open()
    await queue.add('work', undefined, { id: 'parent', delay: '1h' })
    await queue.addMany(Array.from({ length: 1001 }, (_, n) =>
      ({ task: 'work', id: `child-${n}`, dependsOn: ['parent'], onParentFailure: 'run' }) as const))
    await queue.cancel('parent')
    const { jobs: [left] } = await queue.list({ phase: 'blocked' })
    expect(await queue.explain(left?.id ?? '')).toMatchObject({
      why: 'blocked', waitsFor: [], text: expect.stringContaining('when the store is swept next'),
    })
  })

  test('a delayed job that it is due, after all that holds back a ready one', async () => {
    const { troupe, queue } = await open()
    await queue.add('work', undefined, { id: 'a', delay: '1s' })
    await stage.env.advance(2000)
    expect(await queue.explain('a')).toMatchObject({ why: 'not-started', ahead: null })
    await queue.pause()
    expect(await queue.explain('a')).toMatchObject({ why: 'paused' })
    await queue.resume()
    const worker = await stage.open({ store: faultyStore(stage.store, {
      sweep: async () => ({ more: false, nextAt: null }),
    }).store })
    worker.queue('q', { tasks })
    await worker.start()
    expect(await queue.explain('a')).toMatchObject({
      why: 'delayed', until: stage.env.now() - 1000,
      text: 'It is due since 2026-01-01T00:00:01.000Z: ready in a moment.',
    })
    await troupe.start()
  })

  test('any queued job that its ttl has ended', async () => {
    const { queue } = await open()
    await queue.add('work', undefined, { id: 'a', ttl: 1000 })
    await stage.env.advance(1000)
    expect((await queue.explain('a')).text)
      .toContain('Its ttl ended at 2026-01-01T00:00:01.000Z: it fails when the store is swept')
  })
})
