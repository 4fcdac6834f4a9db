import * as fc from 'fast-check'
import { phases, states } from '../../../machines/vocabulary.ts'
import type { Json } from '../../../machines/vocabulary.ts'
import type { JobRecord, NewJob } from '../../records/job.ts'
import { sortKeys } from '../../stores/reading.ts'
import type { JobFilter, ListQuery } from '../../stores/reading.ts'
import { policy } from '../records.ts'
import type { Bench } from './bench.ts'

/** What a list must show: a plain filter and sort of all jobs, which come as they were added. */
export function expectedList(
  records: readonly JobRecord[], query: ListQuery,
): readonly JobRecord[] {
  const { sort, descending } = query
  const matching = records.filter((record) => matches(record, query))
  const inOrder = descending ? matching.toReversed() : matching
  if (sort === 'createdAt') return inOrder
  const known = inOrder.filter((record) => record[sort] !== null)
  const unknown = inOrder.filter((record) => record[sort] === null)
  const sign = descending ? -1 : 1
  known.sort((a, b) => sign * (Number(a[sort]) - Number(b[sort])))
  return [...known, ...unknown]
}

function matches(record: JobRecord, filter: JobFilter): boolean {
  const { states, phase, task, partition, meta, text, created, settled } = filter
  if (states && !states.some((state) => state === record.state)) return false
  if (phase && record.phase !== phase) return false
  if (task && record.task !== task) return false
  if (partition && record.partition !== partition) return false
  if (meta) {
    const given = (record.meta ?? {}) as { readonly [key: string]: Json | undefined }
    for (const key of Object.keys(meta)) if (given[key] !== meta[key]) return false
  }
  if (text) {
    const { id, label, input, meta: said, result, error } = record
    const all = [id, label, JSON.stringify([input, said, result, error])].join('\n')
    if (!all.toLowerCase().includes(text.toLowerCase())) return false
  }
  const inside = (span: JobFilter['created'], at: number | null): boolean => !span ||
    (at !== null && at >= (span.from ?? 0) && at < (span.to ?? Number.POSITIVE_INFINITY))
  return inside(created, record.createdAt) && inside(settled, record.settledAt)
}

/** A job to add. */
export const draft = fc.record({
  task: fc.constantFrom('resize', 'resize', 'crop'),
  partition: fc.constantFrom(null, 'p', 'q'),
  meta: fc.constantFrom(null, { a: 1 }, { a: 1, b: 'x' }, { b: 'y' }),
  label: fc.constantFrom(null, 'Red fox', 'dog'),
  priority: fc.integer({ min: -2, max: 2 }),
  delayMs: fc.constantFrom(null, null, 5, 500),
})

/** What happens to a job after all were added, and how much later. */
export const fate = fc.tuple(
  fc.constantFrom('nothing', 'claim', 'complete', 'fail', 'cancel', 'remove'), fc.nat(2),
)

const range = fc.option(fc.record({
  from: fc.option(fc.nat(30)), to: fc.option(fc.nat(30)),
}))

export const anyQuery = fc.record({
  states: fc.option(fc.subarray([...states]), { freq: 2 }),
  phase: fc.option(fc.constantFrom(...phases), { freq: 1 }),
  task: fc.option(fc.constant('resize'), { freq: 1 }),
  partition: fc.option(fc.constant('p'), { freq: 1 }),
  meta: fc.option(fc.constantFrom({ a: 1 }, { b: 'x' }), { freq: 1 }),
  text: fc.option(fc.constantFrom('FOX', 'job-1', 'o'), { freq: 1 }),
  created: range, settled: range,
  sort: fc.constantFrom(...sortKeys), descending: fc.boolean(),
  limit: fc.integer({ min: 1, max: 6 }),
}).map((query) => (query.text === null ? query : { ...query, sort: 'createdAt' as const }))

type Drafts = readonly (typeof draft extends fc.Arbitrary<infer D> ? D : never)[]
type Fates = readonly (typeof fate extends fc.Arbitrary<infer F> ? F : never)[]

/** Adds jobs and lets them go their ways; answers the ids that were added, in order. */
export async function populate(bench: Bench, drafts: Drafts, fates: Fates): Promise<string[]> {
  const jobs: Partial<NewJob>[] = drafts.map((job, n) => ({ ...job, id: `job-${n}` }))
  for (const job of jobs) {
    await bench.add(job)
    await bench.env.advance(1)
  }
  for (const [n, [what, laterMs]] of fates.entries()) {
    const id = `job-${n}`
    await bench.env.advance(laterMs)
    if (what === 'cancel' || what === 'remove') await bench.apply(id, { type: what })
    else if (what !== 'nothing') {
      const [record] = await bench.claim({
        limit: 1, tasks: new Map([['resize', policy], ['crop', policy]]),
      })
      if (record && what === 'complete') await bench.complete(record)
      else if (record && what === 'fail') await bench.fail(record)
    }
  }
  return jobs.map(({ id }) => id as string)
}
