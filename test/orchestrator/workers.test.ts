import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTroupe, memoryStore } from 'troupe'
import type { Job, Troupe, WorkerInfo } from 'troupe'
import { lowdbStore } from 'troupe/stores/lowdb'
import { describe, expect, test } from 'vitest'
import { faultyStore, refuse } from '../support/faulty-store.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { Life } from '../support/mortal.ts'
import { hold, refusal, useStage } from '../support/stage.ts'
import { VirtualEnv } from '../support/virtual-env.ts'

const stage = useStage()
const manifest = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'),
) as { readonly version: string }

const namesOf = (workers: readonly WorkerInfo[]): string[] =>
  workers.map(({ worker }) => worker).sort()

async function only(troupe: Troupe): Promise<WorkerInfo> {
  const [worker, ...others] = await troupe.workers()
  if (!worker || others.length > 0) throw new Error('there is not exactly one worker')
  return worker
}

describe('a worker', () => {
  test('says who it is, what it does, and since when', async () => {
    const troupe = await stage.open({ worker: 'mill' })
    troupe.queue('images', { tasks: { resize: () => 1, crop: () => 2 } })
    troupe.queue('watched')
    await stage.env.advance(500)
    const startedAt = stage.env.now()
    await troupe.start()
    expect(await troupe.workers()).toEqual([{
      worker: 'mill',
      queues: [{ name: 'images', tasks: ['resize', 'crop'] }, { name: 'watched', tasks: [] }],
      version: manifest.version,
      startedAt,
      running: 0,
      at: startedAt,
    }])
  })

  test('is called something when nobody says how', async () => {
    const troupe = await createTroupe({ env: stage.env, store: stage.store })
    await troupe.start()
    expect((await only(troupe)).worker).toMatch(/^worker:.+/)
    await stage.drive(troupe.stop())
  })

  test('is none before start, and none without start', async () => {
    const troupe = await stage.open()
    const producer = await stage.open()
    await producer.queue<{ work: () => 1 }>('q').add('work')
    expect(await troupe.workers()).toEqual([])
    await troupe.start()
    expect(namesOf(await producer.workers())).toEqual(['w1'])
  })

  test('beats each 10 s, and tells what has changed', async () => {
    const gate = hold()
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => gate.promise } })
    const begin = stage.env.now()
    await troupe.start()
    await queue.addMany([1, 2].map(() => ({ task: 'work' as const })))
    troupe.queue('later', { tasks: { other: () => 1 } })
    await stage.env.advance(9999)
    expect(await only(troupe)).toMatchObject({ at: begin, running: 0, queues: [{ name: 'q' }] })
    await stage.env.advance(1)
    expect(await only(troupe)).toMatchObject({
      at: begin + 10_000, startedAt: begin, running: 2,
      queues: [{ name: 'q' }, { name: 'later', tasks: ['other'] }],
    })
    gate.release()
    await stage.env.advance(10_000)
    expect(await only(troupe)).toMatchObject({ at: begin + 20_000, running: 0 })
  })

  test('counts abandoned handlers as running', async () => {
    const gate = hold()
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: (_job: Job) => gate.promise } })
    await troupe.start()
    await queue.add('work', null, { timeout: '1s', cancelGrace: '1s' })
    await stage.env.advance(10_000)
    expect(await queue.counts()).toMatchObject({ failed: 1, running: 0 })
    expect((await only(troupe)).running).toBe(1)
    gate.release()
    await stage.env.advance(10_000)
    expect((await only(troupe)).running).toBe(0)
  })
})

describe('a worker is gone', () => {
  test('at once when it stops', async () => {
    const first = await stage.open()
    const second = await stage.open()
    await Promise.all([first.start(), second.start()])
    expect(namesOf(await second.workers())).toEqual(['w1', 'w2'])
    await stage.drive(first.stop())
    expect(namesOf(await second.workers())).toEqual(['w2'])
    expect((await refusal(first.workers())).code).toBe('stopped')
  })

  test('30 s after its last beat when it crashes', async () => {
    const life = new Life()
    const dead = await createTroupe({
      worker: 'dead', env: life.env(stage.env, stage.env.disk), store: life.store(stage.store),
    })
    const troupe = await stage.open({ worker: 'alive' })
    await Promise.all([dead.start(), troupe.start()])
    await stage.env.advance(14_000)
    life.kill()
    await stage.env.advance(25_999)
    expect(namesOf(await troupe.workers())).toEqual(['alive', 'dead'])
    await stage.env.advance(1)
    expect(namesOf(await troupe.workers())).toEqual(['alive'])
  })

  test('not when two beats in a row are lost', async () => {
    const { store, next } = faultyStore(stage.store)
    const troupe = await stage.open({ store })
    await troupe.start()
    next('renew', refuse, 2)
    await stage.env.advance(29_999)
    expect(namesOf(await troupe.workers())).toEqual(['w1'])
    await stage.env.advance(1)
    expect((await only(troupe)).at).toBe(stage.env.now())
    expect(stage.takeLines().map(({ message }) => message))
      .toEqual(Array(2).fill('the store refused a heartbeat'))
  })

  test('when its file is opened by another process', async () => {
    const disk = new MemoryDisk()
    stage.env = new VirtualEnv({ disk })
    disk.now = stage.env.now
    const first = await stage.open({ store: lowdbStore('/data/jobs.json') })
    await first.start()
    expect(namesOf(await first.workers())).toEqual(['w1'])
    await stage.drive(first.stop())
    const second = await stage.open({ store: lowdbStore('/data/jobs.json') })
    expect(await second.workers()).toEqual([])
  })
})

test('several troupes on one store see the same workers, and no others', async () => {
  const troupes = await Promise.all(['a', 'b', 'c'].map((worker) => stage.open({ worker })))
  for (const [index, troupe] of troupes.entries()) {
    troupe.queue(`q${index}`, { tasks: { work: () => 1 } })
    await troupe.start()
  }
  const stranger = await stage.open({ worker: 'stranger', store: memoryStore() })
  await stranger.start()
  for (const troupe of troupes) {
    const workers = await troupe.workers()
    expect(namesOf(workers)).toEqual(['a', 'b', 'c'])
    expect(workers.map(({ queues }) => queues.map(({ name }) => name).join()).sort())
      .toEqual(['q0', 'q1', 'q2'])
  }
  expect(namesOf(await stranger.workers())).toEqual(['stranger'])
})
