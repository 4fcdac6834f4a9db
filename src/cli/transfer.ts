import { TroupeError } from '../errors.ts'
import { isLive, isSettled } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import { defaultSizeLimit, toJson } from '../records/json.ts'
import { exitCodeOf, exitCodes, messageOf } from './exit.ts'
import type { Fleet, Typed } from './fleet.ts'
import { LogImport } from './transfer-log.ts'
import type { LogFigures } from './transfer-log.ts'
import type { TransferLine } from './transfer-lines.ts'

/** What an import did. */
export interface ImportFigures extends LogFigures {
  /** Jobs that were added to wait again. */
  added: number
  /** Settled jobs that were carried over. */
  settled: number
  /** Jobs that were there under their id already. */
  present: number
  /** Jobs that the target did not take; each is named on standard error. */
  refused: number
  /** What stays in the file. */
  readonly left: {
    /** Settled jobs that a gateway does not take. */
    jobs: number
    transitions: number
  }
}

/** Where a parent is: in the target by then, completed and not there, or not to be had. */
type Fate = 'completed' | 'ended' | 'waiting' | 'dropped' | 'left'

interface Batch<T> {
  readonly queue: string
  readonly jobs: T[]
}

const batchSize = 200
const nothing = { queue: '', jobs: [] } as const

/**
 * Carries an export over: settled jobs as they come, then the log, and in the end, as fresh adds,
 * the jobs that wait: all of these are held until then. Parents come before their children.
 */
export class Import {
  readonly figures: ImportFigures = {
    added: 0, settled: 0, present: 0, refused: 0, transitions: 0,
    left: { jobs: 0, transitions: 0 },
  }

  readonly #fleet: Fleet
  readonly #now: number
  readonly #dryRun: boolean
  readonly #note: (text: string) => void
  readonly #log: LogImport
  /** What became of each job so far: children ask for their parents. */
  readonly #fates = new Map<string, Fate>()
  readonly #waiting = new Map<string, JobRecord>()
  #settled: Batch<JobRecord> = { ...nothing, jobs: [] }
  #batch: Batch<Typed> = { ...nothing, jobs: [] }

  constructor(
    fleet: Fleet, now: number, dryRun: boolean, note: (text: string) => void,
  ) {
    this.#fleet = fleet
    this.#now = now
    this.#dryRun = dryRun
    this.#note = note
    this.#log = new LogImport(fleet.store, dryRun, this.figures, note)
  }

  async take(line: TransferLine): Promise<void> {
    if (line.type === 'transition') await this.#log.take(line.transition)
    if (line.type !== 'job') return
    const { job } = line
    if (isSettled(job)) await this.#settle(job)
    else if (job.state === 'cancelling') this.#refuse(job.id, 'it is being cancelled')
    else this.#waiting.set(job.id, job)
    // What the old log tells of it would count it twice.
    if (!isSettled(job)) this.#log.leaveOut(job.id)
  }

  /** All that was held back. */
  async end(): Promise<void> {
    await this.#flushSettled()
    await this.#log.flush()
    for (let before = -1; before !== this.#waiting.size;) {
      before = this.#waiting.size
      for (const job of this.#waiting.values()) {
        const waits = isBlocked(job) && job.dependsOn.some((id) => this.#waiting.has(id))
        if (!waits) await this.#release(job)
      }
    }
    await this.#flush()
    const { jobs, transitions } = this.figures.left
    if (this.#fleet.store === null && jobs + transitions > 0) {
      this.#note('troupe: no gateway takes settled jobs and the log: to carry them over, stop ' +
        'the processes behind it and give their store with --store')
    }
  }

  async #settle(job: JobRecord): Promise<void> {
    const isDone = job.state === 'completed'
    if (this.#fleet.store === null) {
      this.figures.left.jobs += 1
      this.#fates.set(job.id, isDone ? 'dropped' : 'left')
      return
    }
    const fault = tooLarge(job)
    if (fault !== null) {
      this.#refuse(job.id, fault, isDone ? 'dropped' : 'left')
      return
    }
    this.#fates.set(job.id, isDone ? 'completed' : 'ended')
    const { queue, jobs } = this.#settled
    if (jobs.length >= batchSize || queue !== job.queue) {
      await this.#flushSettled()
      this.#settled = { queue: job.queue, jobs: [] }
    }
    this.#settled.jobs.push(job)
  }

  async #flushSettled(): Promise<void> {
    const { queue, jobs } = this.#settled
    this.#settled = { ...nothing, jobs: [] }
    if (this.#dryRun) this.figures.settled += jobs.length
    else if (jobs.length > 0) await this.#restore(queue, jobs)
  }

  async #restore(queue: string, jobs: readonly JobRecord[]): Promise<void> {
    await this.#orEach(jobs, async () => {
      const answer = await this.#fleet.store?.restore({ queue, jobs, log: null })
      const created = answer?.created.filter((isNew) => isNew).length ?? 0
      this.figures.settled += created
      this.figures.present += jobs.length - created
    }, (job) => this.#restore(queue, [job]), ({ id, state }, why) => {
      this.#refuse(id, why, state === 'completed' ? 'dropped' : 'left')
    })
  }

  async #release(job: JobRecord): Promise<void> {
    this.#waiting.delete(job.id)
    const fates = job.dependsOn.map((id) => [id, this.#fates.get(id) ?? 'left'] as const)
    const blocked = isBlocked(job)
    const gone = fates.find(([, fate]) => fate === 'left')
    if (gone && blocked && job.onParentFailure !== 'run') {
      this.#refuse(job.id, `it depends on ${gone[0]}, which is not carried`)
      return
    }
    // Parents that it waits for no more must not hold it up, or end it, once again.
    const kept = fates.filter(([, fate]) => fate === 'completed' ||
      (fate === 'ended' && (blocked || job.onParentFailure === 'run')) ||
      (fate === 'waiting' && blocked))
    await this.#carry(job, kept.map(([id]) => id))
  }

  #refuse(id: string, why: string, fate: Fate = 'left'): void {
    this.figures.refused += 1
    this.#fates.set(id, fate)
    this.#note(`troupe: the job ${id} was left: ${why}`)
  }

  async #carry(job: JobRecord, dependsOn: readonly string[]): Promise<void> {
    this.#fates.set(job.id, 'waiting')
    const full = this.#batch.jobs.length >= batchSize || this.#batch.queue !== job.queue
    if (full) await this.#flush()
    if (full) this.#batch = { queue: job.queue, jobs: [] }
    this.#batch.jobs.push(toAdd(job, dependsOn, this.#now))
  }

  async #flush(): Promise<void> {
    const { queue, jobs } = this.#batch
    this.#batch = { ...nothing, jobs: [] }
    if (this.#dryRun) this.figures.added += jobs.length
    else if (jobs.length > 0) await this.#add(queue, jobs)
  }

  async #add(queue: string, jobs: readonly Typed[]): Promise<void> {
    await this.#orEach(jobs, async () => {
      for (const [index, { id, created }] of
        (await this.#fleet.queue(queue).addMany(jobs)).entries()) {
        const own = String(jobs[index]?.['id'])
        if (created) this.figures.added += 1
        else if (id === own) this.figures.present += 1
        else this.#refuse(own, `the job ${id} holds its key of dedupe`)
      }
    }, (job) => this.#add(queue, [job]), (job, why) => { this.#refuse(String(job['id']), why) })
  }

  /** All at once, or one by one when one of them is refused. */
  async #orEach<T>(
    jobs: readonly T[], all: () => Promise<void>, one: (job: T) => Promise<void>,
    refused: (job: T, why: string) => void,
  ): Promise<void> {
    try {
      await all()
    } catch (error) {
      const isRefusal = error instanceof TroupeError && exitCodeOf(error) !== exitCodes.unreachable
      if (!isRefusal) throw error
      const [only, second] = jobs
      if (only !== undefined && second === undefined) refused(only, messageOf(error))
      else for (const job of jobs) await one(job)
    }
  }
}

/** It waits for parents, and has not begun. */
function isBlocked(job: JobRecord): boolean {
  return job.openParents > 0 && !isLive(job)
}

/** What an add or a handler's result is bounded by. */
function tooLarge({ input, result, meta }: JobRecord): string | null {
  try {
    for (const [name, value] of Object.entries({ input, result, meta })) {
      toJson(value, `job.${name}`, defaultSizeLimit)
    }
    return null
  } catch (error) {
    return messageOf(error)
  }
}

/** What `addMany` takes to make the same job again. */
function toAdd(job: JobRecord, dependsOn: readonly string[], now: number): Typed {
  const { id, task, input, priority, partition, label, meta, runAt, dedupe, options } = job
  const { ttlMs, expiresAt, onParentFailure } = job
  const { backoff, retries, timeoutMs, maxStalls, cancelGraceMs } = options
  const ttl = expiresAt === null || runAt > now ? ttlMs : Math.max(1, expiresAt - now)
  return {
    id, task, input, priority, onParentFailure,
    ...(dependsOn.length > 0 && { dependsOn }),
    ...(runAt > now && { runAt }),
    ...(ttl !== null && { ttl }),
    ...(partition !== null && { partition }),
    ...(label !== null && { label }),
    ...(meta !== null && { meta }),
    ...(dedupe && (dedupe.until === null || dedupe.until > now) && {
      dedupe: dedupe.until === null
        ? { key: dedupe.key, mode: 'simple' }
        : { key: dedupe.key, mode: 'throttle', window: dedupe.until - now },
    }),
    ...(retries !== undefined && { retries }),
    ...(backoff && backoff.type !== 'custom' && { backoff: toOption(backoff) }),
    ...(timeoutMs !== undefined && timeoutMs !== null && { timeout: timeoutMs }),
    ...(maxStalls !== undefined && { maxStalls }),
    ...(cancelGraceMs !== undefined && { cancelGrace: cancelGraceMs }),
  }
}

type KnownBackoff = Exclude<NonNullable<JobRecord['options']['backoff']>, { type: 'custom' }>

function toOption(backoff: KnownBackoff): Typed {
  const { type, delayMs: delay, jitter } = backoff
  return type === 'fixed'
    ? { type, delay, jitter } : { type, delay, max: backoff.maxMs, jitter }
}
