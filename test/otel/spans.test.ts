import {
  context, createNoopMeter, diag, propagation, SpanKind, SpanStatusCode, trace,
} from '@opentelemetry/api'
import type { Tracer } from '@opentelemetry/api'
import { task, UnrecoverableError } from 'troupe'
import type { Job } from 'troupe'
import { openTelemetry } from 'troupe/otel'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startSdk, useAsyncContext } from '../support/open-telemetry.ts'
import { hold, recordOf, untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()
useAsyncContext()
let sdk = startSdk()
const warnings: unknown[] = []
const silent = (): void => undefined
beforeEach(() => {
  sdk = startSdk()
  const warn = (...args: unknown[]): void => { warnings.push(args) }
  diag.setLogger({ error: silent, warn, info: silent, debug: silent, verbose: silent })
})
afterEach(() => {
  diag.disable()
  expect(warnings.splice(0), 'what the SDK has complained of').toEqual([])
})

/** A started queue `q` whose troupe is traced. */
async function open(work: (job: Job<unknown>) => unknown, tracer: Tracer = sdk.tracer) {
  const troupe = await stage.open({ telemetry: openTelemetry({ tracer, meter: sdk.meter }) })
  const queue = troupe.queue('q', { concurrency: 1, tasks: { work } })
  await troupe.start()
  // The first claim belongs to the start; those that follow, to who adds.
  await stage.env.settle()
  return { queue, troupe }
}

/** The attribute `name` of each span that has ended. */
const ended = (name: string): unknown[] => sdk.spans().map(({ attributes }) => attributes[name])

async function onlySpan() {
  await stage.env.settle()
  const [span, ...others] = sdk.spans()
  if (!span || others.length > 0) throw new Error(`${sdk.spans().length} spans have ended`)
  return span
}

describe('an attempt', () => {
  test('is one span of its own trace, linked to where the job was added', async () => {
    const { queue } = await open(() => 'done')
    const added = sdk.tracer.startSpan('request')
    const job = await context.with(trace.setSpan(context.active(), added), () =>
      queue.add('work', 'INPUT', { id: 'j', partition: 'tenant', label: 'L', meta: 'META' }))
    const { traceId, spanId } = added.spanContext()
    await stage.drive(job.result())
    expect((await recordOf(queue, 'j')).trace).toBe(`00-${traceId}-${spanId}-01`)
    const span = await onlySpan()
    expect(span.name).toBe('q work')
    expect(span.kind).toBe(SpanKind.CONSUMER)
    expect(span.parentSpanContext).toBeUndefined()
    expect(span.spanContext().traceId).not.toBe(traceId)
    expect(span.links.map((link) => link.context))
      .toEqual([{ traceId, spanId, traceFlags: 1, isRemote: true }])
    expect(span.attributes).toEqual({
      'messaging.system': 'troupe', 'messaging.destination.name': 'q',
      'messaging.operation.name': 'process', 'messaging.operation.type': 'process',
      'messaging.message.id': 'j', 'troupe.task': 'work', 'troupe.attempt': 1, 'troupe.fence': 1,
      'troupe.partition': 'tenant', 'troupe.outcome': 'completed',
    })
    expect(span.status).toEqual({ code: SpanStatusCode.UNSET })
    expect(span.events).toEqual([])
  })

  test('of a job that was added outside of any trace has no link', async () => {
    const { queue } = await open(() => 1)
    const job = await queue.add('work')
    await stage.drive(job.result())
    expect((await recordOf(queue, job.id)).trace).toBeNull()
    expect((await onlySpan()).links).toEqual([])
  })

  test('is active while the handler runs: its spans and its adds are inside', async () => {
    const other = hold<string>()
    const { queue } = await open(async (job) => {
      if (job.input === 'child') return 'child'
      await other.promise
      sdk.tracer.startSpan('query').end()
      return (await queue.add('work', 'child')).id
    })
    const baggage = propagation.createBaggage({ user: { value: 'who added' } })
    const job = await context.with(propagation.setBaggage(context.active(), baggage), () =>
      queue.add('work'))
    await stage.env.settle()
    other.release('go on')
    const childId = await stage.drive(job.result()) as string
    await stage.drive(queue.job(childId).result())
    const [query, parent, child] = sdk.spans()
    const here = parent?.spanContext()
    expect(query?.name).toBe('query')
    expect(query?.parentSpanContext?.spanId).toBe(here?.spanId)
    expect(child?.links[0]?.context).toMatchObject({ traceId: here?.traceId, spanId: here?.spanId })
    expect(child?.parentSpanContext).toBeUndefined()
  })

  test('does not run in the context in which somebody happened to add', async () => {
    const seen: unknown[] = []
    const { queue } = await open(() => { seen.push(propagation.getActiveBaggage()) })
    const baggage = propagation.createBaggage({ user: { value: 'who added' } })
    await context.with(propagation.setBaggage(context.active(), baggage), async () => {
      await stage.drive((await queue.add('work')).result())
    })
    expect(seen).toEqual([undefined])
  })

  test('that fails is an error, each time, with the exception', async () => {
    const { queue } = await open((job) => {
      if (job.attempt === 1) throw new RangeError('too far')
      throw job.attempt === 2 ? 'just text' : new UnrecoverableError('no use')
    })
    const job = await queue.add('work', null, { retries: 5 })
    await stage.drive(job.result().catch(() => undefined))
    expect(ended('troupe.attempt')).toEqual([1, 2, 3])
    expect(ended('troupe.outcome')).toEqual(['failed', 'failed', 'failed'])
    expect(ended('error.type')).toEqual(['RangeError', 'NonError', 'UnrecoverableError'])
    const errors = sdk.spans().map(({ status, events }) => [
      status, events.map(({ name, attributes }) => [name, attributes?.['exception.message']]),
    ])
    expect(errors).toEqual(['too far', 'just text', 'no use'].map((message) => [
      { code: SpanStatusCode.ERROR, message }, [['exception', message]],
    ]))
    expect(sdk.spans()[0]?.events[0]?.attributes?.['exception.stacktrace']).toContain('RangeError')
  })

  test('that snoozes or reaches a limit is no error', async () => {
    const { queue } = await open((job) => {
      if (ended('troupe.outcome').length === 0) job.limitReached('1s')
      if (job.attempt === 1) job.snooze('1s')
    })
    await stage.drive((await queue.add('work')).result())
    expect(ended('troupe.outcome')).toEqual(['limit-reached', 'snoozed', 'completed'])
    expect(sdk.spans().map(({ status, events }) => [status.code, events.length]))
      .toEqual([[0, 0], [0, 0], [0, 0]])
  })
})

describe('an aborted attempt', () => {
  test('by a cancel is cancelled, and no error of the handler', async () => {
    const { queue } = await open(untilAborted)
    const job = await queue.add('work')
    await stage.env.settle()
    await job.cancel('enough')
    const span = await onlySpan()
    expect(span.attributes['troupe.outcome']).toBe('cancelled')
    expect([span.status.code, span.events]).toEqual([SpanStatusCode.UNSET, []])
  })

  test('by a cancel is cancelled, although the handler snoozes', async () => {
    const { queue } = await open((job) => untilAborted(job).catch(() => job.snooze('1s')))
    const job = await queue.add('work')
    await stage.env.settle()
    await job.cancel()
    expect((await onlySpan()).attributes['troupe.outcome']).toBe('cancelled')
    expect((await recordOf(queue, job.id)).state).toBe('cancelled')
  })

  test('by its timeout snoozes when the handler does so', async () => {
    const { queue } = await open((job) => untilAborted(job).catch(() => job.snooze('1h')))
    const job = await queue.add('work', null, { timeout: '5s' })
    await stage.env.advance(5000)
    expect((await onlySpan()).attributes['troupe.outcome']).toBe('snoozed')
    expect((await recordOf(queue, job.id)).state).toBe('queued')
  })

  test('by its timeout has failed', async () => {
    const { queue } = await open((job) => untilAborted(job).catch(() => { throw new Error('own') }))
    await queue.add('work', null, { timeout: '5s' })
    await stage.env.advance(5000)
    const span = await onlySpan()
    expect(span.attributes).toMatchObject({
      'troupe.outcome': 'timed-out', 'error.type': 'job-timeout',
    })
    expect(span.status.code).toBe(SpanStatusCode.ERROR)
  })

  test('by the stop of the process goes back', async () => {
    const { queue, troupe } = await open(untilAborted)
    await queue.add('work')
    await stage.env.settle()
    await stage.drive(troupe.stop({ grace: '1s' }))
    const span = await onlySpan()
    expect(span.attributes['troupe.outcome']).toBe('released')
    expect(span.status.code).toBe(SpanStatusCode.UNSET)
  })

  test('that goes on ends its span when it is left behind, once', async () => {
    const gate = hold()
    const { queue } = await open(() => gate.promise)
    await queue.add('work', null, { timeout: '5s', cancelGrace: '2s' })
    await stage.env.advance(6999)
    expect(sdk.spans()).toEqual([])
    await stage.env.advance(1)
    const span = await onlySpan()
    expect(span.attributes).toMatchObject({
      'troupe.outcome': 'timed-out', 'troupe.abandoned': true,
    })
    gate.release()
    expect((await onlySpan()).attributes['troupe.outcome']).toBe('timed-out')
  })

  test('that has its result in time has completed', async () => {
    const { queue } = await open((job) => untilAborted(job).catch(() => 'in time'))
    const job = await queue.add('work')
    await stage.env.settle()
    await job.cancel()
    expect((await onlySpan()).attributes['troupe.outcome']).toBe('completed')
    expect((await recordOf(queue, job.id)).state).toBe('completed')
  })
})

test('other middleware runs inside the span', async () => {
  const names: unknown[] = []
  const troupe = await stage.open({
    telemetry: openTelemetry({ tracer: sdk.tracer, meter: createNoopMeter() }),
    middleware: [(_job, next) => {
      names.push(trace.getActiveSpan()?.spanContext().spanId)
      return next()
    }],
  })
  const queue = troupe.queue('q', { tasks: { work: task({ handler: () => 'done' }) } })
  await troupe.start()
  await stage.drive((await queue.add('work')).result())
  expect(names).toEqual([(await onlySpan()).spanContext().spanId])
})

describe('trouble', () => {
  test('of the SDK fails no job', async () => {
    const failing = new Proxy(sdk.tracer, {
      get: () => () => { throw new Error('no span today') },
    })
    const { queue } = await open(() => 'done', failing)
    expect(await stage.drive((await queue.add('work')).result())).toBe('done')
  })

  test('of a span fails no job', async () => {
    const failing: Tracer = {
      ...sdk.tracer,
      startSpan: () => new Proxy(sdk.tracer.startSpan('x'), {
        get: () => () => { throw new Error('no end today') },
      }),
    }
    const { queue } = await open(() => 'done', failing)
    expect(await stage.drive((await queue.add('work')).result())).toBe('done')
  })

  test('of a telemetry of one\'s own is logged, and fails no job', async () => {
    const troupe = await stage.open({
      telemetry: {
        trace: () => { throw new Error('no trace') },
        transition: () => { throw new Error('no transition') },
        middleware: (_job, next) => next(),
      },
    })
    const queue = troupe.queue('q', { tasks: { work: () => 'done' } })
    await troupe.start()
    const job = await queue.add('work')
    expect(await stage.drive(job.result())).toBe('done')
    expect((await recordOf(queue, job.id)).trace).toBeNull()
    expect(new Set(stage.takeLines().map(({ message }) => message))).toEqual(new Set([
      'the telemetry could not tell the trace', 'the telemetry could not take a transition',
    ]))
  })

  test.each(['', 'nonsense', `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01`, 'ff-x', 7, '\0'])(
    'a trace that is none (%j) gives no link', async (traceparent) => {
      const telemetry = openTelemetry({ tracer: sdk.tracer, meter: sdk.meter })
      const troupe = await stage.open({
        telemetry: { ...telemetry, trace: () => traceparent as string },
      })
      const queue = troupe.queue('q', { tasks: { work: () => 1 } })
      await troupe.start()
      await stage.drive((await queue.add('work')).result())
      expect((await onlySpan()).links).toEqual([])
    },
  )
})
