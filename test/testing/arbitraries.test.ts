import * as fc from 'fast-check'
import { memoryStore } from 'troupe'
import { jobMachine } from 'troupe/machines'
import { checkHistory, testTroupe, VirtualEnv } from 'troupe/testing'
import {
  addOptions, chartEvents, durations, flows, jobs, jsonValues, schedules,
} from 'troupe/testing/arbitraries'
import { expect, it } from 'vitest'
import { parseDuration } from '../../src/duration.ts'
import { createRecord } from '../../src/records/job.ts'
import { ignored, step } from '../../src/records/step.ts'
import { newJob } from '../../src/testing/records.ts'
import { runs } from '../../src/testing/runs.ts'

const tasks = ['resize', 'send'] as const

async function open() {
  const t = await testTroupe({ lease: '24h' })
  const work = t.scripted()
  const queue = t.troupe.queue('q', { tasks: { resize: work, send: work } })
  return { t, queue }
}

it('inputs come back as they were given', async () => {
  await fc.assert(fc.asyncProperty(jsonValues(), async (input) => {
    const { t, queue } = await open()
    const job = await queue.add('send', input)
    expect((await t.record(job)).input).toEqual(input)
    await t.stop()
  }), runs(60))
})

it('jobs with any options are taken, run, and keep every promise', async () => {
  const anything = fc.array(jobs(tasks), { minLength: 1, maxLength: 6 })
  await fc.assert(fc.asyncProperty(anything, async (list) => {
    const { t, queue } = await open()
    await queue.addMany(list)
    await t.runUntilSettled()
    checkHistory(await t.history('q'))
    await t.stop()
  }), runs(40))
})

it('options and durations are taken as they are', async () => {
  await fc.assert(fc.asyncProperty(addOptions(), durations(), async (options, duration) => {
    const { t, queue } = await open()
    expect(parseDuration(duration, 'duration')).toBeLessThanOrEqual(3_600_000)
    expect((await queue.add('send', null, options)).created).toBe(true)
    await t.stop()
  }), runs(60))
})

it('graphs have no cycle, and nobody is stranded', async () => {
  await fc.assert(fc.asyncProperty(flows(tasks), async ({ jobs: nodes, after }) => {
    const { t, queue } = await open()
    const specs = Object.fromEntries(Object.entries(nodes).map(([key, { task, input, ...rest }]) =>
      [key, queue.spec(task, input, rest)]))
    await t.troupe.flow(specs, after)
    await t.runUntilSettled()
    checkHistory(await t.history('q'))
    await t.stop()
  }), runs(40))
})

it('schedules are stored as they are given', async () => {
  await fc.assert(fc.asyncProperty(schedules(tasks), async ({ key, ...schedule }) => {
    const { t, queue } = await open()
    expect(await queue.schedules.upsert(key, schedule)).toBe('created')
    expect(await queue.schedules.list()).toMatchObject([{ key, task: schedule.task }])
    await t.stop()
  }), runs(60))
})

it('sequences of events move a job through the whole chart', () => {
  const seen = new Set<string>()
  fc.assert(fc.property(chartEvents(), (events) => {
    let record = createRecord(newJob({ id: 'a' }), 0)
    let last = 0
    for (const event of events) {
      expect(event.now).toBeGreaterThanOrEqual(last)
      last = event.now
      const moved = step(record, event, 'operation')
      if (moved === ignored) continue
      expect(moved.record.rev).toBe(record.rev + 1)
      record = moved.record
      seen.add(record.phase ?? record.state)
    }
  }), runs(500))
  expect([...seen].sort()).toEqual([
    'blocked', 'cancelled', 'cancelling', 'completed', 'delayed', 'failed', 'ready', 'running',
  ])
  expect(Object.keys(jobMachine.states)).toContain('queued')
})

it('the same seed gives the same values', () => {
  const sample = (): unknown => fc.sample(jobs(tasks), { seed: 4, numRuns: 20 })
  expect(sample()).toEqual(sample())
  expect(new VirtualEnv({ seed: 3 }).random()).toBe(new VirtualEnv({ seed: 3 }).random())
  expect(memoryStore().name).toBe('memory')
})
