import { invalidOption } from '../errors.ts'
import type { Json } from '../../machines/vocabulary.ts'
import type { Dedupe, NewJob } from './job.ts'
import { addOptionNames, integer, oneOf, unknownOption } from './options.ts'

/** What happens when an occurrence comes while a job of the schedule is not settled. */
export const overlaps = ['allow', 'skip', 'supersede'] as const
/** What happens to occurrences that fell while nobody could fire them. */
export const catchUps = ['none', 'one', 'all'] as const

/** Occurrences are whole intervals away from `anchor`. */
export interface IntervalRule {
  readonly everyMs: number
  /** `startAt`, and then an occurrence itself; or when the interval was registered. */
  readonly anchor: number
}

export interface CronRule {
  readonly cron: string
  readonly timeZone: string
}

/** When the occurrences are, in epoch milliseconds. Both ends belong to it. */
export type Timing = (IntervalRule | CronRule) & {
  readonly startAt: number | null
  readonly endAt: number | null
}

/** What all jobs of a schedule have in common. */
export type JobTemplate = Pick<
  NewJob, 'task' | 'input' | 'priority' | 'ttlMs' | 'label' | 'meta' | 'partition' | 'options'
>

/** What was registered under a key. */
export interface ScheduleRequest {
  readonly timing: Timing
  /** Jobs that it may add in all; null for no limit. */
  readonly limit: number | null
  readonly overlap: (typeof overlaps)[number]
  readonly catchUp: (typeof catchUps)[number]
  readonly job: JobTemplate
}

/** A schedule as the store keeps it. Never changed in place. */
export interface StoredSchedule extends ScheduleRequest {
  readonly version: typeof scheduleVersion
  readonly createdAt: number
  readonly paused: boolean
  /** The earliest occurrence that nobody has dealt with; null when paused, or when none is left. */
  readonly nextAt: number | null
  /** The last occurrence that added a job, and that job. */
  readonly lastAt: number | null
  readonly lastJobId: string | null
  readonly fired: number
  readonly skipped: number
  readonly missed: number
}

/** Written into each schedule; one with another number is left alone. */
export const scheduleVersion = 1 as const

/** Options of `add` that a schedule decides itself. */
const decided = ['id', 'delay', 'runAt', 'dedupe', 'dependsOn', 'onParentFailure'] as const
export type DecidedOption = (typeof decided)[number]
const timingNames = ['every', 'cron', 'timeZone', 'startAt', 'endAt'] as const
const ownNames = [...timingNames, 'limit', 'overlap', 'catchUp', 'task', 'input'] as const
const jobNames = addOptionNames.filter((name) => !(decided as readonly string[]).includes(name))

/** The options of a schedule, sorted by who checks them. */
export interface SortedOptions {
  readonly timing: Readonly<Record<string, unknown>>
  readonly limit: number | null
  readonly overlap: StoredSchedule['overlap']
  readonly catchUp: StoredSchedule['catchUp']
  readonly task: unknown
  readonly input: unknown
  /** Options of `add`. */
  readonly job: Readonly<Record<string, unknown>>
}

/** Sorts the options of a schedule, and refuses those that it does not know. */
export function sortOptions(given: unknown, path: string): SortedOptions {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidOption(path, 'an object with every or cron, and a task', given)
  }
  const timing: Record<string, unknown> = {}
  const job: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (isOneOf(decided, name)) {
      if (value !== undefined) throw invalidOption(`${path}.${name}`, 'left out', value)
    } else if (isOneOf(timingNames, name)) timing[name] = value
    else if (isOneOf(jobNames, name)) job[name] = value
    else if (!isOneOf(ownNames, name)) {
      throw unknownOption(`${path}.${name}`, [...ownNames, ...jobNames])
    }
  }
  const { limit, overlap = 'allow', catchUp = 'none', task, input } =
    given as Readonly<Record<string, unknown>>
  return {
    timing,
    limit: limit === undefined ? null : integer(limit, `${path}.limit`, 1, 1_000_000_000),
    overlap: oneOf(overlaps, overlap, `${path}.overlap`),
    catchUp: oneOf(catchUps, catchUp, `${path}.catchUp`),
    task, input, job,
  }
}

function isOneOf(names: readonly unknown[], name: unknown): boolean {
  return names.includes(name)
}

/** What the jobs of a schedule take from a checked one. */
export function toTemplate(job: NewJob): JobTemplate {
  const { task, input, priority, ttlMs, label, meta, partition, options } = job
  return { task, input, priority, ttlMs, label, meta, partition, options }
}

/** The job of one occurrence, or of a trigger. */
export function toScheduledJob(
  { job, overlap }: Pick<StoredSchedule, 'job' | 'overlap'>,
  { id, queue, key }: { readonly id: string; readonly queue: string; readonly key: string },
): NewJob {
  const by = `schedule:${key}`
  const modes = { allow: null, skip: 'simple', supersede: 'supersede' } as const
  const mode = modes[overlap]
  const dedupe: Dedupe | null = mode && { key: by, mode, windowMs: null }
  return {
    ...job, id, queue, by, dedupe,
    hasOwnId: true, delayMs: null, runAt: null, dependsOn: [], parentKeys: null,
    onParentFailure: 'fail', trace: null,
  }
}

/** The longest id that a store takes. */
const idLimit = 128
/** What a shortened queue name ends with: `~` and its hash. */
const tailLength = 12

/**
 * The id of an occurrence: `queue/key@time`. Ids are unique in the whole store, so the queue is a
 * part of it; a name that is too long is cut, and then a hash of all of it stands for the rest.
 */
export function occurrenceId(queue: string, key: string, at: number): string {
  const occurrence = `/${key}@${new Date(at).toISOString()}`
  const plain = queue.replace(/[%/~]/g, (char) => `%${char.charCodeAt(0).toString(16)}`)
  const room = idLimit - occurrence.length
  if (plain.length <= room) return plain + occurrence
  const start = plain.slice(0, room - tailLength).toWellFormed()
  return `${start}~${hash(queue)}${occurrence}`
}

/** 53 bits of the text in 11 characters, the same on every machine (cyrb53, public domain). */
function hash(text: string): string {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    a = Math.imul(a ^ unit, 2654435761)
    b = Math.imul(b ^ unit, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return (2 ** 32 * (b & 0x1fffff) + (a >>> 0)).toString(36).padStart(11, '0')
}

/** All schedules of a queue, as its setting holds them. */
export class ScheduleBook {
  readonly schedules = new Map<string, StoredSchedule>()
  /** Keys with something that cannot be read, and why. They are kept as they are. */
  readonly unreadable = new Map<string, string>()
  readonly #entries: ReadonlyMap<string, Json>

  /** Throws when the setting is not an object of schedules at all. */
  constructor(setting: Json) {
    if (setting !== null && (typeof setting !== 'object' || Array.isArray(setting))) {
      throw new Error('the setting holds no object of schedules')
    }
    this.#entries = new Map(Object.entries(setting ?? {}))
    for (const [key, entry] of this.#entries) {
      const problem = problemOf(entry)
      if (problem === null) this.schedules.set(key, entry as unknown as StoredSchedule)
      else this.unreadable.set(key, problem)
    }
  }

  get size(): number {
    return this.#entries.size
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  /** The setting after these changes; null takes a schedule out. */
  with(changes: ReadonlyMap<string, StoredSchedule | null>): Json {
    const entries = new Map(this.#entries)
    for (const [key, schedule] of changes) {
      if (schedule) entries.set(key, schedule as unknown as Json)
      else entries.delete(key)
    }
    return Object.fromEntries(entries)
  }

  /** When the first of them falls due; infinity for never. */
  get nextAt(): number {
    let first = Number.POSITIVE_INFINITY
    for (const { nextAt } of this.schedules.values()) {
      if (nextAt !== null && nextAt < first) first = nextAt
    }
    return first
  }
}

/** Why a stored value is no schedule that this version understands; null when it is one. */
function problemOf(entry: Json): string | null {
  if (!isObject(entry)) return 'it is no object'
  if (entry['version'] !== scheduleVersion) {
    return `it is of version ${JSON.stringify(entry['version'])}, and this is ${scheduleVersion}`
  }
  const { timing, job, limit, overlap, catchUp, paused } = entry
  const wrong =
    !isTiming(timing) ? 'timing' : !isTemplate(job) ? 'job' : !isCount(limit ?? 1) ? 'limit'
      : !isOneOf(overlaps, overlap) ? 'overlap'
        : !isOneOf(catchUps, catchUp) ? 'catchUp'
          : typeof paused !== 'boolean' ? 'paused' : null
  const field = wrong ??
    ['createdAt', 'fired', 'skipped', 'missed'].find((name) => !isCount(entry[name])) ??
    ['nextAt', 'lastAt'].find((name) => !isCountOrNull(entry[name])) ?? null
  return field && `its ${field} makes no sense`
}

function isTiming(value: Json | undefined): boolean {
  if (!isObject(value)) return false
  const { everyMs, anchor, cron, timeZone, startAt, endAt } = value
  const rule = typeof cron === 'string' && typeof timeZone === 'string' ||
    isCount(everyMs) && everyMs !== 0 && isCount(anchor)
  return rule && isCountOrNull(startAt) && isCountOrNull(endAt)
}

function isTemplate(value: Json | undefined): boolean {
  if (!isObject(value)) return false
  const { task, input, priority, options } = value
  return typeof task === 'string' && input !== undefined && Number.isInteger(priority) &&
    isObject(options)
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: Json | undefined): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isCountOrNull(value: Json | undefined): boolean {
  return value === null || isCount(value)
}
