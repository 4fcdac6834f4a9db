import { Subject } from 'rxjs'
import type { Observable, Subscriber } from 'rxjs'
import type { JobRecord } from '../records/job.ts'
import { cursorOf } from '../records/transition.ts'
import type { LogEntry, Transition } from '../records/transition.ts'
import type { Change, StoreEvent } from '../stores/store.ts'
import { SafeObservable } from './safe-observable.ts'
import type { ReportError } from './safe-observable.ts'

/** Hears every committed record of one job: null after its removal, `'over'` when all ends. */
export type JobListener = (news: JobRecord | null | 'over') => void

/** Hears of every committed change. */
export interface LogListener {
  entry(entry: LogEntry): void
  /** Nothing comes any more. */
  over(): void
}

/**
 * Serves committed changes to observers, all in the same order: the store tells one event after
 * the other, also when an observer causes the next one while it is told. Streams of single jobs
 * are found by id, so that a change costs the same however many jobs are followed.
 */
export class Publisher {
  /** Takes what observers throw. */
  readonly report: ReportError
  readonly #jobs = new Map<string, Set<JobListener>>()
  readonly #queues = new Map<string, Subject<Transition>>()
  readonly #all = new Set<LogListener>()
  #closed = false

  constructor(report: ReportError) {
    this.report = report
  }

  /** The troupe has stopped: nothing comes any more. */
  get closed(): boolean {
    return this.#closed
  }

  receive(event: StoreEvent): void {
    if (event.type === 'changes') for (const change of event.changes) this.#tell(change)
  }

  /** Live transitions of one queue from now on. */
  transitions(queue: string): Observable<Transition> {
    return this.observable((subscriber) => {
      if (this.#closed) {
        subscriber.complete()
        return subscriber
      }
      let subject = this.#queues.get(queue)
      if (!subject) this.#queues.set(queue, subject = new Subject())
      return subject.subscribe(subscriber)
    })
  }

  /** Tells `listener` each log entry of every queue from now on; the answer ends that. */
  follow(listener: LogListener): () => void {
    if (this.#closed) listener.over()
    else this.#all.add(listener)
    return () => { this.#all.delete(listener) }
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

  /** How many jobs somebody follows. */
  get followed(): number {
    return this.#jobs.size
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
    for (const subject of this.#queues.values()) subject.complete()
    this.#queues.clear()
    for (const listener of [...this.#all]) listener.over()
    this.#all.clear()
  }

  #tell({ entry, record }: Change): void {
    const listeners = this.#jobs.get(entry.jobId)
    if (listeners) for (const listener of [...listeners]) listener(record)
    const subject = this.#queues.get(entry.queue)
    if (subject?.observed) {
      if (entry.cursor === '') entry.cursor = cursorOf(entry.queue, entry.seq)
      subject.next(entry)
    }
    for (const listener of this.#all) listener.entry(entry)
  }
}
