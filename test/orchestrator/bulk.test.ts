import { lowdbStore } from 'troupe/stores/lowdb'
import type { BulkAnswer, Job, Queue, Spec, Tasks } from 'troupe'
import { describe, expect, test } from 'vitest'
import { faultyStore, refuse } from '../../src/testing/faulty-store.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { hold, recordOf, refusal, untilAborted, useStage } from '../support/stage.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'

const stage = useStage()

const tasks = {
  work: (_job: Job<number>) => null,
  fail: (_job: Job<number>) => { throw new Error('no') },
  wait: (job: Job<undefined>) => untilAborted(job),
}
type Work = Queue<typeof tasks>

async function open() {
  const troupe = await stage.open()
  return { troupe, queue: troupe.queue('q', { concurrency: 10_000, tasks }) }
}

async function addMany(
  queue: Work, count: number, options: Partial<Spec<typeof tasks>> = {}, name = 'job',
): Promise<void> {
  await queue.addMany(Array.from({ length: count }, (_, n) =>
    ({ id: `${name}-${n}`, task: 'work' as const, input: n, ...options }) as Spec<typeof tasks>))
}

describe('cancelMany', () => {
  test('cancels what a filter finds, in batches, and says how far it is', async () => {
    const { queue } = await open()
    await addMany(queue, 1200, { partition: 'p' })
    await addMany(queue, 5, { partition: 'other' }, 'other')
    const heard: BulkAnswer[] = []
    const answer = await queue.cancelMany({ partition: 'p' }, {
      reason: 'no need', onProgress: (figures) => { heard.push(figures) },
    })
    expect(answer).toEqual({ matched: 1200, done: 1200 })
    expect(heard).toEqual([
      { matched: 500, done: 500 }, { matched: 1000, done: 1000 }, { matched: 1200, done: 1200 },
    ])
    expect(await queue.counts()).toMatchObject({ cancelled: 1200, queued: 5 })
    expect(await recordOf(queue, 'job-700')).toMatchObject({ reason: 'no need', by: 'api' })
    expect(await queue.cancelMany({ partition: 'p' })).toEqual({ matched: 0, done: 0 })
    expect(await queue.cancelMany({ partition: 'p', state: 'cancelled' }))
      .toEqual({ matched: 1200, done: 0 })
  })

  test('reaches what runs, and counts what has been told before as not done', async () => {
    const { troupe, queue } = await open()
    const gate = hold()
    const deaf = troupe.queue('deaf', { tasks: { wait: () => gate.promise } })
    await troupe.start()
    await queue.add('wait', undefined, { id: 'a' })
    await deaf.add('wait')
    await stage.env.settle()
    expect(await queue.cancelMany()).toEqual({ matched: 1, done: 1 })
    expect(await deaf.cancelMany()).toEqual({ matched: 1, done: 1 })
    await stage.env.settle()
    expect(await recordOf(queue, 'a')).toMatchObject({ state: 'cancelled' })
    expect(await deaf.cancelMany()).toEqual({ matched: 1, done: 0 })
    gate.release()
  })

  test('leaves alone what is added meanwhile, whoever adds it', async () => {
    const { queue } = await open()
    await addMany(queue, 1100)
    let added = 0
    queue.transitions$.subscribe(({ event }) => {
      if (event === 'cancel') void queue.add('work', 0, { id: `again-${added += 1}` })
    })
    const answer = await queue.cancelMany({}, {
      onProgress: () => addMany(queue, 600, {}, `more-${added}`),
    })
    expect(answer).toEqual({ matched: 1100, done: 1100 })
    expect(await queue.counts()).toMatchObject({ cancelled: 1100, queued: 1100 + 3 * 600 })
  })

  test('skips nothing when jobs settle or go meanwhile', async () => {
    const { queue } = await open()
    await addMany(queue, 1600)
    let batch = 0
    const answer = await queue.cancelMany({}, {
      onProgress: async () => {
        if ((batch += 1) > 1) return
        for (const id of ['job-1599', 'job-1300', 'job-20', 'job-700']) await queue.remove(id)
        await queue.cancel('job-30')
      },
    })
    expect(answer).toEqual({ matched: 1597, done: 1597 })
    expect(await queue.counts()).toMatchObject({ cancelled: 1596, queued: 0 })
  })

  test('cancels a child before its parent can fail it', async () => {
    const { queue } = await open()
    await queue.add('work', 0, { id: 'parent' })
    await addMany(queue, 600, { dependsOn: ['parent'] }, 'child')
    expect(await queue.cancelMany()).toEqual({ matched: 601, done: 601 })
    expect(await queue.counts()).toMatchObject({ cancelled: 601, failed: 0 })
  })

  test('lets the rest of the process go on between two batches', async () => {
    const { queue } = await open()
    await addMany(queue, 2000)
    let turns = 0
    const count = (): void => {
      turns += 1
      setImmediate(count)
    }
    const counting = setImmediate(count)
    const before: number[] = []
    for (const dryRun of [true, false]) {
      turns = 0
      await queue.cancelMany({}, { dryRun, onProgress: () => { before.push(turns) } })
    }
    clearImmediate(counting)
    expect(before.filter((turn) => turn > 0).length).toBeGreaterThanOrEqual(6)
  })
})

describe('retryMany', () => {
  test('retries what has failed or was cancelled, and nothing else', async () => {
    const { troupe, queue } = await open()
    await troupe.start()
    await queue.addMany([
      { task: 'fail', input: 1, id: 'failed' }, { task: 'work', input: 1, id: 'completed' },
      { task: 'work', input: 1, id: 'cancelled', delay: '1h' },
      { task: 'work', input: 1, id: 'waits', delay: '1h' },
    ])
    await stage.env.settle()
    await queue.cancel('cancelled')
    await queue.pause()
    expect(await queue.retryMany({ task: 'fail' })).toEqual({ matched: 1, done: 1 })
    expect(await queue.retryMany({ state: 'completed' })).toEqual({ matched: 1, done: 0 })
    expect(await queue.retryMany()).toEqual({ matched: 1, done: 1 })
    expect(await queue.counts()).toMatchObject({ ready: 2, delayed: 1, completed: 1 })
  })

  test('of jobs that fail again ends, with each job retried once', async () => {
    const { troupe, queue } = await open()
    await troupe.start()
    await addMany(queue, 600, { task: 'fail' })
    await stage.drive(queue.idle())
    let batch = 0
    const answer = await queue.retryMany({}, {
      onProgress: async () => {
        await addMany(queue, 50, { task: 'fail' }, `later-${batch += 1}`)
        await queue.idle()
      },
    })
    expect(answer).toEqual({ matched: 600, done: 600 })
    await queue.idle()
    expect(await queue.counts()).toMatchObject({ failed: 600 + 2 * 50, queued: 0 })
    expect((await recordOf(queue, 'job-0')).timeline.map(({ event }) => event))
      .toEqual(['add', 'claim', 'fail', 'retry', 'claim', 'fail'])
  })

  test('retries parents before the children that would fail with them again', async () => {
    const { queue } = await open()
    await queue.add('work', 0, { id: 'parent' })
    await addMany(queue, 1100, { dependsOn: ['parent'] }, 'child')
    await queue.cancel('parent')
    await stage.env.settle()
    await stage.store.sweep({ by: 'test', limit: 10_000, retention: new Map() })
    expect(await queue.counts()).toMatchObject({ cancelled: 1, failed: 1100 })
    expect(await queue.retryMany()).toEqual({ matched: 1101, done: 1101 })
    expect(await queue.counts()).toMatchObject({ ready: 1, blocked: 1100, failed: 0 })
  })
})

describe('clean', () => {
  test('removes what has settled, unless the filter names something else', async () => {
    const { troupe, queue } = await open()
    await troupe.start()
    await addMany(queue, 3)
    await stage.drive(queue.idle())
    await addMany(queue, 2, { delay: '1h' }, 'delayed')
    await queue.add('wait', undefined, { id: 'runs' })
    await stage.env.settle()
    expect(await queue.clean()).toEqual({ matched: 3, done: 3, awaited: 0 })
    expect(await queue.clean({ state: ['running', 'completed'] }))
      .toEqual({ matched: 1, done: 0, awaited: 0 })
    expect(await queue.clean({ phase: 'delayed' })).toEqual({ matched: 2, done: 2, awaited: 0 })
    expect((await queue.list()).jobs.map(({ id }) => id)).toEqual(['runs'])
  })

  test('spares what somebody depends on who has not completed, and counts it', async () => {
    const { queue } = await open()
    await addMany(queue, 2, { task: 'work' }, 'parent')
    await queue.addMany([
      { task: 'work', input: 0, id: 'waits', dependsOn: ['parent-0'], onParentFailure: 'wait' },
      { task: 'work', input: 0, id: 'fails', dependsOn: ['parent-1'] },
    ])
    await queue.cancelMany({ text: 'parent-' })
    const heard: unknown[] = []
    const answer = await queue.clean({}, { onProgress: (figures) => { heard.push(figures) } })
    // The child that has failed goes first, and then nobody needs its parent.
    expect(answer).toEqual({ matched: 3, done: 2, awaited: 1 })
    expect(heard).toEqual([answer])
    expect((await queue.list()).jobs.map(({ id }) => id)).toEqual(['parent-0', 'waits'])
  })

  test('by age and meta, over many batches, removes each job once', async () => {
    const { queue } = await open()
    const start = stage.env.now()
    for (const n of [0, 1, 2]) {
      await addMany(queue, 700, { meta: { tenant: n } }, `t${n}`)
      await queue.cancelMany({ meta: { tenant: n } })
      await stage.env.advance(1000)
    }
    const old = { settledAt: { to: new Date(start + 2000) } }
    expect(await queue.clean({ ...old, meta: { tenant: 1 } })).toMatchObject({ done: 700 })
    expect(await queue.clean(old)).toEqual({ matched: 700, done: 700, awaited: 0 })
    expect(await queue.counts()).toMatchObject({ cancelled: 700 })
  })
})

describe('all of them', () => {
  const verbs = ['cancelMany', 'retryMany', 'clean'] as const

  test.each(verbs)('%s with dryRun counts and changes nothing', async (verb) => {
    const { queue } = await open()
    await addMany(queue, 700)
    if (verb !== 'cancelMany') await queue.cancelMany()
    const before = [await queue.counts(), (await queue.list({ limit: 1000 })).jobs]
    const heard: number[] = []
    const answer = await queue[verb]({}, {
      dryRun: true, onProgress: ({ matched }: BulkAnswer) => { heard.push(matched) },
    })
    expect(answer).toEqual({ matched: 700, done: 0, ...(verb === 'clean' ? { awaited: 0 } : {}) })
    expect(heard).toEqual([500, 700])
    expect([await queue.counts(), (await queue.list({ limit: 1000 })).jobs]).toEqual(before)
  })

  test('a refusal of the store in the midst leaves whole batches', async () => {
    const { store, next } = faultyStore(stage.store)
    const queue = (await stage.open({ store })).queue('q', { tasks })
    await addMany(queue, 1200)
    const error = await refusal(queue.cancelMany({}, {
      onProgress: ({ done }) => { if (done === 500) next('apply', refuse) },
    }))
    expect(error.code).toBe('store-failed')
    expect(await queue.counts()).toMatchObject({ cancelled: 500, queued: 700 })
    expect(await queue.cancelMany()).toEqual({ matched: 700, done: 700 })
    next('apply', refuse)
    expect((await refusal(queue.retryMany())).code).toBe('store-failed')
    expect(await queue.counts()).toMatchObject({ cancelled: 1200 })
  })

  test('what onProgress throws, or rejects with, ends the work there', async () => {
    const { queue } = await open()
    await addMany(queue, 1200)
    for (const onProgress of [
      () => { throw new RangeError('enough') }, () => Promise.reject(new RangeError('enough')),
    ]) await expect(queue.cancelMany({}, { onProgress })).rejects.toThrow(RangeError)
    expect(await queue.counts()).toMatchObject({ cancelled: 1000, queued: 200 })
  })

  test('end with the troupe', async () => {
    const { troupe, queue } = await open()
    await addMany(queue, 1200)
    const work = queue.cancelMany({}, { onProgress: () => { void troupe.stop() } })
    expect(await refusal(work)).toMatchObject({
      code: 'stopped', details: { operation: 'cancelMany' },
    })
    for (const verb of verbs) expect((await refusal(queue[verb]())).code).toBe('stopped')
  })

  test('a reason that is no text is refused, and so is one where there is none', async () => {
    const { queue } = await open()
    const cancelMany = queue.cancelMany.bind(queue) as (...args: unknown[]) => Promise<unknown>
    expect(await refusal(cancelMany({}, { reason: 7 })))
      .toMatchObject({ details: { path: 'options.reason' } })
    const retryMany = queue.retryMany.bind(queue) as (...args: unknown[]) => Promise<unknown>
    expect(await refusal(retryMany({}, { reason: 'why' })))
      .toMatchObject({ details: { path: 'options.reason' } })
  })

  test('are durable on a file', async () => {
    const env = new VirtualEnv({ disk: new MemoryDisk() })
    const reopened = async <T extends Tasks>(use: (queue: Queue<T>) => Promise<unknown>) => {
      const troupe = await stage.open({ env, store: lowdbStore('/data/jobs.json') })
      await use(troupe.queue<T>('q'))
      await troupe.stop()
    }
    await reopened<typeof tasks>(async (queue) => {
      await addMany(queue, 1200)
      expect(await queue.cancelMany({ text: 'job-1' })).toMatchObject({ done: 311 })
    })
    await reopened<typeof tasks>(async (queue) => {
      expect(await queue.counts()).toMatchObject({ cancelled: 311, queued: 889 })
      expect(await queue.clean()).toEqual({ matched: 311, done: 311, awaited: 0 })
    })
    await reopened<typeof tasks>(async (queue) => {
      expect(await queue.counts()).toMatchObject({ cancelled: 0, queued: 889 })
    })
  })
})
