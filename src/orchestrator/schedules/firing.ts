import type { Env } from '../../env.ts'
import { TroupeError } from '../../errors.ts'
import type { Json } from '../../../machines/vocabulary.ts'
import { isSettled } from '../../records/job.ts'
import type { NewJob } from '../../records/job.ts'
import { occurrenceId, ScheduleBook, toScheduledJob } from '../../records/schedule.ts'
import type { StoredSchedule } from '../../records/schedule.ts'
import { schedulesKey } from '../../stores/settings.ts'
import type { Store } from '../../stores/store.ts'
import type { Outage } from '../outage.ts'
import { dueOf, nextBehind } from './advance.ts'

/** After a refusal the store is asked again so much later; a store that stays away, less often. */
const retryMs = 1000
const longRetryMs = 5000
const patience = 5
/** What cannot be computed here (a zone that this machine does not know) is tried that often. */
const brokenMs = 60_000
/** So many schedules fire in one write, and so many occurrences of one that catches up. */
const batch = 100

export interface FiringContext {
  readonly env: Env
  readonly store: Store
  readonly now: () => number
  readonly outage: Pick<Outage, 'refused' | 'answered'>
  readonly report: (message: string, error: unknown) => void
}

/** A job that was counted as fired before it was known whether the store would add it. */
interface Uncertain {
  readonly key: string
  readonly at: number
  readonly id: string
  /** The schedule as it was before. */
  readonly before: StoredSchedule
}

/** One write: the schedules that move on, and the jobs that they add. */
interface Step {
  readonly changes: Map<string, StoredSchedule>
  readonly jobs: NewJob[]
  readonly uncertain: Uncertain[]
}

/** Fires what is due of the schedules of one queue. */
export class Firing {
  /** When there is something to do; infinity for never. */
  dueAt = Number.POSITIVE_INFINITY
  readonly #queue: string
  readonly #settingKey: string
  readonly #context: FiringContext
  /** Counts what was heard, to know whether a reading is older than that. */
  #heard = 0
  #notBefore = 0
  #stopped = false
  /** One schedule a time: some member of a larger step was refused. */
  #alone = false
  /** Not to be touched before that time. */
  readonly #held = new Map<string, number>()
  /** Ids that belong to jobs of others. */
  readonly #taken = new Set<string>()
  #skipped: Uncertain[] = []
  #doubtful: Uncertain[] = []
  #complaints = new Set<string>()
  #refusals = 0

  constructor(queue: string, context: FiringContext) {
    this.#queue = queue
    this.#settingKey = schedulesKey(queue)
    this.#context = context
  }

  stop(): void {
    this.#stopped = true
  }

  /** The setting has changed. */
  receive(key: string, value: Json): void {
    if (key !== this.#settingKey) return
    this.#heard += 1
    const book = this.#read(value)
    if (book) this.#wait(book)
  }

  /** Does all that is due. Never rejects: what went wrong is reported, and tried again. */
  async run(): Promise<void> {
    try {
      // A count that must be put right is put right at the end, too.
      while ((!this.#stopped || this.#skipped.length > 0) && await this.#step()) {
        await this.#breathe()
      }
      this.#context.outage.answered(this.#settingKey)
      this.#refusals = 0
    } catch (error) {
      const message = `schedules of queue ${this.#queue}: trying again`
      this.#context.outage.refused(this.#settingKey, message, error)
      this.#refusals += 1
      this.#notBefore =
        this.#context.now() + (this.#refusals > patience ? longRetryMs : retryMs)
      this.dueAt = this.#notBefore
    }
  }

  /** True: there may be more to do. */
  async #step(): Promise<boolean> {
    const { store, now } = this.#context
    const heard = this.#heard
    const { value, version } = await store.getSetting(this.#settingKey)
    const book = this.#read(value)
    if (!book) {
      this.dueAt = Number.POSITIVE_INFINITY
      return false
    }
    if (this.#skipped.length > 0 || this.#doubtful.length > 0) {
      return this.#correct(book, version)
    }
    const step = await this.#plan(book, now())
    if (this.#stopped) return false
    if (step.changes.size > 0) return this.#write(step, book.with(step.changes), version)
    this.#alone = false
    this.#taken.clear()
    // What was heard in the meantime is newer than what was read.
    if (heard === this.#heard) this.#wait(book)
    return false
  }

  async #plan(book: ScheduleBook, now: number): Promise<Step> {
    const step: Step = { changes: new Map(), jobs: [], uncertain: [] }
    const inOrder = [...book.schedules].filter(([, { nextAt }]) => nextAt !== null && nextAt <= now)
      .sort(([, a], [, b]) => (a.nextAt ?? 0) - (b.nextAt ?? 0))
      .filter(([key]) => (this.#held.get(key) ?? 0) <= now)
      .slice(0, this.#alone ? 1 : batch)
    const busy = await this.#findBusy(inOrder)
    for (const [key, schedule] of inOrder) {
      try {
        await this.#advance(key, schedule, now, busy.has(schedule.lastJobId), step)
        this.#held.delete(key)
      } catch (error) {
        this.#held.set(key, now + brokenMs)
        this.#complain(key, 'it cannot be computed here', error)
      }
    }
    return step
  }

  /** The last jobs of schedules that skip an occurrence while that one is not settled. */
  async #findBusy(
    schedules: readonly (readonly [key: string, schedule: StoredSchedule])[],
  ): Promise<ReadonlySet<string | null>> {
    const ids = schedules.flatMap(([, { overlap, lastJobId }]) =>
      (overlap === 'skip' && lastJobId !== null ? [lastJobId] : []))
    const records = ids.length === 0 ? [] : await this.#context.store.get(ids)
    return new Set(ids.filter((_, index) => {
      const record = records[index]
      return record !== undefined && !isSettled(record)
    }))
  }

  async #advance(
    key: string, before: StoredSchedule, now: number, busy: boolean, step: Step,
  ): Promise<void> {
    // What the store does about an overlap is known after the write: the next one waits for that.
    const most = busy || before.overlap === 'allow' ? batch : 1
    const due = await dueOf(before, now, most, () => this.#breathe())
    if (!due) return
    let { fired, skipped, lastAt, lastJobId } = before
    for (const at of due.fire) {
      const id = occurrenceId(this.#queue, key, at)
      if (busy || this.#taken.has(id)) {
        skipped += 1
        continue
      }
      step.jobs.push(toScheduledJob(before, { id, queue: this.#queue, key }))
      if (before.overlap === 'skip') step.uncertain.push({ key, at, id, before })
      fired += 1
      lastAt = at
      lastJobId = id
    }
    const missed = before.missed + due.missed
    const after = { ...before, fired, skipped, missed, lastAt, lastJobId }
    step.changes.set(key, { ...after, nextAt: nextBehind(after, due.until) })
  }

  /** Jobs and schedules in one step; when somebody else was first, nothing has happened. */
  async #write({ changes, jobs, uncertain }: Step, value: Json, version: number): Promise<boolean> {
    const { store } = this.#context
    const setting = { key: this.#settingKey, version, value }
    if (jobs.length === 0) {
      await store.casSetting(setting.key, version, value)
      return true
    }
    try {
      const answers = await store.insert(jobs, { setting })
      const ids = new Set(answers.map(({ record }) => record.id))
      if (answers.length > 0) this.#skipped = uncertain.filter(({ id }) => !ids.has(id))
    } catch (error) {
      // The answer may have been lost, and with it the word that a job was not added.
      this.#doubtful = uncertain
      if (!this.#isolate(error, changes)) throw error
    }
    return true
  }

  /** Finds the one member of a step that was refused; false when it was not about a member. */
  #isolate(error: unknown, changes: ReadonlyMap<string, StoredSchedule>): boolean {
    if (!(error instanceof TroupeError) || /^store-|^stopped$/.test(error.code)) return false
    const [key = ''] = changes.keys()
    if (error.code === 'id-in-use' && !this.#taken.has(error.details.id)) {
      this.#taken.add(error.details.id)
      this.#context.report(
        `a schedule of queue ${this.#queue} skips an occurrence: its id is taken`, error,
      )
    } else if (changes.size > 1) this.#alone = true
    else {
      this.#context.report(`schedule ${key} of queue ${this.#queue}: trying again`, error)
      this.#held.set(key, this.#context.now() + retryMs)
    }
    return true
  }

  /** Counts occurrences as skipped that were counted as fired. */
  async #correct(book: ScheduleBook, version: number): Promise<boolean> {
    const { store } = this.#context
    const doubtful = this.#doubtful.filter(({ key, id }) =>
      book.schedules.get(key)?.lastJobId === id)
    const found = await store.get(doubtful.map(({ id }) => id))
    this.#skipped.push(...doubtful.filter((_, index) => found[index] === undefined))
    this.#doubtful = []
    const changes = new Map<string, StoredSchedule>()
    for (const { key, at, id, before } of this.#skipped) {
      const schedule = book.schedules.get(key)
      if (schedule?.createdAt !== before.createdAt) continue
      const { lastAt, lastJobId } = schedule.lastJobId === id ? before : schedule
      const counted = {
        ...schedule, fired: schedule.fired - 1, skipped: schedule.skipped + 1, lastAt, lastJobId,
      }
      // Only a limit that is not reached after all lets it go on, behind what it has dealt with.
      const over = schedule.limit !== null && schedule.fired >= schedule.limit
      const nextAt = over
        ? nextBehind(counted, Math.max(at, schedule.lastAt ?? at)) : schedule.nextAt
      changes.set(key, { ...counted, nextAt })
    }
    const skipped = this.#skipped
    this.#skipped = []
    if (changes.size === 0) return true
    try {
      const done = await store.casSetting(this.#settingKey, version, book.with(changes))
      if (!done) this.#skipped = skipped
    } catch (error) {
      this.#doubtful = skipped
      throw error
    }
    return true
  }

  /** Null when the setting makes no sense; what is odd is reported once. */
  #read(value: Json): ScheduleBook | null {
    let book
    try {
      book = new ScheduleBook(value)
    } catch (error) {
      this.#complain('', 'they cannot be read', error)
      return null
    }
    for (const [key, problem] of book.unreadable) {
      this.#complain(key, `it cannot be read: ${problem}`, null)
    }
    return book
  }

  #complain(key: string, problem: string, error: unknown): void {
    const what = key === '' ? 'the schedules' : `schedule ${key}`
    const complaint = `${what} of queue ${this.#queue} will not fire: ${problem}`
    if (this.#complaints.has(complaint)) return
    this.#complaints.add(complaint)
    this.#context.report(complaint, error)
  }

  #wait(book: ScheduleBook): void {
    let dueAt = Number.POSITIVE_INFINITY
    for (const [key, { nextAt }] of book.schedules) {
      if (nextAt !== null) dueAt = Math.min(dueAt, Math.max(nextAt, this.#held.get(key) ?? 0))
    }
    this.dueAt = Math.max(dueAt, this.#notBefore)
  }

  #breathe(): Promise<void> {
    return new Promise((resolve) => { this.#context.env.soon(resolve) })
  }
}
