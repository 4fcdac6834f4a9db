import { memoryStore } from 'troupe'
import type { Job, Store } from 'troupe'
import { lowdbStore } from 'troupe/stores/lowdb'
import { describe, expect, test } from 'vitest'
import { faultyStore, refuse, waitFor } from '../../src/testing/faulty-store.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { eventsOf, hold, recordOf, useStage } from '../support/stage.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'

const stage = useStage()

/** A process whose handler reaches the limit when the input, or the first attempt, says so. */
async function open(log: string[] = [], store: Store = stage.store, waits = ['30s']) {
  const troupe = await stage.open({ store })
  const queue = troupe.queue('q', {
    concurrency: 2,
    tasks: {
      work: (job: Job<string | null>): void => {
        log.push(job.id)
        const wait = job.input === 'limit' ? waits.shift() : undefined
        if (wait !== undefined) job.limitReached(wait as '30s')
      },
    },
  })
  return { troupe, queue, log }
}

describe('job.limitReached()', () => {
  test('gives the job back uncharged, in its place; nothing is claimed until then', async () => {
    const { troupe, queue, log } = await open()
    const other = await open(log)
    await queue.add('work', 'limit', { id: 'a', retries: 0 })
    await troupe.start()
    await stage.env.settle()
    const limitedUntil = stage.env.now() + 30_000
    expect(await recordOf(queue, 'a')).toMatchObject({
      state: 'queued', phase: 'ready', attempt: 0, failures: 0, lease: null,
    })
    expect(eventsOf(await recordOf(queue, 'a'))).toEqual(['add', 'claim', 'release'])
    await other.troupe.start()
    await other.queue.addMany([{ task: 'work', input: null, id: 'b' }])
    await stage.env.advance(29_999)
    expect(log).toEqual(['a'])
    expect(await queue.explain('b')).toMatchObject({ why: 'limit-reached', until: limitedUntil })
    await stage.env.advance(1)
    expect(log).toEqual(['a', 'a', 'b'])
    expect(await queue.counts()).toMatchObject({ completed: 2 })
  })

  test('what runs goes on, and idle() waits for the end of the limit', async () => {
    const { troupe, queue, log } = await open()
    await queue.addMany([{ task: 'work', input: 'limit', id: 'a' }, { task: 'work', input: null }])
    await troupe.start()
    let idle = false
    const waits = queue.idle().then(() => { idle = true })
    await stage.env.advance(29_999)
    expect([idle, await queue.counts()]).toMatchObject([false, { completed: 1, ready: 1 }])
    await stage.env.advance(1)
    await waits
    expect(log.filter((id) => id === 'a')).toHaveLength(2)
  })

  test('the later of two limits counts', async () => {
    const { troupe, queue, log } = await open([], stage.store, ['30s', '10s'])
    await queue.addMany([
      { task: 'work', input: 'limit', id: 'a' }, { task: 'work', input: 'limit', id: 'b' },
    ])
    await troupe.start()
    await stage.env.advance(29_999)
    expect(log).toEqual(['a', 'b'])
    await stage.env.advance(1)
    expect(log).toEqual(['a', 'b', 'a', 'b'])
  })

  test('a pause does not end it, a resume does', async () => {
    const { troupe, queue, log } = await open()
    await queue.add('work', 'limit', { id: 'a' })
    await troupe.start()
    await stage.env.settle()
    await queue.pause()
    await stage.env.advance(10_000)
    expect(log).toEqual(['a'])
    expect(await queue.resume()).toBe('resumed')
    await stage.env.settle()
    expect(log).toEqual(['a', 'a'])
    expect(await queue.resume()).toBe('not-paused')
  })

  test('holds for 100 ms at least, so that nothing starts without end', async () => {
    const troupe = await stage.open()
    let starts = 0
    const queue = troupe.queue('now', {
      tasks: { work: (job: Job) => { if ((starts += 1) < 3) job.limitReached(0) } },
    })
    await queue.add('work')
    await troupe.start()
    await stage.env.advance(99)
    expect(starts).toBe(1)
    await stage.env.advance(101)
    expect(starts).toBe(3)
  })

  test('drain and stop end while it holds', async () => {
    const { troupe, queue, log } = await open()
    await queue.add('work', 'limit', { id: 'a' })
    await troupe.start()
    await stage.env.settle()
    await queue.drain()
    await troupe.stop()
    expect(log).toEqual(['a'])
    expect(stage.env.pendingTimers).toBe(0)
  })

  test('a wait that is no duration fails the job', async () => {
    const { troupe, queue } = await open([], stage.store, ['soon'])
    await queue.add('work', 'limit', { id: 'a' })
    await troupe.start()
    await stage.env.settle()
    expect(await recordOf(queue, 'a')).toMatchObject({ state: 'failed', reason: 'error' })
  })
})

test('the limit is in a file, too: it holds after the process was killed', async () => {
  const disk = new MemoryDisk()
  stage.env = new VirtualEnv({ disk })
  const first = await open([], lowdbStore('/data/jobs.json'))
  await first.queue.add('work', 'limit', { id: 'a' })
  await first.troupe.start()
  await stage.env.settle()
  const after = disk.crashed()
  await first.troupe.stop()
  stage.env = new VirtualEnv({ disk: after })
  const { troupe, log } = await open([], lowdbStore('/data/jobs.json'), [])
  await troupe.start()
  await stage.env.advance(29_999)
  expect(log).toEqual([])
  await stage.env.advance(1)
  expect(log).toEqual(['a'])
})

describe('between the handler\'s word and the store\'s', () => {
  /** The handler has reached the limit, and the store has not heard of it yet. */
  async function reached(add: { readonly timeout?: string } = {}) {
    const { store, next } = faultyStore(memoryStore())
    stage.store = store
    const gate = hold()
    const one = await open()
    const two = await open(one.log, store, [])
    await one.queue.add('work', 'limit', { id: 'a', ...add as { timeout?: '1s' } })
    await one.troupe.start()
    await two.troupe.start()
    return { ...one, two, gate, next }
  }

  test('nobody can claim the job again: the limit is stored before it goes back', async () => {
    const seen: string[] = []
    stage.store.watch((event) => {
      if (event.type === 'setting') seen.push('limit')
      if (event.type === 'changes') seen.push(...event.changes.map(({ entry }) => entry.event))
    })
    const one = await open()
    const two = await open(one.log)
    await one.troupe.start()
    await two.troupe.start()
    await one.queue.add('work', 'limit')
    await stage.env.settle()
    expect(seen).toEqual(['add', 'claim', 'limit', 'release'])
  })

  test.each(['cancel', 'timeout', 'stop'] as const)('%s', async (what) => {
    const { troupe, queue, two, gate, next, log } = await reached({ timeout: '1s' })
    next('getSetting', waitFor(gate.promise))
    await stage.env.settle()
    expect(await recordOf(queue, 'a')).toMatchObject({ state: 'running' })
    let ended: Promise<unknown> = Promise.resolve()
    if (what === 'cancel') expect(await two.queue.cancel('a')).toBe('cancelling')
    if (what === 'timeout') await stage.env.advance(5000)
    if (what === 'stop') ended = troupe.stop({ grace: 1000 })
    await stage.env.settle()
    gate.release()
    await stage.drive(ended)
    const record = await recordOf(two.queue, 'a')
    if (what === 'cancel') expect(record).toMatchObject({ state: 'cancelled', lease: null })
    else expect(record).toMatchObject({ state: 'queued', phase: 'ready', attempt: 0 })
    await stage.env.advance(29_000)
    expect(log).toEqual(['a'])
    await stage.env.advance(2000)
    expect(log).toHaveLength(what === 'cancel' ? 1 : 2)
  })

  test('a store that refuses it: only the job waits, and the log says so', async () => {
    const { queue, next, log, two } = await reached()
    next('getSetting', refuse)
    await stage.env.settle()
    expect(stage.takeLines()).toMatchObject([
      { level: 'error', message: expect.stringContaining('only its job waits') as unknown },
    ])
    expect(await recordOf(queue, 'a')).toMatchObject({
      phase: 'delayed', runAt: stage.env.now() + 30_000, failures: 0,
    })
    await two.queue.add('work', null, { id: 'b' })
    await stage.env.advance(30_000)
    expect(log).toEqual(['a', 'b', 'a'])
  })
})
