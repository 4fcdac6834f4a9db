import { expect, it } from 'vitest'
import type { StoreEvent } from '../../stores/store.ts'
import { newJob } from '../records.ts'
import { leaseMs, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'

export function watchContract(open: OpenBench): void {
  changes(open)
  listeners(open)
  wakes(open)
  timers(open)
  settings(open)
}

function told(bench: Bench, type: StoreEvent['type']): StoreEvent[] {
  return bench.events.filter((event) => event.type === type)
}

function changes(open: OpenBench): void {
  it('tells what was committed, in the order of the log, with the records', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    const [a, b] = await bench.claim()
    await bench.complete(must(b))
    await bench.complete(must(a))
    await bench.apply('a', { type: 'remove' })
    const log = await bench.log()
    // Some number as they write, others a little later: see the tail.
    expect(bench.changes.map(({ entry }) => entry))
      .toEqual(bench.embedded ? log : log.map((entry) => ({ ...entry, seq: 0 })))
    expect(bench.changes.map(({ record }) => record?.state ?? 'gone')).toEqual([
      'queued', 'queued', 'running', 'running', 'completed', 'completed', 'gone',
    ])
    expect(bench.changes[5]?.record).toEqual((await bench.apply('a', { type: 'retry' })).record ??
      bench.changes[5]?.record)
  })

  it('has told when the answer comes', async () => {
    const bench = await open()
    const order: string[] = []
    bench.store.watch(({ type }) => { order.push(type) })
    await bench.store.insert([newJob()]).then(() => { order.push('answer') })
    await bench.env.settle()
    const before = order.slice(0, order.indexOf('answer'))
    expect(before).toContain('changes')
    expect(before).toContain('wake')
    expect(order.slice(before.length + 1)).not.toContain('changes')
    if (bench.embedded) expect(order.at(-1)).toBe('answer')
  })

  it('tells nothing of what was refused, ignored, lost, or only read', async () => {
    const bench = await open()
    const running = await bench.running()
    await bench.complete(running)
    const before = bench.news.length
    await expect(bench.store.insert([newJob({ id: 'new' }), newJob({ task: 'other' })]))
      .rejects.toMatchObject({ code: 'id-in-use' })
    await bench.complete(running)
    await bench.apply('job-1', { type: 'retry' })
    await bench.add()
    await bench.claim()
    await bench.sweep()
    await bench.counts()
    expect(bench.news).toHaveLength(before)
  })
}

function listeners(open: OpenBench): void {
  it('tells every listener the same, and stops when asked to', async () => {
    const bench = await open()
    const heard: StoreEvent[][] = [[], []]
    const stops = heard.map((list) => bench.store.watch((event) => { list.push(event) }))
    await bench.add({ id: 'a' })
    expect(heard[0]).toEqual(bench.events)
    expect(heard[1]).toEqual(bench.events)
    stops[0]?.()
    await bench.add({ id: 'b' })
    expect(heard[0]?.length).toBeLessThan(bench.events.length)
    expect(heard[1]).toEqual(bench.events)
  })

  it('tells in one order what a listener causes while it is told', async () => {
    const bench = await open()
    const before: string[] = []
    const after: string[] = []
    const note = (list: string[]) => (event: StoreEvent): void => {
      if (event.type !== 'changes') return
      for (const { entry } of event.changes) list.push(`${entry.event} ${entry.jobId}`)
    }
    bench.store.watch(note(before))
    const caused: Promise<unknown>[] = []
    bench.store.watch((event) => {
      if (event.type !== 'changes' || caused.length > 1) return
      caused.push(bench.add({ id: `caused-${caused.length}` }))
    })
    bench.store.watch(note(after))
    await bench.add({ id: 'cause' })
    for (let index = 0; index < caused.length; index += 1) await caused[index]
    await bench.env.settle()
    expect(before).toEqual(['add cause', 'add caused-0', 'add caused-1'])
    expect(after).toEqual(before)
    expect((await bench.tail()).map(({ seq, jobId }) => `${seq} ${jobId}`))
      .toEqual(['1 cause', '2 caused-0', '3 caused-1'])
  })
}

function wakes(open: OpenBench): void {
  async function wokenBy(bench: Bench, act: () => Promise<unknown>): Promise<unknown[]> {
    const before = told(bench, 'wake').length
    await act()
    return told(bench, 'wake').slice(before)
  }
  const wake = { type: 'wake', queue: 'images' }

  it('wakes the queue when a job becomes ready, by whatever way', async () => {
    const bench = await open()
    expect(await wokenBy(bench, () => bench.add())).toContainEqual(wake)
    const [claimed] = await bench.claim()
    expect(await wokenBy(bench, () => bench.commit(must(claimed), bench.event('release'))))
      .toContainEqual(wake)
    await bench.claim()
    await bench.env.advance(leaseMs)
    expect(await wokenBy(bench, () => bench.sweep())).toContainEqual(wake)
    await bench.apply('job-1', { type: 'reschedule', delayMs: 10 })
    await bench.env.advance(10)
    expect(await wokenBy(bench, () => bench.sweep())).toContainEqual(wake)
    await bench.apply('job-1', { type: 'cancel' })
    expect(await wokenBy(bench, () => bench.apply('job-1', { type: 'retry' })))
      .toContainEqual(wake)
    expect(await wokenBy(bench, () => bench.apply('job-1', { type: 'reschedule', delayMs: 0 })))
      .toContainEqual(wake)
  })

  it('wakes nobody for other queues, or for jobs that must wait', async () => {
    const bench = await open()
    const mail = await wokenBy(bench, () => bench.add({ id: 'mail-1', queue: 'mail' }))
    expect(mail).toContainEqual({ type: 'wake', queue: 'mail' })
    if (bench.embedded) expect(mail).toHaveLength(1)
    for (const waking of [
      mail, await wokenBy(bench, () => bench.add({ delayMs: 10 })),
      await wokenBy(bench, () => bench.apply('job-1', { type: 'cancel' })),
    ]) expect(waking).not.toContainEqual(wake)
  })

  it('wakes a queue when it is told to', async () => {
    const bench = await open()
    expect(await wokenBy(bench, async () => { bench.store.wake('images') })).toContainEqual(wake)
  })
}

function timers(open: OpenBench): void {
  it('says when something falls due: a delay, a ttl, a lease, a snooze', async () => {
    const bench = await open()
    const now = bench.env.now()
    const next = async (act: () => Promise<unknown>): Promise<number | null> => {
      const before = told(bench, 'timer').length
      await act()
      const times = told(bench, 'timer').slice(before)
        .map((event) => (event.type === 'timer' ? event.at - now : 0))
      return times.length === 0 ? null : Math.min(...times)
    }
    expect(await next(() => bench.add({ id: 'delayed', delayMs: 70 }))).toBe(70)
    expect(await next(() => bench.add({ id: 'ttl', ttlMs: 40, priority: 1 }))).toBe(40)
    expect(await next(() => bench.addMany([{ id: 'a', delayMs: 9 }, { id: 'b', ttlMs: 5 }])))
      .toBe(5)
    expect(await next(() => bench.add({ id: 'plain', priority: 2 }))).toBeNull()
    let [claimed] = await bench.claim({ limit: 1 })
    expect(claimed?.id).toBe('ttl')
    await bench.complete(must(claimed))
    expect(await next(async () => { [claimed] = await bench.claim({ limit: 1, leaseMs: 33 }) }))
      .toBe(33)
    expect(await next(() =>
      bench.commit(must(claimed), bench.event('snooze', { runAt: now + 12 })))).toBe(12)
    expect(await next(() => bench.apply('plain', { type: 'reschedule', delayMs: 3 }))).toBe(3)
  })
}

function settings(open: OpenBench): void {
  it('tells of a setting that was written', async () => {
    const bench = await open()
    await bench.store.casSetting('a', 0, { b: 1 })
    await bench.store.casSetting('a', 0, { b: 2 })
    expect(bench.news).toEqual([{ type: 'setting', key: 'a', value: { b: 1 } }])
  })
}
