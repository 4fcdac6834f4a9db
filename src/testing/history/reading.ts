import type { Store } from '../../index.ts'
import type { JobRecord } from '../../records/job.ts'
import type { LogEntry } from '../../records/transition.ts'
import { listQuery } from '../records.ts'

const page = 5000

/** The whole log of a queue. */
export async function readLog(store: Store, queue: string): Promise<LogEntry[]> {
  const log: LogEntry[] = []
  for (;;) {
    const { entries } = await store.readLog(queue, log.at(-1)?.seq ?? 0, page)
    if (entries.length === 0) return log
    log.push(...entries)
  }
}

/** All jobs of a queue. */
export async function readRecords(store: Store, queue: string): Promise<JobRecord[]> {
  const records: JobRecord[] = []
  let cursor: string | null = null
  do {
    const { records: found, cursor: next } = await store.list(
      listQuery({ queue, limit: page, cursor }),
    )
    records.push(...found)
    cursor = next
  } while (cursor !== null)
  return records
}
