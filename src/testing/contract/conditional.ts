import { expect, it } from 'vitest'
import type { InsertAnswer } from '../../stores/store.ts'
import { beat, newJob } from '../records.ts'
import { ids, leaseMs, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'

const key = 'schedules:images'

function insert(
  bench: Bench, version: number, id = 'job-1', maxQueued?: number,
): Promise<readonly InsertAnswer[]> {
  return bench.store.insert([newJob({ id }), newJob({ id: `${id}-twin` })], {
    setting: { key, version, value: { by: id } },
    ...(maxQueued === undefined ? {} : { maxQueued: new Map([['images', maxQueued]]) }),
  })
}

/** Inserts that write a setting in the same step. */
export function conditionalContract(open: OpenBench): void {
  it('writes jobs and setting, when the version is the one that was read', async () => {
    const bench = await open()
    const answers = await insert(bench, 0)
    expect(answers.map(({ created, record }) => [created, record.id]))
      .toEqual([[true, 'job-1'], [true, 'job-1-twin']])
    expect(await bench.store.getSetting(key)).toEqual({ value: { by: 'job-1' }, version: 1 })
    expect(bench.events).toContainEqual({ type: 'setting', key, value: { by: 'job-1' } })
    expect(await insert(bench, 1, 'second')).toHaveLength(2)
    expect(await bench.store.getSetting(key)).toEqual({ value: { by: 'second' }, version: 2 })
    await bench.reopen()
    expect(await bench.store.getSetting(key)).toEqual({ value: { by: 'second' }, version: 2 })
    expect(await bench.list()).toHaveLength(4)
  })

  it.each([0, 2])('answers [] and changes nothing when the version is not %i', async (version) => {
    const bench = await open()
    await bench.store.casSetting(key, 0, 'mine')
    const before = await bench.picture()
    expect(await insert(bench, version)).toEqual([])
    expect(await bench.picture()).toEqual(before)
    expect(await bench.store.getSetting(key)).toEqual({ value: 'mine', version: 1 })
    expect(await bench.log()).toEqual([])
    await bench.reopen()
    expect([await bench.list(), await bench.store.getSetting(key)])
      .toEqual([[], { value: 'mine', version: 1 }])
  })

  it('writes the setting also when the jobs are there already', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'job-1' }, { id: 'job-1-twin' }])
    expect((await insert(bench, 0)).map(({ created }) => created)).toEqual([false, false])
    expect(await bench.store.getSetting(key)).toEqual({ value: { by: 'job-1' }, version: 1 })
  })

  it('leaves the setting as it is when the jobs are refused', async () => {
    const bench = await open()
    await bench.add({ id: 'taken', task: 'other' })
    const before = await bench.picture()
    await expect(insert(bench, 0, 'taken')).rejects.toMatchObject({ code: 'id-in-use' })
    await expect(insert(bench, 0, 'more', 2)).rejects.toMatchObject({ code: 'queue-full' })
    const orphan = newJob({ dependsOn: ['nobody'] })
    await expect(bench.store.insert([orphan], { setting: { key, version: 0, value: 1 } }))
      .rejects.toMatchObject({ code: 'unknown-parent' })
    expect(await bench.picture()).toEqual(before)
    expect(await bench.store.getSetting(key)).toEqual({ value: null, version: 0 })
  })

  it('lets one of two win that come at once, whole', async () => {
    const bench = await open()
    const answers = await Promise.all([insert(bench, 0, 'a'), insert(bench, 0, 'b')])
    const winner = answers[0].length > 0 ? 'a' : 'b'
    expect(answers.map(({ length }) => length).sort()).toEqual([0, 2])
    expect(ids(await bench.list())).toEqual([winner, `${winner}-twin`])
    expect(await bench.store.getSetting(key)).toEqual({ value: { by: winner }, version: 1 })
  })
}

/** Who works on the store, by their heartbeats. */
export function workersContract(open: OpenBench): void {
  const names = async (bench: Bench): Promise<string[]> =>
    (await bench.store.workers()).map(({ worker }) => worker).sort()

  it('are those who have beaten within one lease, as their last beat says', async () => {
    const bench = await open()
    expect(await bench.store.workers()).toEqual([])
    const { leaving: _leaving, leaseMs: _leaseMs, held: _held, ...said } = beat({ worker: 'w1' })
    await bench.store.renew(beat({ worker: 'w1' }))
    await bench.env.advance(10)
    await bench.store.renew(beat({ worker: 'w2', running: 3, queues: [] }))
    expect(await names(bench)).toEqual(['w1', 'w2'])
    const [first] = (await bench.store.workers()).filter(({ worker }) => worker === 'w1')
    expect(first).toEqual({ ...said, at: bench.env.now() - 10 })
    await bench.env.advance(leaseMs - 11)
    expect(await names(bench)).toEqual(['w1', 'w2'])
    await bench.store.renew(beat({ worker: 'w2', running: 1, version: '9.9.9' }))
    await bench.env.advance(1)
    expect(await bench.store.workers()).toMatchObject([
      { worker: 'w2', running: 1, version: '9.9.9', at: bench.env.now() - 1 },
    ])
    await bench.env.advance(leaseMs)
    expect(await bench.store.workers()).toEqual([])
    expect(bench.news).toEqual([])
  })

  it('are gone at once when they say so, and their jobs stay theirs', async () => {
    const bench = await open()
    const running = await bench.running()
    await bench.store.renew(beat({ worker: 'worker:w1', held: [running] }))
    await bench.store.renew(beat({ worker: 'w2' }))
    const before = await bench.picture()
    await bench.env.advance(5)
    expect(await bench.store.renew(beat({ worker: 'worker:w1', leaving: true })))
      .toEqual({ lost: [] })
    expect(await bench.store.renew(beat({ worker: 'unheard-of', leaving: true })))
      .toEqual({ lost: [] })
    expect(await names(bench)).toEqual(['w2'])
    expect(await bench.picture()).toEqual(before)
    expect(await bench.complete(must(await bench.get('job-1')))).toMatchObject({ outcome: 'ok' })
    await bench.store.renew(beat({ worker: 'worker:w1' }))
    expect(await names(bench)).toEqual(['w2', 'worker:w1'])
  })
}
