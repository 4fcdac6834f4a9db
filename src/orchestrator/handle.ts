import type { Observable } from 'rxjs'
import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import type { Env, Timer } from '../env.ts'
import { TroupeErrorOf } from '../errors.ts'
import type { Progress, State } from '../../machines/vocabulary.ts'
import { createJobActor } from '../observe/actor-ref.ts'
import type { JobActorRef } from '../observe/actor-ref.ts'
import type { JobStreams } from '../observe/job-streams.ts'
import type { JobRecord } from '../records/job.ts'

export interface ResultOptions {
  /** Reject with `timeout` after this long; the job goes on. Default: wait for ever. */
  readonly timeout?: Duration
  /** Reject with the signal's reason when it aborts; the job goes on. */
  readonly signal?: AbortSignal
}

/** What the answer to `cancel` says: ended, asked to end, was settled already, or not found. */
export type CancelAnswer = 'cancelled' | 'cancelling' | 'settled' | 'unknown'

/** A job seen from outside: any job of the store, wherever it runs. */
export interface JobHandle<Result = unknown> {
  readonly id: string
  readonly queue: string
  /** False when `add` found a job there with its id or its key; true for `queue.job(id)` too. */
  readonly created: boolean
  /** The state of the job that `add` found there; null when it made one, or nothing was added. */
  readonly foundIn: State | null
  /** The record now, then after each transition, until the job settles. */
  readonly record$: Observable<JobRecord>
  readonly state$: Observable<State>
  /** Reports of progress: the latest one first, if there is one. */
  readonly progress$: Observable<Progress>
  /** An XState actor that follows the job's commits; it takes `{ type: 'cancel', reason? }`. */
  readonly actor: JobActorRef
  /**
   * The result, once the job has completed. Rejects with `job-failed`, `job-cancelled`,
   * `job-removed`, `unknown-job`, `timeout` or `stopped`.
   */
  result(options?: ResultOptions): Promise<Result>
  /** Asks for the end of the job; `reason` is kept on the record. */
  cancel(reason?: string): Promise<CancelAnswer>
  /**
   * Tells everybody that the transaction in which the job was added, or completed, has committed.
   * To be called after the commit; without it others find out by themselves, within 5 s.
   */
  wake(): void
}

/** What a handle needs of its troupe. */
export interface HandleContext {
  readonly env: Env
  readonly streams: JobStreams
  cancel(queue: string, id: string, reason?: string): Promise<CancelAnswer>
  /** Jobs of the queue may have become ready in a transaction. */
  wake(queue: string): void
  /** Called when somebody waits; answers how to take it back. */
  waiting(reject: (error: Error) => void): () => void
  report(message: string, error: unknown): void
}

export class Handle<Result> implements JobHandle<Result> {
  readonly id: string
  readonly queue: string
  readonly created: boolean
  readonly foundIn: State | null
  readonly #context: HandleContext
  #actor: JobActorRef | null = null

  constructor(id: string, queue: string, foundIn: State | null, context: HandleContext) {
    this.id = id
    this.queue = queue
    this.created = foundIn === null
    this.foundIn = foundIn
    this.#context = context
  }

  get record$(): Observable<JobRecord> {
    return this.#context.streams.record$(this)
  }

  get state$(): Observable<State> {
    return this.#context.streams.state$(this)
  }

  get progress$(): Observable<Progress> {
    return this.#context.streams.progress$(this)
  }

  get actor(): JobActorRef {
    this.#actor ??= createJobActor({
      id: this.id,
      queue: this.queue,
      streams: this.#context.streams,
      report: (error, where) => { this.#context.report(where, error) },
      cancel: (reason) => {
        this.cancel(reason).catch((error: unknown) => {
          this.#context.report(`cancelling job ${this.id} failed`, error)
        })
      },
    })
    return this.#actor
  }

  cancel(reason?: string): Promise<CancelAnswer> {
    return this.#context.cancel(this.queue, this.id, reason)
  }

  wake(): void {
    this.#context.wake(this.queue)
  }

  async result(options: ResultOptions = {}): Promise<Result> {
    const context = this.#context
    const { env, streams } = context
    const timeoutMs = options.timeout === undefined
      ? null
      : parseDuration(options.timeout, 'timeout')
    const { signal } = options
    signal?.throwIfAborted()
    const cleanUp: (() => void)[] = []
    try {
      const record = await new Promise<JobRecord>((resolve, reject) => {
        let last: JobRecord | null = null
        if (timeoutMs !== null) {
          const timer: Timer = env.after(timeoutMs, () => { reject(timedOut(this.id, timeoutMs)) })
          cleanUp.push(() => { timer.cancel() })
        }
        if (signal) {
          const abort = (): void => { reject(signal.reason as Error) }
          signal.addEventListener('abort', abort)
          cleanUp.push(() => { signal.removeEventListener('abort', abort) })
        }
        cleanUp.push(context.waiting(reject))
        cleanUp.push(streams.follow(this, {
          next: (next) => { last = next },
          end: (why) => {
            if (why === 'settled' && last) resolve(last)
            else if (why === 'removed') reject(removedError(this.id))
          },
          error: reject,
        }))
      })
      return resultOf(record) as Result
    } finally {
      for (const undo of cleanUp) undo()
    }
  }
}

function resultOf(record: JobRecord): unknown {
  const { id, reason, error } = record
  if (record.state === 'completed') return record.result
  if (record.state === 'cancelled') {
    const why = reason === null ? '' : `: ${reason}`
    throw new TroupeErrorOf('job-cancelled', `job ${id} was cancelled${why}`, { id, reason })
  }
  const why = error ? `: ${error.name}: ${error.message}` : ''
  throw new TroupeErrorOf(
    'job-failed', `job ${id} failed (${reason ?? 'error'})${why}`, { id, reason, error },
  )
}

function timedOut(id: string, timeoutMs: number): Error {
  return new TroupeErrorOf(
    'timeout', `job ${id} had not settled after ${timeoutMs} ms`, { id, timeoutMs },
  )
}

function removedError(id: string): Error {
  return new TroupeErrorOf('job-removed', `job ${id} was removed before it settled`, { id })
}
