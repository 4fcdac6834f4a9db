import { expect, it } from 'vitest'
import type { Json } from '../../../machines/vocabulary.ts'
import type { NewJob } from '../../records/job.ts'
import type { Facts } from '../../stores/reading.ts'
import { queueSettingKey } from '../../stores/settings.ts'
import { noLimits } from '../../stores/store.ts'
import type { Limits } from '../../stores/store.ts'
import { must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'
import { end, kin } from './family.ts'

export function explainContract(open: OpenBench): void {
  record(open)
  setting(open)
  rate(open)
  line(open)
  parents(open)
}

async function facts(bench: Bench, id: string, limits = noLimits): Promise<Facts> {
  return must(await bench.store.explain('images', id, limits))
}

function record(open: OpenBench): void {
  it('is null for what is not in the queue, and else tells of the record', async () => {
    const bench = await open()
    await bench.add({ id: 'elsewhere', queue: 'mail' })
    const added = await bench.add({ id: 'here' })
    for (const id of ['nobody', 'elsewhere']) {
      expect(await bench.store.explain('images', id, noLimits)).toBeNull()
    }
    expect(await bench.store.explain('nowhere', 'here', noLimits)).toBeNull()
    expect(await facts(bench, 'here')).toEqual({
      record: added, paused: false, limitedUntil: null, rate: null, partitionRunning: 0, ahead: 0,
      parents: [],
    })
    await bench.apply('here', { type: 'cancel' })
    expect((await facts(bench, 'here')).record).toEqual(await bench.get('here'))
  })

  it('changes nothing, whatever the limits of the one who asks', async () => {
    const bench = await open()
    const rare = (perMs: number): Limits =>
      ({ rate: { max: 1, perMs, perPartition: false }, perPartition: null })
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    await bench.claim({ limits: rare(1000) })
    await bench.env.advance(10)
    const before = await bench.picture()
    expect((await facts(bench, 'b', rare(5))).rate).toBeNull()
    expect(await bench.picture()).toEqual(before)
    expect(await bench.claim({ limits: rare(1000) })).toEqual([])
  })
}

function setting(open: OpenBench): void {
  async function set(bench: Bench, value: Json): Promise<void> {
    const key = queueSettingKey('images')
    const { version } = await bench.store.getSetting(key)
    await bench.store.casSetting(key, version, value)
  }

  it('knows the pause and the limit of the queue', async () => {
    const bench = await open()
    await bench.add()
    const until = bench.env.now() + 50
    await set(bench, { paused: true, limitedUntil: until })
    expect(await facts(bench, 'job-1')).toMatchObject({ paused: true, limitedUntil: until })
    await set(bench, { paused: false, limitedUntil: until })
    await bench.env.advance(49)
    expect(await facts(bench, 'job-1')).toMatchObject({ paused: false, limitedUntil: until })
    await bench.env.advance(1)
    expect(await facts(bench, 'job-1')).toMatchObject({ limitedUntil: null })
    expect(await bench.claim()).toHaveLength(1)
  })
}

function rate(open: OpenBench): void {
  it('says when the rate limit admits a start, of the queue or of the partition', async () => {
    const bench = await open()
    const limits = (max: number, perPartition = false): Limits =>
      ({ rate: { max, perMs: 100, perPartition }, perPartition: null })
    await bench.addMany([
      { id: 'a', partition: 'p' }, { id: 'b', partition: 'p' }, { id: 'c', partition: 'q' },
    ])
    expect((await facts(bench, 'b', limits(1))).rate).toBeNull()
    await bench.claim({ limit: 1, limits: limits(1) })
    const until = bench.env.now() + 100
    await bench.env.advance(30)
    const rates = async (given: Limits) =>
      [(await facts(bench, 'b', given)).rate, (await facts(bench, 'c', given)).rate]
    expect(await rates(limits(1))).toEqual([{ until }, { until }])
    expect(await rates(limits(1, true))).toEqual([{ until }, null])
    expect(await rates(limits(2))).toEqual([null, null])
    expect(await rates(limits(0))).toEqual([{ until: null }, { until: null }])
    expect(await rates(noLimits)).toEqual([null, null])
    await bench.env.advance(70)
    expect(await rates(limits(1))).toEqual([null, null])
  })

  it('counts what runs of the partition of the job', async () => {
    const bench = await open()
    const partitions = [null, 'p', 'p', 'q', null, 'p']
    await bench.addMany(partitions.map((partition, n) => ({ id: `job-${n}`, partition })))
    await bench.claim({ limit: 4 })
    await bench.addMany([{ id: 'none' }, { id: 'r', partition: 'r' }])
    const running = await bench.list()
    for (const { id, partition } of running) {
      const alike = running.filter((other) =>
        other.partition === partition && other.state === 'running')
      expect([id, (await facts(bench, id)).partitionRunning]).toEqual([id, alike.length])
    }
    const live = must(running.find(({ state }) => state === 'running'))
    await bench.apply(live.id, { type: 'cancel' })
    const before = (await facts(bench, live.id)).partitionRunning
    await bench.commit(must(await bench.get(live.id)), bench.event('abandon'))
    expect((await facts(bench, live.id)).partitionRunning).toBe(before - 1)
  })
}

function line(open: OpenBench): void {
  it('counts the ready jobs of the queue that go before it', async () => {
    const bench = await open()
    const now = bench.env.now()
    await bench.addMany([
      { id: 'running' }, { id: 'fifth', priority: 9 }, { id: 'third' },
      { id: 'first', priority: 1 }, { id: 'second', runAt: now - 5 },
      { id: 'fourth', task: 'crop' },
      { id: 'delayed', priority: 0, delayMs: 10 }, { id: 'mail', queue: 'mail', priority: 0 },
      { id: 'done', priority: 0 }, { id: 'child', priority: 0, dependsOn: ['third'] },
    ])
    await bench.apply('done', { type: 'cancel' })
    await bench.apply('running', { type: 'reschedule', runAt: now - 100 })
    await bench.apply('first', { type: 'reschedule', delayMs: 1000 })
    await bench.claim({ limit: 1 })
    await bench.apply('first', { type: 'reschedule', delayMs: 0 })
    expect((await bench.get('running'))?.state).toBe('running')
    for (const [place, id] of ['first', 'second', 'third', 'fourth', 'fifth'].entries()) {
      expect([id, (await facts(bench, id)).ahead]).toEqual([id, place])
    }
    expect((await facts(bench, 'delayed')).ahead).toBe(0)
    await bench.env.advance(10)
    await bench.sweep()
    expect((await facts(bench, 'fifth')).ahead).toBe(5)
  })
}

function parents(open: OpenBench): void {
  it('tells of each job that it depends on, and which of them it waits for', async () => {
    const bench = await open()
    const names = ['done', 'fails', 'gone', 'runs']
    const policies = ['fail', 'run', 'wait'] as const satisfies NewJob['onParentFailure'][]
    await bench.addMany([
      ...names.map((id) => kin(id, [], { queue: 'mail' })),
      ...policies.map((onParentFailure) => kin(onParentFailure, names, { onParentFailure })),
    ])
    await end(bench, 'done', 'completed', 'mail')
    for (const id of policies) {
      expect((await facts(bench, id)).parents).toEqual(
        (await bench.store.get(names)).map((parent, index) =>
          ({ id: names[index], record: parent, open: names[index] !== 'done' })),
      )
    }
    await end(bench, 'fails', 'failed', 'mail')
    await end(bench, 'gone', 'removed', 'mail')
    const openOf = async (id: string) => (await facts(bench, id)).parents
      .map(({ id: parent, record: found, open: waits }) => [parent, found?.state, waits])
    expect(await openOf('wait')).toEqual([
      ['done', 'completed', false], ['fails', 'failed', true], ['gone', undefined, true],
      ['runs', 'queued', true],
    ])
    expect((await openOf('run')).map(([, , waits]) => waits)).toEqual([false, false, false, true])
  })

  it('tells of the job that it supersedes, until that has settled', async () => {
    const bench = await open()
    const dedupe = { key: 'k', mode: 'supersede', windowMs: null } as const
    const { id } = await bench.running({ id: 'old', dedupe })
    await bench.add({ id: 'new', dedupe })
    expect((await facts(bench, 'new')).parents)
      .toEqual([{ id, record: await bench.get(id), open: true }])
    await bench.commit(must(await bench.get(id)), bench.event('abandon'))
    expect((await facts(bench, 'new')).parents)
      .toMatchObject([{ id, record: { state: 'cancelled' }, open: false }])
    await bench.apply(id, { type: 'remove' })
    expect((await facts(bench, 'new')).parents).toEqual([{ id, record: null, open: false }])
  })
}
