import type { Json } from '../../machines/vocabulary.ts'
import { can } from '../records/step.ts'
import { isLive } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import type { Transition } from '../records/transition.ts'
import type { Explanation } from '../orchestrator/explain.ts'
import type { JobHandle } from '../orchestrator/handle.ts'
import type { Schedule } from '../orchestrator/schedules/schedules.ts'
import type { Visitor } from './grant.ts'
import { jobActions } from './protocol.ts'
import type {
  JobAction, WireAudit, WireExplanation, WireHandle, WireJob, WireJobLine, WireTransition,
} from './protocol.ts'
import type { Redactor } from './redaction.ts'
import { ownKey } from './scope.ts'

/** What of a record is of no use, or no business, outside. */
const inner = ['operation', 'trace', 'releases', 'options', 'parentKeys'] as const

function without<T extends object, K extends keyof T>(value: T, names: readonly K[]): Omit<T, K> {
  const rest = { ...value }
  for (const name of names) delete rest[name]
  return rest
}

/** Turns what the library knows into what one user gets to see of it. */
export class Writer {
  readonly #redactor: Redactor
  readonly #visitor: Visitor

  constructor(redactor: Redactor, visitor: Visitor) {
    this.#redactor = redactor
    this.#visitor = visitor
  }

  job(record: JobRecord): WireJob {
    const redact = this.#redactor
    return {
      ...without(record, inner),
      ...this.#common(record),
      input: redact.json(record.input, 'input'),
      result: redact.json(record.result, 'result'),
      error: redact.error(record.error, 'error'),
      log: record.log && {
        ...record.log,
        lines: record.log.lines.map((line) => ({ ...line, text: redact.text(line.text, 'log') })),
      },
    }
  }

  line(record: JobRecord): WireJobLine {
    const { error } = record
    return {
      ...without(record, [...inner, 'input', 'result', 'log', 'timeline']),
      ...this.#common(record),
      error: error && {
        name: error.name,
        message: this.#redactor.text(error.message, 'error.message'),
        ...(error.code === undefined ? {} : { code: error.code }),
      },
    }
  }

  explanation(explanation: Explanation): WireExplanation {
    const { record, text } = explanation
    const clean = {
      ...explanation,
      record: record && this.job(record),
      text: this.#redactor.text(text, 'explanation'),
    }
    if (!this.#visitor.bounds) return clean
    // Of the jobs of others nothing is told: not their ids, and not how many there are.
    return {
      ...clean, text: ownTexts[clean.why] ?? clean.text, ahead: null, waitsFor: [], abandoned: [],
    }
  }

  transition(transition: Transition): WireTransition {
    return toStreamTransition(transition, this.#redactor)
  }

  schedule(schedule: Schedule): Schedule {
    return { ...schedule, input: this.#redactor.json(schedule.input, 'input') }
  }

  /** Queue and id are as somebody wrote them: they need not be those of anything. */
  audit(line: WireAudit): WireAudit {
    const { queue, jobId } = line
    return {
      ...line,
      queue: queue === null ? null : this.#redactor.text(queue, 'audit.queue'),
      jobId: jobId === null ? null : this.#redactor.text(jobId, 'audit.jobId'),
    }
  }

  #common(record: JobRecord): Pick<
    WireJob, 'can' | 'meta' | 'label' | 'reason' | 'progress' | 'dedupe'
  > {
    const redact = this.#redactor
    const { dedupe, label, reason } = record
    return {
      can: possible(record, this.#visitor.jobActions(record.queue)),
      meta: redact.json(record.meta, 'meta'),
      label: label === null ? null : redact.text(label, 'label'),
      reason: reason === null ? null : redact.text(reason, 'reason'),
      progress: toProgress(record.progress, redact),
      dedupe: dedupe && { ...dedupe, key: ownKey(this.#visitor.bounds, dedupe.key) },
    }
  }
}

/** What `explain` says to a user with a scope where its sentence would speak of other jobs. */
const ownTexts: { readonly [W in Explanation['why']]?: string } = {
  'blocked': 'It waits for other jobs.',
  'rate-limited': 'The rate limit of its queue holds it back.',
  'partition-full': 'Its partition has as many running jobs as it may have.',
  'no-worker': 'No live worker has a handler for its task.',
  'abandoned-here': 'Its last handler was given up and goes on.',
  'draining': 'It waits for a worker.',
  'slots-full': 'It waits for a free slot.',
  'in-line': 'It is ready and waits for its turn.',
}

function toProgress(progress: JobRecord['progress'], redact: Redactor): JobRecord['progress'] {
  if (!progress || progress.message === null) return progress
  return { ...progress, message: redact.text(progress.message, 'progress.message') }
}

/** What the chart allows now, of what the user may do. */
function possible(record: JobRecord, allowed: ReadonlySet<JobAction>): readonly JobAction[] {
  if (allowed.size === 0) return []
  const fact = { now: record.createdAt, by: '' }
  const byChart: { readonly [A in JobAction]: () => boolean } = {
    cancel: () => can(record, { type: 'cancel', reason: null, ...fact }),
    retry: () => can(record, { type: 'retry', openParents: 0, ...fact }),
    reschedule: () => can(record, { type: 'reschedule', runAt: record.runAt, ...fact }),
    remove: () => !isLive(record),
  }
  return jobActions.filter((action) => allowed.has(action) && byChart[action]())
}

export function toWireHandle({ id, queue, created, foundIn }: JobHandle): WireHandle {
  return { id, queue, created, foundIn }
}

/** Characters of an error's message in the stream; `get` has all of it. */
const streamedMessage = 2000

/** A transition as the stream tells it, to everybody the same; small enough to be kept. */
export function toStreamTransition(transition: Transition, redact: Redactor): WireTransition {
  const { error, reason, progress } = transition
  return {
    ...without(transition, ['cursor']),
    reason: reason === null ? null : redact.text(reason, 'reason'),
    progress: toProgress(progress, redact),
    error: error && {
      name: error.name,
      message: redact.text(error.message, 'error.message').slice(0, streamedMessage).toWellFormed(),
      ...(error.code === undefined ? {} : { code: error.code }),
      ...(error.message.length > streamedMessage ? { truncated: true as const } : {}),
    },
  }
}

/** Whether what a user gets to see of a job has a text in it: what was redacted cannot be found. */
export function isShown(job: WireJob, text: string): boolean {
  const wanted = text.toLowerCase()
  const escaped = JSON.stringify(wanted).slice(1, -1)
  const { id, label, input, meta, result, error } = job
  const places: readonly Json[] = [id, label, input, meta, result, error as unknown as Json]
  return places.some((value) => {
    if (value === null) return false
    const shown = (typeof value === 'string' ? value : JSON.stringify(value)).toLowerCase()
    return shown.includes(wanted) || shown.includes(escaped)
  })
}
