import { memoryStore } from 'troupe'
import { lowdbStore } from 'troupe/stores/lowdb'
import type { Job, Transition, Troupe } from 'troupe'
import { describe, expect, test } from 'vitest'
import { must } from '../contract/bench.ts'
import { answerAfter, faultyStore } from '../../src/testing/faulty-store.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { hold, recordOf, refusal, untilAborted, useStage } from '../support/stage.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'

const stage = useStage()

const tasks = {
  work: (_job: Job<undefined>) => 'done',
  wait: (job: Job<undefined>) => untilAborted(job),
}

async function open(troupe?: Troupe) {
  const opened = troupe ?? await stage.open()
  return { troupe: opened, queue: opened.queue('q', { tasks }) }
}

describe('obliterate', () => {
  test('does nothing while jobs run, and removes everything when none does', async () => {
    const { troupe, queue } = await open()
    await troupe.start()
    const running = await queue.add('wait', undefined, { id: 'runs' })
    await queue.add('work', undefined, { id: 'waits', delay: '1h' })
    await stage.env.settle()
    expect(await queue.obliterate()).toBe('running')
    expect(await queue.counts()).toMatchObject({ running: 1, delayed: 1 })
    await running.cancel()
    await stage.env.settle()
    expect(await queue.obliterate()).toBe('obliterated')
    expect((await queue.list()).jobs).toEqual([])
    expect(await queue.get('runs')).toBeNull()
    expect((await queue.explain('waits')).why).toBe('unknown')
    expect(await queue.obliterate()).toBe('obliterated')
  })

  test('is told to whoever watches or waits', async () => {
    const { queue } = await open()
    const handle = await queue.add('work', undefined, { id: 'a', delay: '1h' })
    const ended: string[] = []
    const removals: Transition[] = []
    queue.transitions$.subscribe((transition) => { removals.push(transition) })
    handle.record$.subscribe({ complete: () => { ended.push('record$') } })
    const result = refusal(handle.result())
    await stage.env.settle()
    await queue.obliterate()
    expect(await result).toMatchObject({ code: 'job-removed', details: { id: 'a' } })
    expect(ended).toEqual(['record$'])
    expect(removals).toMatchObject([{ event: 'remove', jobId: 'a', to: null, seq: 2, by: 'api' }])
    expect((await refusal(handle.result())).code).toBe('unknown-job')
  })

  test('forgets the log: old cursors are too old, and the numbers go on', async () => {
    const { troupe, queue } = await open()
    const seen: Transition[] = []
    const watch = troupe.observe({ queue: 'q', from: 'start' })
      .subscribe((transition) => { seen.push(transition) })
    await queue.add('work', undefined, { id: 'a' })
    await queue.obliterate()
    await queue.add('work', undefined, { id: 'b' })
    await stage.env.settle()
    watch.unsubscribe()
    expect(seen.map(({ seq, event }) => `${seq} ${event}`)).toEqual(['1 add', '2 remove', '3 add'])
    const replay = (from: string) => new Promise<unknown[]>((resolve, reject) => {
      const found: unknown[] = []
      const subscription = troupe.observe({ queue: 'q', from }).subscribe({
        next: ({ seq }) => { found.push(seq) }, error: reject,
      })
      void stage.env.settle().then(() => {
        subscription.unsubscribe()
        resolve(found)
      })
    })
    expect(await replay('start')).toEqual([3])
    expect(await replay(must(seen[1]).cursor)).toEqual([3])
    expect((await refusal(replay(must(seen[0]).cursor))).code).toBe('cursor-too-old')
  })

  test('takes pause, limits and schedules along, in every process', async () => {
    const troupe = await stage.open()
    const starts: string[] = []
    const work = (job: Job<undefined>): void => {
      starts.push(job.id)
      if (job.id === 'limit') job.limitReached('1h')
    }
    const queue = troupe.queue('q', { tasks: { work }, rateLimit: { max: 2, per: '1d' } })
    await troupe.start()
    await queue.schedules.upsert('often', { every: '1m', task: 'work' })
    await queue.add('work', undefined, { id: 'first' })
    await queue.add('work', undefined, { id: 'limit' })
    await stage.env.settle()
    await queue.add('work', undefined, { id: 'held' })
    await queue.pause()
    await stage.env.advance(1000)
    expect(starts).toEqual(['first', 'limit'])
    const other = await stage.open()
    expect(await other.queue('q').obliterate()).toBe('obliterated')
    expect(await queue.schedules.list()).toEqual([])
    await queue.add('work', undefined, { id: 'again' })
    await stage.env.settle()
    expect(starts).toEqual(['first', 'limit', 'again'])
    await stage.env.advance(600_000)
    expect(starts).toHaveLength(3)
    expect(await queue.schedules.upsert('often', { every: '1m', task: 'work' })).toBe('created')
  })

  test.each([[{ forced: true }, 'options.forced'], [{ force: 1 }, 'options.force'],
    [null, 'options']])('refuses %j', async (options, path) => {
    const { queue } = await open()
    await queue.add('work')
    const obliterate = queue.obliterate.bind(queue) as (options: unknown) => Promise<unknown>
    expect(await refusal(obliterate(options))).toMatchObject({ details: { path } })
    expect(await queue.counts()).toMatchObject({ queued: 1 })
  })
})

describe('forced', () => {
  test('its handlers lose their lease, write nothing, and others take their slots', async () => {
    const troupe = await stage.open()
    const gate = hold<string>()
    const jobs: Job[] = []
    const queue = troupe.queue('q', {
      concurrency: 2, tasks: { work: (job: Job<undefined>) => {
        jobs.push(job)
        return gate.promise
      } },
    })
    await troupe.start()
    const handle = await queue.add('work', undefined, { id: 'a' })
    await stage.env.settle()
    const result = refusal(handle.result())
    expect(await queue.obliterate({ force: true })).toBe('obliterated')
    expect((await result).code).toBe('job-removed')
    expect(jobs[0]?.signal.reason).toMatchObject({ code: 'lease-lost', details: { id: 'a' } })
    await queue.addMany([{ task: 'work', id: 'b' }, { task: 'work', id: 'a' }])
    await stage.env.advance(1000)
    jobs[0]?.progress(50)
    jobs[0]?.log('still here')
    await stage.env.advance(1000)
    // The handler that goes on keeps its slot, and its job does not start beside it.
    expect(jobs.map(({ id, fence }) => [id, fence])).toEqual([['a', 1], ['b', 2]])
    expect(await queue.explain('a')).toMatchObject({ why: 'abandoned-here', abandoned: ['a'] })
    expect(await recordOf(queue, 'a')).toMatchObject({ rev: 1, progress: null, log: null })
    gate.release('late')
    await stage.drive(queue.idle())
    expect(jobs.map(({ id }) => id)).toEqual(['a', 'b', 'a'])
    expect(await recordOf(queue, 'a')).toMatchObject({ state: 'completed', attempt: 1, fence: 3 })
  })

  test('from another process it ends what runs here', async () => {
    const { troupe, queue } = await open()
    await troupe.start()
    await queue.add('wait', undefined, { id: 'a' })
    await stage.env.settle()
    const other = await stage.open()
    expect(await other.queue('q').obliterate({ force: true })).toBe('obliterated')
    await stage.drive(queue.idle())
    expect(await queue.counts()).toMatchObject({ running: 0, cancelled: 0, failed: 0 })
    expect(await stage.store.readLog('q', 0, 10)).toMatchObject({ entries: [], newest: 3 })
  })
})

describe('on a file', () => {
  test('works through the whole of it', async () => {
    const env = new VirtualEnv({ disk: new MemoryDisk() })
    const begin = async () => open(await stage.open({ env, store: lowdbStore('/data/jobs.json') }))
    const { troupe, queue } = await begin()
    await troupe.start()
    await queue.add('work', undefined, { id: 'a' })
    await queue.add('wait', undefined, { id: 'b' })
    await env.settle()
    expect(await queue.obliterate()).toBe('running')
    expect(await queue.obliterate({ force: true })).toBe('obliterated')
    await queue.add('work', undefined, { id: 'b' })
    await env.settle()
    expect(await recordOf(queue, 'b')).toMatchObject({ state: 'completed', fence: 3 })
    await troupe.stop()
    const again = await begin()
    expect((await again.queue.list()).jobs.map(({ id }) => id)).toEqual(['b'])
  })
})

test('forced while the answer to a claim is on its way: no handler starts', async () => {
  const { store, next } = faultyStore(memoryStore())
  const troupe = await stage.open({ store })
  const started: string[] = []
  const queue = troupe.queue('q', { tasks: { work: (job: Job) => { started.push(job.id) } } })
  const answer = hold()
  next('claim', answerAfter(answer.promise))
  await queue.add('work', undefined, { id: 'a' })
  await troupe.start()
  await stage.env.settle()
  expect(await queue.obliterate({ force: true })).toBe('obliterated')
  answer.release()
  await stage.env.settle()
  expect(started).toEqual([])
  await queue.add('work', undefined, { id: 'a' })
  await stage.drive(queue.idle())
  expect(started).toEqual(['a'])
})
