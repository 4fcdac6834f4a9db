import { isSettled } from '../records/job.ts'
import { claimsBefore } from './row.ts'
import { linkTo } from './dependents.ts'
import type { QueueRows } from './queue-rows.ts'
import type { Row } from './row.ts'
import type { Facts } from './reading.ts'
import type { Rows } from './rows.ts'
import { queueSettingKey, toQueueSetting } from './settings.ts'
import { Starts } from './starts.ts'
import type { Limits } from './store.ts'

/** Gathers what bears on whether a job runs. */
export function explainFrom(
  rows: Rows, name: string, id: string, limits: Limits, now: number,
): Facts | null {
  const row = rows.byId.get(id)
  if (row?.record.queue !== name) return null
  const { record } = row
  const queue = rows.find(name)
  const { paused, limitedUntil } = toQueueSetting(rows.setting(queueSettingKey(name)).value)
  const rateAt = rateAdmitsAt(queue, limits.rate, record.partition, now)
  return {
    record,
    paused,
    limitedUntil: limitedUntil > now ? limitedUntil : null,
    rate: rateAt > now ? { until: Number.isFinite(rateAt) ? rateAt : null } : null,
    partitionRunning: queue.lanes.running(record.partition),
    ahead: record.phase === 'ready' ? countAhead(queue, row) : 0,
    parents: parentsOf(rows, row),
  }
}

/** Asks a copy: what is out of the window of the one who asks may be inside that of a worker. */
function rateAdmitsAt(
  queue: QueueRows, rate: Limits['rate'], partition: string | null, now: number,
): number {
  if (rate === null) return now
  const starts = new Starts()
  for (const start of queue.starts.list()) starts.add(start)
  return starts.nextAt(rate, partition, now)
}

function parentsOf(rows: Rows, { record }: Row): Facts['parents'] {
  const parents = record.dependsOn.map((id) => {
    const parent = rows.byId.get(id)?.record
    return { id, record: parent ?? null, open: linkTo(record, parent) === 'open' }
  })
  if (record.after === null) return parents
  const predecessor = rows.byId.get(record.after)?.record ?? null
  const open = predecessor !== null && !isSettled(predecessor)
  return [...parents, { id: record.after, record: predecessor, open }]
}

function countAhead(queue: QueueRows, row: Row): number {
  let ahead = 0
  for (const other of queue.rowsAfter(0)) {
    if (other.record.phase === 'ready' && other !== row && claimsBefore(other, row)) ahead += 1
  }
  return ahead
}
