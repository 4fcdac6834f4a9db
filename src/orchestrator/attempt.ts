import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { TroupeErrorOf, UnrecoverableError } from '../errors.ts'
import type { JobError, Json } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../records/job.ts'
import { toJobError } from '../records/job-error.ts'
import { cloneJson, toJson } from '../records/json.ts'
import { toProgress } from '../records/progress.ts'
import type { ProgressInput } from '../records/progress.ts'
import { firstIssue } from '../records/standard-schema.ts'
import type { LazySignal } from './lazy-signal.ts'
import type { ProgressGate } from './progress-gate.ts'
import type { Job, TaskDefinition } from './tasks.ts'

/** How the handler of one attempt ended. */
export type Outcome =
  | { readonly type: 'complete'; readonly result: Json }
  | {
      readonly type: 'fail'
      readonly thrown: unknown
      readonly error: JobError
      readonly reason: 'error' | 'invalid-input'
      readonly retryable: boolean
    }
  | { readonly type: 'snooze'; readonly waitMs: number }

/** Thrown by `job.snooze()` to leave the handler; never leaves this file. */
class Snooze {
  readonly waitMs: number

  constructor(waitMs: number) {
    this.waitMs = waitMs
  }
}

/** The `job` that a handler gets. */
export class AttemptJob implements Job {
  readonly id: string
  readonly queue: string
  readonly task: string
  readonly input: unknown
  readonly attempt: number
  readonly fence: number
  readonly label: string | null
  readonly meta: unknown
  readonly partition: string | null
  readonly #signal: LazySignal
  readonly #gate: ProgressGate
  #ended = false

  constructor(record: JobRecord, input: unknown, signal: LazySignal, gate: ProgressGate) {
    this.id = record.id
    this.queue = record.queue
    this.task = record.task
    this.input = input
    this.attempt = record.attempt
    this.fence = record.fence
    this.label = record.label
    this.meta = record.meta
    this.partition = record.partition
    this.#signal = signal
    this.#gate = gate
  }

  get signal(): AbortSignal {
    return this.#signal.signal
  }

  progress(report: ProgressInput): void {
    const progress = toProgress(report)
    if (!this.#ended) this.#gate.report(progress)
  }

  throwIfCancelled(): void {
    this.#signal.throwIfAborted()
  }

  snooze(wait: Duration): never {
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- control flow, caught below
    throw new Snooze(parseDuration(wait, 'snooze'))
  }

  /** From now on reports go nowhere: the record has moved on. */
  end(): void {
    this.#ended = true
  }
}

/** Runs the handler of one attempt. Calls `ended` exactly once, if the handler ever ends. */
export function runAttempt(
  record: JobRecord, definition: TaskDefinition, signal: LazySignal, gate: ProgressGate,
  resultLimit: number, ended: (outcome: Outcome) => void,
): AttemptJob | null {
  const { schema } = definition
  const succeed = (value: unknown): void => { ended(toOutcome(value, resultLimit)) }
  const fail = (thrown: unknown): void => { ended(toFailure(thrown)) }
  const start = (input: unknown): AttemptJob => {
    const job = new AttemptJob(record, input, signal, gate)
    const finish = (): void => { job.end() }
    try {
      const value: unknown = definition.handler(job as Job<unknown> as Job<never>)
      if (isThenable(value)) {
        // A thenable that is no promise may answer twice, or at once.
        Promise.resolve(value).then(
          (result) => { finish(); succeed(result) },
          (error: unknown) => { finish(); fail(error) },
        )
      } else {
        finish()
        succeed(value)
      }
    } catch (error) {
      finish()
      fail(error)
    }
    return job
  }
  const input = cloneJson(record.input)
  if (!schema) return start(input)
  parseWith(schema, input, 'input').then(
    (parsed) => {
      // The job may have moved on meanwhile, to another worker even.
      if (signal.aborted) fail(signal.reason)
      else start(parsed)
    },
    (error: unknown) => { ended(toInvalidInput(error)) },
  )
  return null
}

/** What a schema makes of a value, or an `invalid-input` error with the path of the fault. */
export async function parseWith(
  schema: NonNullable<TaskDefinition['schema']>, value: unknown, root: string,
): Promise<unknown> {
  const result = await schema['~standard'].validate(value)
  if (!result.issues) return result.value
  const { path, problem } = firstIssue(result.issues, root)
  throw new TroupeErrorOf('invalid-input', `${path}: ${problem}`, { path, problem })
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value &&
    typeof value.then === 'function'
}

function toOutcome(value: unknown, limit: number): Outcome {
  try {
    return { type: 'complete', result: value === undefined ? null : toJson(value, 'result', limit) }
  } catch (error) {
    // The work is done; doing it again would give the same result.
    return {
      type: 'fail', thrown: error, error: toJobError(error), reason: 'error', retryable: false,
    }
  }
}

function toFailure(thrown: unknown): Outcome {
  if (thrown instanceof Snooze) return { type: 'snooze', waitMs: thrown.waitMs }
  const retryable = !isUnrecoverable(thrown)
  return { type: 'fail', thrown, error: toJobError(thrown), reason: 'error', retryable }
}

/** By name as well: two copies of the package in one process must agree. */
function isUnrecoverable(thrown: unknown): boolean {
  return thrown instanceof UnrecoverableError ||
    (thrown instanceof Error && thrown.name === 'UnrecoverableError')
}

function toInvalidInput(thrown: unknown): Outcome {
  const error = toJobError(thrown)
  return { type: 'fail', thrown, error, reason: 'invalid-input', retryable: false }
}
