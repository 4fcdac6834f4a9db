import type { Json } from '../../../machines/vocabulary.ts'
import { invalidOption, TroupeErrorOf } from '../../errors.ts'
import { isJsonEqual, toJson } from '../../records/json.ts'
import { integer, parseName } from '../../records/options.ts'
import {
  ScheduleBook, scheduleVersion, sortOptions, toScheduledJob, toTemplate,
} from '../../records/schedule.ts'
import type { ScheduleRequest, StoredSchedule, Timing } from '../../records/schedule.ts'
import { schedulesKey } from '../../stores/settings.ts'
import { insertJobs } from '../adding.ts'
import type { Adding, AddingContext } from '../adding.ts'
import type { JobHandle } from '../handle.ts'
import { nextBehind } from './advance.ts'
import { parseTiming, Timetable } from './times.ts'
import type { QueueSchedules, Schedule, ScheduleRule, ScheduleSpec } from './schedules.ts'
import { checkNames } from '../tasks.ts'
import type { Tasks } from '../tasks.ts'

export interface SchedulesContext extends AddingContext {
  readonly now: () => number
}

const keyLimit = 80
const countLimit = 1000
const inputLimit = 64 * 1024

/** What one change makes of a schedule: undefined leaves it, null takes it out. */
interface Change<Answer> {
  readonly answer: Answer
  readonly write?: StoredSchedule | null
}

export class SchedulesOfQueue implements QueueSchedules<Tasks> {
  readonly #queue: string
  readonly #adding: Adding
  readonly #context: SchedulesContext

  constructor(queue: string, adding: Adding, context: SchedulesContext) {
    this.#queue = queue
    this.#adding = adding
    this.#context = context
  }

  async upsert(
    key: string, schedule: ScheduleSpec<Tasks, string>,
  ): Promise<'created' | 'changed' | 'unchanged'> {
    this.#context.assertOpen('schedules.upsert')
    parseKey(key)
    const { timing, task, input, job, ...rest } = sortOptions(schedule, 'schedule')
    const now = this.#now()
    const parsed = parseTiming(timing, 'schedule', now)
    const checked = await this.#adding.check(task, input, job, 'schedule.', 'schedule')
    toJson(checked.input, 'schedule.input', inputLimit)
    const request: ScheduleRequest = { ...rest, timing: parsed, job: toTemplate(checked) }
    return this.#change('upsert', key, (old, book) => {
      if (!book.has(key) && book.size >= countLimit) {
        throw invalidOption('key', `one of at most ${countLimit} schedules of a queue`, key)
      }
      const answer = book.has(key) ? 'changed' : 'created'
      if (!old) return { answer, write: create(request, now) }
      const write = replace(old, request, now)
      return isJsonEqual(write as unknown as Json, old as unknown as Json)
        ? { answer: 'unchanged' } : { answer, write }
    })
  }

  async list(): Promise<readonly Schedule[]> {
    const { schedules } = (await this.#read('list')).book
    return [...schedules].map(([key, stored]) => toSchedule(key, stored))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  async get(key: string): Promise<Schedule | null> {
    parseKey(key)
    const stored = (await this.#read('get')).book.schedules.get(key)
    return stored ? toSchedule(key, stored) : null
  }

  async preview(keyOrRule: string | ScheduleRule, count = 10): Promise<readonly number[]> {
    const most = integer(count, 'count', 1, 1000)
    const now = this.#now()
    if (typeof keyOrRule === 'string') {
      const { timing, limit, fired, nextAt } = await this.#find('preview', keyOrRule)
      const left = limit === null ? most : Math.min(most, limit - fired)
      // What falls on this very moment may not have fired yet.
      const from = nextAt === now ? now - 1 : now
      return new Timetable(timing).between(from, Number.POSITIVE_INFINITY, left)
    }
    this.#context.assertOpen('schedules.preview')
    const { timing, limit } = sortRule(keyOrRule, now)
    return new Timetable(timing)
      .between(now - 1, Number.POSITIVE_INFINITY, Math.min(most, limit ?? most))
  }

  async pause(key: string): Promise<'paused' | 'already-paused' | 'unknown'> {
    parseKey(key)
    return this.#change('pause', key, (old) => {
      if (!old) return { answer: 'unknown' }
      if (old.paused) return { answer: 'already-paused' }
      return { answer: 'paused', write: { ...old, paused: true, nextAt: null } }
    })
  }

  async resume(key: string): Promise<'resumed' | 'not-paused' | 'unknown'> {
    parseKey(key)
    return this.#change('resume', key, (old) => {
      if (!old) return { answer: 'unknown' }
      if (!old.paused) return { answer: 'not-paused' }
      const resumed = { ...old, paused: false }
      return { answer: 'resumed', write: { ...resumed, nextAt: nextBehind(resumed, this.#now()) } }
    })
  }

  async trigger(key: string): Promise<JobHandle> {
    const stored = await this.#find('trigger', key)
    const job = toScheduledJob(stored, { id: this.#context.id(), queue: this.#queue, key })
    const nameOf = (): string => `schedule ${key}`
    const [handle] = await insertJobs(this.#context, [job], 'schedules.trigger', nameOf)
    return handle as JobHandle
  }

  async remove(key: string): Promise<'removed' | 'unknown'> {
    parseKey(key)
    return this.#change('remove', key, (_old, book) =>
      (book.has(key) ? { answer: 'removed', write: null } : { answer: 'unknown' }))
  }

  #now(): number {
    return Math.floor(this.#context.now())
  }

  async #read(
    operation: string,
  ): Promise<{ readonly book: ScheduleBook; readonly version: number }> {
    this.#context.assertOpen(`schedules.${operation}`)
    const { value, version } = await this.#context.store.getSetting(schedulesKey(this.#queue))
    try {
      return { book: new ScheduleBook(value), version }
    } catch (error) {
      throw new TroupeErrorOf(
        'store-failed', `the schedules of queue ${this.#queue} cannot be read`,
        { operation: `schedules.${operation}` }, { cause: error },
      )
    }
  }

  async #find(operation: string, key: string): Promise<StoredSchedule> {
    parseKey(key)
    const stored = (await this.#read(operation)).book.schedules.get(key)
    if (stored) return stored
    throw new TroupeErrorOf(
      'unknown-schedule', `queue ${this.#queue} has no schedule ${JSON.stringify(key)}`,
      { queue: this.#queue, key },
    )
  }

  async #change<Answer>(
    operation: string, key: string,
    change: (old: StoredSchedule | undefined, book: ScheduleBook) => Change<Answer>,
  ): Promise<Answer> {
    for (;;) {
      const { book, version } = await this.#read(operation)
      const { answer, write } = change(book.schedules.get(key), book)
      if (write === undefined) return answer
      const value = book.with(new Map([[key, write]]))
      const { store } = this.#context
      if (await store.casSetting(schedulesKey(this.#queue), version, value)) return answer
    }
  }
}

function parseKey(key: unknown): void {
  parseName(key, 'key', keyLimit)
}

function sortRule(
  rule: unknown, now: number,
): { readonly timing: Timing; readonly limit: number | null } {
  if (typeof rule !== 'object' || rule === null) {
    throw invalidOption('rule', 'a key, or an object with every or cron', rule)
  }
  checkNames(rule, ['every', 'cron', 'timeZone', 'startAt', 'endAt', 'limit'], 'rule')
  const { timing, limit } = sortOptions(rule, 'rule')
  return { timing: parseTiming(timing, 'rule', now), limit }
}

function create(request: ScheduleRequest, now: number): StoredSchedule {
  const fresh: Omit<StoredSchedule, 'nextAt'> = {
    ...request, version: scheduleVersion, createdAt: now, paused: false,
    lastAt: null, lastJobId: null, fired: 0, skipped: 0, missed: 0,
  }
  // An occurrence right now belongs to it.
  const nextAt = nextBehind(fresh, now - 1)
  if (nextAt === null) {
    throw invalidOption('schedule.endAt', 'behind the first occurrence', request.timing.endAt)
  }
  return { ...fresh, nextAt }
}

function replace(old: StoredSchedule, request: ScheduleRequest, now: number): StoredSchedule {
  const same = isSameRule(old.timing, request.timing)
  const timing = same && 'anchor' in old.timing
    ? { ...request.timing, anchor: old.timing.anchor } : request.timing
  const changed = { ...old, ...request, timing }
  // What is due already, and not fired yet, stays due.
  const from = same && old.nextAt !== null
    ? old.nextAt - 1 : Math.max(now - 1, old.lastAt ?? 0)
  return { ...changed, nextAt: nextBehind(changed, from) }
}

/** The same instants, but for the end. */
function isSameRule(a: Timing, b: Timing): boolean {
  if (a.startAt !== b.startAt) return false
  if ('everyMs' in a) return 'everyMs' in b && a.everyMs === b.everyMs
  return 'cron' in b && a.cron === b.cron && a.timeZone === b.timeZone
}

function toSchedule(key: string, stored: StoredSchedule): Schedule {
  const {
    timing, limit, job, overlap, catchUp, createdAt, paused, nextAt, lastAt, lastJobId, fired,
    skipped, missed,
  } = stored
  const rule: ScheduleRule = {
    ...('everyMs' in timing
      ? { every: timing.everyMs } : { cron: timing.cron, timeZone: timing.timeZone }),
    ...(timing.startAt === null ? {} : { startAt: timing.startAt }),
    ...(timing.endAt === null ? {} : { endAt: timing.endAt }),
    ...(limit === null ? {} : { limit }),
  }
  return {
    key, rule, task: job.task, input: job.input, overlap, catchUp, createdAt, paused, nextAt,
    lastAt, lastJobId, fired, skipped, missed,
  }
}
