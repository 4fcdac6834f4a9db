import { expect, it } from 'vitest'
import { queueSettingKey, schedulesKey } from '../../stores/settings.ts'
import { noLimits } from '../../stores/store.ts'
import type { Limits, RequestAnswer } from '../../stores/store.ts'
import { beat, half, newJob } from '../records.ts'
import { ids, keepAll, leaseMs, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'
import { placements } from './placements.ts'

export function obliterateContract(open: OpenBench): void {
  nothingLeft(open)
  whileRunning(open)
  neighbours(open)
  told(open)
  usedAgain(open)
  together(open)
}

async function obliterate(bench: Bench, force = false, queue = 'images'): Promise<RequestAnswer> {
  const request = { type: 'obliterate', queue, by: 'ann', force } as const
  return must((await bench.store.apply([request]))[0])
}

const settingKeys = [queueSettingKey('images'), schedulesKey('images')]
const rare: Limits = { rate: { max: 1, perMs: 1e9, perPartition: false }, perPartition: null }

/** Jobs that do not run, with all that a queue can have besides. */
async function furnish(bench: Bench): Promise<void> {
  await bench.add({ id: 'first' })
  const [running] = await bench.claim({ limits: rare })
  await bench.complete(must(running))
  for (const leaf of ['completed', 'failed', 'cancelled', 'delayed', 'ready'] as const) {
    await placements[leaf](bench, { id: leaf })
  }
  await bench.addMany([
    { id: 'child', dependsOn: ['ready'] }, { id: 'short', ttlMs: 50 },
    { id: 'unique', dedupe: { key: 'k', mode: 'simple', windowMs: null } },
  ])
  for (const key of settingKeys) await bench.store.casSetting(key, 0, { paused: true })
}

async function expectNothing(bench: Bench): Promise<void> {
  expect(await bench.list()).toEqual([])
  const { entries, oldest, newest } = await bench.readLog('images', 0, 100)
  expect([entries, oldest]).toEqual([[], newest + 1])
  for (const key of settingKeys) expect((await bench.store.getSetting(key)).value).toBeNull()
  expect([...(await bench.store.counts(null)).keys()]).not.toContain('images')
  expect(Object.values(await bench.counts())).toEqual(Array.from({ length: 9 }, () => 0))
  expect(await bench.store.explain('images', 'ready', noLimits)).toBeNull()
  expect(await bench.claim()).toEqual([])
}

function nothingLeft(open: OpenBench): void {
  it('leaves nothing behind, also when the store is opened again', async () => {
    const bench = await open()
    await furnish(bench)
    expect(await obliterate(bench)).toEqual({ outcome: 'moved', record: null })
    await expectNothing(bench)
    await bench.env.advance(1000)
    expect(await bench.sweep()).toMatchObject({ more: false, nextAt: null })
    await bench.reopen()
    await expectNothing(bench)
    await bench.reopen()
    await expectNothing(bench)
  })

  it('forgets the starts that a rate limit has counted', async () => {
    const bench = await open()
    await furnish(bench)
    await obliterate(bench)
    for (const id of ['a', 'b']) {
      await bench.add({ id })
      expect(ids(await bench.claim({ limits: rare }))).toEqual([id])
      await obliterate(bench, true)
      await bench.reopen()
    }
  })

  it('does as much for a queue that has a log only, and for one that is unknown', async () => {
    const bench = await open()
    await bench.add()
    await bench.apply('job-1', { type: 'remove' })
    expect(await bench.log()).toHaveLength(2)
    for (const queue of ['images', 'images', 'nowhere']) {
      expect(await obliterate(bench, false, queue)).toMatchObject({ outcome: 'moved' })
    }
    await expectNothing(bench)
    await bench.add({ id: 'new' })
    expect((await bench.log()).map(({ jobId }) => jobId)).toEqual(['new'])
    expect([...(await bench.store.counts(null)).keys()]).toEqual(['images'])
    await bench.reopen()
    expect((await bench.log()).map(({ seq, jobId }) => [seq, jobId])).toEqual([[3, 'new']])
  })
}

function whileRunning(open: OpenBench): void {
  it.each(['running', 'cancelling'] as const)('does nothing while a job is %s', async (leaf) => {
    const bench = await open()
    await placements[leaf](bench, {})
    await furnish(bench)
    const before = [await bench.picture(), await bench.log(), await bench.store.counts(null)]
    expect(await obliterate(bench)).toEqual({ outcome: 'ignored', record: null })
    expect([await bench.picture(), await bench.log(), await bench.store.counts(null)])
      .toEqual(before)
    expect(must(await bench.get('placed')).state).toBe(leaf)
  })

  it('when it is forced takes away the right to write', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    const claimed = await bench.claim()
    await bench.apply('b', { type: 'cancel' })
    expect(await obliterate(bench, true)).toMatchObject({ outcome: 'moved' })
    const expectPowerless = async (): Promise<void> => {
      for (const record of claimed) {
        const { id, fence } = record
        expect(await bench.complete(record)).toEqual({ outcome: 'lost' })
        const report = { id, fence, by: 'worker:w1', progress: half, log: null }
        expect(await bench.store.progress([report])).toEqual([null])
        const answer = await bench.store.renew(beat({ held: [{ id, fence, startedAt: null }] }))
        expect(answer).toEqual({ lost: [id] })
      }
    }
    await expectPowerless()
    await expectNothing(bench)
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    await expectPowerless()
    const again = await bench.claim()
    await expectPowerless()
    const fences = [...claimed, ...again].map(({ fence }) => fence)
    expect(fences).toEqual([...new Set(fences)].sort((x, y) => x - y))
    await bench.env.advance(leaseMs)
    expect(await bench.list()).toEqual(again)
  })
}

function neighbours(open: OpenBench): void {
  it('leaves other queues alone, but for children of its jobs', async () => {
    const bench = await open()
    await furnish(bench)
    await bench.addMany([
      { id: 'other', queue: 'mail' },
      { id: 'waits', queue: 'mail', dependsOn: ['delayed'] },
      { id: 'patient', queue: 'mail', dependsOn: ['delayed'], onParentFailure: 'wait' },
      { id: 'indifferent', queue: 'mail', dependsOn: ['delayed'], onParentFailure: 'run' },
    ])
    await bench.claim({ queue: 'mail', limit: 1, limits: rare })
    await bench.store.casSetting(queueSettingKey('mail'), 0, { paused: false })
    await bench.store.casSetting('images', 0, 'not of the queue')
    const other = await bench.get('other')
    await obliterate(bench)
    await bench.sweep()
    await bench.reopen()
    expect((await bench.list('mail')).map(({ id, state, phase, reason }) =>
      [id, phase ?? state, reason])).toEqual([
      ['other', expect.stringMatching(/running|ready/), null], ['waits', 'failed', 'dependency'],
      ['patient', 'blocked', null], ['indifferent', 'ready', null],
    ])
    expect((await bench.get('other'))?.fence).toBe(other?.fence)
    expect((await bench.log('mail')).slice(0, 5).map(({ event }) => event))
      .toEqual(['add', 'add', 'add', 'add', 'claim'])
    expect(await bench.claim({ queue: 'mail', limits: rare })).toEqual([])
    expect(await bench.store.getSetting(queueSettingKey('mail')))
      .toEqual({ value: { paused: false }, version: 1 })
    expect((await bench.store.getSetting('images')).value).toBe('not of the queue')
    expect([...(await bench.store.counts(null)).keys()]).toEqual(['mail'])
  })
}

function told(open: OpenBench): void {
  it('is told as the removal of each job, and as the end of the settings', async () => {
    const bench = await open()
    await furnish(bench)
    const jobs = await bench.list()
    const { newest } = await bench.readLog('images', 0, 0)
    bench.events.length = 0
    await obliterate(bench)
    expect(bench.changes).toHaveLength(jobs.length)
    expect((await bench.tail()).slice(-jobs.length).map(({ seq, event }) => [seq, event]))
      .toEqual(jobs.map((_, index) => [newest + 1 + index, 'remove']))
    for (const { id, rev, state } of jobs) {
      expect(bench.changes.find(({ entry }) => entry.jobId === id)).toMatchObject({
        record: null,
        entry: { event: 'remove', from: state, to: null, rev: rev + 1, by: 'ann', queue: 'images' },
      })
    }
    const settings = bench.events.flatMap((event) => (event.type === 'setting' ? event : []))
    expect(settings.map(({ key, value }) => [key, value]))
      .toEqual(settingKeys.map((key) => [key, null]))
  })
}

function usedAgain(open: OpenBench): void {
  it('frees the queue at once: ids, keys, and numbers that go on', async () => {
    const bench = await open()
    await furnish(bench)
    const versions = await Promise.all(settingKeys.map((key) => bench.store.getSetting(key)))
    await obliterate(bench)
    const { newest } = await bench.readLog('images', 0, 0)
    await bench.add({ id: 'ready', queue: 'mail' })
    await bench.add({ id: 'unique-2', dedupe: { key: 'k', mode: 'simple', windowMs: null } })
    expect(ids(await bench.list())).toEqual(['unique-2'])
    expect((await bench.log()).map(({ seq, event }) => [seq, event])).toEqual([[newest + 1, 'add']])
    expect(ids(await bench.claim())).toEqual(['unique-2'])
    for (const [index, key] of settingKeys.entries()) {
      // Who has read the old setting must not write over the new one.
      const { version } = await bench.store.getSetting(key)
      expect(await bench.store.casSetting(key, version, 'new')).toBe(true)
      expect(await bench.store.casSetting(key, must(versions[index]).version, 'old')).toBe(false)
    }
    await bench.reopen()
    expect((await bench.log()).slice(0, 2).map(({ seq, event }) => [seq, event]))
      .toEqual([[newest + 1, 'add'], [newest + 2, 'claim']])
  })

  it('keeps the log of what came after it apart from an empty one', async () => {
    const bench = await open()
    await bench.add({ id: 'a' })
    await obliterate(bench)
    await bench.retain({ ...keepAll })
    await bench.reopen()
    await bench.add({ id: 'b' })
    await bench.reopen()
    expect((await bench.log()).map(({ seq, jobId }) => [seq, jobId])).toEqual([[3, 'b']])
  })
}

function together(open: OpenBench): void {
  it.each([false, true])('beside other calls loses nothing (log only: %s)', async (bare) => {
    const bench = await open()
    await bench.add({ id: 'old' })
    if (bare) await bench.apply('old', { type: 'remove' })
    const request = { type: 'obliterate', queue: 'images', by: 'ann', force: true } as const
    await Promise.all([
      bench.store.insert([newJob({ id: 'before' })]), bench.store.apply([request]),
      bench.store.insert([newJob({ id: 'behind' }), newJob({ id: 'old' })]),
      bench.claim({ limits: rare }),
    ])
    const check = async (): Promise<void> => {
      const log = await bench.log()
      const added = log.filter(({ event }) => event === 'add').map(({ jobId }) => jobId)
      expect(added.sort()).toEqual(ids(await bench.list()).sort())
      const numbers = log.map(({ seq }) => seq)
      expect(numbers).toEqual(numbers.map((_, index) => must(numbers[0]) + index))
    }
    await check()
    await bench.reopen()
    await check()
    // Calls that come at once may all have come before the end of the queue.
    const jobs = await bench.list()
    const free = jobs.every(({ attempt }) => attempt === 0) ? Math.min(1, jobs.length) : 0
    expect(await bench.claim({ limits: rare })).toHaveLength(free)
  })
}
