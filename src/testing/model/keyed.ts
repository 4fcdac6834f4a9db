import * as fc from 'fast-check'
import type { AddOptions, DedupeOption, JobRecord } from '../../index.ts'
import { expect } from 'vitest'
import { isSettled } from '../../records/job.ts'
import { show, Step } from './steps.ts'
import type { Plan } from './worker.ts'

const keys: readonly DedupeOption[] = [
  { key: 'simple', mode: 'simple' }, { key: 'supersede', mode: 'supersede' },
  { key: 'throttle', mode: 'throttle', window: 3000 },
  { key: 'debounce', mode: 'debounce', window: 60 },
]

function standsInTheWay(record: JobRecord, mode: DedupeOption['mode'], now: number): boolean {
  if (record.dedupe?.key !== mode) return false
  if (mode === 'throttle') return now < record.createdAt + 3000
  if (mode === 'debounce') return record.state === 'queued' && record.attempt === 0
  return !isSettled(record)
}

/** Adds a job with one of four keys, each in its own mode, and judges the answer by all jobs. */
export const addKeyed = fc.record({
  worker: fc.nat(20), dedupe: fc.constantFrom(...keys),
  plan: fc.constantFrom<Plan>('complete', 'fail', 'hang', 'hang', 'deaf'),
}).map(({ worker, dedupe, plan }) => new Step(
  `add keyed ${show(dedupe)} ${plan}`,
  async (_model, world) => {
    const before = (await world.jobs()).filter((record) =>
      standsInTheWay(record, dedupe.mode, world.place.clock.now()))
    const options: AddOptions = { dedupe, partition: dedupe.mode, label: plan }
    const handle = await world.worker(worker).queue.add('work', { plans: [plan] }, options)
    world.added.add(handle.id)
    const created = dedupe.mode === 'supersede' || before.length === 0
    expect(handle.created).toBe(created)
    if (!created) expect(before.map(({ id }) => id)).toContain(handle.id)
    const now = await world.job(handle.id)
    if (created || dedupe.mode === 'debounce') expect(now).toMatchObject({ label: plan })
    for (const { id } of dedupe.mode === 'supersede' ? before : []) {
      expect((await world.job(id))?.state).toMatch(/cancelled|cancelling|completed/)
    }
  },
))
