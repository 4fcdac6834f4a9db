import { expect, it } from 'vitest'
import { Lanes } from '../../src/stores/lanes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { Row } from '../../src/stores/row.ts'
import { Bench, ids, must } from '../contract/bench.ts'
import { recordIn } from '../../src/testing/records.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'

let order = 0

function ready(partition: string | null): Row {
  const record = recordIn('ready', { partition })
  return { record, order: order += 1, slot: -1, expirySlot: -1, gone: false }
}

it('a partition that has nothing left is forgotten, and comes back as a newcomer', () => {
  const lanes = new Lanes()
  const next = (): string | null | undefined => lanes.next(['resize'])?.partition.name
  const first = ready('a')
  lanes.push(first)
  lanes.push(ready('b'))
  lanes.remove(first)
  lanes.forget('a')
  lanes.push(ready('a'))
  expect(next()).toBe('b')
})

it('a partition that has a job, or runs one, keeps its turn', () => {
  const lanes = new Lanes()
  const first = ready('a')
  lanes.push(first)
  lanes.push(ready('b'))
  lanes.ran('a', 1)
  lanes.remove(first)
  lanes.forget('a')
  lanes.push(first)
  lanes.ran('a', -1)
  lanes.forget('a')
  expect(lanes.next(['resize'])?.partition.name).toBe('a')
  expect(lanes.running('a')).toBe(0)
})

it('a store forgets the partitions of jobs that are done, cancelled or removed', async () => {
  const store = memoryStore()
  const bench = await Bench.open(() => ({ env: new VirtualEnv(), store: () => store }))
  await bench.addMany(['a', 'b', 'c'].map((partition) => ({ id: partition, partition })))
  const [first] = await bench.claim({ limit: 1 })
  await bench.complete(must(first))
  await bench.apply('b', { type: 'cancel' })
  await bench.apply('c', { type: 'remove' })
  await bench.add({ id: 'new', partition: 'new' })
  await bench.addMany(['a', 'b', 'c'].map((partition) => ({ id: `${partition}2`, partition })))
  expect(ids(await bench.claim())).toEqual(['new', 'a2', 'b2', 'c2'])
})
