import { phases, states } from '../../machines/vocabulary.ts'
import type { Json, Phase, State } from '../../machines/vocabulary.ts'
import { invalidOption } from '../errors.ts'
import { toJson } from '../records/json.ts'
import type { JobRecord } from '../records/job.ts'
import { integer, oneOf, parseName, parseTime } from '../records/options.ts'
import { sortKeys } from '../stores/reading.ts'
import type { JobFilter, ListQuery, Page, SortKey, TimeRange } from '../stores/reading.ts'
import { checkNames } from './tasks.ts'

/** A span of time: from `from` on, and before `to`; epoch milliseconds or Dates. */
export interface TimeSpan {
  readonly from?: number | Date
  readonly to?: number | Date
}

/** Which jobs of a queue; what is left out means any. */
export interface JobFilterOptions {
  readonly state?: State | readonly State[]
  readonly phase?: Phase
  readonly task?: string
  readonly partition?: string
  /** The job's `meta` has these properties with these values. */
  readonly meta?: Readonly<Record<string, unknown>>
  /**
   * Text, 1 to 256 characters, in id, label, input, meta, result or error, in large or small
   * letters. The search goes through at most 10,000 jobs or 100 ms a page, and `stopped` says so.
   */
  readonly text?: string
  readonly createdAt?: TimeSpan
  readonly settledAt?: TimeSpan
}

export interface ListOptions extends JobFilterOptions {
  /** Default `createdAt`: in the order in which they were added. A text search allows no other. */
  readonly sort?: SortKey
  /** Default `asc`. Under `settledAt` what is not settled comes last, in both orders. */
  readonly order?: 'asc' | 'desc'
  /** Jobs on a page, 1 to 1,000. Default 100. */
  readonly limit?: number
  /** The `cursor` of the page before. */
  readonly cursor?: string
}

export interface JobPage {
  readonly jobs: readonly JobRecord[]
  /**
   * For the next page, under the same filter, sort and order; null on the last one. In the order
   * of `createdAt` nothing that happens between two pages makes a job appear twice, or not at all;
   * in the others a job that moves meanwhile can.
   */
  readonly cursor: string | null
  /**
   * Set when a search for text ended before the page was full: after so many jobs, at one that
   * was added at that time. `cursor` goes on from there.
   */
  readonly stopped: Page['stopped']
}

const filterNames = [
  'state', 'phase', 'task', 'partition', 'meta', 'text', 'createdAt', 'settledAt',
]
const listNames = [...filterNames, 'sort', 'order', 'limit', 'cursor']

/** Checks the filter of `list`, `clean` and their like. */
export function parseFilter(queue: string, given: unknown, names = filterNames): JobFilter {
  checkObject(given, 'filter', 'an object')
  checkNames(given, names, 'filter')
  refuseUndefined(given, filterNames, 'filter')
  const { state, phase, task, partition, meta, text, createdAt, settledAt } =
    given as JobFilterOptions
  return {
    queue,
    states: state === undefined
      ? null : [state].flat().map((name) => oneOf(states, name, 'filter.state')),
    phase: phase === undefined ? null : oneOf(phases, phase, 'filter.phase'),
    task: task === undefined ? null : parseName(task, 'filter.task'),
    partition: partition === undefined ? null : parseName(partition, 'filter.partition'),
    meta: meta === undefined ? null : parseMeta(meta),
    text: text === undefined ? null : parseName(text, 'filter.text', 256),
    created: createdAt === undefined ? null : parseSpan(createdAt, 'filter.createdAt'),
    settled: settledAt === undefined ? null : parseSpan(settledAt, 'filter.settledAt'),
  }
}

/** Checks the options of `list`. */
export function parseList(queue: string, given: ListOptions): ListQuery {
  const filter = parseFilter(queue, given, listNames)
  const { sort = 'createdAt', order = 'asc', limit = 100, cursor = null } = given
  if (filter.text !== null && sort !== 'createdAt') {
    throw invalidOption('filter.sort', "'createdAt' beside a text", sort)
  }
  if (cursor !== null && typeof cursor !== 'string') {
    throw invalidOption('filter.cursor', 'the cursor of a page', cursor)
  }
  return {
    ...filter,
    sort: oneOf(sortKeys, sort, 'filter.sort'),
    descending: oneOf(['asc', 'desc'], order, 'filter.order') === 'desc',
    limit: integer(limit, 'filter.limit', 1, 1000),
    cursor,
  }
}

/** A list or a Date without properties would be taken for a filter that lets all jobs pass. */
function checkObject(given: unknown, path: string, expected: string): asserts given is object {
  const ok = typeof given === 'object' && given !== null && !Array.isArray(given) &&
    !(given instanceof Date)
  if (!ok) throw invalidOption(path, expected, given)
}

/** A variable that was never set must not make a filter match everything. */
function refuseUndefined(given: object, names: readonly string[], path: string): void {
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined || !names.includes(name)) continue
    throw invalidOption(`${path}.${name}`, 'a value, or left out', value)
  }
}

function parseMeta(given: unknown): { readonly [key: string]: Json } {
  checkObject(given, 'filter.meta', 'an object')
  refuseUndefined(given, Object.keys(given), 'filter.meta')
  return toJson(given, 'filter.meta', 16 * 1024) as { readonly [key: string]: Json }
}

function parseSpan(given: TimeSpan, path: string): TimeRange {
  checkObject(given, path, 'an object with from, to or both')
  checkNames(given, ['from', 'to'], path)
  const { from, to } = given
  return {
    from: from === undefined ? null : parseTime(from, `${path}.from`),
    to: to === undefined ? null : parseTime(to, `${path}.to`),
  }
}
