import type { JobRecord, NewJob } from '../../records/job.ts'
import type { Leaf } from '../records.ts'
import { must } from './bench.ts'
import type { Bench } from './bench.ts'

/** The leaves that a job can reach through the store; nothing makes blocked jobs yet. */
export type Placed = Exclude<Leaf, 'blocked'>

type Place = (bench: Bench, patch?: Partial<NewJob>) => Promise<JobRecord>

/** Adds a job and brings it to a leaf of the chart by the verbs of the store alone. */
export const placements: { readonly [L in Placed]: Place } = {
  ready: (bench, patch) => bench.add({ id: 'placed', ...patch }),
  delayed: (bench, patch) => bench.add({ id: 'placed', delayMs: 400, ...patch }),
  running: (bench, patch) => bench.running({ id: 'placed', ...patch }),
  cancelling: async (bench, patch) => {
    const { id } = await bench.running({ id: 'placed', ...patch })
    return must((await bench.apply(id, { type: 'cancel', reason: 'why' })).record)
  },
  completed: async (bench, patch) => {
    const running = await bench.running({ id: 'placed', ...patch })
    await bench.complete(running)
    return must(await bench.get(running.id))
  },
  failed: async (bench, patch) => {
    const running = await bench.running({ id: 'placed', ...patch })
    await bench.fail(running)
    return must(await bench.get(running.id))
  },
  cancelled: async (bench, patch) => {
    const { id } = await bench.add({ id: 'placed', ...patch })
    return must((await bench.apply(id, { type: 'cancel', reason: 'why' })).record)
  },
}

export const places = Object.keys(placements) as readonly Placed[]
