import { expect, it } from 'vitest'
import type { LogEntry } from '../../records/transition.ts'
import { must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'

/** Another tail of the bench's store, and what it tells of the queue. */
async function follow(bench: Bench) {
  const told: LogEntry[] = []
  const stop = await bench.store.tail((entries) => {
    told.push(...entries.filter(({ queue }) => queue === 'images'))
  })
  return { told, stop }
}

const numbers = (entries: readonly LogEntry[]): number[] => entries.map(({ seq }) => seq)

/** The numbered log, live. */
export function tailContract(open: OpenBench): void {
  it('tells what the log numbers: each entry once, in the order of its queue', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }, { id: 'c', queue: 'mail' }])
    const [a, b] = await bench.claim()
    await Promise.all([bench.complete(must(b)), bench.fail(must(a))])
    await bench.apply('a', { type: 'retry' })
    await bench.apply('b', { type: 'remove' })
    await bench.add({ id: 'd', queue: 'mail' })
    for (const queue of ['images', 'mail']) {
      const told = await bench.tail(queue)
      expect(told).toEqual(await bench.log(queue))
      expect(numbers(told)).toEqual(told.map((_, index) => index + 1))
    }
    expect(await bench.tail()).toHaveLength(8)
    expect(await bench.tail('mail')).toHaveLength(2)
  })

  it('tells all that the log does not know when it has begun', async () => {
    const bench = await open()
    const adding = [bench.add({ id: '1' }), bench.add({ id: '2' })]
    const beginning = follow(bench)
    adding.push(bench.add({ id: '3' }))
    const { told } = await beginning
    const { entries: known } = await bench.store.readLog('images', 0, 100)
    await Promise.all(adding)
    await bench.add({ id: '4' })
    // The bench's own tail was there before.
    const all = await bench.tail()
    await bench.tail()
    await bench.env.settle()
    const seen = new Set([...numbers(known), ...numbers(told)])
    expect([...seen].sort()).toEqual(numbers(all))
    expect(numbers(told)).toEqual(numbers(all).slice(-told.length))
  })

  it('tells every listener the same, and stops when asked to', async () => {
    const bench = await open()
    const first = await follow(bench)
    const second = await follow(bench)
    await bench.add({ id: 'a' })
    await bench.tail()
    first.stop()
    await bench.add({ id: 'b' })
    expect(numbers(await bench.tail())).toEqual([1, 2])
    expect([numbers(first.told), numbers(second.told)]).toEqual([[1], [1, 2]])
  })

  it('goes on behind what was trimmed', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a' }, { id: 'b' }])
    await bench.tail()
    await bench.retain({ log: 0 })
    await bench.add({ id: 'c' })
    expect(numbers(await bench.tail())).toEqual([1, 2, 3])
  })
}
