import { context, metrics, trace } from '@opentelemetry/api'
import type { Job } from 'troupe'
import { openTelemetry } from 'troupe/otel'
import { beforeEach, describe, expect, test } from 'vitest'
import { startSdk } from '../support/open-telemetry.ts'
import { hold, untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()
let sdk = startSdk()
beforeEach(() => { sdk = startSdk() })

async function open(work: (job: Job<unknown>) => unknown) {
  const { tracer, meter } = sdk
  const troupe = await stage.open({ telemetry: openTelemetry({ tracer, meter }) })
  const queue = troupe.queue('q', { concurrency: 1, tasks: { work } })
  await troupe.start()
  return { queue, troupe }
}

const here = { 'messaging.destination.name': 'q', 'troupe.task': 'work' }

describe('transitions', () => {
  test('are counted by queue, task, word and state', async () => {
    const { queue } = await open((job) => {
      job.progress(50)
      if (job.input === 'bad') throw new Error('bad')
    })
    await stage.drive((await queue.add('work')).result())
    const bad = await queue.add('work', 'bad', { retries: 1, id: 'b' })
    await stage.drive(bad.result().catch(() => undefined))
    await queue.remove('b')
    const { unit, points } = await sdk.metric('troupe.job.transitions')
    expect(unit).toBe('{transition}')
    const counts = points.map(({ labels, value }) => {
      const { 'troupe.transition': word, 'troupe.state': state, ...where } = labels
      expect(where).toEqual(here)
      return [word, state, value]
    })
    expect(counts).toEqual([
      ['added', 'queued', 2], ['claimed', 'running', 3], ['completed', 'completed', 1],
      ['retrying', 'queued', 1], ['due', 'queued', 1], ['failed', 'failed', 1],
      ['removed', 'removed', 1],
    ])
  })

  test('make as many series for 500 jobs as for one', async () => {
    const { queue } = await open(() => 'done')
    const jobs = await queue.addMany(Array.from({ length: 500 }, (_, n) => ({
      task: 'work' as const, id: `job-${n}`, label: `label ${n}`, partition: `tenant-${n}`,
    })))
    await stage.drive(Promise.all(jobs.map((job) => job.result())))
    const all = await Promise.all(['transitions', 'wait.duration', 'run.duration']
      .map((name) => sdk.metric(`troupe.job.${name}`)))
    expect(all.map(({ points }) => points.length)).toEqual([3, 1, 1])
    expect(JSON.stringify(all)).not.toMatch(/job-|label \d|tenant/)
  })
})

describe('wait and run', () => {
  test('are recorded in seconds, once for each attempt', async () => {
    const { queue } = await open((job) => new Promise<void>((resolve, reject) => {
      stage.env.after(job.input as number, () => {
        if (job.attempt === 1 && job.id === 'twice') reject(new Error('again'))
        else resolve()
      })
    }))
    await queue.add('work', 4000)
    await queue.add('work', 2500, { id: 'twice', retries: 1, backoff: 1000 })
    await stage.drive(queue.idle())
    await stage.drive(queue.job('twice').result())
    const wait = await sdk.metric('troupe.job.wait.duration')
    expect(wait).toEqual({ unit: 's', points: [{ labels: here, value: { count: 3, sum: 4 } }] })
    const run = await sdk.metric('troupe.job.run.duration')
    expect(run).toEqual({
      unit: 's',
      points: [
        { labels: { ...here, 'troupe.transition': 'completed' }, value: { count: 2, sum: 6.5 } },
        { labels: { ...here, 'troupe.transition': 'retrying' }, value: { count: 1, sum: 2.5 } },
      ],
    })
  })

  test('of what is cancelled before it runs are not', async () => {
    const { queue } = await open(untilAborted)
    await queue.add('work', null, { id: 'later', delay: '1h' })
    await queue.cancel('later')
    expect((await sdk.metric('troupe.job.wait.duration')).points).toEqual([])
    await queue.add('work', null, { id: 'now' })
    await stage.env.advance(3000)
    await queue.cancel('now')
    await stage.env.settle()
    expect((await sdk.metric('troupe.job.run.duration')).points).toEqual([
      { labels: { ...here, 'troupe.transition': 'cancelled' }, value: { count: 1, sum: 3 } },
    ])
  })
})

test('active handlers are those that run, until they really end', async () => {
  const gate = hold()
  const { queue } = await open(() => gate.promise)
  const active = async () => (await sdk.metric('troupe.handler.active')).points
  expect(await active()).toEqual([])
  await queue.add('work', null, { timeout: '1s', cancelGrace: '1s' })
  await stage.env.settle()
  expect(await active()).toEqual([{ labels: here, value: 1 }])
  await stage.env.advance(5000)
  expect((await queue.counts()).failed).toBe(1)
  expect(await active()).toEqual([{ labels: here, value: 1 }])
  gate.release()
  await stage.env.settle()
  expect(await active()).toEqual([{ labels: here, value: 0 }])
})

test('without an SDK everything is done, and nothing is measured', async () => {
  trace.disable()
  metrics.disable()
  context.disable()
  const troupe = await stage.open({ telemetry: openTelemetry() })
  const queue = troupe.queue('q', { tasks: { work: () => 'done' } })
  await troupe.start()
  expect(await stage.drive((await queue.add('work')).result())).toBe('done')
})
