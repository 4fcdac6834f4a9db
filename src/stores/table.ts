import { TroupeErrorOf } from '../errors.ts'
import type { JobEvent } from '../../machines/job-events.ts'
import { createRecord, isLive } from '../records/job.ts'
import type { JobRecord, NewJob } from '../records/job.ts'
import { resolvePolicy } from '../records/policy.ts'
import { ignored, step } from '../records/step.ts'
import { toLogEntry, toTombstone } from '../records/transition.ts'
import type { Json } from '../../machines/vocabulary.ts'
import { Rows } from './rows.ts'
import type { Row } from './queue-rows.ts'
import { isPausedSetting, queueSettingKey } from './store.ts'
import type {
  Beat, BeatAnswer, ClaimRequest, Commit, CommitAnswer, Counts, InsertAnswer, ListQuery, LogPage,
  Page, ProgressAnswer, ProgressUpdate, Request, RequestAnswer, Setting,
} from './store.ts'

/**
 * The in-process engine of the embedded stores, and the reference for all others: the operations
 * of the contract, synchronous, each all or nothing. What they did is in `rows` until the group
 * ends.
 */
export class Table {
  readonly rows = new Rows()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  insert(jobs: readonly NewJob[]): InsertAnswer[] {
    const batch = new Map<string, NewJob>()
    jobs.forEach((job, index) => {
      const other = this.rows.byId.get(job.id)?.record ?? batch.get(job.id)
      if (other && (other.queue !== job.queue || other.task !== job.task)) {
        throw idInUse(job.id, other, index)
      }
      batch.set(job.id, job)
    })
    const now = this.#now()
    return jobs.map((job) => {
      const existing = this.rows.byId.get(job.id)
      if (existing) return { created: false, record: existing.record }
      const record = createRecord(job, now, 0)
      this.rows.insert(record, toLogEntry(record, 'add', null, now, job.by))
      return { created: true, record }
    })
  }

  claim(request: ClaimRequest): JobRecord[] {
    const { queue: name, worker, limit, leaseMs, tasks, exclude } = request
    if (this.#isPaused(name)) return []
    const queue = this.rows.find(name)
    const now = this.#now()
    const lease = { worker, until: now + leaseMs }
    const claimed: JobRecord[] = []
    const passedOver: Row[] = []
    while (claimed.length < limit) {
      const row = queue.next(tasks.keys())
      if (!row) break
      const { record } = row
      if (exclude.has(record.id)) {
        queue.readyOf(record.task).remove(row)
        passedOver.push(row)
        continue
      }
      const base = tasks.get(record.task)
      if (!base) throw new Error(`no policy for task ${record.task}`)
      const policy = resolvePolicy(record.options, base)
      const moved = this.#step(row, {
        type: 'claim', now, by: worker, fence: this.rows.nextFence(), lease, policy, started: true,
      })
      // A ready job that cannot be claimed has outlived its ttl.
      if (moved) claimed.push(moved)
      else this.#step(row, { type: 'expire', now, by: 'sweep' })
    }
    for (const row of passedOver) queue.readyOf(row.record.task).push(row)
    return claimed
  }

  commit(commits: readonly Commit[]): CommitAnswer[] {
    return commits.map((commit) => {
      const row = this.rows.byId.get(commit.record.id)
      if (!row) return { outcome: 'lost' }
      const current = row.record
      if (current.operation === commit.record.operation) return { outcome: 'ok', record: current }
      if (current.fence !== commit.fence || !isLive(current)) return { outcome: 'lost' }
      if (current.rev !== commit.rev) return { outcome: 'conflict', record: current }
      this.rows.write(row, commit.record, commit.transition)
      return { outcome: 'ok', record: commit.record }
    })
  }

  /** Leases are no transitions: nothing is written, and no group begins. */
  renew(beat: Beat): BeatAnswer {
    const lease = { worker: beat.worker, until: this.#now() + beat.leaseMs }
    const lost = beat.held.filter(({ id, fence }) => {
      const row = this.rows.byId.get(id)
      if (!row || row.record.fence !== fence || !isLive(row.record)) return true
      row.record = { ...row.record, lease }
      return false
    })
    return { lost: lost.map(({ id }) => id) }
  }

  apply(requests: readonly Request[]): RequestAnswer[] {
    return requests.map((request) => {
      const row = this.rows.byId.get(request.id)
      if (!row || row.record.queue !== request.queue) return { outcome: 'unknown', record: null }
      if (request.type === 'remove') return this.#remove(row, request.by)
      const moved = this.#step(row, this.#eventOf(request))
      return { outcome: moved ? 'moved' : 'ignored', record: row.record }
    })
  }

  progress(updates: readonly ProgressUpdate[]): ProgressAnswer[] {
    const now = this.#now()
    return updates.map(({ id, fence, by, progress }) => {
      const row = this.rows.byId.get(id)
      if (!row || row.record.fence !== fence) return null
      return this.#step(row, { type: 'progress', now, by, progress })
    })
  }

  /** Takes back every live job: at the start of a store that only one process can hold. */
  reclaimAll(by: string): number {
    const live = [...this.rows.queues.values()].flatMap((queue) => [...queue.live])
    const now = this.#now()
    for (const row of live) this.#step(row, { type: 'stall', now, by })
    return live.length
  }

  get(ids: readonly string[]): (JobRecord | undefined)[] {
    return ids.map((id) => this.rows.byId.get(id)?.record)
  }

  list(query: ListQuery): Page {
    const after = query.cursor === null ? 0 : Number(query.cursor)
    if (!Number.isSafeInteger(after)) throw invalidCursor(query.cursor ?? '')
    const records: JobRecord[] = []
    let last = 0
    for (const { record, order } of this.rows.find(query.queue).rowsAfter(after)) {
      if (query.states && !query.states.includes(record.state)) continue
      if (query.phase && record.phase !== query.phase) continue
      if (query.task !== null && record.task !== query.task) continue
      if (records.length === query.limit) return { records, cursor: String(last) }
      records.push(record)
      last = order
    }
    return { records, cursor: null }
  }

  counts(queue: string | null): ReadonlyMap<string, Counts> {
    const names = queue === null ? [...this.rows.queues.keys()] : [queue]
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

  /** Lets the chart decide and writes what it says; null when it ignores the event. */
  #step(row: Row, event: JobEvent): JobRecord | null {
    const moved = step(row.record, event)
    if (moved === ignored) return null
    this.rows.write(row, moved.record, moved.transition)
    return moved.record
  }

  step(row: Row, event: JobEvent): boolean {
    return this.#step(row, event) !== null
  }

  #isPaused(queue: string): boolean {
    return isPausedSetting(this.rows.setting(queueSettingKey(queue)).value)
  }

  #remove(row: Row, by: string): RequestAnswer {
    const { record } = row
    if (isLive(record)) return { outcome: 'ignored', record }
    this.rows.drop(row, toTombstone(record, this.#now(), by))
    return { outcome: 'moved', record }
  }

  #eventOf(request: Exclude<Request, { readonly type: 'remove' }>): JobEvent {
    const now = this.#now()
    const { by } = request
    switch (request.type) {
      case 'cancel': return { type: 'cancel', now, by, reason: request.reason }
      case 'retry': return { type: 'retry', now, by }
      case 'reschedule': {
        const runAt = request.runAt ?? now + (request.delayMs ?? 0)
        return { type: 'reschedule', now, by, runAt }
      }
    }
  }
}

function invalidCursor(cursor: string): TroupeErrorOf<'invalid-cursor'> {
  return new TroupeErrorOf(
    'invalid-cursor', 'the cursor is not one that a page of a list carried',
    { cursor: cursor.slice(0, 200) },
  )
}

function idInUse(
  id: string, other: { readonly queue: string; readonly task: string }, index: number,
): TroupeErrorOf<'id-in-use'> {
  return new TroupeErrorOf(
    'id-in-use',
    `jobs[${index}]: id ${JSON.stringify(id)} belongs to a job of task ${other.task} on queue ` +
      other.queue,
    { id, queue: other.queue, task: other.task },
  )
}
