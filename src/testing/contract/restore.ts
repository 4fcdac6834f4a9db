import { expect, it } from 'vitest'
import type { JobRecord } from '../../records/job.ts'
import { toLogEntry, toTombstone } from '../../records/transition.ts'
import type { LogEntry } from '../../records/transition.ts'
import type { RestoreAnswer } from '../../stores/restoration.ts'
import { recordIn } from '../records.ts'
import { ids, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'

const done = recordIn('completed', {
  id: 'done', result: { ok: true }, rev: 3, partition: 'ann', label: 'a label', meta: { n: 1 },
  operation: 'op', trace: 'trace', log: { lines: [{ at: 1, attempt: 1, text: 'x' }], dropped: 2 },
})
const failed = recordIn('failed', { id: 'failed', rev: 3, fence: 5_000_000, settledAt: 2_500 })
const cancelled = recordIn('cancelled', { id: 'cancelled', settledAt: 2_000 })
const settled = [done, failed, cancelled]

/** What a log elsewhere has told of these lives, and of one that was removed. */
const told: readonly LogEntry[] = [
  ...settled.map((record) => fact(recordIn('ready', { id: record.id }), 'add', null, 1_000)),
  ...settled.map((record) => fact(record, 'complete', 'running', 3_000)),
  toTombstone(recordIn('ready', { id: 'removed' }), 3_500, 'ann'),
]

function fact(
  record: JobRecord, event: LogEntry['event'], from: LogEntry['from'], at: number,
): LogEntry {
  return { ...toLogEntry(record, event, from, at, 'w1'), seq: 77, cursor: 'elsewhere:77' }
}

function restore(bench: Bench, ...jobs: readonly JobRecord[]): Promise<RestoreAnswer> {
  return bench.store.restore({ queue: 'images', jobs, log: null })
}

function retell(bench: Bench, behind: number, entries: readonly LogEntry[]): Promise<boolean> {
  return bench.store.restore({ queue: 'images', jobs: [], log: { behind, entries } })
    .then(({ logged }) => logged)
}

/** As a log keeps it, but for its number. */
const bare = (entries: readonly LogEntry[]): LogEntry[] =>
  entries.map((entry) => ({ ...entry, seq: 0, cursor: '' }))

/** What was settled and told elsewhere. */
export function restoreContract(open: OpenBench): void {
  jobsAsTheyAre(open)
  jobsGoOn(open)
  logEntries(open)
}

function jobsAsTheyAre(open: OpenBench): void {
  it('takes settled jobs as they are, and tells nobody of a change', async () => {
    const bench = await open()
    expect(await restore(bench, ...settled)).toEqual({ created: [true, true, true], logged: false })
    expect(await bench.list()).toEqual(settled)
    expect(await bench.get('done')).toEqual(done)
    expect(await bench.counts()).toMatchObject({ completed: 1, failed: 1, cancelled: 1, queued: 0 })
    expect(bench.changes).toEqual([])
    expect((await bench.readLog('images', 0, 10)).newest).toBe(0)
    expect(await bench.claim()).toEqual([])
    await bench.reopen()
    expect(await bench.list()).toEqual(settled)
  })

  it('leaves what is there already, and one id of two', async () => {
    const bench = await open()
    await bench.add({ id: 'failed' })
    const before = await bench.get('failed')
    expect(await restore(bench, failed, done, { ...done, result: 'another' }))
      .toMatchObject({ created: [false, true, false] })
    expect(await restore(bench, { ...done, result: 'another' })).toMatchObject({ created: [false] })
    expect(await bench.get('failed')).toEqual(before)
    expect(await bench.get('done')).toEqual(done)
  })

  it('refuses all when an id belongs to another queue or task', async () => {
    const bench = await open()
    await bench.add({ id: 'done', task: 'crop' })
    await bench.add({ id: 'failed', queue: 'mail' })
    const before = await bench.picture()
    for (const job of [done, failed]) {
      await expect(restore(bench, cancelled, job)).rejects.toMatchObject({
        code: 'id-in-use', message: expect.stringContaining('jobs[1]') as string,
      })
    }
    expect(await bench.picture()).toEqual(before)
  })
}

function jobsGoOn(open: OpenBench): void {
  it('lets a retry claim it with a fence that is higher than any it had', async () => {
    const bench = await open()
    await restore(bench, failed)
    await bench.apply('failed', { type: 'retry' })
    const [claimed] = await bench.claim()
    expect(must(claimed)).toMatchObject({ id: 'failed', rev: 5 })
    expect(must(claimed).fence).toBeGreaterThan(failed.fence)
    expect(await bench.complete(must(claimed))).toMatchObject({ outcome: 'ok' })
  })

  it('is a parent for those who come, and for those who have waited for it', async () => {
    const bench = await open()
    await bench.addMany([
      { id: 'failed' }, { id: 'waits', dependsOn: ['failed'], onParentFailure: 'wait' },
    ])
    await bench.apply('failed', { type: 'remove' })
    await restore(bench, { ...done, id: 'failed' }, done)
    expect(await bench.apply('failed', { type: 'remove', spareAwaited: true }))
      .toMatchObject({ outcome: 'awaited' })
    await bench.sweep()
    await bench.add({ id: 'child', dependsOn: ['done'] })
    expect(ids(await bench.claim())).toEqual(['waits', 'child'])
    expect(await bench.apply('done', { type: 'remove', spareAwaited: true }))
      .toMatchObject({ outcome: 'awaited' })
  })

  it('holds its key of dedupe for the rest of the window', async () => {
    const bench = await open()
    const until = bench.env.now() + 1_000
    await restore(bench, { ...done, dedupe: { key: 'k', until } })
    const again = { dedupe: { key: 'k', mode: 'throttle', windowMs: 10 } } as const
    expect((await bench.add({ id: 'first', ...again })).id).toBe('done')
    await bench.env.advance(1_000)
    expect((await bench.add({ id: 'second', ...again })).id).toBe('second')
  })

  it('is pruned in the order in which the jobs settled', async () => {
    const bench = await open()
    const at = (id: string, settledAt: number): JobRecord => ({ ...done, id, settledAt })
    await restore(bench, at('b', 20), at('d', 40))
    await restore(bench, at('a', 10), at('c', 30))
    await bench.retain({ completed: 2 })
    expect(ids(await bench.list())).toEqual(['d', 'c'])
  })

  it('finds the children of what failed again when it is retried', async () => {
    const bench = await open()
    await restore(bench, failed, { ...failed, id: 'child', dependsOn: ['failed'], fence: 0 })
    await bench.apply('failed', { type: 'retry' })
    await bench.apply('child', { type: 'retry' })
    const [parent, ...others] = await bench.claim()
    expect([must(parent).id, others]).toEqual(['failed', []])
    await bench.complete(must(parent))
    expect(ids(await bench.claim())).toEqual(['child'])
  })
}

function logEntries(open: OpenBench): void {
  it('takes log entries with numbers of its own, which the tail tells', async () => {
    const bench = await open()
    expect(await retell(bench, 0, told.slice(0, 4))).toBe(true)
    expect(await retell(bench, 4, told.slice(4))).toBe(true)
    const { entries, oldest, newest } = await bench.readLog('images', 0, 100)
    expect([oldest, newest]).toEqual([1, told.length])
    expect(entries.map(({ seq }) => seq)).toEqual(told.map((_, index) => index + 1))
    expect(bare(entries)).toEqual(bare(told))
    expect(bench.changes).toEqual([])
    expect(await bench.list()).toEqual([])
    await bench.add({ id: 'new' })
    expect(await bench.tail()).toEqual(await bench.log())
    expect((await bench.log()).at(-1)).toMatchObject({ seq: told.length + 1, jobId: 'new' })
    const before = await bench.log()
    await bench.reopen()
    expect(await bench.log()).toEqual(before)
  })

  it('knows what it has taken before', async () => {
    const bench = await open()
    await retell(bench, 0, told)
    await bench.add({ id: 'new' })
    const before = await bench.log()
    expect(await retell(bench, 0, told)).toBe(true)
    expect(await retell(bench, 3, told.slice(3, 5))).toBe(true)
    expect(await retell(bench, 3, [])).toBe(true)
    expect(await bench.log()).toEqual(before)
  })

  it('takes nothing into the midst of a log, or where another entry is', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    const before = await bench.log()
    expect(await retell(bench, 0, told)).toBe(false)
    expect(await retell(bench, 1, told)).toBe(false)
    expect(await retell(bench, 3, told)).toBe(false)
    expect(await bench.log()).toEqual(before)
    const part = { queue: 'images', jobs: [done], log: { behind: 1, entries: told } }
    expect(await bench.store.restore(part)).toEqual({ created: [true], logged: false })
    expect(await retell(bench, 2, told)).toBe(true)
  })

  it('goes on behind a log that was trimmed away, and keeps queues apart', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }, { id: 'c', queue: 'mail' }])
    await bench.readLog('images', 0, 0)
    await bench.retain({ log: 0 })
    expect(await retell(bench, 2, told)).toBe(true)
    expect((await bench.log()).map(({ seq }) => seq)).toEqual(told.map((_, index) => index + 3))
    expect(await bench.log('mail')).toHaveLength(1)
    await bench.retain({ log: 2, logAgeMs: 1e13 })
    expect((await bench.log()).map(({ jobId }) => jobId)).toEqual(['cancelled', 'removed'])
  })
}
