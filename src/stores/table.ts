import type { JobEvent } from '../../machines/job-events.ts'
import type { Json } from '../../machines/vocabulary.ts'
import { isLive } from '../records/job.ts'
import type { JobRecord, NewJob } from '../records/job.ts'
import { toTombstone } from '../records/transition.ts'
import { claimFrom } from './claiming.ts'
import { eventFor, judge } from './dependents.ts'
import { explainFrom } from './explaining.ts'
import { insertInto } from './insertion.ts'
import { listFrom } from './listing.ts'
import { obliterateIn } from './obliterating.ts'
import type { ProgressAnswer, ProgressUpdate } from './progress-update.ts'
import type { Restoration, RestoreAnswer } from './restoration.ts'
import { restoreInto } from './restoring.ts'
import type { Row } from './row.ts'
import type { Counts, Facts, ListQuery, LogPage, Page, WorkerInfo } from './reading.ts'
import { Rows } from './rows.ts'
import type { Setting } from './settings.ts'
import type {
  Beat, BeatAnswer, ClaimAnswer, ClaimRequest, Commit, CommitAnswer, InsertAnswer, InsertOptions,
  JobRequest, Limits, Request, RequestAnswer,
} from './store.ts'

/** Children that the end of a parent moves in its own step, at most; the sweep does the rest. */
const followLimit = 1000
/** Jobs and parents that are looked at for that: a few milliseconds. */
const lookLimit = 50_000

/**
 * The in-process engine of the embedded stores, and the reference for all others: the operations
 * of the contract, synchronous, each all or nothing. What they did is in `rows` until the group
 * ends.
 */
export class Table {
  readonly rows = new Rows()
  readonly #now: () => number
  readonly #monotonic: () => number
  /** Beats are worth nothing after a crash: they are not kept. */
  readonly #workers = new Map<string, { readonly info: WorkerInfo; readonly until: number }>()

  constructor(clock: { readonly now: () => number; readonly monotonic: () => number }) {
    this.#now = clock.now
    this.#monotonic = clock.monotonic
  }

  insert(jobs: readonly NewJob[], options: InsertOptions = {}): InsertAnswer[] {
    const answers = insertInto(this.rows, jobs, options, this.#now())
    const keyed = jobs.some(({ dedupe }) => dedupe !== null)
    if (!keyed && !this.rows.dependents.hasUnjudged) return answers
    this.follow(followLimit)
    // A parent that had failed before ends its new child at once, and a job of the call may have
    // moved one in front of it that has the same key.
    return answers.map(({ created, record }) =>
      ({ created, record: this.rows.byId.get(record.id)?.record ?? record }))
  }

  claim(request: ClaimRequest): ClaimAnswer {
    const answer = claimFrom(this.rows, request, this.#now())
    this.follow(followLimit)
    return answer
  }

  commit(commits: readonly Commit[]): CommitAnswer[] {
    const answers = commits.map((commit): CommitAnswer => {
      const row = this.rows.byId.get(commit.record.id)
      if (!row) return { outcome: 'lost' }
      const current = row.record
      if (current.operation === commit.record.operation) return { outcome: 'ok', record: current }
      if (current.fence !== commit.fence || !isLive(current)) return { outcome: 'lost' }
      if (current.rev !== commit.rev) return { outcome: 'conflict', record: current }
      this.rows.write(row, commit.record, commit.transition)
      return { outcome: 'ok', record: commit.record }
    })
    this.follow(followLimit)
    return answers
  }

  /**
   * Brings at most `limit` blocked jobs in line with what their parents have become; answers how
   * many moved. The end of one may concern others, down the whole graph. A job with many parents
   * costs more than one with few: what is looked at is bounded, too.
   */
  follow(limit: number): number {
    const { dependents, byId } = this.rows
    let moved = 0
    let looked = 0
    for (const row of limit > 0 ? dependents.takeUnjudged() : []) {
      if (row.gone || row.record.phase !== 'blocked') continue
      const judgement = judge(row.record, (id) => byId.get(id)?.record)
      const event = eventFor(row.record, judgement, this.#now())
      if (event && this.rows.step(row, event)) moved += 1
      looked += 1 + row.record.dependsOn.length
      if (moved === limit || looked >= lookLimit) break
    }
    return moved
  }

  /** Leases are no transitions: nothing is written, and no group begins. */
  renew(beat: Beat): BeatAnswer {
    const now = this.#now()
    const { held, leaving, leaseMs, ...said } = beat
    const lease = { worker: beat.worker, until: now + leaseMs }
    if (leaving) this.#workers.delete(beat.worker)
    else this.#workers.set(beat.worker, { info: { ...said, at: now }, until: lease.until })
    const lost = held.filter(({ id, fence, startedAt }) => {
      const row = this.rows.byId.get(id)
      if (!row || row.record.fence !== fence || !isLive(row.record)) return true
      row.record = { ...row.record, lease, startedAt: row.record.startedAt ?? startedAt }
      return false
    })
    return { lost: lost.map(({ id }) => id) }
  }

  workers(): WorkerInfo[] {
    const now = this.#now()
    for (const [name, { until }] of this.#workers) if (until <= now) this.#workers.delete(name)
    return [...this.#workers.values()].map(({ info }) => info)
  }

  apply(requests: readonly Request[]): RequestAnswer[] {
    const answers = requests.map((request): RequestAnswer => {
      if (request.type === 'obliterate') return obliterateIn(this.rows, request, this.#now())
      const row = this.rows.byId.get(request.id)
      if (row?.record.queue !== request.queue) return { outcome: 'unknown', record: null }
      if (request.type === 'remove') return this.#remove(row, request)
      const moved = this.rows.step(row, this.#eventOf(row, request))
      return { outcome: moved ? 'moved' : 'ignored', record: row.record }
    })
    this.follow(followLimit)
    return answers
  }

  progress(updates: readonly ProgressUpdate[]): ProgressAnswer[] {
    const now = this.#now()
    return updates.map(({ id, fence, by, progress, log }) => {
      const row = this.rows.byId.get(id)
      if (row?.record.fence !== fence || !isLive(row.record)) return null
      if (log !== null) this.rows.amend(row, { ...row.record, log })
      if (progress !== null) this.rows.step(row, { type: 'progress', now, by, progress })
      return row.record
    })
  }

  restore(part: Restoration): RestoreAnswer {
    const answer = restoreInto(this.rows, part)
    this.follow(followLimit)
    return answer
  }

  /** Takes back every live job: at the start of a store that only one process can hold. */
  reclaimAll(by: string): number {
    const live = [...this.rows.queues.values()].flatMap((queue) => [...queue.live])
    const now = this.#now()
    for (const row of live) this.rows.step(row, { type: 'stall', now, by })
    this.follow(followLimit)
    return live.length
  }

  get(ids: readonly string[]): (JobRecord | undefined)[] {
    return ids.map((id) => this.rows.byId.get(id)?.record)
  }

  list(query: ListQuery): Page {
    return listFrom(this.rows, query, this.#monotonic)
  }

  explain(queue: string, id: string, limits: Limits): Facts | null {
    return explainFrom(this.rows, queue, id, limits, this.#now())
  }

  counts(queue: string | null): ReadonlyMap<string, Counts> {
    const known = [...this.rows.queues.values()].filter((rows) => !rows.isEmpty)
    const names = queue === null ? known.map(({ name }) => name) : [queue]
    return new Map(names.map((name) => [name, { ...this.rows.find(name).counts }]))
  }

  readLog(queue: string, after: number, limit: number): LogPage {
    return this.rows.find(queue).log.read(after, limit)
  }

  getSetting(key: string): Setting {
    return this.rows.setting(key)
  }

  casSetting(key: string, version: number, value: Json): boolean {
    if (this.rows.setting(key).version !== version) return false
    this.rows.writeSetting(key, { value, version: version + 1 })
    return true
  }

  #remove(
    row: Row, { by, spareAwaited }: Extract<Request, { readonly type: 'remove' }>,
  ): RequestAnswer {
    const { record } = row
    if (isLive(record)) return { outcome: 'ignored', record }
    if (spareAwaited && this.rows.dependents.isAwaited(record.id)) {
      return { outcome: 'awaited', record }
    }
    this.rows.drop(row, toTombstone(record, this.#now(), by))
    return { outcome: 'moved', record }
  }

  #eventOf(
    row: Row, request: Exclude<JobRequest, { readonly type: 'remove' }>,
  ): JobEvent {
    const now = this.#now()
    const { by } = request
    switch (request.type) {
      case 'cancel': return { type: 'cancel', now, by, reason: request.reason }
      case 'retry': {
        const { open, failed } = judge(row.record, (id) => this.rows.byId.get(id)?.record)
        // A parent that still stands as failed ends the new life as it ended the old one.
        return { type: 'retry', now, by, openParents: failed ? Math.max(open, 1) : open }
      }
      case 'reschedule': {
        const runAt = request.runAt ?? now + (request.delayMs ?? 0)
        return { type: 'reschedule', now, by, runAt }
      }
    }
  }
}
