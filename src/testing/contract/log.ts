import { expect, it } from 'vitest'
import { toLogEntry } from '../../records/transition.ts'
import type { LogEntry } from '../../records/transition.ts'
import type { LogPage } from '../../stores/reading.ts'
import { half } from '../records.ts'
import { leaseMs, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'

/** A job's whole life: added late, cancelled while it ran, retried, stalled, completed. */
async function life(bench: Bench, queue = 'images'): Promise<void> {
  const id = `life-${queue}`
  const request = (type: 'cancel' | 'retry') =>
    ({ ...bench.request(id, { type }), queue })
  await bench.add({ id, queue, delayMs: 5 })
  await bench.env.advance(5)
  await bench.sweep()
  const [first] = await bench.claim({ queue })
  const { fence } = must(first)
  await bench.store.progress([{ id, fence, by: 'worker:w1', progress: half, log: null }])
  await bench.store.apply([request('cancel')])
  await bench.fail(must(await bench.get(id)))
  await bench.store.apply([request('retry')])
  await bench.claim({ queue })
  await bench.env.advance(leaseMs)
  await bench.sweep()
  const [last] = await bench.claim({ queue })
  await bench.complete(must(last))
}

const events = [
  'add', 'due', 'claim', 'progress', 'cancel', 'fail', 'retry', 'claim', 'stall', 'claim',
  'complete',
]

export function logContract(open: OpenBench): void {
  it('numbers each queue from 1, without a gap', async () => {
    const bench = await open()
    await life(bench)
    await life(bench, 'mail')
    for (const queue of ['images', 'mail']) {
      const log = await bench.log(queue)
      expect(log.map(({ event }) => event)).toEqual(events)
      expect(log.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
      expect(log.map(({ rev }) => rev)).toEqual(events.map((_, index) => index + 1))
      expect(log.every((entry) => entry.queue === queue)).toBe(true)
    }
  })

  it('says what the records say', async () => {
    const bench = await open()
    await life(bench)
    let from: string | null = null
    for (const { entry, record } of bench.changes) {
      expect(entry).toEqual({
        ...toLogEntry(must(record), entry.event, entry.from, entry.at, entry.by), seq: entry.seq,
      })
      expect(entry.from).toBe(from)
      from = entry.to
    }
    const unnumbered = (entry: LogEntry): LogEntry => ({ ...entry, seq: 0 })
    expect((await bench.log()).map(unnumbered))
      .toEqual(bench.changes.map(({ entry }) => unnumbered(entry)))
  })

  it('is read in pages, behind a number, oldest first', async () => {
    const bench = await open()
    await bench.addMany(Array.from({ length: 7 }, (_, n) => ({ id: String(n + 1) })))
    const read = async (after: number, limit: number): Promise<unknown[]> => {
      const { entries, oldest, newest } = await bench.readLog('images', after, limit)
      return [entries.map(({ jobId }) => jobId).join(''), oldest, newest]
    }
    expect(await read(0, 3)).toEqual(['123', 1, 7])
    expect(await read(3, 3)).toEqual(['456', 1, 7])
    expect(await read(6, 3)).toEqual(['7', 1, 7])
    expect(await read(7, 3)).toEqual(['', 1, 7])
    expect(await read(99, 3)).toEqual(['', 1, 7])
    expect(await read(Number.MAX_SAFE_INTEGER, 1)).toEqual(['', 1, 7])
    expect(await read(0, 0)).toEqual(['', 1, 7])
    await bench.retain({ log: 4 })
    expect(await read(0, 2)).toEqual(['45', 4, 7])
    expect(await read(4, 99)).toEqual(['567', 4, 7])
  })

  it('is empty at first: the oldest is the newest + 1', async () => {
    const bench = await open()
    const empty: LogPage = { entries: [], oldest: 1, newest: 0 }
    expect(await bench.readLog('images', 0, 10)).toEqual(empty)
  })

  it('gives a page that later entries and trims leave alone', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    const before = await bench.readLog('images', 0, 10)
    const copy = structuredClone(before)
    await bench.add({ id: 'c' })
    await bench.retain({ log: 1 })
    expect(before).toEqual(copy)
  })
}
