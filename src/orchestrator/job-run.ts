import type { Env } from '../env.ts'
import type { Json } from '../../machines/vocabulary.ts'
import { isLive } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import { builtInPolicy } from '../records/policy.ts'
import { ignored, step } from '../records/step.ts'
import type { Change, Commit, CommitAnswer, Transaction } from '../stores/store.ts'
import { runAttempt } from './attempt.ts'
import type { Outcome } from './attempt.ts'
import type { Completion } from './completion.ts'
import { endingEvent } from './ending.ts'
import { Interruption, leaseLost } from './interruption.ts'
import type { Parent } from './job.ts'
import type { LazySignal } from './lazy-signal.ts'
import { Reports } from './reports.ts'
import type { Report } from './reports.ts'
import type { RunEvent } from './run-event.ts'
import type { TaskDefinition } from './tasks.ts'
import { noTransactions } from './transaction.ts'

/** What a job actor needs of the queue that it works for. */
export interface JobSurroundings {
  readonly env: Env
  readonly worker: string
  readonly resultLimit: number
  /** An id for a commit, new in the whole store. */
  readonly newOperation: () => string
  /** The store's clock. */
  readonly now: () => number
  /** Whether what was held at that monotonic time may soon be another worker's. */
  readonly isLapsing: (since: number) => boolean
  commit(commit: Commit, answered: (answer: CommitAnswer) => void): void
  /** For an end in a transaction of the handler's; null where the store takes part in none. */
  readonly newCompletion: (() => Completion) | null
  /** A transaction of the handler's has committed this. */
  committed(change: Change): void
  storeReport(run: JobRun, report: Report): void
  readonly parents: (record: JobRecord, signal: LazySignal) => Promise<readonly Parent[]>
  /** Holds back the claims of the queue; resolves when every process will. */
  limitReached(waitMs: number): Promise<void>
  report(message: string, error: unknown): void
  /** The handler has ended: its slot is free. */
  handlerEnded(run: JobRun): void
}

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
  readonly #startedAt: number | null
  readonly #around: JobSurroundings
  readonly #interruption: Interruption
  readonly #reports: Reports
  #send: (event: RunEvent) => void = () => undefined
  #outcome: Outcome | null = null
  #completion: Completion | null = null
  /** The commit that is on its way. */
  #operation: string | null = null
  #endJob: (() => void) | null = null
  #hasSlot = true

  constructor(
    record: JobRecord, definition: TaskDefinition, around: JobSurroundings, leaseSince: number,
  ) {
    this.record = record
    this.fence = record.fence
    this.definition = definition
    this.leaseSince = leaseSince
    this.#startedAt = record.startedAt
    this.#around = around
    this.#interruption = new Interruption(around.env, record.policy ?? builtInPolicy, () => {
      this.#send({ type: 'grace.up' })
    })
    this.#reports = new Reports(around.env, record.log, (report) => {
      around.storeReport(this, report)
    })
  }

  start(send: (event: RunEvent) => void): void {
    this.#send = send
    this.#interruption.arm(() => { send({ type: 'time.up' }) })
    const { resultLimit, now, parents } = this.#around
    this.#endJob = runAttempt(
      {
        record: this.record, definition: this.definition, signal: this.#interruption.signal,
        reports: this.#reports, resultLimit, now, parents,
        complete: (transaction, result) => this.#complete(transaction, result),
      },
      (outcome) => {
        // The actor of an abandoned handler takes no events any more.
        if (this.done) this.#freeSlot()
        else send({ type: 'handler.ended', outcome })
      },
    )
  }

  /** The handler runs, and its end has not been decided. */
  get isWorking(): boolean {
    return !this.done && this.#outcome === null
  }

  /** Reports can be stored: the job is not held by a transaction of its handler's. */
  get isReporting(): boolean {
    return this.isWorking && this.#completion?.isOpen !== true
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
      case 'reviewed': return this.#reviewed(event.change, event.record)
      case 'time.up': return this.#interruption.timeUp(this.record.id)
      case 'grace.up': return this.#graceUp()
      case 'changed': return this.#changed(event.record)
      case 'answered': return this.#answered(event.answer)
      case 'lease.lost': return this.#leaseLost()
      case 'stop': return this.#interruption.stop(this.record.id, event.graceMs)
    }
  }

  #handlerEnded(outcome: Outcome): void {
    this.#outcome = outcome
    this.#interruption.end()
    this.#reports.close()
    if (this.#completion?.isOpen) this.#review(this.#completion)
    else this.#conclude(outcome)
  }

  #conclude(outcome: Outcome): void {
    return outcome.type === 'limit' ? this.#holdBack(outcome.waitMs) : this.#release()
  }

  /** The outcome goes to the store before the claim of what takes the slot. */
  #release(): void {
    this.#decide()
    this.#freeSlot()
  }

  /** Its handler has ended. */
  #freeSlot(): void {
    if (!this.#hasSlot) return
    this.#hasSlot = false
    this.#around.handlerEnded(this)
  }

  /** The job goes back when no claim can take it at once again. */
  #holdBack(waitMs: number): void {
    this.#around.limitReached(waitMs).then(
      () => { this.#goOn({ type: 'limit.set' }) },
      (error: unknown) => {
        this.#around.report('a limit could not be stored; only its job waits', error)
        this.#outcome = { type: 'snooze', waitMs }
        this.#goOn({ type: 'limit.set' })
      },
    )
  }

  #goOn(event: RunEvent): void {
    if (!this.done) this.#send(event)
    else if (this.#outcome) this.#freeSlot()
  }

  async #complete(transaction: Transaction, result: Json): Promise<void> {
    const { newCompletion } = this.#around
    if (!newCompletion) throw noTransactions('transaction', transaction)
    const { record: { id }, fence } = this
    if (!this.isWorking || this.#around.isLapsing(this.leaseSince)) throw leaseLost(id)
    this.#completion ??= newCompletion()
    await this.#completion.complete(transaction, result, {
      record: () => ({ ...this.record, fence: this.isWorking ? fence : 0, log: this.#reports.log }),
      progress: this.#reports.progress,
      adopt: (record) => { this.#send({ type: 'changed', record }) },
    })
  }

  /** A transaction of the handler's may have committed, or not. */
  #review(completion: Completion): void {
    completion.review(this.record.id).then(({ change, record }) => {
      this.#goOn({ type: 'reviewed', change, record })
    }, (error: unknown) => { this.#around.report('a completed job could not be read', error) })
  }

  #reviewed(change: Change | null, record: JobRecord | null): void {
    if (change) {
      this.record = record ?? this.record
      this.#around.committed(change)
      this.#end()
    } else this.#changed(record)
    if (!this.#outcome) return
    if (this.done) this.#freeSlot()
    else this.#conclude(this.#outcome)
  }

  #graceUp(): void {
    if (this.#outcome) return
    this.#endJob?.()
    this.#decide()
  }

  #changed(record: JobRecord | null): void {
    if (record && record.rev <= this.record.rev) return
    // A transaction of the handler's has committed; the end of the handler will show it.
    if (record && this.#completion?.has(record)) return
    if (record?.operation && record.operation === this.#operation) {
      // Our own commit: its news came before its answer.
      this.record = record
      return this.#end()
    }
    if (record?.fence !== this.fence || !isLive(record)) return this.#lose()
    this.#adopt(record)
  }

  #adopt(record: JobRecord): void {
    // The store may not know yet that the handler has started.
    this.record = record.startedAt === null ? { ...record, startedAt: this.#startedAt } : record
    if (record.state === 'cancelling') this.#interruption.cancel(record)
  }

  #leaseLost(): void {
    if (!this.#completion?.isOpen) return this.#lose()
    // The end of the job ends its lease, too.
    if (this.#around.isLapsing(this.leaseSince)) this.#interruption.lose(this.record.id)
    this.#review(this.#completion)
  }

  /** Another worker may have the job: change nothing, publish nothing, free nobody. */
  #lose(): void {
    this.#interruption.lose(this.record.id)
    this.#end()
  }

  /** Asks the chart what the ending means, and the store to make it so. */
  #decide(): void {
    if (this.#operation !== null) return
    // A process that was stopped for long may have lost the job without having heard of it.
    if (this.#around.isLapsing(this.leaseSince)) return this.#lose()
    const { signal, timedOut, stopping } = this.#interruption
    const event = endingEvent({
      record: this.record, definition: this.definition, outcome: this.#outcome,
      progress: this.#reports.progress, timedOut, stopping, reason: signal.reason,
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

  #end(): void {
    this.done = true
    this.abandoned = this.#outcome === null
    this.#interruption.end()
    this.#reports.close()
    this.#endJob?.()
  }
}
