import type { JobRecord } from '../../records/job.ts'
import { matcher, parseCursor, searchMs, searchRows, toCursor, valueOf } from '../listing.ts'
import type { Position } from '../listing.ts'
import type { ListQuery, Page } from '../reading.ts'
import { historyColumns, liveColumns, toStored } from './codec.ts'
import type { Stored } from './codec.ts'
import type { Run } from './database.ts'

/** Rows that are read at a time when the database cannot say which of them are meant. */
const pageSize = 1000

/**
 * One page of the jobs of a queue. The database goes by what it has columns for; meta and text are
 * looked at here, by the same rule as in the in-process stores.
 */
export async function listJobs(
  run: Run, schema: string, query: ListQuery, monotonic: () => number,
): Promise<Page> {
  const { limit, text, meta } = query
  const searches = text !== null && query.sort === 'createdAt'
  const matches = matcher(query)
  const filtered = text !== null || meta !== null
  const start = searches ? monotonic() : 0
  const records: JobRecord[] = []
  let last: Stored | null = null
  let scanned = 0
  let after = query.cursor === null ? null : parseCursor(query)
  for (;;) {
    const size = filtered ? pageSize : limit + 1
    const rows = await readPage(run, schema, query, after, size)
    for (const stored of rows) {
      if (records.length === limit && matches(stored.record)) {
        return { records, cursor: last && toCursor(query, last), stopped: null }
      }
      if (searches && last && (scanned >= searchRows || monotonic() - start >= searchMs)) {
        const { createdAt } = last.record
        const stopped = records.length < limit ? { scanned, createdAt } : null
        return { records, cursor: toCursor(query, last), stopped }
      }
      scanned += 1
      last = stored
      if (records.length < limit && matches(stored.record)) records.push(stored.record)
    }
    if (rows.length < size || !last) return { records, cursor: null, stopped: null }
    after = { value: valueOf(last.record, query), order: last.order }
  }
}

const sortColumns = {
  createdAt: 'n', runAt: 'run_at', priority: 'priority', settledAt: 'settled_at',
} as const

async function readPage(
  run: Run, schema: string, query: ListQuery, after: Position | null, size: number,
): Promise<readonly Stored[]> {
  const { sort, descending } = query
  const values: unknown[] = [query.queue, size]
  const bind = (value: unknown, type: string): string => {
    values.push(value)
    return `$${values.length}::${type}`
  }
  const filters = conditionsOf(query, bind)
  const direction = descending ? 'desc' : 'asc'
  const compare = descending ? '<' : '>'
  // What has not settled comes last, in both directions.
  const never = descending ? '-1' : '9007199254740991'
  const key = sort === 'settledAt' ? `coalesce(settled_at, ${never})` : sortColumns[sort]
  if (after) {
    const order = bind(after.order, 'bigint')
    filters.push(sort === 'createdAt'
      ? `n ${compare} ${order}`
      : `(${key}, n) ${compare} (${bind(after.value, 'double precision')}, ${order})`)
  }
  const branch = (table: string, columns: string): string =>
    `(select * from (select ${columns} from ${schema}.${table}) as each
    where queue = $1 ${filters.map((filter) => `and ${filter}`).join(' ')}
    order by ${key} ${direction}, n ${direction} limit $2)`
  const rows = await run(
    `select * from (${branch('jobs', liveColumns)} union all
    ${branch('history', historyColumns)}) as found
    order by ${key} ${direction}, n ${direction} limit $2`, values,
  )
  return rows.map(toStored)
}

function conditionsOf(
  { states, phase, task, partition, created, settled }: ListQuery,
  bind: (value: unknown, type: string) => string,
): string[] {
  const conditions: string[] = []
  if (states) conditions.push(`state = any(${bind(states, 'text[]')})`)
  if (phase) conditions.push(`phase = ${bind(phase, 'text')}`)
  if (task !== null) conditions.push(`task = ${bind(task, 'text')}`)
  if (partition !== null) conditions.push(`partition = ${bind(partition, 'text')}`)
  for (const [column, range] of [['created_at', created], ['settled_at', settled]] as const) {
    if (!range) continue
    if (column === 'settled_at') conditions.push('settled_at is not null')
    if (range.from !== null) {
      conditions.push(`${column} >= ${bind(range.from, 'double precision')}`)
    }
    if (range.to !== null) conditions.push(`${column} < ${bind(range.to, 'double precision')}`)
  }
  return conditions
}
