import type { Observable, Subscriber } from 'rxjs'
import type { JobRecord } from '../records/job.ts'
import { cursorOf } from '../records/transition.ts'
import type { Transition } from '../records/transition.ts'
import type { Store, StoreEvent } from '../stores/store.ts'
import { SafeObservable } from './safe-observable.ts'
import type { ReportError } from './safe-observable.ts'
import { Tail } from './tail.ts'
import type { Following, LogListener } from './tail.ts'

/** Hears every committed record of one job: null after its removal, `'over'` when all ends. */
export type JobListener = (news: JobRecord | null | 'over') => void

/**
 * Serves what was committed to observers. Streams of single jobs move with the news of the store,
 * at once, and are found by id, so that a change costs the same however many jobs are followed.
 * Observers of logs hear the numbered log, which a shared store tells a little later.
 */
export class Publisher {
  /** Takes what observers throw. */
  readonly report: ReportError
  readonly #jobs = new Map<string, Set<JobListener>>()
  readonly #tail: Tail
  #closed = false

  constructor(store: Pick<Store, 'tail'>, report: ReportError) {
    this.report = report
    this.#tail = new Tail(store)
  }

  /** The troupe has stopped: nothing comes any more. */
  get closed(): boolean {
    return this.#closed
  }

  receive(event: StoreEvent): void {
    if (event.type === 'changes') {
      for (const { entry, record } of event.changes) this.#tell(entry.jobId, record)
    } else if (event.type === 'moved') {
      for (const { id, record } of event.jobs) this.#tell(id, record)
    }
  }

  /** Live transitions of one queue from now on; on a shared store only once the tail is there. */
  transitions(queue: string): Observable<Transition> {
    return this.observable((subscriber) => {
      const { begun, stop } = this.follow({
        entry: (entry) => {
          if (entry.cursor === '') entry.cursor = cursorOf(queue, entry.seq)
          subscriber.next(entry)
        },
        over: () => { subscriber.complete() },
      }, queue)
      begun.catch((error: unknown) => { subscriber.error(error) })
      return stop
    })
  }

  /** Tells `listener` each log entry of one queue, or of every queue. */
  follow(listener: LogListener, queue: string | null = null): Following {
    return this.#tail.follow(listener, queue)
  }

  /** Calls `listener` with each change of one job from now on; the answer ends that. */
  followJob(id: string, listener: JobListener): () => void {
    let listeners = this.#jobs.get(id)
    if (!listeners) this.#jobs.set(id, listeners = new Set())
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#jobs.get(id) === listeners) this.#jobs.delete(id)
    }
  }

  /** Jobs that somebody follows. */
  get followed(): Pick<ReadonlyMap<string, unknown>, 'has' | 'keys' | 'size'> {
    return this.#jobs
  }

  observable<T>(subscribe: (subscriber: Subscriber<T>) => (() => void) | object): Observable<T> {
    return new SafeObservable<T>(
      this.report, subscribe as ConstructorParameters<typeof SafeObservable<T>>[1],
    )
  }

  /** Ends all streams. */
  close(): void {
    this.#closed = true
    for (const listeners of [...this.#jobs.values()]) {
      for (const listener of [...listeners]) listener('over')
    }
    this.#jobs.clear()
    this.#tail.close()
  }

  #tell(id: string, record: JobRecord | null): void {
    const listeners = this.#jobs.get(id)
    if (listeners) for (const listener of [...listeners]) listener(record)
  }
}
