import { describe, expect, it } from 'vitest'
import type { JobEvent, JobEventType } from '../../../machines/job-events.ts'
import type { JobRecord, NewJob } from '../../records/job.ts'
import { ignored, step } from '../../records/step.ts'
import { half, policy } from '../records.ts'
import { leaseMs } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'
import { placements, places } from './placements.ts'
import type { Placed } from './placements.ts'

/** One way for an event to come through the store: what is set up, what is done. */
interface Row {
  readonly event: JobEventType
  readonly job?: Partial<NewJob>
  readonly waitMs?: number
  /** Lets the event happen, and answers it as the chart must have seen it. */
  act(bench: Bench, before: JobRecord): Promise<JobEvent>
}

const sweeps = (event: 'due' | 'expire' | 'stall', waitMs: number, job: Partial<NewJob>): Row => ({
  event, waitMs, job,
  act: async (bench) => {
    await bench.sweep()
    return bench.event(event, { by: 'sweep' })
  },
})

const commits = (event: 'complete' | 'fail' | 'timeout' | 'snooze' | 'release'): Row => ({
  event,
  act: async (bench, before) => {
    const decided = bench.event(event, { progress: half })
    // What a worker would send that believes that the job runs.
    const cancelling = before.state === 'cancelling'
    const knows = cancelling && event !== 'timeout'
    // Who has heard of a cancel speaks of no timeout.
    const rev = cancelling && !knows ? before.rev - 1 : before.rev
    const commit = bench.decide(
      knows ? before : { ...before, rev, state: 'running', phase: null }, decided,
    )
    await bench.store.commit([commit])
    return decided
  },
})

const claims = (job: Partial<NewJob>, waitMs: number): Row => ({
  event: 'claim', job, waitMs,
  act: async (bench, before) => {
    const [claimed] = await bench.claim()
    return bench.event('claim', {
      by: 'worker:w1', policy: { ...policy, ...before.options }, started: true,
      fence: claimed?.fence ?? before.fence + 1,
      lease: { worker: 'worker:w1', until: bench.env.now() + leaseMs },
    })
  },
})

const applies = (type: 'cancel' | 'retry' | 'reschedule', delayMs = 0): Row => ({
  event: type,
  act: async (bench, before) => {
    if (type === 'reschedule') await bench.apply(before.id, { type, delayMs })
    else if (type === 'cancel') await bench.apply(before.id, { type, reason: 'because' })
    else await bench.apply(before.id, { type })
    const now = bench.env.now()
    return type === 'reschedule'
      ? bench.event(type, { by: 'ann', runAt: now + delayMs })
      : bench.event(type, { by: 'ann', ...(type === 'cancel' ? { reason: 'because' } : {}) })
  },
})

const rows: Readonly<Record<string, Row>> = {
  'claim': claims({}, 0),
  'claim/ttl-left': claims({ ttlMs: 1000 }, 0),
  'complete': commits('complete'),
  'fail': commits('fail'),
  'timeout': commits('timeout'),
  'snooze': commits('snooze'),
  'release': commits('release'),
  'progress': {
    event: 'progress',
    act: async (bench, { id, fence }) => {
      await bench.store.progress([{ id, fence, by: 'worker:w1', progress: half, log: null }])
      return bench.event('progress', { progress: half })
    },
  },
  'cancel': applies('cancel'),
  'retry': applies('retry'),
  'reschedule/later': applies('reschedule', 300),
  'reschedule/now': applies('reschedule'),
  'due': sweeps('due', 400, {}),
  'due/early': sweeps('due', 399, {}),
  'expire': sweeps('expire', 600, { ttlMs: 200 }),
  'expire/early': sweeps('expire', 199, { ttlMs: 200 }),
  'stall/left': sweeps('stall', leaseMs, { options: { maxStalls: 1 } }),
  'stall/spent': sweeps('stall', leaseMs, { options: { maxStalls: 0 } }),
}

/** Each leaf with each event, through the verbs of the store: it must do what `step` does. */
export function chartContract(open: OpenBench): void {
  for (const [name, row] of Object.entries(rows)) {
    describe(name, () => {
      it.each(places)('from %s', async (leaf) => {
        await compare(await open(), leaf, row)
      })
    })
  }
}

async function compare(bench: Bench, leaf: Placed, row: Row): Promise<void> {
  const before = await placements[leaf](bench, row.job)
  const sweeping = row.event === 'due' || row.event === 'expire' || row.event === 'stall'
  await bench.env.advance(row.waitMs ?? 0)
  const { newest } = await bench.readLog('images', 0, 0)
  const event = await row.act(bench, before)
  const [after] = await bench.store.get([before.id])
  const entry = (await bench.readLog('images', newest, 1)).entries[0]
  const moved = step(before, event)
  if (moved !== ignored) {
    expect({ ...after, operation: null }).toEqual(moved.record)
    expect(entry).toEqual({ ...moved.transition, seq: newest + 1 })
  } else if (!sweeping || entry?.event === row.event || entry === undefined) {
    expect(after).toEqual(before)
    expect(entry).toBeUndefined()
  }
}
