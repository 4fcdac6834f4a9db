import { TroupeErrorOf } from '../errors.ts'
import { createRecord, isSettled, runAtOf } from '../records/job.ts'
import type { Dedupe, JobRecord, NewJob } from '../records/job.ts'
import { ignored, step } from '../records/step.ts'
import { toLogEntry } from '../records/transition.ts'
import { judge } from './dependents.ts'
import { inOrderOfParents } from './graph.ts'
import type { Row } from './row.ts'
import type { Rows } from './rows.ts'
import type { InsertAnswer, InsertOptions } from './store.ts'

/** Inserts all jobs or throws before anything was written. */
export function insertInto(
  rows: Rows, jobs: readonly NewJob[], { maxQueued, setting }: InsertOptions, now: number,
): InsertAnswer[] {
  if (setting && rows.setting(setting.key).version !== setting.version) return []
  checkIds(rows, jobs)
  const order = inOrderOfParents(jobs, rows)
  if (maxQueued) checkRoom(rows, jobs, maxQueued, now)
  if (setting) {
    rows.writeSetting(setting.key, { value: setting.value, version: setting.version + 1 })
  }
  const insertion = new Insertion(rows, now)
  const answers: InsertAnswer[] = []
  for (const index of order) answers[index] = insertion.insert(jobs[index] as NewJob)
  return answers
}

class Insertion {
  readonly #rows: Rows
  readonly #now: number
  /** Ids of this call that stand for a job which was there already. */
  readonly #found = new Map<string, string>()

  constructor(rows: Rows, now: number) {
    this.#rows = rows
    this.#now = now
  }

  insert(job: NewJob): InsertAnswer {
    const existing = this.#rows.byId.get(this.#found.get(job.id) ?? job.id)
    if (existing) return { created: false, record: existing.record }
    if (!job.dedupe) return this.#create(job, null)
    const holders = holdersOf(this.#rows, job.queue, job.task, job.dedupe, this.#now)
    const holder = holders.at(-1)
    if (!holder) return this.#create(job, null)
    switch (job.dedupe.mode) {
      case 'simple':
      case 'throttle':
        this.#found.set(job.id, holder.record.id)
        return { created: false, record: holder.record }
      case 'debounce':
        return this.#replace(job, holder)
      case 'supersede':
        return this.#create(job, this.#supersede(job, holders))
    }
  }

  #create(job: NewJob, after: string | null): InsertAnswer {
    const dependsOn = job.dependsOn.map((id) => this.#found.get(id) ?? id)
    const find = (id: string): JobRecord | undefined => this.#rows.byId.get(id)?.record
    const links = { dependsOn, after, onParentFailure: job.onParentFailure }
    const { open, failed } = judge(links, find)
    // A parent that has failed already ends the job after its add, in the same step.
    const openParents = failed ? Math.max(open, 1) : open
    const record = createRecord({ ...job, dependsOn }, this.#now, { openParents, after })
    this.#rows.insert(record, toLogEntry(record, 'add', null, this.#now, job.by))
    return { created: true, record }
  }

  /** The job that waits runs later, as the newer one says. */
  #replace(job: NewJob, row: Row): InsertAnswer {
    const { input, priority, ttlMs, label, meta, partition, options, trace } = job
    const replaced = {
      ...row.record, input, priority, ttlMs, label, meta, partition, options, trace,
    }
    const runAt = runAtOf(job, this.#now)
    const moved = step(replaced, { type: 'reschedule', now: this.#now, by: job.by, runAt })
    if (moved === ignored) throw new Error(`job ${row.record.id} waits and cannot be moved`)
    this.#rows.write(row, moved.record, moved.transition)
    this.#found.set(job.id, row.record.id)
    return { created: false, record: moved.record }
  }

  /** Answers whom the new job has to wait for: also who ran when older generations were added. */
  #supersede(job: NewJob, holders: readonly Row[]): string | null {
    let after: string | null = null
    for (const row of holders) {
      const reason = `superseded by ${job.id}`
      this.#rows.step(row, { type: 'cancel', now: this.#now, by: job.by, reason })
      if (!isSettled(row.record)) after = row.record.id
    }
    return after
  }
}

/** The jobs that stand in the way of a new one with this key, the newest last. */
function holdersOf(
  rows: Rows, queue: string, task: string, { key, mode }: Dedupe, now: number,
): Row[] {
  const found: Row[] = []
  for (const row of rows.find(queue).holdersOf(task, key)) {
    const { record } = row
    const until = record.dedupe?.until ?? null
    if (isSettled(record) && until !== null && until <= now) rows.queue(queue).letGo(row)
    else if (standsInTheWay(record, mode, until, now)) found.push(row)
  }
  return found.sort((a, b) => a.order - b.order)
}

function standsInTheWay(
  record: JobRecord, mode: Dedupe['mode'], until: number | null, now: number,
): boolean {
  switch (mode) {
    case 'throttle': return until === null ? !isSettled(record) : until > now
    case 'debounce': return record.state === 'queued' && record.attempt === 0
    default: return !isSettled(record)
  }
}

export function idInUse(
  id: string, index: number, { queue, task }: Pick<JobRecord, 'queue' | 'task'>,
): TroupeErrorOf<'id-in-use'> {
  const text = `jobs[${index}]: id ${JSON.stringify(id)} belongs to a job of task ${task} on ` +
    `queue ${queue}`
  return new TroupeErrorOf('id-in-use', text, { id, queue, task })
}

function checkIds(rows: Rows, jobs: readonly NewJob[]): void {
  const batch = new Map<string, NewJob>()
  jobs.forEach((job, index) => {
    const other = rows.byId.get(job.id)?.record ?? batch.get(job.id)
    if (other && (other.queue !== job.queue || other.task !== job.task)) {
      throw idInUse(job.id, index, other)
    }
    batch.set(job.id, job)
  })
}

function checkRoom(
  rows: Rows, jobs: readonly NewJob[], maxQueued: ReadonlyMap<string, number>, now: number,
): void {
  const adding = new Map<string, number>()
  const seen = new Set<string>()
  for (const job of jobs) {
    const { id, queue, task, dedupe } = job
    if (rows.byId.has(id) || seen.has(id)) continue
    seen.add(id)
    if (dedupe) {
      const held = holdersOf(rows, queue, task, dedupe, now).some(({ record }) =>
        dedupe.mode !== 'supersede' || record.state === 'queued')
      const key = `${queue}\0${task}\0${dedupe.key}`
      if (held || seen.has(key)) continue
      seen.add(key)
    }
    adding.set(queue, (adding.get(queue) ?? 0) + 1)
  }
  for (const [queue, count] of adding) {
    const max = maxQueued.get(queue)
    const { queued } = rows.find(queue).counts
    if (max === undefined || queued + count <= max) continue
    throw new TroupeErrorOf(
      'queue-full',
      `queue ${queue} has ${queued} queued jobs and takes ${max}; adding ${count} was refused`,
      { queue, queued, adding: count, maxQueued: max },
    )
  }
}
