import type { Env, Timer } from '../env.ts'
import { TroupeErrorOf } from '../errors.ts'
import type { Policy } from '../../machines/vocabulary.ts'
import { isLive } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import { builtInPolicy } from '../records/policy.ts'
import { ignored, step } from '../records/step.ts'
import type { Commit, CommitAnswer } from '../stores/store.ts'
import { runAttempt } from './attempt.ts'
import type { Outcome } from './attempt.ts'
import { endingEvent } from './ending.ts'
import type { Parent } from './job.ts'
import { LazySignal } from './lazy-signal.ts'
import { Reports } from './reports.ts'
import type { Report } from './reports.ts'
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
  storeReport(run: JobRun, report: Report): void
  readonly parents: (record: JobRecord, signal: LazySignal) => Promise<readonly Parent[]>
  /** Holds back the claims of the queue; resolves when every process will. */
  limitReached(waitMs: number): Promise<void>
  report(message: string, error: unknown): void
  /** The handler has ended: its slot is free. */
  handlerEnded(run: JobRun): void
}

/** What happens to a live job, one at a time, through the actor's mailbox. */
export type RunEvent =
  | { readonly type: 'handler.ended'; readonly outcome: Outcome }
  /** The queue knows of the limit that the handler reached. */
  | { readonly type: 'limit.set' }
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
  readonly #reports: Reports
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
    this.#reports = new Reports(around.env, record.log, (report) => {
      around.storeReport(this, report)
    })
  }

  start(send: (event: RunEvent) => void): void {
    this.#send = send
    const { timeoutMs } = this.#policy
    if (timeoutMs !== null) {
      this.#timeout = this.#around.env.after(timeoutMs, () => { send({ type: 'time.up' }) })
    }
    const { resultLimit, now, parents } = this.#around
    this.#endJob = runAttempt(
      {
        record: this.record, definition: this.definition, signal: this.#signal,
        reports: this.#reports, resultLimit, now, parents,
      },
      (outcome) => {
        // The actor of an abandoned handler takes no events any more.
        if (this.done) this.#around.handlerEnded(this)
        else send({ type: 'handler.ended', outcome })
      },
    )
  }

  /** The handler runs, and its end has not been decided. */
  get isWorking(): boolean {
    return !this.done && this.#outcome === null
  }

  /** The store refused a report for now: the latest one is tried again. */
  reportMissed(): void {
    if (this.isWorking) this.#reports.missed()
  }

  receive(event: RunEvent): void {
    if (this.done) return
    switch (event.type) {
      case 'handler.ended': return this.#handlerEnded(event.outcome)
      case 'limit.set': return this.#release()
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
    this.#reports.close()
    if (outcome.type === 'limit') this.#holdBack(outcome.waitMs)
    else this.#release()
  }

  /** The outcome goes to the store before the claim of what takes the slot. */
  #release(): void {
    this.#decide()
    this.#around.handlerEnded(this)
  }

  /** The job goes back when no claim can take it at once again. */
  #holdBack(waitMs: number): void {
    this.#around.limitReached(waitMs).then(
      () => { this.#endHeldBack() },
      (error: unknown) => {
        this.#around.report('a limit could not be stored; only its job waits', error)
        this.#outcome = { type: 'snooze', waitMs }
        this.#endHeldBack()
      },
    )
  }

  #endHeldBack(): void {
    if (this.done) this.#around.handlerEnded(this)
    else this.#send({ type: 'limit.set' })
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
    const event = endingEvent({
      record: this.record, definition: this.definition, outcome: this.#outcome,
      progress: this.#reports.progress, timedOut: this.#timedOut, stopping: this.#stopping,
      reason: this.#signal.reason,
    }, this.#around)
    const operation = this.#around.newOperation()
    const { log } = this.#reports
    const record = log === this.record.log ? this.record : { ...this.record, log }
    const moved = step(record, event, operation)
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
    this.#reports.close()
    this.#endJob?.()
  }
}
