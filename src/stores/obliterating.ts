import { toTombstone } from '../records/transition.ts'
import { queueSettingKey, schedulesKey } from './settings.ts'
import type { QueueRequest, RequestAnswer } from './store.ts'
import type { Rows } from './rows.ts'

/** Takes out all jobs of a queue, its log, its settings and its schedules. */
export function obliterateIn(
  rows: Rows, { queue: name, by, force }: QueueRequest, now: number,
): RequestAnswer {
  const queue = rows.find(name)
  if (queue.live.size > 0 && !force) return { outcome: 'ignored', record: null }
  rows.erase(name, (record) => toTombstone(record, now, by))
  for (const key of [queueSettingKey(name), schedulesKey(name)]) {
    const { value, version } = rows.setting(key)
    if (value !== null) rows.writeSetting(key, { value: null, version: version + 1 })
  }
  return { outcome: 'moved', record: null }
}
