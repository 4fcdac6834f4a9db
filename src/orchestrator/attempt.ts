import type { Duration } from '../duration.ts'
import { invalidOption, TroupeError, TroupeErrorOf, UnrecoverableError } from '../errors.ts'
import type { JobError, Json } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../records/job.ts'
import { toJobError } from '../records/job-error.ts'
import { cloneJson, toJson } from '../records/json.ts'
import { toProgress } from '../records/progress.ts'
import type { ProgressInput } from '../records/progress.ts'
import { firstIssue } from '../records/standard-schema.ts'
import type { Transaction } from '../stores/store.ts'
import { leaseLost } from './interruption.ts'
import type { Parent, RunningJob } from './job.ts'
import type { LazySignal } from './lazy-signal.ts'
import { limitReached, snooze } from './leaving.ts'
import type { Reports } from './reports.ts'
import { parseTransaction } from './transaction.ts'
import type { TaskDefinition } from './tasks.ts'

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
  | { readonly type: 'limit'; readonly waitMs: number }

/** What an attempt works with. */
export interface AttemptContext {
  readonly record: JobRecord
  readonly definition: TaskDefinition
  readonly signal: LazySignal
  readonly reports: Reports
  readonly resultLimit: number
  /** The store's clock. */
  readonly now: () => number
  /** The parents of a job that has some; asks until the store answers. */
  readonly parents: (record: JobRecord, signal: LazySignal) => Promise<readonly Parent[]>
  /** Ends the job in a transaction of the handler's. */
  readonly complete: (transaction: Transaction, result: Json) => Promise<void>
}

const nobody: readonly never[] = Object.freeze([])

/** The `job` that a handler gets. */
class AttemptJob implements RunningJob {
  readonly id: string
  readonly queue: string
  readonly task: string
  readonly input: unknown
  readonly attempt: number
  readonly fence: number
  readonly label: string | null
  readonly meta: unknown
  readonly partition: string | null
  readonly parents: readonly Parent[]
  readonly trace: string | null
  readonly #context: AttemptContext
  #onEnd: readonly (() => void)[] = nobody
  #ended = false

  constructor(context: AttemptContext, input: unknown, parents: readonly Parent[]) {
    const { record } = context
    this.id = record.id
    this.queue = record.queue
    this.task = record.task
    this.input = input
    this.attempt = record.attempt
    this.fence = record.fence
    this.label = record.label
    this.meta = record.meta
    this.partition = record.partition
    this.parents = parents
    this.trace = record.trace
    this.#context = context
  }

  get signal(): AbortSignal {
    return this.#context.signal.signal
  }

  progress(report: ProgressInput): void {
    const progress = toProgress(report)
    if (!this.#ended) this.#context.reports.report(progress)
  }

  log(line: string): void {
    if (typeof line !== 'string') throw invalidOption('log', 'text', line)
    if (this.#ended) return
    const text = line.toWellFormed().replaceAll('\0', '\uFFFD')
    this.#context.reports.addLine({ at: this.#context.now(), attempt: this.attempt, text })
  }

  throwIfCancelled(): void {
    this.#context.signal.throwIfAborted()
  }

  snooze(wait: Duration): never {
    snooze(wait)
  }

  limitReached(wait: Duration): never {
    limitReached(wait)
  }

  async complete(transaction: Transaction, result?: unknown): Promise<void> {
    const { complete, resultLimit } = this.#context
    const checked = parseTransaction(transaction, 'transaction')
    const json = result === undefined ? null : toJson(result, 'result', resultLimit)
    if (this.#ended) throw leaseLost(this.id)
    await complete(checked, json)
  }

  onEnd(listener: () => void): void {
    if (this.#ended) listener()
    else this.#onEnd = [...this.#onEnd, listener]
  }

  /** From now on reports go nowhere: the record has moved on. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const listener of this.#onEnd) listener()
  }
}

/**
 * Runs the handler of one attempt. Calls `ended` exactly once, if the handler ever ends. Answers
 * how to tell it that nobody waits for it any more.
 */
export function runAttempt(
  context: AttemptContext, ended: (outcome: Outcome) => void,
): () => void {
  const { record, definition, signal } = context
  const input = cloneJson(record.input)
  if (!definition.schema && record.dependsOn.length === 0) {
    const job = new AttemptJob(context, input, nobody)
    runHandler(context, job, ended)
    return () => { job.end() }
  }
  let job: AttemptJob | null = null
  let over = false
  prepare(context, input).then(
    (prepared) => {
      job = new AttemptJob(context, prepared.input, prepared.parents)
      // The job may have moved on meanwhile, to another worker even.
      if (over || signal.aborted) ended(toFailure(signal.reason))
      else runHandler(context, job, ended)
    },
    (error: unknown) => { ended(signal.aborted ? toFailure(error) : toInvalidInput(error)) },
  )
  return () => {
    over = true
    job?.end()
  }
}

async function prepare(
  { record, definition, signal, parents }: AttemptContext, input: unknown,
): Promise<{ readonly input: unknown; readonly parents: readonly Parent[] }> {
  const known = record.dependsOn.length === 0 ? nobody : await parents(record, signal)
  const { schema } = definition
  return { input: schema ? await parseStored(schema, input) : input, parents: known }
}

function runHandler(
  { definition, resultLimit }: AttemptContext, job: AttemptJob, ended: (outcome: Outcome) => void,
): void {
  const succeed = (value: unknown): void => {
    job.end()
    ended(toOutcome(value, resultLimit))
  }
  const fail = (thrown: unknown): void => {
    job.end()
    ended(toFailure(thrown))
  }
  try {
    const value: unknown = definition.run(job)
    // A thenable that is no promise may answer twice, or at once.
    if (isThenable(value)) Promise.resolve(value).then(succeed, fail)
    else succeed(value)
  } catch (error) {
    fail(error)
  }
}

/** An input that was left out is stored as null: the schema may take either. */
async function parseStored(
  schema: NonNullable<TaskDefinition['schema']>, input: unknown,
): Promise<unknown> {
  try {
    return await parseWith(schema, input, 'input')
  } catch (error) {
    if (input !== null) throw error
    const result = await schema['~standard'].validate(undefined)
    if (result.issues) throw error
    return result.value
  }
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
  if (thrown instanceof TroupeError) {
    if (thrown.code === 'snoozed') return { type: 'snooze', waitMs: thrown.details.waitMs }
    if (thrown.code === 'limit-reached') return { type: 'limit', waitMs: thrown.details.waitMs }
  }
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
