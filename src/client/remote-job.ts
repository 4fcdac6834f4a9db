import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import type { Progress, State } from '../../machines/vocabulary.ts'
import type { WireHandle, WireJob } from '../gateway/protocol.ts'
import type { CancelAnswer } from '../orchestrator/handle.ts'
import type { ClientEnv } from './client-env.ts'
import { JobFollower } from './job-follower.ts'
import type { FollowContext, FollowEnd, JobSink } from './job-follower.ts'
import { closedClient, removedJob, resultOf, timedOut } from './outcome.ts'
import { RemoteStream } from './remote-stream.ts'
import type { StreamSink } from './remote-stream.ts'

export interface RemoteResultOptions {
  /** Reject with `timeout` after this long; the job goes on. Default: wait for ever. */
  readonly timeout?: Duration
  /** Reject with the signal's reason when it aborts; the job goes on. */
  readonly signal?: AbortSignal
}

/** A job seen through a gateway: what the library's handle is, without `actor` and `wake`. */
export interface RemoteJobHandle<Result = unknown> {
  readonly id: string
  readonly queue: string
  /** False when `add` found a job there with its id or its key; true for `queue.job(id)` too. */
  readonly created: boolean
  /** The state of the job that `add` found there; null when it made one, or nothing was added. */
  readonly foundIn: State | null
  /**
   * The record now, then after each transition, until the job settles. Changes of state that
   * follow each other fast come as one record.
   */
  readonly record$: RemoteStream<WireJob>
  readonly state$: RemoteStream<State>
  /** Reports of progress: the latest one first, if there is one. */
  readonly progress$: RemoteStream<Progress>
  /**
   * The result, once the job has completed. Waits through breaks of the connection. Rejects with
   * `job-failed`, `job-cancelled`, `job-removed`, `unknown-job`, `timeout`, `gateway-refused`, or
   * `stopped` when the client is closed.
   */
  result(options?: RemoteResultOptions): Promise<Result>
  /** Asks for the end of the job; `reason` is kept on the record. */
  cancel(reason?: string): Promise<CancelAnswer>
}

export interface RemoteJobContext extends FollowContext {
  readonly env: ClientEnv
  cancel(queue: string, id: string, reason?: string): Promise<CancelAnswer>
  /** Jobs that somebody follows now. */
  readonly followers: Map<string, JobFollower>
}

export class RemoteHandle<Result> implements RemoteJobHandle<Result> {
  readonly id: string
  readonly queue: string
  readonly created: boolean
  readonly foundIn: State | null
  readonly #context: RemoteJobContext

  constructor(
    { id, queue, created, foundIn }: WireHandle, context: RemoteJobContext,
  ) {
    this.id = id
    this.queue = queue
    this.created = created
    this.foundIn = foundIn
    this.#context = context
  }

  get record$(): RemoteStream<WireJob> {
    return this.#stream((sink) => ({ record: (record) => { sink.next(record) } }))
  }

  get state$(): RemoteStream<State> {
    return this.#stream((sink) => ({ state: (state) => { sink.next(state) } }))
  }

  get progress$(): RemoteStream<Progress> {
    return this.#stream((sink) => ({ progress: (progress) => { sink.next(progress) } }))
  }

  cancel(reason?: string): Promise<CancelAnswer> {
    return this.#context.cancel(this.queue, this.id, reason)
  }

  async result({ timeout, signal }: RemoteResultOptions = {}): Promise<Result> {
    const timeoutMs = timeout === undefined ? null : parseDuration(timeout, 'timeout')
    signal?.throwIfAborted()
    const cleanUp: (() => void)[] = []
    try {
      const record = await new Promise<WireJob>((resolve, reject) => {
        if (timeoutMs !== null) {
          const timer = this.#context.env.after(timeoutMs, () => {
            reject(timedOut(this.id, timeoutMs))
          })
          cleanUp.push(() => { timer.cancel() })
        }
        if (signal) {
          const abort = (): void => { reject(signal.reason as Error) }
          signal.addEventListener('abort', abort)
          cleanUp.push(() => { signal.removeEventListener('abort', abort) })
        }
        let last: WireJob | null = null
        cleanUp.push(this.#follow({
          record: (next) => { last = next },
          end: (why) => {
            if (why === 'settled' && last) resolve(last)
            else reject(why === 'closed' ? closedClient('result') : removedJob(this.id))
          },
          error: reject,
        }))
      })
      return resultOf(record) as Result
    } finally {
      for (const undo of cleanUp) undo()
    }
  }

  #stream<T>(toSink: (sink: StreamSink<T>) => Partial<JobSink>): RemoteStream<T> {
    return new RemoteStream((sink) => this.#follow({
      ...toSink(sink),
      end: (_why: FollowEnd | 'closed') => { sink.complete() },
      error: (error) => { sink.error(error) },
    }))
  }

  #follow(sink: JobSink): () => void {
    const { followers } = this.#context
    const key = `${this.queue}\0${this.id}`
    let follower = followers.get(key)
    if (!follower) {
      follower = new JobFollower(this.#context, this.queue, this.id, () => {
        followers.delete(key)
      })
      followers.set(key, follower)
    }
    return follower.join(sink)
  }
}
