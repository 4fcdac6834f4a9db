import { TroupeErrorOf } from '../errors.ts'
import { isJsonEqual } from '../records/json.ts'
import type { JobRecord } from '../records/job.ts'
import type { Row } from './row.ts'
import type { JobFilter, ListQuery, Page, TimeRange } from './reading.ts'
import type { Rows } from './rows.ts'

/** A search for text reads at most so many rows, for so long, and says where it stopped. */
export const searchRows = 10_000
export const searchMs = 100

/** One page of the jobs of a queue. `monotonic` measures how long a search takes. */
export function listFrom(rows: Rows, query: ListQuery, monotonic: () => number): Page {
  return query.sort === 'createdAt'
    ? listAsAdded(rows, query, monotonic)
    : listSorted(rows, query)
}

function listAsAdded(rows: Rows, query: ListQuery, monotonic: () => number): Page {
  const { descending, limit } = query
  const after = query.cursor === null ? null : parseCursor(query).order
  const queue = rows.find(query.queue)
  const found = descending ? queue.rowsBefore(after) : queue.rowsAfter(after ?? 0)
  const matches = matcher(query)
  const start = query.text === null ? 0 : monotonic()
  const records: JobRecord[] = []
  let scanned = 0
  let last: Row | null = null
  for (const row of found) {
    if (records.length === limit && matches(row.record)) {
      return { records, cursor: toCursor(query, last as Row), stopped: null }
    }
    // Inputs may be large: a clock that was asked less often could come much too late.
    if (query.text !== null && last &&
        (scanned >= searchRows || monotonic() - start >= searchMs)) {
      const { createdAt } = last.record
      const stopped = records.length < limit ? { scanned, createdAt } : null
      return { records, cursor: toCursor(query, last), stopped }
    }
    scanned += 1
    last = row
    if (records.length < limit && matches(row.record)) records.push(row.record)
  }
  return { records, cursor: null, stopped: null }
}

/** Keeps the best rows only, so that a page of a large queue costs one pass over it. */
function listSorted(rows: Rows, query: ListQuery): Page {
  const { limit } = query
  const direction = query.descending ? -1 : 1
  const compare = (a: Position, b: Position): number =>
    direction * (a.value - b.value || a.order - b.order)
  const after = query.cursor === null ? null : parseCursor(query)
  const matches = matcher(query)
  let best: { readonly row: Row; readonly at: Position }[] = []
  /** What comes behind this one is on no place of the page. */
  let last: Position | null = null
  const cut = (): void => {
    best.sort((a, b) => compare(a.at, b.at))
    best.length = Math.min(best.length, limit + 1)
    if (best.length > limit) last = best.at(-1)?.at ?? null
  }
  for (const row of rows.find(query.queue).rowsAfter(0)) {
    const at = { value: valueOf(row.record, query), order: row.order }
    if ((after && compare(at, after) <= 0) || (last && compare(at, last) > 0)) continue
    if (!matches(row.record)) continue
    best.push({ row, at })
    if (best.length > 4 * limit + 100) cut()
  }
  cut()
  const more = best.length > limit
  best = best.slice(0, limit)
  const end = best.at(-1)
  return {
    records: best.map(({ row }) => row.record),
    cursor: more && end ? toCursor(query, end.row) : null,
    stopped: null,
  }
}

type Sorting = Pick<ListQuery, 'sort' | 'descending'>

/** Where a row stands in a list. */
export interface Position {
  readonly value: number
  readonly order: number
}

/** What has not settled comes last, in both directions. */
export function valueOf(record: JobRecord, { sort, descending }: Sorting): number {
  return record[sort] ?? (descending ? -1 : Number.MAX_SAFE_INTEGER)
}

export function toCursor(
  sorting: Sorting, { record, order }: Pick<Row, 'record' | 'order'>,
): string {
  const { sort, descending } = sorting
  return `${sort}${descending ? '-' : '+'}${valueOf(record, sorting)}:${order}`
}

export function parseCursor({ sort, descending, cursor }: ListQuery): Position {
  const match = /^([a-zA-Z]+)([+-])(-?\d{1,16}):(\d{1,16})$/.exec(cursor ?? '')
  if (match?.[1] !== sort || match[2] !== (descending ? '-' : '+')) {
    throw new TroupeErrorOf(
      'invalid-cursor', 'the cursor is not one that a page of this list carried',
      { cursor: (cursor ?? '').slice(0, 200) },
    )
  }
  return { value: Number(match[3]), order: Number(match[4]) }
}

/** Whether a record is one of those that a filter means. */
export function matcher(filter: JobFilter): (record: JobRecord) => boolean {
  const { states, phase, task, partition, meta, created, settled } = filter
  const { text } = filter
  const hasText = text === null ? null : finder(text.toLowerCase())
  return (record) =>
    (states === null || states.includes(record.state)) &&
    (phase === null || record.phase === phase) &&
    (task === null || record.task === task) &&
    (partition === null || record.partition === partition) &&
    (created === null || isIn(created, record.createdAt)) &&
    (settled === null || (record.settledAt !== null && isIn(settled, record.settledAt))) &&
    (meta === null || hasMeta(record, meta)) &&
    (hasText === null || hasText(record))
}

function isIn({ from, to }: TimeRange, at: number): boolean {
  return (from === null || at >= from) && (to === null || at < to)
}

function hasMeta({ meta }: JobRecord, wanted: NonNullable<JobFilter['meta']>): boolean {
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) return false
  const given = meta as NonNullable<JobFilter['meta']>
  return Object.entries(wanted).every(([key, value]) =>
    Object.hasOwn(given, key) && isJsonEqual(given[key] ?? null, value))
}

function finder(text: string): (record: JobRecord) => boolean {
  // JSON writes a quote in a string as \".
  const escaped = JSON.stringify(text).slice(1, -1)
  const isIn = (json: string): boolean =>
    json.includes(text) || (escaped !== text && json.includes(escaped))
  return ({ id, label, input, meta, result, error }) =>
    [id, label].some((value) => value?.toLowerCase().includes(text)) ||
    [input, meta, result, error].some((value) =>
      value !== null && isIn(JSON.stringify(value).toLowerCase()))
}
