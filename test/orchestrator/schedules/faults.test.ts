import { createTroupe, memoryStore, TroupeError } from 'troupe'
import type { Json, Queue, Schedule, Store, Tasks } from 'troupe'
import { describe, expect, it } from 'vitest'
import { schedulesKey } from '../../../src/stores/settings.ts'
import { answerAfter, faultyStore, loseAnswer, refuse } from '../../../src/testing/faulty-store.ts'
import { expectOutages } from '../../support/outage-lines.ts'
import { Life } from '../../../src/testing/mortal.ts'
import { hold, refusal, useStage } from '../../support/stage.ts'

const stage = useStage()
const start = Date.UTC(2026, 0, 1)
const tasks = { ping: () => 'pong' }

async function open(store: Store) {
  const troupe = await stage.open({ store })
  const queue = troupe.queue('q', { tasks })
  await troupe.start()
  return { troupe, queue }
}

async function scheduleOf<T extends Tasks>(queue: Queue<T>, key = 'a'): Promise<Schedule> {
  const schedule = await queue.schedules.get(key)
  if (!schedule) throw new Error(`there is no schedule ${key}`)
  return schedule
}

async function firedOf<T extends Tasks>(queue: Queue<T>, key = 'a'): Promise<number[]> {
  const { jobs } = await queue.list({ limit: 1000 })
  return jobs.filter(({ id }) => id.startsWith(`q/${key}@`))
    .map(({ id }) => (Date.parse(id.split('@')[1] ?? '') - start) / 1000)
}

/** Puts something into the setting, behind the back of all. */
async function plant(change: (value: Record<string, Json>) => Json): Promise<void> {
  const key = schedulesKey('q')
  const { value, version } = await stage.store.getSetting(key)
  const next = change({ ...(value as Record<string, Json> | null) })
  expect(await stage.store.casSetting(key, version, next)).toBe(true)
}

describe('a store that refuses', () => {
  it('is asked again after a second, and nothing is lost', async () => {
    const { store, next } = faultyStore(stage.store)
    const { queue } = await open(store)
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    next('insert', refuse, 3)
    await stage.env.advance(12_500)
    expect(await firedOf(queue)).toEqual([])
    await stage.env.advance(1000)
    expect(await firedOf(queue)).toEqual([10])
    const lines = stage.takeLines()
    expect(lines[0]?.message).toBe('schedules of queue q: trying again')
    expectOutages(lines)
    expect(await scheduleOf(queue)).toMatchObject({ fired: 1, missed: 0 })
  })

  it('is asked again when it could not be read at the start', async () => {
    const { store, next } = faultyStore(stage.store)
    const troupe = await stage.open({ store })
    const queue = troupe.queue('q', { tasks })
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    await troupe.start()
    next('getSetting', refuse, 4)
    await stage.env.advance(13_500)
    expect(await firedOf(queue)).toEqual([])
    await stage.env.advance(1000)
    expect(await firedOf(queue)).toEqual([10])
    expectOutages(stage.takeLines())
  })

  it('has done its work when only the answer was lost, and it is not done again', async () => {
    const { store, next } = faultyStore(stage.store)
    const { queue } = await open(store)
    await queue.schedules.upsert('a', { every: '10s', task: 'ping', catchUp: 'all' })
    next('insert', loseAnswer)
    await stage.env.advance(25_000)
    expect(await firedOf(queue)).toEqual([10, 20])
    expect(await scheduleOf(queue)).toMatchObject({ fired: 2 })
    expectOutages(stage.takeLines())
  })

  it('loses the answer that an occurrence was skipped, and it is counted as that', async () => {
    const faulty = faultyStore(stage.store)
    const gate = hold()
    const troupe = await stage.open({ store: faulty.store })
    const queue = troupe.queue('q', { tasks: { slow: () => gate.promise } })
    await troupe.start()
    await queue.schedules.upsert('a', { every: '10s', task: 'slow', overlap: 'skip' })
    await queue.schedules.trigger('a')
    faulty.next('insert', loseAnswer)
    await stage.env.advance(15_000)
    expect(await scheduleOf(queue)).toMatchObject({ fired: 0, skipped: 1, lastJobId: null })
    expectOutages(stage.takeLines())
    gate.release()
    await stage.env.advance(5000)
    expect(await scheduleOf(queue)).toMatchObject({ fired: 1, skipped: 1 })
  })

  it('loses the answer to that count, and it is not counted twice', async () => {
    let lose = false
    const inner = memoryStore()
    const { store } = faultyStore(inner, {
      casSetting: async (key, version, value) => {
        const done = await inner.casSetting(key, version, value)
        if (lose) {
          lose = false
          throw new TroupeError('store-failed', 'lost', { operation: 'casSetting' })
        }
        return done
      },
    })
    const gate = hold()
    const troupe = await stage.open({ store })
    const queue = troupe.queue('q', { tasks: { slow: () => gate.promise } })
    await troupe.start()
    await queue.schedules.upsert('a', { every: '10s', task: 'slow', overlap: 'skip' })
    await queue.schedules.trigger('a')
    lose = true
    await stage.env.advance(15_000)
    expect(lose).toBe(false)
    expect(await scheduleOf(queue)).toMatchObject({ fired: 0, skipped: 1 })
    expectOutages(stage.takeLines())
    gate.release()
  })

  it('refuses one job of many, and the others are added', async () => {
    const { store } = faultyStore(stage.store, {
      insert: (jobs, options) => (jobs.some(({ id }) => id.startsWith('q/bad@'))
        ? Promise.reject(new TroupeError('invalid-input', 'no', { path: 'input', problem: 'no' }))
        : stage.store.insert(jobs, options)),
    })
    const { queue } = await open(store)
    for (const key of ['a', 'bad', 'c']) {
      await queue.schedules.upsert(key, { every: '10s', task: 'ping' })
    }
    await stage.env.advance(10_500)
    expect(await firedOf(queue, 'a')).toEqual([10])
    expect(await firedOf(queue, 'c')).toEqual([10])
    await stage.env.advance(2000)
    expect(stage.takeLines().map(({ message }) => message))
      .toEqual(new Array(3).fill('schedule bad of queue q: trying again'))
    expect(await scheduleOf(queue, 'bad')).toMatchObject({ fired: 0, nextAt: start + 10_000 })
  })

  it('is waited for by stop', async () => {
    const { store, next } = faultyStore(stage.store)
    const { queue, troupe } = await open(store)
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    const gate = hold()
    next('insert', answerAfter(gate.promise))
    await stage.env.advance(10_000)
    let done = false
    const stopped = troupe.stop().then(() => { done = true })
    await stage.env.advance(5000)
    expect(done).toBe(false)
    gate.release()
    await stage.drive(stopped)
    expect((await stage.store.counts('q')).get('q')).toMatchObject({ completed: 1 })
  })
})

describe('an id that is taken', () => {
  it('by another task is reported, and the schedule goes on', async () => {
    const { queue } = await open(stage.store)
    const troupe = await stage.open()
    const other = troupe.queue('other', { tasks })
    const id = 'q/a@2026-01-01T00:00:10.000Z'
    await other.add('ping', undefined, { id })
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    await queue.schedules.upsert('b', { every: '10s', task: 'ping' })
    await stage.env.advance(20_000)
    expect(await firedOf(queue)).toEqual([20])
    expect(await firedOf(queue, 'b')).toEqual([10, 20])
    expect(await scheduleOf(queue)).toMatchObject({ fired: 1, skipped: 1 })
    expect(stage.takeLines()).toMatchObject([{ err: { code: 'id-in-use' } }])
  })

  it('by the same task is simply there already', async () => {
    const { queue } = await open(stage.store)
    await queue.add('ping', undefined, { id: 'q/a@2026-01-01T00:00:10.000Z' })
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    await stage.env.advance(10_000)
    expect(await firedOf(queue)).toEqual([10])
    expect(await scheduleOf(queue)).toMatchObject({ fired: 1, skipped: 0 })
  })
})

describe('a setting that makes no sense', () => {
  it.each<[string, Json]>([
    ['a newer version', { version: 2, rule: 'unheard of' }],
    ['no object', 'soon'],
    ['a schedule without a rule', { version: 1 }],
  ])('because of %s: that key is left alone, and the others go on', async (_name, odd) => {
    const { queue } = await open(stage.store)
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    await plant((value) => ({ ...value, odd }))
    await stage.env.advance(20_000)
    expect(await firedOf(queue)).toEqual([10, 20])
    expect(stage.takeLines().map(({ message }) => message)).toEqual([
      expect.stringMatching(/schedule odd of queue q will not fire/),
    ])
    expect((await queue.schedules.list()).map(({ key }) => key)).toEqual(['a'])
    expect((await stage.store.getSetting(schedulesKey('q'))).value).toMatchObject({ odd })
    expect(await queue.schedules.upsert('odd', { every: '10s', task: 'ping' })).toBe('changed')
    await stage.env.advance(10_000)
    expect(await firedOf(queue, 'odd')).toEqual([30])
  })

  it('because any field of it is odd', async () => {
    const { queue } = await open(stage.store)
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    const { value } = await stage.store.getSetting(schedulesKey('q'))
    const good = (value as Record<string, Record<string, Json>>)['a'] ?? {}
    for (const field of Object.keys(good)) {
      await plant((all) => ({ ...all, [`no ${field}`]: { ...good, [field]: { odd: true } } }))
    }
    await stage.env.advance(10_000)
    const odd = Object.keys(good).filter((field) => field !== 'lastJobId')
    expect(stage.takeLines().map(({ message }) => message).sort()).toEqual(odd.map((field) =>
      `schedule no ${field} of queue q will not fire: it cannot be read: ` +
        (field === 'version' ? 'it is of version {"odd":true}, and this is 1'
          : `its ${field} makes no sense`)).sort())
    expect(await firedOf(queue)).toEqual([10])
  })

  it('because it is no object at all: reported, and the verbs say so', async () => {
    const { queue } = await open(stage.store)
    await plant(() => ['odd'])
    await stage.env.advance(20_000)
    expect(stage.takeLines()).toHaveLength(1)
    expect((await refusal(queue.schedules.list())).code).toBe('store-failed')
    await plant(() => ({}))
    await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
    await stage.env.advance(10_000)
    expect(await firedOf(queue)).toEqual([30])
  })

  it('because its zone is unknown here: reported, tried again later, and the others go on',
    async () => {
      const { queue } = await open(stage.store)
      await queue.schedules.upsert('a', { every: '10s', task: 'ping' })
      await queue.schedules.upsert('odd', { cron: '*/10 * * * * *', task: 'ping' })
      await plant((value) => {
        const odd = value['odd'] as Record<string, Json>
        const timing = { ...(odd['timing'] as object), timeZone: 'X/Y' }
        return { ...value, odd: { ...odd, timing } }
      })
      await stage.env.advance(180_000)
      expect(await firedOf(queue)).toHaveLength(18)
      expect(stage.takeLines().map(({ message }) => message))
        .toEqual([expect.stringMatching(/cannot be computed here/)])
    })
})

describe('a process that dies', () => {
  it.each(['before', 'after'] as const)(
    'right %s its write: the others go on, each occurrence once', async (moment) => {
      const life = new Life()
      let deadly = false
      const { store } = faultyStore(stage.store, {
        insert: async (jobs, options) => {
          if (!deadly) return stage.store.insert(jobs, options)
          deadly = false
          if (moment === 'after') await stage.store.insert(jobs, options)
          life.kill()
          return new Promise(() => undefined)
        },
      })
      const victim = await createTroupe({
        store: life.store(store), env: life.env(stage.env, stage.env.disk), worker: 'victim',
      })
      const mine = victim.queue('q')
      await victim.start()
      await mine.schedules.upsert('a', { every: '10s', task: 'ping', catchUp: 'all' } as never)
      deadly = true
      await stage.env.advance(15_000)
      expect(life.dead).toBe(true)
      const { queue } = await open(stage.store)
      await stage.env.advance(20_000)
      expect(await firedOf(queue)).toEqual([10, 20, 30])
      expect(await scheduleOf(queue)).toMatchObject({ fired: 3, missed: 0 })
    },
  )
})
