import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createActor } from 'xstate'
import { jobMachine } from '../../machines/job.ts'
import type { JobContext, JobEvent } from '../../machines/job-events.ts'
import { createRecord, timelineLimit } from '../../src/records/job.ts'
import type { JobRecord } from '../../src/records/job.ts'
import { can, ignored, leafOf, step } from '../../src/records/step.ts'
import {
  contextOf, deepFreeze, eventTypes, jobEvent, leaves, newJob, recordIn, valueOf,
} from '../../src/testing/records.ts'
import { anyEvent, anyEventOf, anyRecordIn } from './arbitraries.ts'

interface Interpreted {
  readonly taken: boolean
  readonly unchanged: boolean
  readonly value: unknown
  readonly context: JobContext
}

/** What XState's own interpreter makes of the event. */
function interpret(record: JobRecord, event: JobEvent): Interpreted {
  const context = contextOf(record)
  const snapshot = jobMachine.resolveState({ value: valueOf(record), context })
  const actor = createActor(jobMachine, { snapshot, input: context }).start()
  const before = actor.getSnapshot()
  const taken = before.can(event)
  actor.send(event)
  const after = actor.getSnapshot()
  actor.stop()
  return {
    taken,
    unchanged: after.context === before.context &&
      JSON.stringify(after.value) === JSON.stringify(before.value),
    value: after.value,
    context: after.context,
  }
}

const pairs = leaves.flatMap((leaf) => eventTypes.map((type) => ({ leaf, type })))

describe('the compiled step is the interpreter', () => {
  it.each(pairs)('$leaf, $type', ({ leaf, type }) => {
    fc.assert(fc.property(anyRecordIn(leaf), anyEventOf(type), (record, event) => {
      deepFreeze(record)
      deepFreeze(event)
      const moved = step(record, event)
      const real = interpret(record, event)
      expect(can(record, event)).toBe(real.taken)
      if (moved === ignored) {
        expect(real).toMatchObject({ taken: false, unchanged: true })
        return
      }
      expect(real.taken).toBe(true)
      expect(real.value).toEqual(valueOf(moved.record))
      expect(contextOf(moved.record)).toStrictEqual(real.context)
    }), { numRuns: 80 })
  })

  // Guards that never pass would make the property above say nothing.
  it('meets moves and ignored events for every event type', () => {
    for (const type of eventTypes) {
      const samples = fc.sample(fc.tuple(fc.oneof(...leaves.map(anyRecordIn)), anyEventOf(type)), {
        numRuns: 400, seed: 7,
      })
      const moves = samples.filter(([record, event]) => step(record, event) !== ignored)
      expect(moves.length, type).toBeGreaterThan(0)
      expect(moves.length, type).toBeLessThan(samples.length)
    }
  })
})

describe('a move', () => {
  it('raises rev by one and touches no field but those of the chart', () => {
    const anyRecord = fc.oneof(...leaves.map(anyRecordIn))
    fc.assert(fc.property(anyRecord, anyEvent, (record, event) => {
      const moved = step(deepFreeze(record), deepFreeze(event), 'commit-2')
      if (moved === ignored) return
      const next = moved.record
      expect(next.rev).toBe(record.rev + 1)
      expect(Object.keys(next).sort()).toEqual(Object.keys(record).sort())
      expect(next.operation).toBe('commit-2')
      const chartOwns = {
        ...contextOf(record), state: 0, phase: 0, rev: 0, timeline: 0, operation: 0,
      }
      for (const key of Object.keys(record) as (keyof JobRecord)[]) {
        if (!(key in chartOwns)) expect(next[key]).toBe(record[key])
      }
    }), { numRuns: 1_000 })
  })

  it('is told by its transition', () => {
    const anyRecord = fc.oneof(...leaves.map(anyRecordIn))
    fc.assert(fc.property(anyRecord, anyEvent, (record, event) => {
      const moved = step(record, event)
      if (moved === ignored) return
      const { rev, phase, attempt, fence, reason, progress, error } = moved.record
      expect(moved.transition).toEqual({
        seq: 0, at: event.now, queue: record.queue, jobId: record.id, task: record.task,
        event: event.type, from: record.state, to: moved.record.state, by: event.by,
        rev, phase, attempt, fence, reason, progress, error, cursor: '',
      })
    }), { numRuns: 1_000 })
  })

  it('forgets the commit of an earlier move', () => {
    const moved = step(recordIn('ready', { operation: 'commit-1' }), jobEvent('claim'))
    expect(moved !== ignored && moved.record.operation).toBeNull()
  })

  it('gives the same answer to the same question', () => {
    fc.assert(fc.property(fc.oneof(...leaves.map(anyRecordIn)), anyEvent, (record, event) => {
      expect(step(record, event)).toStrictEqual(step(record, event))
    }))
  })
})

const throughJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
const anyLife = fc.record({
  start: fc.constantFrom(
    createRecord(newJob(), 3),
    createRecord(newJob({ runAt: 6, ttlMs: 5 }), 3),
    createRecord(newJob({ ttlMs: 4, dependsOn: ['parent'] }), 3, { openParents: 1, after: null }),
  ),
  // Claims are frequent, or most of the sequence would find the job queued.
  events: fc.array(fc.oneof(anyEvent, anyEventOf('claim')), { minLength: 1, maxLength: 40 }),
})

/** The record after each event; where the event is ignored, the same one again. */
function live(start: JobRecord, events: readonly JobEvent[]): readonly JobRecord[] {
  let record = start
  return events.map((event) => {
    const moved = step(record, event)
    if (moved !== ignored) record = moved.record
    return record
  })
}

describe('persist, JSON, restore', () => {
  it('changes nothing at any index of a record\'s life', () => {
    fc.assert(fc.property(anyLife, ({ start, events }) => {
      const whole = live(start, events)
      whole.forEach((record, index) => {
        const restored = throughJson(record)
        expect(restored).toStrictEqual(record)
        expect(live(restored, events.slice(index + 1))).toStrictEqual(whole.slice(index + 1))
      })
    }), { numRuns: 60 })
  })

  it('changes nothing at any index of an actor\'s life', () => {
    fc.assert(fc.property(anyLife, ({ start, events }) => {
      const input = contextOf(start)
      const snapshot = jobMachine.resolveState({ value: valueOf(start), context: input })
      const steady = createActor(jobMachine, { snapshot, input }).start()
      let fragile = createActor(jobMachine, { snapshot, input }).start()
      for (const event of events) {
        const persisted = throughJson(fragile.getPersistedSnapshot())
        fragile.stop()
        fragile = createActor(jobMachine, { snapshot: persisted, input }).start()
        fragile.send(event)
        steady.send(event)
        expect(fragile.getSnapshot().value).toEqual(steady.getSnapshot().value)
        expect(fragile.getSnapshot().context).toStrictEqual(steady.getSnapshot().context)
      }
    }), { numRuns: 60 })
  })

  it('the record and the actor live the same life', () => {
    fc.assert(fc.property(anyLife, ({ start, events }) => {
      const input = contextOf(start)
      const snapshot = jobMachine.resolveState({ value: valueOf(start), context: input })
      const actor = createActor(jobMachine, { snapshot, input }).start()
      const records = live(start, events)
      events.forEach((event, index) => {
        actor.send(event)
        const record = records[index] ?? start
        expect(actor.getSnapshot().value).toEqual(valueOf(record))
        expect(actor.getSnapshot().context).toStrictEqual(contextOf(record))
      })
    }), { numRuns: 100 })
  })
})

describe('the timeline', () => {
  it('tells each move but progress, oldest first', () => {
    const events = [
      jobEvent('claim', { now: 1, by: 'worker:w1' }), jobEvent('progress', { now: 2 }),
      jobEvent('fail', { now: 3, by: 'worker:w1' }), jobEvent('progress', { now: 4 }),
      jobEvent('due', { now: 8_000, by: 'sweep' }), jobEvent('cancel', { now: 9_000, by: 'ann' }),
    ]
    const last = live(recordIn('ready'), events).at(-1)
    expect(last?.timeline).toEqual([
      { at: 1_000, event: 'add', to: 'ready', attempt: 0, by: 'api' },
      { at: 1, event: 'claim', to: 'running', attempt: 1, by: 'worker:w1' },
      { at: 3, event: 'fail', to: 'delayed', attempt: 1, by: 'worker:w1' },
      { at: 8_000, event: 'due', to: 'ready', attempt: 1, by: 'sweep' },
      { at: 9_000, event: 'cancel', to: 'cancelled', attempt: 1, by: 'ann' },
    ])
    expect(last?.rev).toBe(6)
  })

  it('keeps the latest 40 entries, and progress costs it none', () => {
    expect(timelineLimit).toBe(40)
    const events = Array.from({ length: 50 }, (_, lap) => [
      jobEvent('claim', { now: 10 * lap }), jobEvent('progress', { now: 10 * lap + 1 }),
      jobEvent('release', { now: 10 * lap + 2 }),
    ]).flat()
    const records = live(recordIn('ready'), events)
    for (const record of records) expect(record.timeline.length).toBeLessThanOrEqual(40)
    const last = records.at(-1)
    expect(last?.rev).toBe(151)
    expect(last?.timeline.map(({ at }) => at))
      .toEqual(Array.from({ length: 20 }, (_, lap) => [300 + 10 * lap, 302 + 10 * lap]).flat())
    expect(last?.timeline.some(({ event }) => event === 'progress')).toBe(false)
  })

  it('leaves the timeline of the record before alone', () => {
    const before = deepFreeze(recordIn('running'))
    const moved = step(before, jobEvent('progress'))
    expect(moved !== ignored && moved.record.timeline).toBe(before.timeline)
    expect(leafOf(before)).toBe('running')
  })
})
