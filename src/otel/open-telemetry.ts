import {
  context, diag, INVALID_SPAN_CONTEXT, isSpanContextValid, metrics, ROOT_CONTEXT, SpanKind,
  SpanStatusCode, trace, ValueType,
} from '@opentelemetry/api'
import type {
  Attributes, Counter, Histogram, Link, Meter, Span, Tracer, UpDownCounter,
} from '@opentelemetry/api'
import { TroupeError } from '../errors.ts'
import { toJobError } from '../records/job-error.ts'
import type { Job, RunningJob } from '../orchestrator/job.ts'
import { version } from '../orchestrator/leases.ts'
import type { Telemetry } from '../orchestrator/telemetry.ts'
import { timingsOf } from '../orchestrator/timings.ts'
import { wordOf } from '../orchestrator/transition-log.ts'
import type { Change } from '../stores/store.ts'

export interface OpenTelemetryOptions {
  /** Makes the spans. Default: `troupe` of the global tracer provider. */
  readonly tracer?: Tracer
  /** Makes the instruments. Default: `troupe` of the global meter provider. */
  readonly meter?: Meter
}

/** How an attempt ended, as far as its handler goes: `troupe.outcome` of its span. */
type Outcome =
  | 'completed' | 'failed' | 'timed-out' | 'cancelled' | 'snoozed' | 'limit-reached'
  /** The process stops, and the job goes back uncharged. */
  | 'released'
  /** Another worker may have the job. */
  | 'lease-lost'

/**
 * Traces and metrics for `createTroupe({ telemetry: openTelemetry() })`. Call it after the SDK has
 * been started. Each attempt that reaches its handler is a span of its own trace, linked to the
 * span in which the job was added. Trouble of the SDK never fails a job.
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Telemetry {
  const tracer = options.tracer ?? trace.getTracer('troupe', version)
  const instruments = makeInstruments(options.meter ?? metrics.getMeter('troupe', version))
  return {
    trace: activeTrace,
    middleware: (job, next) => traceAttempt(job, next, tracer, instruments),
    transition: (change) => { count(change, instruments) },
  }
}

interface Instruments {
  readonly transitions: Counter
  readonly wait: Histogram
  readonly run: Histogram
  readonly active: UpDownCounter
}

/** From 5 ms to 6 h: jobs are slower than requests. */
const secondBounds = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600,
]

function makeInstruments(meter: Meter): Instruments {
  const seconds = (description: string) => ({
    description, unit: 's', valueType: ValueType.DOUBLE,
    advice: { explicitBucketBoundaries: secondBounds },
  })
  return {
    transitions: meter.createCounter('troupe.job.transitions', {
      description: 'Committed transitions of jobs.', unit: '{transition}',
      valueType: ValueType.INT,
    }),
    wait: meter.createHistogram(
      'troupe.job.wait.duration', seconds('From when a job could run to its claim.'),
    ),
    run: meter.createHistogram(
      'troupe.job.run.duration', seconds('From the claim to the end of the attempt.'),
    ),
    active: meter.createUpDownCounter('troupe.handler.active', {
      description: 'Handlers that run in this process, abandoned ones included.',
      unit: '{handler}', valueType: ValueType.INT,
    }),
  }
}

/** What queues and tasks are called is bounded by the code; ids and labels are not. */
function labelsOf({ queue, task }: { readonly queue: string; readonly task: string }): Attributes {
  return { 'messaging.destination.name': queue, 'troupe.task': task }
}

function count(change: Change, { transitions, wait, run }: Instruments): void {
  const { entry } = change
  const labels = labelsOf(entry)
  const outcome = { ...labels, 'troupe.transition': wordOf(entry) }
  transitions.add(1, { ...outcome, 'troupe.state': entry.to ?? 'removed' })
  const { waitMs, runMs } = timingsOf(change)
  if (runMs !== null) run.record(runMs / 1000, outcome)
  else if (waitMs !== null) wait.record(waitMs / 1000, labels)
}

/** The active span as a W3C `traceparent`. */
function activeTrace(): string | null {
  const active = trace.getSpanContext(context.active())
  if (!active || !isSpanContextValid(active)) return null
  const flags = (active.traceFlags & 0xff).toString(16).padStart(2, '0')
  return `00-${active.traceId}-${active.spanId}-${flags}`
}

function linkTo(traceparent: string | null): Link[] {
  const match = /^00-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/.exec(traceparent ?? '')
  const [, traceId = '', spanId = '', flags = ''] = match ?? []
  const added = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
  return match && isSpanContextValid(added) ? [{ context: added }] : []
}

async function traceAttempt(
  job: Job, next: () => Promise<unknown>, tracer: Tracer, { active }: Instruments,
): Promise<unknown> {
  // What goes around an attempt gets what its handler runs with.
  const running = job as RunningJob
  const labels = labelsOf(job)
  const span = startSpan(tracer, running)
  let open = true
  const end = (outcome: Outcome, thrown?: unknown): void => {
    if (!open) return
    open = false
    // The signal is made for who looks at it: only where it is known to have aborted.
    const error = outcome === 'timed-out' ? job.signal.reason as unknown : thrown
    quietly(() => { endSpan(span, outcome, error) })
  }
  quietly(() => { active.add(1, labels) })
  running.onEnd(() => {
    if (!open) return
    quietly(() => { span.setAttribute('troupe.abandoned', true) })
    end(abortOf(job) ?? 'lease-lost')
  })
  try {
    // Not inside whatever happened to be active when the job was claimed.
    const result = await context.with(trace.setSpan(ROOT_CONTEXT, span), next)
    end('completed')
    return result
  } catch (error) {
    end(outcomeOf(job, error), error)
    throw error
  } finally {
    quietly(() => { active.add(-1, labels) })
  }
}

function startSpan(tracer: Tracer, job: RunningJob): Span {
  const { queue, task, id, attempt, fence, partition, trace: added } = job
  try {
    return tracer.startSpan(`${queue} ${task}`, {
      kind: SpanKind.CONSUMER,
      links: linkTo(added),
      attributes: {
        ...labelsOf(job),
        'messaging.system': 'troupe',
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.message.id': id,
        'troupe.attempt': attempt,
        'troupe.fence': fence,
        ...(partition === null ? {} : { 'troupe.partition': partition }),
      },
    }, ROOT_CONTEXT)
  } catch (error) {
    diag.error('troupe: no span could be started', error)
    return trace.wrapSpanContext(INVALID_SPAN_CONTEXT)
  }
}

function endSpan(span: Span, outcome: Outcome, thrown: unknown): void {
  try {
    span.setAttribute('troupe.outcome', outcome)
    if (outcome !== 'failed' && outcome !== 'timed-out') return
    const { name, message, code, stack = '' } = toJobError(thrown)
    span.recordException({ name, message, stack, ...(code === undefined ? {} : { code }) })
    span.setAttribute('error.type', code ?? name)
    span.setStatus({ code: SpanStatusCode.ERROR, message })
  } finally {
    span.end()
  }
}

/** What the chart will make of it, in the same order of precedence. */
function outcomeOf(job: Job, thrown: unknown): Outcome {
  const code = thrown instanceof TroupeError ? thrown.code : null
  const aborted = abortOf(job)
  if (aborted === 'cancelled' || aborted === 'lease-lost') return aborted
  if (code === 'snoozed') return 'snoozed'
  if (aborted) return aborted
  return code === 'limit-reached' ? 'limit-reached' : 'failed'
}

/** Why the handler was told to end; null: it was not. */
function abortOf({ signal }: Job): Outcome | null {
  if (!signal.aborted) return null
  const reason: unknown = signal.reason
  switch (reason instanceof TroupeError ? reason.code : null) {
    case 'job-timeout': return 'timed-out'
    case 'job-cancelled': return 'cancelled'
    case 'stopping': return 'released'
    default: return 'lease-lost'
  }
}

/** A span or an instrument that throws must not fail the job. */
function quietly(tell: () => void): void {
  try {
    tell()
  } catch (error) {
    diag.error('troupe: the telemetry failed', error)
  }
}
