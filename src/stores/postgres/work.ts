import type { JobEvent } from '../../../machines/job-events.ts'
import { isSettled } from '../../records/job.ts'
import type { JobRecord } from '../../records/job.ts'
import { ignored, step } from '../../records/step.ts'
import type { LogEntry } from '../../records/transition.ts'
import type { Change } from '../store.ts'
import { memberShape, toChunkEntry, toMember } from './codec.ts'
import { numbers, texts, textsIn } from './columns.ts'
import type { Stored } from './codec.ts'
import type { Run } from './database.ts'

interface Pending {
  /** As it lies in the database; null: it is new. */
  readonly before: Stored | null
  readonly after: Stored | null
  /** It is new, and nobody else can add its id meanwhile. */
  readonly isHeld?: boolean
}

/** Columns that both tables have. */
const common = `id, queue, task, partition, state, priority, run_at, created_at, started_at,
fence, rev, attempt, dedupe_key, dedupe_until, linked, spec, life`
const live = `phase, expires_at, worker, lease_until, carried`
const moved = [
  'partition', 'state', 'phase', 'priority', 'run_at', 'expires_at', 'started_at', 'fence', 'rev',
  'attempt', 'worker', 'lease_until', 'carried', 'dedupe_until', 'linked', 'spec', 'life',
].map((column) => `${column} = g.${column}`).join(', ')

/** A new life may begin and end in one transaction: the row stays where it is. */
const rewritten = [
  'partition', 'state', 'failed', 'priority', 'run_at', 'started_at', 'settled_at', 'fence', 'rev',
  'attempt', 'dedupe_until', 'linked', 'spec', 'life',
].map((column) => `${column} = excluded.${column}`).join(', ')

export function parentsOf({ dependsOn, after }: JobRecord): readonly string[] {
  return after === null ? dependsOn : [...dependsOn, after]
}

/**
 * What one transaction does to jobs whose rows it holds: decided in memory, written by `flush` in a
 * few statements. `changes` is what it will have done when the transaction has committed.
 */
export class Work {
  readonly changes: Change[] = []
  /** The moment of all that is decided here. */
  now: number
  readonly run: Run
  readonly schema: string
  /** Queues with ready jobs whose rows were held: claims have passed over them meanwhile. */
  readonly hidden = new Set<string>()
  /** Children are left for the sweep. */
  leavesUnjudged = false
  #pending = new Map<string, Pending>()
  #entries: LogEntry[] = []

  constructor(run: Run, schema: string, now: number) {
    this.run = run
    this.schema = schema
    this.now = now
  }

  /** These rows are held by the transaction, whatever becomes of them. */
  hold(jobs: Iterable<Stored>): void {
    for (const { record } of jobs) if (record.phase === 'ready') this.hidden.add(record.queue)
  }

  insert(record: JobRecord, entry: LogEntry, linked: boolean): void {
    this.#pending.set(record.id, { before: null, after: { record, order: 0, linked } })
    this.#note(entry, record)
  }

  /** A job that was settled elsewhere, and whose id is held: here, nothing has happened to it. */
  receive(record: JobRecord, linked: boolean): void {
    const after = { record, order: 0, linked }
    this.#pending.set(record.id, { before: null, after, isHeld: true })
  }

  /** A job as `flush` will write it; null: taken out; undefined: nothing is to be written. */
  pending(id: string): Stored | null | undefined {
    return this.#pending.get(id)?.after
  }

  /** Lets the chart decide; null when it ignores the event. */
  step(stored: Stored, event: JobEvent): Stored | null {
    const decided = step(stored.record, event)
    return decided === ignored ? null : this.write(stored, decided.record, decided.transition)
  }

  write(stored: Stored, record: JobRecord, entry: LogEntry): Stored {
    const after = this.amend(stored, record)
    this.#note(entry, record)
    return after
  }

  /** A change that is no transition. */
  amend(stored: Stored, record: JobRecord): Stored {
    const after = { ...stored, record }
    const known = this.#pending.get(record.id)
    this.#pending.set(record.id, { before: known ? known.before : stored, after })
    return after
  }

  drop(stored: Stored, tombstone: LogEntry): void {
    this.#pending.set(stored.record.id, { before: stored, after: null })
    this.#note(tombstone, null)
  }

  /** Writes what is pending; rows that are read later in the transaction show it. */
  async flush(): Promise<void> {
    const pending = [...this.#pending.values()]
    const entries = this.#entries
    this.#pending = new Map()
    this.#entries = []
    if (pending.length === 0) return
    const gone: string[] = []
    const revived: Stored[] = []
    const updated: Stored[] = []
    const settled: Stored[] = []
    const settledAtOnce: Stored[] = []
    const toPass: Stored[] = []
    for (const { before, after, isHeld } of pending) {
      const wasSettled = before !== null && isSettled(before.record)
      if (before && (after === null || wasSettled !== isSettled(after.record))) {
        gone.push(before.record.id)
      }
      if (after === null) continue
      if (isSettled(after.record)) (before ? settled : settledAtOnce).push(after)
      else if (before && !wasSettled) updated.push(after)
      else revived.push(after)
      if (!before && !isHeld && isSettled(after.record)) toPass.push(after)
    }
    await this.#delete(gone)
    await this.#update(updated)
    // Of two that add an id, one waits for the other here, also if its job has ended by now.
    await this.#insertLive([...revived, ...toPass])
    await this.#leaveLive(toPass.map(({ record }) => record.id))
    await this.#insertSettled(settled, `on conflict (id) do update set ${rewritten}`)
    await this.#insertSettled(settledAtOnce)
    await this.#link(pending)
    await appendEntries(this.run, this.schema, entries)
  }

  async #delete(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const { schema } = this
    await this.run(
      `with a as (delete from ${schema}.jobs where id = any($1::text[]))
      delete from ${schema}.history where id = any($1::text[])`, [ids],
    )
  }

  async #leaveLive(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.run(`delete from ${this.schema}.jobs where id = any($1::text[])`, [ids])
  }

  async #update(jobs: readonly Stored[]): Promise<void> {
    if (jobs.length === 0) return
    await this.run(
      `update ${this.schema}.jobs j set ${moved}, claimed_at = null, policy = null
      from json_to_recordset($1::json) as g(${memberShape}) where j.id = g.id`,
      [JSON.stringify(jobs.map(toMember))],
    )
  }

  async #insertLive(jobs: readonly Stored[]): Promise<void> {
    if (jobs.length === 0) return
    await this.run(
      `insert into ${this.schema}.jobs (${common}, ${live}, n)
      select ${common}, ${live}, coalesce(n, nextval('${this.schema}.orders'))
      from json_to_recordset($1::json) as g(${memberShape})`,
      [JSON.stringify(jobs.map(toMember))],
    )
  }

  async #insertSettled(jobs: readonly Stored[], onConflict = ''): Promise<void> {
    if (jobs.length === 0) return
    await this.run(
      `insert into ${this.schema}.history (${common}, settled_at, failed, n)
      select ${common}, settled_at, failed, coalesce(n, nextval('${this.schema}.orders'))
      from json_to_recordset($1::json) as g(${memberShape})
      ${onConflict}`,
      [JSON.stringify(jobs.map(toMember))],
    )
  }

  /** A parent is awaited until its child has completed: a failed child may be retried. */
  async #link(pending: readonly Pending[]): Promise<void> {
    const joined: { parent: string; child: string }[] = []
    const left: string[] = []
    for (const { before, after } of pending) {
      const links = after !== null && after.record.state !== 'completed'
      if (before && before.linked && !links) left.push(before.record.id)
      if (before || !after || !links) continue
      const child = after.record.id
      for (const parent of parentsOf(after.record)) joined.push({ parent, child })
    }
    const { run, schema } = this
    if (left.length > 0) {
      await run(`delete from ${schema}.links where child = any($1::text[])`, [left])
    }
    if (joined.length === 0) return
    await run(
      `insert into ${schema}.links (parent, child)
      select parent, child from json_to_recordset($1::json) as g(parent text, child text)
      on conflict do nothing`, [JSON.stringify(joined)],
    )
    const parents = [...new Set(joined.map(({ parent }) => parent))].sort()
    await run(
      `with a as (update ${schema}.jobs set linked = true
        where id = any($1::text[]) and not linked)
      update ${schema}.history set linked = true where id = any($1::text[]) and not linked`,
      [parents],
    )
  }

  #note(entry: LogEntry, record: JobRecord | null): void {
    this.#entries.push(entry)
    this.changes.push({ entry, record })
  }
}

/** Entries by queue, each queue's in one row: the sequencer numbers rows, not entries. */
/** The parameters of `chunksFrom`. */
export function toChunks(entries: readonly LogEntry[]): readonly string[] {
  const byQueue = new Map<string, LogEntry[]>()
  for (const entry of entries) {
    const list = byQueue.get(entry.queue)
    if (list) list.push(entry)
    else byQueue.set(entry.queue, [entry])
  }
  const chunks = [...byQueue.values()]
  return [
    texts([...byQueue.keys()]),
    numbers(chunks.map((list) => list.length)),
    numbers(chunks.map((list) => list.at(-1)?.at ?? 0)),
    texts(chunks.map((list) => JSON.stringify(list.map(toChunkEntry)))),
  ]
}

/** Writes the chunks of `toChunks`, whose parameters begin with `$first`. */
export function chunksFrom(schema: string, first: number): string {
  return `insert into ${schema}.chunks (queue, count, at, entries)
    select * from unnest(${textsIn(`$${first}`)}, $${first + 1}::integer[],
      $${first + 2}::double precision[], ${textsIn(`$${first + 3}`)})`
}

async function appendEntries(
  run: Run, schema: string, entries: readonly LogEntry[],
): Promise<void> {
  if (entries.length > 0) await run(chunksFrom(schema, 1), toChunks(entries))
}
