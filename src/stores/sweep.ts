import type { JobEvent } from '../../machines/job-events.ts'
import type { QueueRows } from './queue-rows.ts'
import type { Row } from './row.ts'
import type { Retention, SweepAnswer, SweepRequest } from './store.ts'
import type { Table } from './table.ts'

/** Does what time has made due in a table, at most `limit` jobs of it. */
export function sweepTable(table: Table, request: SweepRequest, now: number): SweepAnswer {
  const { rows } = table
  const { by } = request
  let left = request.limit
  const move = (row: Row, event: JobEvent): void => {
    if (table.rows.step(row, event)) left -= 1
  }
  left -= table.follow(left)
  for (let row = rows.expiring.peek(); row && left > 0; row = rows.expiring.peek()) {
    if ((row.record.expiresAt ?? 0) > now) break
    move(row, { type: 'expire', now, by })
  }
  for (let row = rows.delayed.peek(); row && left > 0; row = rows.delayed.peek()) {
    if (row.record.runAt > now) break
    move(row, { type: 'due', now, by })
  }
  for (const queue of rows.queues.values()) {
    for (const row of queue.live) {
      if (left === 0) break
      if (row.record.lease && row.record.lease.until <= now) move(row, { type: 'stall', now, by })
    }
  }
  for (const [name, retention] of request.retention) {
    const queue = rows.queues.get(name)
    if (!queue) continue
    left -= prune(table, queue.completed, retention.completed, retention, now, left)
    left -= prune(table, queue.failed, retention.failed, retention, now, left)
    queue.log.trim(retention.log, now - retention.logAgeMs)
  }
  left -= table.follow(Math.max(left, 0))
  return { more: left <= 0 || rows.dependents.hasUnjudged, nextAt: nextTime(table, request, now) }
}

/** `settled` is a set in the order of settling: the oldest come first. */
function prune(
  table: Table, settled: ReadonlySet<Row>, keep: number, retention: Retention, now: number,
  limit: number,
): number {
  let pruned = 0
  for (const row of surplus(table, settled, keep, now)) {
    if (pruned === limit || pruneAt(row, retention) > now) break
    table.rows.drop(row, null)
    pruned += 1
  }
  return pruned
}

/**
 * What is over the number to keep, and nobody needs any more: oldest first. `held` hears until
 * when one is spared for its key.
 */
function* surplus(
  { rows }: Table, settled: ReadonlySet<Row>, keep: number, now: number,
  held: (until: number) => void = () => undefined,
): Generator<Row> {
  let over = settled.size - keep
  for (const row of settled) {
    if (over <= 0) break
    over -= 1
    const { id, dedupe } = row.record
    const until = dedupe?.until ?? 0
    if (rows.dependents.isAwaited(id)) continue
    if (until > now) held(until)
    else yield row
  }
}

function pruneAt(row: Row, retention: Retention): number {
  return (row.record.settledAt ?? 0) + retention.minAgeMs
}

function nextTime(table: Table, request: SweepRequest, now: number): number | null {
  const { rows } = table
  let next = Number.POSITIVE_INFINITY
  const consider = (at: number | null | undefined): void => {
    if (at !== null && at !== undefined) next = Math.min(next, at)
  }
  consider(rows.delayed.peek()?.record.runAt)
  consider(rows.expiring.peek()?.record.expiresAt)
  for (const queue of rows.queues.values()) {
    for (const row of queue.live) consider(row.record.lease?.until)
    const retention = request.retention.get(queue.name)
    if (retention) considerPruning(table, queue, retention, now, consider)
  }
  return Number.isFinite(next) ? next : null
}

function considerPruning(
  table: Table, queue: QueueRows, retention: Retention, now: number,
  consider: (at: number) => void,
): void {
  for (const [rows, keep] of [
    [queue.completed, retention.completed], [queue.failed, retention.failed],
  ] as const) {
    const [oldest] = surplus(table, rows, keep, now, consider)
    if (oldest) consider(pruneAt(oldest, retention))
  }
  const { oldestAt } = queue.log
  if (oldestAt !== undefined) consider(oldestAt + retention.logAgeMs + 1)
}
