import { expect, it } from 'vitest'
import { createRecord } from '../../records/job.ts'
import { newJob } from '../records.ts'
import { ids } from './bench.ts'
import type { OpenBench } from './bench.ts'

export function insertContract(open: OpenBench): void {
  firstRecord(open)
  idempotence(open)
  idInUse(open)
}

function firstRecord(open: OpenBench): void {
  it('makes the record by its own clock', async () => {
    const bench = await open()
    const job = newJob({ ttlMs: 700, label: 'a label', meta: { a: [1] }, partition: 'p' })
    const [answer] = await bench.store.insert([job])
    expect(answer).toEqual({ created: true, record: createRecord(job, bench.env.now()) })
    expect(await bench.get('job-1')).toEqual(answer?.record)
  })

  it('makes delayed and ready jobs, and expiry out of delay, runAt and ttl', async () => {
    const bench = await open()
    const now = bench.env.now()
    const records = await bench.addMany([
      { id: 'now' },
      { id: 'delay', delayMs: 10, ttlMs: 5 },
      { id: 'no-delay', delayMs: 0, ttlMs: 5 },
      { id: 'later', runAt: now + 1, ttlMs: 5 },
      { id: 'at-once', runAt: now, ttlMs: 5 },
      { id: 'past', runAt: now - 100, ttlMs: 5 },
    ])
    expect(records.map(({ id, phase, runAt, expiresAt }) => [
      id, phase, runAt - now, expiresAt === null ? null : expiresAt - now,
    ])).toEqual([
      ['now', 'ready', 0, null],
      ['delay', 'delayed', 10, 15],
      ['no-delay', 'ready', 0, 5],
      ['later', 'delayed', 1, 6],
      ['at-once', 'ready', 0, 5],
      ['past', 'ready', -100, 5],
    ])
  })

  it('stores all jobs of a call, in their order, with one add each in the log', async () => {
    const bench = await open()
    const records = await bench.addMany([{ id: 'c' }, { id: 'a' }, { id: 'b' }])
    expect(ids(records)).toEqual(['c', 'a', 'b'])
    expect(ids(await bench.list())).toEqual(['c', 'a', 'b'])
    expect((await bench.log()).map(({ seq, event, jobId, rev, from, to, by }) =>
      [seq, event, jobId, rev, from, to, by])).toEqual([
      [1, 'add', 'c', 1, null, 'queued', 'api'],
      [2, 'add', 'a', 1, null, 'queued', 'api'],
      [3, 'add', 'b', 1, null, 'queued', 'api'],
    ])
  })

  it('takes no jobs, too', async () => {
    const bench = await open()
    expect(await bench.store.insert([])).toEqual([])
    expect(bench.news).toEqual([])
  })
}

function idempotence(open: OpenBench): void {
  it('answers with the job that has the id already, whatever its state', async () => {
    const bench = await open()
    const running = await bench.running()
    const again = { ...newJob(), priority: 1, input: 'other' }
    expect(await bench.store.insert([again])).toEqual([{ created: false, record: running }])
    await bench.complete(running)
    const before = await bench.picture()
    const completed = await bench.get('job-1')
    expect(await bench.store.insert([again])).toEqual([{ created: false, record: completed }])
    expect(await bench.picture()).toEqual(before)
  })

  it('makes one job of an id that comes twice in a call', async () => {
    const bench = await open()
    const answers = await bench.store.insert([
      newJob({ priority: 3 }), newJob({ id: 'job-2' }), newJob({ priority: 7 }),
    ])
    expect(answers.map(({ created, record }) => [created, record.id, record.priority])).toEqual([
      [true, 'job-1', 3], [true, 'job-2', 5], [false, 'job-1', 3],
    ])
    expect(ids(await bench.list())).toEqual(['job-1', 'job-2'])
    expect(await bench.log()).toHaveLength(2)
  })

  it('makes one job when two calls come at once', async () => {
    const bench = await open()
    const answers = await Promise.all([
      bench.store.insert([newJob()]), bench.store.insert([newJob()]),
    ])
    expect(answers.flat().map(({ created }) => created).sort()).toEqual([false, true])
    expect(await bench.log()).toHaveLength(1)
  })

  it('makes a new job under the id of a removed one', async () => {
    const bench = await open()
    await bench.add()
    await bench.add({ id: 'job-2' })
    await bench.apply('job-1', { type: 'remove' })
    const [answer] = await bench.store.insert([newJob({ priority: 9 })])
    expect(answer).toMatchObject({ created: true, record: { rev: 1, priority: 9 } })
    expect(ids(await bench.list())).toEqual(['job-2', 'job-1'])
  })
}

function idInUse(open: OpenBench): void {
  const details = { id: 'job-1', queue: 'images', task: 'resize' }

  it.each(['queue', 'task'])('refuses an id that belongs to another %s', async (other) => {
    const bench = await open()
    await bench.add()
    const before = await bench.picture()
    await expect(bench.store.insert([newJob({ [other]: 'other' })]))
      .rejects.toMatchObject({ code: 'id-in-use', details })
    expect(await bench.picture()).toEqual(before)
  })

  it('stores nothing of a call with such an id in its middle', async () => {
    const bench = await open()
    await bench.add()
    const before = await bench.picture()
    const jobs = [
      newJob({ id: 'new-1' }), newJob({ task: 'other' }), newJob({ id: 'new-2' }),
    ]
    await expect(bench.store.insert(jobs)).rejects.toMatchObject({ code: 'id-in-use', details })
    expect(await bench.picture()).toEqual(before)
    expect(await bench.store.get(['new-1', 'new-2'])).toEqual([undefined, undefined])
    expect(await bench.claim()).toHaveLength(1)
    await bench.add({ id: 'new-3' })
    expect((await bench.log()).map(({ seq }) => seq)).toEqual([1, 2, 3])
  })

  it('refuses a call that gives one id to two tasks', async () => {
    const bench = await open()
    const jobs = [newJob({ id: 'new' }), newJob(), newJob({ task: 'other' })]
    await expect(bench.store.insert(jobs)).rejects.toMatchObject({ code: 'id-in-use', details })
    expect(await bench.list()).toEqual([])
    expect(bench.news).toEqual([])
  })
}
