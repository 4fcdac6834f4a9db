import { expect, it } from 'vitest'
import type { Dedupe, NewJob } from '../../records/job.ts'
import type { InsertAnswer } from '../../stores/store.ts'
import { newJob } from '../records.ts'
import { ids, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'

export function keyed(mode: Dedupe['mode'], windowMs: number | null = null, key = 'k'): Dedupe {
  return { key, mode, windowMs }
}

export async function insert(bench: Bench, patch: Partial<NewJob>): Promise<InsertAnswer> {
  return must((await bench.store.insert([newJob(patch)]))[0])
}

/** The ids of the jobs that the calls were answered with, those that were there already in (). */
export function told(answers: readonly InsertAnswer[]): string {
  return answers.map(({ created, record: { id } }) => (created ? id : `(${id})`)).join(' ')
}

export function dedupeContract(open: OpenBench): void {
  simple(open)
  throttle(open)
  debounce(open)
  supersede(open)
}

function simple(open: OpenBench): void {
  const dedupe = keyed('simple')

  it('simple: answers with the job that has the key until that has settled', async () => {
    const bench = await open()
    const first = await bench.add({ id: 'a', dedupe, delayMs: 10 })
    const before = await bench.picture()
    const other = { dedupe, input: 'other', priority: 1 }
    expect(await insert(bench, { ...other, id: 'b' })).toEqual({ created: false, record: first })
    expect(await bench.picture()).toEqual(before)
    expect(await bench.get('b')).toBeUndefined()
    await bench.env.advance(10)
    await bench.sweep()
    const [running] = await bench.claim()
    expect(await insert(bench, { ...other, id: 'c' })).toEqual({ created: false, record: running })
    await bench.apply('a', { type: 'cancel' })
    expect(told([await insert(bench, { ...other, id: 'd' })])).toBe('(a)')
    await bench.commit(must(await bench.get('a')), bench.event('abandon'))
    expect(told([await insert(bench, { ...other, id: 'e' })])).toBe('e')
  })

  it('simple: the key is of one queue and one task, and a job without it stays apart', async () => {
    const bench = await open()
    await bench.add({ id: 'a', dedupe })
    const answers = await bench.store.insert([
      newJob({ id: 'queue', queue: 'mail', dedupe }), newJob({ id: 'task', task: 'crop', dedupe }),
      newJob({ id: 'key', dedupe: { ...dedupe, key: 'K' } }), newJob({ id: 'none' }),
      newJob({ id: 'known', dedupe }),
    ])
    expect(told(answers)).toBe('queue task key none (a)')
  })

  it('simple: a retry takes the key again, a removal lets it go, a reopen keeps it', async () => {
    const bench = await open()
    await bench.fail(await bench.running({ id: 'a', dedupe }))
    await bench.apply('a', { type: 'retry' })
    expect(told([await insert(bench, { id: 'b', dedupe })])).toBe('(a)')
    await bench.reopen()
    expect(told([await insert(bench, { id: 'c', dedupe })])).toBe('(a)')
    await bench.apply('a', { type: 'remove' })
    expect(told([await insert(bench, { id: 'd', dedupe })])).toBe('d')
  })

  it('an id that exists goes before the key', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a', dedupe }, { id: 'b' }])
    expect(told([await insert(bench, { id: 'b', dedupe })])).toBe('(b)')
    await expect(insert(bench, { id: 'b', task: 'crop', dedupe }))
      .rejects.toMatchObject({ code: 'id-in-use' })
  })
}

function throttle(open: OpenBench): void {
  const dedupe = keyed('throttle', 100)

  it('throttle: one job in a window from the first add, settled or not', async () => {
    const bench = await open()
    await bench.complete(await bench.running({ id: 'a', dedupe }))
    await bench.env.advance(50)
    expect(await insert(bench, { id: 'b', dedupe }))
      .toMatchObject({ created: false, record: { id: 'a', state: 'completed' } })
    await bench.reopen()
    await bench.env.advance(49)
    expect(told([await insert(bench, { id: 'c', dedupe })])).toBe('(a)')
    await bench.env.advance(1)
    expect(told([await insert(bench, { id: 'd', dedupe })])).toBe('d')
    await bench.env.advance(100)
    expect(told([await insert(bench, { id: 'e', dedupe })])).toBe('e')
    expect((await bench.counts()).ready).toBe(2)
    await bench.env.advance(99)
    expect(told([await insert(bench, { id: 'f', dedupe })])).toBe('(e)')
  })

  it('throttle: retention spares the job until its window has passed', async () => {
    const bench = await open()
    await bench.complete(await bench.running({ id: 'a', dedupe }))
    await bench.complete(await bench.running({ id: 'b' }))
    const until = bench.env.now() + 100
    const { nextAt } = await bench.retain({ completed: 0 })
    expect(ids(await bench.list())).toEqual(['a'])
    expect(nextAt).toBe(until)
    await bench.env.advance(99)
    await bench.retain({ completed: 0 })
    expect(told([await insert(bench, { id: 'c', dedupe })])).toBe('(a)')
    await bench.env.advance(1)
    await bench.retain({ completed: 0 })
    expect(await bench.list()).toEqual([])
  })
}

function debounce(open: OpenBench): void {
  const dedupe = keyed('debounce', 100)

  it('debounce: the job that waits takes input, options and time of the latest add', async () => {
    const bench = await open()
    const { createdAt } = await bench.add({
      id: 'a', dedupe, input: 1, priority: 3, ttlMs: 9, label: 'one', partition: 'x', meta: 1,
      options: { retries: 1 }, trace: 't1',
    })
    await bench.env.advance(60)
    const now = bench.env.now()
    const latest = {
      input: 2, priority: 7, ttlMs: null, label: null, meta: { b: 2 }, partition: 'y',
      options: { maxStalls: 2 }, trace: 't2',
    }
    const { created, record } = await insert(bench, { id: 'b', dedupe, ...latest, by: 'bob' })
    expect(created).toBe(false)
    expect(record).toMatchObject({
      ...latest, id: 'a', createdAt, runAt: now + 100, expiresAt: null, rev: 2,
      state: 'queued', phase: 'delayed',
    })
    expect(record.options).toEqual(latest.options)
    expect(record.timeline.at(-1)).toMatchObject({ event: 'reschedule', by: 'bob', at: now })
    expect(await bench.get('a')).toEqual(record)
    expect(await bench.get('b')).toBeUndefined()
    await bench.reopen()
    expect(await bench.get('a')).toEqual(record)
    await bench.env.advance(99)
    await bench.sweep()
    expect(await bench.claim()).toEqual([])
    await bench.env.advance(1)
    await bench.sweep()
    expect(await bench.claim()).toMatchObject([{ id: 'a', input: 2 }])
  })

  it('debounce: a job that is due and not started waits again', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a', dedupe, partition: 'x' }, { id: 'x', partition: 'x' }])
    await bench.env.advance(100)
    await bench.sweep()
    expect(told([await insert(bench, { id: 'b', dedupe, partition: 'y' })])).toBe('(a)')
    expect(ids(await bench.claim())).toEqual(['x'])
    await bench.env.advance(100)
    await bench.sweep()
    expect(ids(await bench.claim())).toEqual(['a'])
  })

  it('debounce: a job that has started is not touched; the next add makes another', async () => {
    const bench = await open()
    await bench.add({ id: 'a', dedupe })
    await bench.env.advance(100)
    await bench.sweep()
    const running = must((await bench.claim())[0])
    expect(told([await insert(bench, { id: 'b', dedupe })])).toBe('b')
    expect(told([await insert(bench, { id: 'c', dedupe })])).toBe('(b)')
    expect(await bench.get('a')).toEqual(running)
    const failed = bench.event('fail', { retryable: true, random: 0.5 })
    await bench.commit(running, failed)
    await bench.apply('b', { type: 'cancel' })
    expect(told([await insert(bench, { id: 'd', dedupe })])).toBe('d')
    const { input } = newJob()
    expect(await bench.get('a')).toMatchObject({ phase: 'delayed', rev: 4, input })
  })
}

function supersede(open: OpenBench): void {
  const dedupe = keyed('supersede')

  it('supersede: cancels the one that waits, and the new one starts at once', async () => {
    const bench = await open()
    await bench.add({ id: 'a', dedupe })
    expect(await insert(bench, { id: 'b', dedupe, by: 'bob' }))
      .toMatchObject({ created: true, record: { phase: 'ready', after: null } })
    expect(await bench.get('a')).toMatchObject({
      state: 'cancelled', reason: 'superseded by b', by: 'bob',
    })
    expect(ids(await bench.claim())).toEqual(['b'])
  })

  it.each(['complete', 'fail', 'abandon'] as const)(
    'supersede: cancels the one that runs; after its %s the new one starts', async (how) => {
      const bench = await open()
      await bench.running({ id: 'a', dedupe })
      expect(await insert(bench, { id: 'b', dedupe }))
        .toMatchObject({ created: true, record: { phase: 'blocked', after: 'a' } })
      expect(await bench.get('a')).toMatchObject({ state: 'cancelling', reason: 'superseded by b' })
      expect(await bench.claim()).toEqual([])
      bench.events.length = 0
      await bench.commit(must(await bench.get('a')), bench.event(how))
      expect(bench.events).toContainEqual({ type: 'wake', queue: 'images' })
      expect(ids(await bench.claim())).toEqual(['b'])
    })

  it('supersede: over generations all wait for the one that still runs', async () => {
    const bench = await open()
    await bench.running({ id: 'a', dedupe })
    for (const id of ['b', 'c', 'd']) await bench.add({ id, dedupe })
    expect((await bench.list()).map(({ id, state, after }) => [id, state, after])).toEqual([
      ['a', 'cancelling', null], ['b', 'cancelled', 'a'], ['c', 'cancelled', 'a'],
      ['d', 'queued', 'a'],
    ])
    await bench.reopen()
    await bench.apply('d', { type: 'reschedule', delayMs: 0 })
    const current = must(await bench.get('a'))
    if (current.state === 'cancelling') {
      expect(await bench.claim()).toEqual([])
      await bench.commit(current, bench.event('abandon'))
    }
    expect(ids(await bench.claim())).toEqual(['d'])
  })

  it('supersede: a delayed one waits for its time as well', async () => {
    const bench = await open()
    const running = await bench.running({ id: 'a', dedupe })
    await bench.add({ id: 'b', dedupe, delayMs: 50 })
    const cancelling = must(await bench.get(running.id))
    await bench.commit(cancelling, bench.event('abandon'))
    expect(await bench.get('b')).toMatchObject({ phase: 'delayed' })
    expect(await bench.claim()).toEqual([])
    await bench.env.advance(50)
    await bench.sweep()
    expect(ids(await bench.claim())).toEqual(['b'])
  })

  it('supersede: whoever has settled is left alone', async () => {
    const bench = await open()
    await bench.complete(await bench.running({ id: 'a', dedupe }))
    expect(await insert(bench, { id: 'b', dedupe })).toMatchObject({ record: { after: null } })
    expect(await bench.get('a')).toMatchObject({ state: 'completed' })
  })
}
