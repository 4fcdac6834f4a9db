import { distinctUntilChanged, filter, map } from 'rxjs'
import type { Observable } from 'rxjs'
import { TroupeErrorOf } from '../errors.ts'
import type { Progress, State } from '../../machines/vocabulary.ts'
import { isSettled } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import type { Store } from '../stores/store.ts'
import type { Publisher } from './publisher.ts'

/** Why nothing more comes of a job: it has settled, was removed, or the troupe was stopped. */
export type FollowEnd = 'settled' | 'removed' | 'stopped'

export interface JobObserver {
  next(record: JobRecord): void
  /** Nothing more comes: after the last `next`. */
  end(why: FollowEnd): void
  error(error: unknown): void
}

/** Where a job lives. */
export interface JobAddress {
  readonly id: string
  readonly queue: string
}

/** The streams of single jobs: the current record first, then live, until the job settles. */
export class JobStreams {
  readonly #store: Pick<Store, 'get'>
  readonly #publisher: Publisher

  constructor(store: Pick<Store, 'get'>, publisher: Publisher) {
    this.#store = store
    this.#publisher = publisher
  }

  record$({ id, queue }: JobAddress): Observable<JobRecord> {
    return this.#publisher.observable<JobRecord>((subscriber) => this.follow({ id, queue }, {
      next: (record) => { subscriber.next(record) },
      end: () => { subscriber.complete() },
      error: (error) => { subscriber.error(error) },
    }))
  }

  state$(address: JobAddress): Observable<State> {
    return this.record$(address).pipe(map(({ state }) => state), distinctUntilChanged())
  }

  progress$(address: JobAddress): Observable<Progress> {
    return this.record$(address).pipe(
      map(({ progress }) => progress),
      filter((progress) => progress !== null),
      distinctUntilChanged(),
    )
  }

  /**
   * Tells `observer` the current record and each later one, by `rev`, without a gap: it listens
   * first and asks then, so a change in between is not lost. Answers how to end it.
   */
  follow({ id, queue }: JobAddress, observer: JobObserver): () => void {
    let rev = 0
    let ended = false
    const end = (tell: () => void): void => {
      if (ended) return
      ended = true
      stop()
      tell()
    }
    const take = (news: JobRecord | null | 'over'): void => {
      if (ended) return
      if (news === null || news === 'over') {
        end(() => { observer.end(news === null ? 'removed' : 'stopped') })
        return
      }
      // A job of another queue is unknown here.
      if (news.rev <= rev || news.queue !== queue) return
      rev = news.rev
      observer.next(news)
      if (isSettled(news)) end(() => { observer.end('settled') })
    }
    if (this.#publisher.closed) {
      observer.end('stopped')
      return () => undefined
    }
    const stop = this.#publisher.followJob(id, take)
    this.#store.get([id]).then(([record]) => {
      if (record?.queue === queue) take(record)
      else if (rev === 0) end(() => { observer.error(unknownJob({ id, queue })) })
    }, (error: unknown) => { end(() => { observer.error(error) }) })
    return () => { end(() => undefined) }
  }
}

function unknownJob({ id, queue }: JobAddress): TroupeErrorOf<'unknown-job'> {
  return new TroupeErrorOf(
    'unknown-job', `queue ${queue} has no job ${JSON.stringify(id)}; it may have been pruned`,
    { id },
  )
}
