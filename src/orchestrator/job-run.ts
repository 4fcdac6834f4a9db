import { parseDuration } from '../duration.ts'
import type { Env, Timer } from '../env.ts'
import { TroupeErrorOf } from '../errors.ts'
import { backoffMs } from '../../machines/backoff.ts'
import type { JobEvent } from '../../machines/job-events.ts'
import type { Policy, Progress } from '../../machines/vocabulary.ts'
import { isLive } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import { toJobError } from '../records/job-error.ts'
import { builtInPolicy } from '../records/policy.ts'
import { ignored, step } from '../records/step.ts'
import type { Commit, CommitAnswer } from '../stores/store.ts'
import { runAttempt } from './attempt.ts'
import type { Outcome } from './attempt.ts'
import { ProgressGate } from './progress-gate.ts'
import { LazySignal } from './lazy-signal.ts'
import type { TaskDefinition } from './tasks.ts'

/** What a job actor needs of the queue that it works for. */
export interface JobSurroundings {
  readonly env: Env
  readonly worker: string
  readonly resultLimit: number
  /** An id for a commit, new in the whole store. */
  readonly newOperation: () => string
  /** The store's clock. */
  readonly now: () => number
  commit(commit: Commit, answered: (answer: CommitAnswer) => void): void
  storeProgress(run: JobRun, progress: Progress): void
  report(message: string, error: unknown): void
  /** The handler has ended: its slot is free. */
  handlerEnded(run: JobRun): void
}

/** What happens to a live job, one at a time, through the actor's mailbox. */
export type RunEvent =
  | { readonly type: 'handler.ended'; readonly outcome: Outcome }
  | { readonly type: 'time.up' }
  | { readonly type: 'grace.up' }
  /** The store says that the job is now so: somebody else moved it, or our own commit. */
  | { readonly type: 'changed'; readonly record: JobRecord | null }
  | { readonly type: 'answered'; readonly answer: CommitAnswer }
  | { readonly type: 'lease.lost' }
  /** The process stops: the handler has `graceMs` to end, then the job is given back. */
  | { readonly type: 'stop'; readonly graceMs: number }

/** The mutable side of a job actor: only the actor's own mailbox calls `receive`. */
export class JobRun {
  /** The committed record. */
  record: JobRecord
  /** The actor's work is over: settled, given back, or lost. */
  done = false
  /** The handler goes on although the job has moved on without it. */
  abandoned = false
  readonly fence: number
  readonly definition: TaskDefinition
  /** When the lease was last known to hold, by the process's own monotonic clock. */
  leaseSince: number
  readonly #around: JobSurroundings
  readonly #policy: Policy
  readonly #signal = new LazySignal()
  readonly #gate: ProgressGate
  #send: (event: RunEvent) => void = () => undefined
  #outcome: Outcome | null = null
  #timedOut = false
  #stopping = false
  /** The commit that is on its way. */
  #operation: string | null = null
  #timeout: Timer | null = null
  #grace: Timer | null = null
  #endJob: (() => void) | null = null

  constructor(
    record: JobRecord, definition: TaskDefinition, around: JobSurroundings, leaseSince: number,
  ) {
    this.record = record
    this.fence = record.fence
    this.definition = definition
    this.leaseSince = leaseSince
    this.#around = around
    this.#policy = record.policy ?? builtInPolicy
    this.#gate = new ProgressGate(around.env, (progress) => {
      around.storeProgress(this, progress)
    })
  }

  start(send: (event: RunEvent) => void): void {
    this.#send = send
    const { timeoutMs } = this.#policy
    if (timeoutMs !== null) {
      this.#timeout = this.#around.env.after(timeoutMs, () => { send({ type: 'time.up' }) })
    }
    const job = runAttempt(
      this.record, this.definition, this.#signal, this.#gate, this.#around.resultLimit,
      (outcome) => {
        // The actor of an abandoned handler takes no events any more.
        if (this.done) this.#around.handlerEnded(this)
        else send({ type: 'handler.ended', outcome })
      },
    )
    this.#endJob = () => { job?.end() }
  }

  /** The handler runs, and its end has not been decided. */
  get isWorking(): boolean {
    return !this.done && this.#outcome === null
  }

  /** The store refused a report for now: the latest one is tried again. */
  progressMissed(): void {
    if (this.isWorking) this.#gate.missed()
  }

  receive(event: RunEvent): void {
    if (this.done) return
    switch (event.type) {
      case 'handler.ended': return this.#handlerEnded(event.outcome)
      case 'time.up': return this.#timeUp()
      case 'grace.up': return this.#graceUp()
      case 'changed': return this.#changed(event.record)
      case 'answered': return this.#answered(event.answer)
      case 'lease.lost': return this.#lose()
      case 'stop': return this.#stop(event.graceMs)
    }
  }

  #handlerEnded(outcome: Outcome): void {
    this.#outcome = outcome
    this.#cancelTimers()
    this.#gate.close()
    // The outcome goes to the store before the claim of what takes the slot.
    this.#decide()
    this.#around.handlerEnded(this)
  }

  #timeUp(): void {
    // Who was told to end already has its grace, and no second one.
    if (this.#outcome || this.#signal.aborted) return
    this.#timedOut = true
    const { timeoutMs } = this.#policy
    this.#abort(new TroupeErrorOf(
      'job-timeout', `the attempt took longer than its timeout of ${timeoutMs} ms`,
      { id: this.record.id, timeoutMs: timeoutMs ?? 0 },
    ))
    this.#armGrace(this.#policy.cancelGraceMs)
  }

  #graceUp(): void {
    if (this.#outcome) return
    this.#endJob?.()
    this.#decide()
  }

  #changed(record: JobRecord | null): void {
    if (record && record.rev <= this.record.rev) return
    if (record?.operation && record.operation === this.#operation) {
      // Our own commit: its news came before its answer.
      this.record = record
      return this.#end()
    }
    if (record?.fence !== this.fence || !isLive(record)) return this.#lose()
    this.#adopt(record)
  }

  #adopt(record: JobRecord): void {
    this.record = record
    if (record.state !== 'cancelling' || this.#signal.aborted) return
    this.#abort(new TroupeErrorOf(
      'job-cancelled', `the job was cancelled${record.reason ? `: ${record.reason}` : ''}`,
      { id: record.id, reason: record.reason },
    ))
    this.#armGrace(this.#policy.cancelGraceMs)
  }

  #stop(graceMs: number): void {
    if (this.#outcome) return
    this.#stopping = true
    this.#abort(new TroupeErrorOf('stopping', 'the process stops', { id: this.record.id }))
    this.#armGrace(graceMs)
  }

  /** Another worker may have the job: change nothing, publish nothing, free nobody. */
  #lose(): void {
    this.#abort(new TroupeErrorOf(
      'lease-lost', 'the right to run the job was lost; another worker may have it',
      { id: this.record.id },
    ))
    this.#end()
  }

  /** Asks the chart what the ending means, and the store to make it so. */
  #decide(): void {
    if (this.#operation !== null) return
    const event = this.#endingEvent()
    const operation = this.#around.newOperation()
    const moved = step(this.record, event, operation)
    if (moved === ignored) {
      this.#around.report(
        `the chart ignores ${event.type} of job ${this.record.id} in ${this.record.state}`, null,
      )
      this.#end()
      return
    }
    this.#operation = operation
    this.#around.commit(
      {
        fence: this.fence, rev: this.record.rev,
        record: moved.record, transition: moved.transition,
      },
      (answer) => {
        // Where the store pushes, the news of the commit come first and end the actor.
        if (!this.done) this.#send({ type: 'answered', answer })
      },
    )
  }

  #answered(answer: CommitAnswer): void {
    this.#operation = null
    if (answer.outcome === 'lost') return this.#lose()
    if (answer.outcome === 'ok') {
      this.record = answer.record
      return this.#end()
    }
    if (answer.record.fence !== this.fence || !isLive(answer.record)) return this.#lose()
    this.#adopt(answer.record)
    this.#decide()
  }

  #endingEvent(): JobEvent {
    const { now, worker } = this.#around
    const ending = { now: now(), by: worker, progress: this.#gate.latest }
    const outcome = this.#outcome
    if (outcome?.type === 'complete') return { type: 'complete', ...ending, result: outcome.result }
    if (outcome?.type === 'snooze') {
      return { type: 'snooze', ...ending, runAt: ending.now + outcome.waitMs }
    }
    // Not from `cancelling`: there the chart makes `cancelled` of all of these.
    const cancelling = this.record.state === 'cancelling'
    if (!cancelling && this.#timedOut) {
      const error = toJobError(this.#signal.reason)
      return { type: 'timeout', ...ending, ...this.#chance(this.#signal.reason), error }
    }
    if (!cancelling && this.#stopping) return { type: 'release', ...ending }
    if (!outcome) return { type: 'abandon', ...ending }
    const { error, reason, retryable, thrown } = outcome
    return { type: 'fail', ...ending, ...this.#chance(thrown), error, reason, retryable }
  }

  /** Chance and the user's own backoff are settled here; the chart only reads them. */
  #chance(thrown: unknown): { readonly random: number; readonly computedMs: number | null } {
    const random = this.#around.env.random()
    const { computeBackoff } = this.definition
    if (this.#policy.backoff.type !== 'custom') return { random, computedMs: null }
    const failures = this.record.failures + 1
    try {
      if (!computeBackoff) throw new Error('the task has no backoff function any more')
      const error = thrown instanceof Error ? thrown : new Error(String(thrown))
      return { random, computedMs: parseDuration(computeBackoff(failures, error), 'backoff') }
    } catch (error) {
      const { task } = this.record
      this.#around.report(`the backoff of task ${task} failed; 1 s × 2^n is used`, error)
      const computedMs = backoffMs(builtInPolicy.backoff, failures, random, null)
      return { random, computedMs }
    }
  }

  #abort(reason: Error): void {
    this.#signal.abort(reason)
  }

  #armGrace(ms: number): void {
    this.#grace?.cancel()
    this.#grace = this.#around.env.after(ms, () => { this.#send({ type: 'grace.up' }) })
  }

  #cancelTimers(): void {
    this.#timeout?.cancel()
    this.#grace?.cancel()
  }

  #end(): void {
    this.done = true
    this.abandoned = this.#outcome === null
    this.#cancelTimers()
    this.#gate.close()
    this.#endJob?.()
  }
}
