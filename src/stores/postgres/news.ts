import type { JobRecord } from '../../records/job.ts'
import type { Change, Interest, MovedJob, StoreEvent } from '../store.ts'
import { toStored } from './codec.ts'
import type { Database } from './database.ts'
import { eitherTable } from './loading.ts'

/** What a session's own writes mean for its watchers. */
export function eventsOf(changes: readonly Change[]): readonly StoreEvent[] {
  if (changes.length === 0) return []
  const events: StoreEvent[] = [{ type: 'changes', changes }]
  let timerAt = Infinity
  for (const { record } of changes) if (record) timerAt = Math.min(timerAt, dueOf(record))
  for (const queue of readyQueues(changes)) events.push({ type: 'wake', queue })
  if (Number.isFinite(timerAt)) events.push({ type: 'timer', at: timerAt })
  return events
}

/** Queues in which jobs have become ready. */
export function readyQueues(changes: readonly Change[]): readonly string[] {
  return [...new Set(changes.flatMap(({ record }) =>
    (record?.phase === 'ready' ? [record.queue] : [])))]
}

/** Jobs whose handlers run somewhere, maybe in another process, and that must hear of it. */
export function urgentJobs(changes: readonly Change[]): readonly string[] {
  return changes.flatMap(({ entry, record }) =>
    (entry.event === 'cancel' && record?.state === 'cancelling') || record === null
      ? [entry.jobId] : [])
}

function dueOf({ state, phase, runAt, expiresAt, lease }: JobRecord): number {
  if (lease) return lease.until
  if (state !== 'queued') return Infinity
  return Math.min(phase === 'delayed' ? runAt : Infinity, expiresAt ?? Infinity)
}

/** Looks what others have done to the jobs that somebody here wants to know of. */
export class News {
  readonly #database: Database
  readonly #interests = new Set<Interest>()
  readonly #tell: (jobs: readonly MovedJob[]) => void
  /** The rev of each followed job that was told last. */
  #told = new Map<string, number>()
  #looking = false
  #again = false

  constructor(database: Database, tell: (jobs: readonly MovedJob[]) => void) {
    this.#database = database
    this.#tell = tell
  }

  join(interest: Interest): () => void {
    this.#interests.add(interest)
    return () => { this.#interests.delete(interest) }
  }

  isWanted(id: string): boolean {
    for (const interest of this.#interests) if (interest.has(id)) return true
    return false
  }

  /** These jobs were moved by others. */
  async look(ids: readonly string[]): Promise<void> {
    const wanted = ids.filter((id) => this.isWanted(id))
    if (wanted.length === 0) return
    const { run, schema } = this.#database
    const rows = await run(eitherTable(schema, 'id = any($1::text[])'), [wanted])
    const found = new Map(rows.map((row) => {
      const { record } = toStored(row)
      return [record.id, record]
    }))
    this.#tell(wanted.map((id) => {
      const record = found.get(id) ?? null
      return { id, queue: record?.queue ?? '', record }
    }))
  }

  /** Any followed job may have moved. One look at a time; what comes meanwhile joins the next. */
  lookAtFollowed(): void {
    if (this.#looking) {
      this.#again = true
      return
    }
    const ids = [...new Set([...this.#interests].flatMap((each) => [...each.followed()]))]
    if (ids.length === 0) {
      this.#told.clear()
      return
    }
    this.#looking = true
    this.#again = false
    this.#lookAt(ids).catch(() => undefined).finally(() => {
      this.#looking = false
      if (this.#again) this.lookAtFollowed()
    })
  }

  async #lookAt(ids: readonly string[]): Promise<void> {
    const known = new Map(ids.map((id) => [id, this.#told.get(id) ?? 0]))
    const { run, schema } = this.#database
    const either = eitherTable(schema, 'id = any($1::text[])')
    const rows = await run(
      `select r.* from json_to_recordset($2::json) as k(id text, told integer)
      join (${either}) as r on r.id = k.id and r.rev > k.told`,
      [ids, JSON.stringify([...known].map(([id, told]) => ({ id, told })))],
    )
    const records = rows.map((row) => toStored(row).record)
    for (const { id, rev } of records) known.set(id, rev)
    this.#told = known
    if (records.length === 0) return
    this.#tell(records.map((record) => ({ id: record.id, queue: record.queue, record })))
  }
}
