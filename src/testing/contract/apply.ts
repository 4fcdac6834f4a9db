import { describe, expect, it } from 'vitest'
import { leafOf } from '../../records/step.ts'
import { ids, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'
import { placements } from './placements.ts'
import type { Placed } from './placements.ts'

/** The leaf that each request leads to; `-` for what is ignored, `gone` for what is removed. */
const answers = {
  cancel: {
    ready: 'cancelled', delayed: 'cancelled', running: 'cancelling', cancelling: '-',
    completed: '-', failed: '-', cancelled: '-',
  },
  retry: {
    ready: '-', delayed: '-', running: '-', cancelling: '-',
    completed: '-', failed: 'ready', cancelled: 'ready',
  },
  reschedule: {
    ready: 'delayed', delayed: 'delayed', running: '-', cancelling: '-',
    completed: '-', failed: '-', cancelled: '-',
  },
  remove: {
    ready: 'gone', delayed: 'gone', running: '-', cancelling: '-',
    completed: 'gone', failed: 'gone', cancelled: 'gone',
  },
} as const satisfies Record<string, Record<Placed, string>>

export function applyContract(open: OpenBench): void {
  for (const type of ['cancel', 'retry', 'reschedule', 'remove'] as const) {
    describe(type, () => { everyState(open, type) })
  }
  addresses(open)
  remove(open)
  reschedule(open)
  groups(open)
}

function everyState(open: OpenBench, type: keyof typeof answers): void {
  const cases = Object.entries(answers[type]) as readonly (readonly [Placed, string])[]
  it.each(cases)('of a job that is %s: %s', async (leaf, expected) => {
    const bench = await open()
    const before = await placements[leaf](bench)
    const picture = await bench.picture()
    const request = type === 'reschedule' ? { type, delayMs: 700 } as const : { type }
    const answer = await bench.apply(before.id, request)
    if (expected === '-') {
      expect(answer).toEqual({ outcome: 'ignored', record: before })
      expect(await bench.picture()).toEqual(picture)
    } else if (expected === 'gone') {
      expect(answer).toEqual({ outcome: 'moved', record: before })
      expect(await bench.get(before.id)).toBeUndefined()
    } else {
      expect(answer).toEqual({ outcome: 'moved', record: await bench.get(before.id) })
      expect(leafOf(must(answer.record))).toBe(expected)
      expect(answer.record?.rev).toBe(before.rev + 1)
    }
  })
}

function addresses(open: OpenBench): void {
  it('answers "unknown" to an id of nobody and to one of another queue', async () => {
    const bench = await open()
    await bench.add()
    await bench.add({ id: 'mail-1', queue: 'mail' })
    const before = await bench.picture()
    const unknown = { outcome: 'unknown', record: null }
    for (const type of ['cancel', 'retry', 'reschedule', 'remove'] as const) {
      expect(await bench.apply('nobody', { type })).toEqual(unknown)
      expect(await bench.apply('mail-1', { type })).toEqual(unknown)
    }
    expect(await bench.picture()).toEqual(before)
    expect(await bench.list('mail')).toHaveLength(1)
  })

  it('says who and why, on the record and in the log', async () => {
    const bench = await open()
    await bench.add()
    const { record } = await bench.apply('job-1', { type: 'cancel', reason: 'not needed' })
    const said = { by: 'ann', reason: 'not needed' }
    expect(record).toMatchObject({ ...said, settledAt: bench.env.now() })
    expect((await bench.log()).at(-1)).toMatchObject({ ...said, event: 'cancel' })
  })
}

function remove(open: OpenBench): void {
  it('leaves a tombstone in the log', async () => {
    const bench = await open()
    const record = await placements.failed(bench)
    await bench.apply(record.id, { type: 'remove' })
    expect((await bench.log()).at(-1)).toEqual({
      seq: 4, at: bench.env.now(), queue: 'images', jobId: record.id, rev: record.rev + 1,
      task: 'resize', event: 'remove', from: 'failed', to: null, phase: null,
      attempt: record.attempt, fence: record.fence, by: 'ann', reason: record.reason,
      progress: record.progress, error: record.error, cursor: '',
    })
    expect(bench.changes.at(-1)?.record).toBeNull()
    expect(Object.values(await bench.counts()).every((count) => count === 0)).toBe(true)
  })

  it('takes a job out of reach of claims and sweeps', async () => {
    const bench = await open()
    await bench.add({ id: 'ready', ttlMs: 10 })
    await bench.add({ id: 'delayed', delayMs: 10 })
    await bench.apply('ready', { type: 'remove' })
    await bench.apply('delayed', { type: 'remove' })
    await bench.env.advance(10)
    const newest = (await bench.log()).length
    expect(await bench.sweep({ retention: new Map() })).toEqual({ more: false, nextAt: null })
    expect(await bench.claim()).toEqual([])
    expect(await bench.log()).toHaveLength(newest)
  })
}

function reschedule(open: OpenBench): void {
  it('goes to a moment, or so far from now by the clock of the store', async () => {
    const bench = await open()
    const now = bench.env.now()
    await bench.add({ delayMs: 5000, ttlMs: 100 })
    const move = async (patch: { runAt?: number; delayMs?: number }): Promise<unknown[]> => {
      const { record } = await bench.apply('job-1', { type: 'reschedule', ...patch })
      const { phase, runAt, expiresAt } = must(record)
      return [phase, runAt - now, must(expiresAt) - now]
    }
    expect(await move({ runAt: now + 60 })).toEqual(['delayed', 60, 160])
    await bench.env.advance(10)
    expect(await move({ delayMs: 60 })).toEqual(['delayed', 70, 170])
    expect(await move({ runAt: now + 10 })).toEqual(['ready', 10, 110])
    expect(await move({ delayMs: 0 })).toEqual(['ready', 10, 110])
    expect(await move({ runAt: now - 50 })).toEqual(['ready', -50, 100])
  })

  it('changes the place in the order of claims', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }, { id: 'c' }])
    await bench.apply('c', { type: 'reschedule', runAt: bench.env.now() - 1 })
    expect(ids(await bench.claim())).toEqual(['c', 'a', 'b'])
  })
}

function groups(open: OpenBench): void {
  it('lets each member stand or fall alone, one after the other', async () => {
    const bench: Bench = await open()
    const failed = await placements.failed(bench)
    await bench.add()
    const requests = [
      bench.request('job-1', { type: 'retry' }), bench.request('nobody', { type: 'cancel' }),
      bench.request('job-1', { type: 'cancel' }), bench.request('job-1', { type: 'cancel' }),
      bench.request(failed.id, { type: 'retry' }), bench.request('job-1', { type: 'retry' }),
    ]
    const outcomes = (await bench.store.apply(requests)).map(({ outcome }) => outcome)
    expect(outcomes).toEqual(['ignored', 'unknown', 'moved', 'ignored', 'moved', 'moved'])
    expect(await bench.store.apply([])).toEqual([])
  })
}
