import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { JobRecord, NewJob } from '../../src/records/job.ts'
import { ignored, step } from '../../src/records/step.ts'
import { noLimits } from '../../src/stores/store.ts'
import { sweepTable } from '../../src/stores/sweep.ts'
import { Table } from '../../src/stores/table.ts'
import { jobEvent, newJob, now, policy } from '../../src/testing/records.ts'

/** The engine of the embedded stores, from inside: what the contract cannot reach or count. */
let table = new Table({ now: () => now, monotonic: () => now })
beforeEach(() => { table = new Table({ now: () => now, monotonic: () => now }) })

function settled(): void {
  table.rows.take()
  table.rows.accept()
}

function add(...patches: Partial<NewJob>[]): void {
  table.insert(patches.map((patch) => newJob(patch)))
  settled()
}

function claim(): readonly JobRecord[] {
  return table.claim({
    queue: 'images', worker: 'w', limit: 1, leaseMs: 1000, exclude: new Set(), limits: noLimits,
    tasks: new Map([['resize', policy]]),
  }).records
}

function complete(record: JobRecord): void {
  const moved = step(record, jobEvent('complete'), 'operation')
  if (moved === ignored) throw new Error('it does not run')
  const { fence, rev } = record
  table.commit([{ fence, rev, record: moved.record, transition: moved.transition }])
}

function sweep(limit: number): boolean {
  return sweepTable(table, { by: 'sweep', limit, retention: new Map() }, now).more
}

test('a sweep whose write failed is done again, the counting as well', () => {
  const children = Array.from({ length: 1200 }, (_, n) =>
    ({ id: `child-${n}`, dependsOn: ['a', 'b'] }))
  add({ id: 'a', priority: 1 }, { id: 'b' }, ...children)
  for (const record of claim()) complete(record)
  settled()
  sweep(1000)
  table.rows.rollback()
  expect(table.rows.byId.get('child-1199')?.record.openParents).toBe(2)
  while (sweep(1000)) settled()
  settled()
  const counts = children.map(({ id }) => table.rows.byId.get(id)?.record.openParents)
  expect(new Set(counts)).toEqual(new Set([1]))
})

describe('the cost', () => {
  /** How often `work` looks a job up. */
  function lookUps(work: () => void): number {
    const spy = vi.spyOn(table.rows.byId as Map<string, never>, 'get')
    work()
    const { length } = spy.mock.calls
    spy.mockRestore()
    return length
  }

  test('of an add does not grow with the graph that it joins', () => {
    const joins = (from: number): number => lookUps(() => {
      for (let n = from; n < from + 100; n += 1) {
        add({ id: `n${n}`, dependsOn: n === 0 ? [] : [`n${n - 1}`] })
      }
    })
    joins(0)
    const early = joins(100)
    joins(200)
    expect(joins(300)).toBe(early)
  })

  test('of a claim does not grow with the children', () => {
    add({ id: 'a' })
    const alone = lookUps(() => { claim() })
    add({ id: 'b' }, ...Array.from({ length: 500 }, (_, n) =>
      ({ id: `child-${n}`, dependsOn: ['b'] })))
    expect(lookUps(() => { claim() })).toBe(alone)
  })
})
