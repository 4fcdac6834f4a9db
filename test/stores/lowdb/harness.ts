import { expect } from 'vitest'
import { isLive } from '../../../src/records/job.ts'
import type { JobRecord } from '../../../src/records/job.ts'
import { ignored, step } from '../../../src/records/step.ts'
import type { LogEntry } from '../../../src/records/transition.ts'
import { lowdbStore } from '../../../src/stores/lowdb/store.ts'
import type { LowdbOptions } from '../../../src/stores/lowdb/store.ts'
import { noLimits } from '../../../src/stores/store.ts'
import type { Commit, Store, StoreEvent } from '../../../src/stores/store.ts'
import type { Json } from '../../../machines/vocabulary.ts'
import type { MemoryDisk } from '../../../src/testing/memory-disk.ts'
import { listQuery, newJob, policy } from '../../../src/testing/records.ts'
import { VirtualEnv } from '../../../src/testing/virtual-env.ts'

export const file = '/data/jobs.json'
export const queue = 'images'
let processes = 0

/** What was acknowledged, as the events of the store told it. */
export class Ledger {
  readonly records = new Map<string, JobRecord>()
  readonly settings = new Map<string, Json>()
  readonly log: LogEntry[] = []

  note(event: StoreEvent): void {
    if (event.type === 'setting') this.settings.set(event.key, event.value)
    if (event.type !== 'changes') return
    for (const { entry, record } of event.changes) {
      this.log.push({ ...entry })
      if (record) this.records.set(record.id, record)
      else this.records.delete(entry.jobId)
    }
  }

  copy(): Ledger {
    const copy = new Ledger()
    for (const [id, record] of this.records) copy.records.set(id, record)
    for (const [key, value] of this.settings) copy.settings.set(key, value)
    copy.log.push(...this.log)
    return copy
  }
}

/** A process with its own identity, clock and eyes on the store. */
export class Session {
  readonly env: VirtualEnv
  readonly store: Store
  readonly reports: string[] = []
  readonly ledger: Ledger
  #operations = 0

  constructor(disk: MemoryDisk, options: LowdbOptions = {}, ledger = new Ledger()) {
    const process = processes += 1
    let ids = 0
    this.env = new VirtualEnv({ disk })
    this.env.id = () => `p${process}-${ids += 1}`
    disk.now = this.env.now
    this.store = lowdbStore(file, options)
    this.ledger = ledger
    this.store.watch((event) => { this.ledger.note(event) })
  }

  async open(): Promise<this> {
    await this.store.open({ env: this.env, report: (message) => { this.reports.push(message) } })
    return this
  }

  add(...ids: string[]) {
    return this.store.insert(ids.map((id) => newJob({ id, queue })))
  }

  async claim(limit = 1): Promise<readonly JobRecord[]> {
    const { records } = await this.store.claim({
      queue, worker: 'w1', limit, leaseMs: 30_000, tasks: new Map([['resize', policy]]),
      exclude: new Set(), limits: noLimits,
    })
    return records
  }

  complete(jobs: readonly JobRecord[]) {
    return this.store.commit(jobs.map((job) => this.completion(job)))
  }

  completion(job: JobRecord): Commit {
    const moved = step(job, {
      type: 'complete', now: this.env.now(), by: 'w1', result: { done: job.id }, progress: null,
    })
    if (moved === ignored) throw new Error('the chart ignored the completion')
    const operation = `operation-${this.#operations += 1}`
    return {
      fence: job.fence, rev: job.rev, record: { ...moved.record, operation },
      transition: moved.transition,
    }
  }

  cancel(id: string) {
    return this.store.apply([{ id, queue, by: 'ann', type: 'cancel', reason: 'no need' }])
  }

  remove(id: string) {
    return this.store.apply([{ id, queue, by: 'ann', type: 'remove', spareAwaited: false }])
  }

  progress(job: JobRecord) {
    const progress = { current: 1, total: 2, message: 'half', percent: 50 }
    return this.store.progress([{ id: job.id, fence: job.fence, by: 'w1', progress, log: null }])
  }

  /** Prunes completed jobs over `keep`, and trims the log to `log` entries. */
  async prune(keep: number, log = 10_000): Promise<void> {
    const retention = { completed: keep, failed: 10, minAgeMs: 0, log, logAgeMs: 1e12 }
    await this.store.sweep({ by: 'sweep', limit: 100, retention: new Map([[queue, retention]]) })
    const ids = [...this.ledger.records.keys()]
    const records = await this.store.get(ids)
    records.forEach((record, index) => {
      if (!record) this.ledger.records.delete(ids[index] as string)
    })
  }

  async log(after = 0): Promise<readonly LogEntry[]> {
    return (await this.store.readLog(queue, after, 1e6)).entries
  }
}

export function open(
  disk: MemoryDisk, options: LowdbOptions = {}, ledger?: Ledger,
): Promise<Session> {
  return new Session(disk, options, ledger).open()
}

/** All that a user of an open store can see. */
export async function picture(session: Session) {
  const { records } = await session.store.list(listQuery({ queue }))
  const settings = new Map<string, Json>()
  for (const key of ['queue:images', 'other']) {
    settings.set(key, (await session.store.getSetting(key)).value)
  }
  return {
    records: new Map(records.map((record) => [record.id, record])),
    settings,
    log: await session.log(),
  }
}

/** What the next process must see, when it takes back what ran. */
function afterBoot({ records, settings, log }: Ledger, now: number) {
  const after = new Map(records)
  const taken: LogEntry[] = []
  for (const [id, record] of records) {
    if (!isLive(record)) continue
    const moved = step(record, { type: 'stall', now, by: 'boot' })
    if (moved === ignored) throw new Error('the chart ignored the stall')
    after.set(id, moved.record)
    taken.push({ ...moved.transition, seq: 0 })
  }
  return {
    records: after,
    settings: new Map(['queue:images', 'other'].map((key) => [key, settings.get(key) ?? null])),
    log: [...log, ...taken],
  }
}

type Picture = Awaited<ReturnType<typeof picture>>

/** Everything in one string; the numbers of entries that boot wrote follow from their places. */
function shown({ records, settings, log }: Picture): string {
  return JSON.stringify({
    records: [...records].sort(([a], [b]) => a < b ? -1 : 1).map(([, record]) => sorted(record)),
    settings: [...settings],
    log: log.filter(({ by }) => by !== 'boot').map(sorted),
    taken: log.filter(({ by }) => by === 'boot').map(({ jobId }) => jobId).sort(),
  })
}

/** The order of keys may differ between a record that was made and one that was read. */
function sorted(value: object): object {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
}

/** A reopened store shows one of these ledgers, and nothing else; its log has no gap. */
export async function expectOneOf(session: Session, ledgers: readonly Ledger[]): Promise<void> {
  const seen = await picture(session)
  const numbers = seen.log.map(({ seq }) => seq)
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 1) + index))
  const now = session.env.now()
  const possible = ledgers.map((ledger) => shown(afterBoot(ledger, now)))
  if (possible.includes(shown(seen))) return
  expect(shown(seen)).toBe(possible.at(-1))
}

export const always = { checkpointBytes: 3_000, segmentBytes: 2_000 } as const

/** The steps of a small life: all verbs, several in one group, checkpoints and segments. */
export function scenario(session: Session): (() => Promise<unknown>)[] {
  let claimed: readonly JobRecord[] = []
  const claim = async (limit: number): Promise<void> => { claimed = await session.claim(limit) }
  return [
    () => session.add('a', 'b'),
    () => claim(1),
    () => Promise.all([session.complete(claimed), session.add('c'), session.claim(0)]),
    () => session.store.casSetting('queue:images', 0, { paused: false }),
    () => Promise.all([claim(2), session.store.casSetting('other', 0, 'x')]),
    () => claimed[0] ? session.progress(claimed[0]) : session.add('c2'),
    () => Promise.all([session.cancel('b'), session.add('d'), session.cancel('d')]),
    () => session.remove('d'),
    () => session.prune(0),
    () => session.add('e', 'f', 'g', 'h'),
    () => claim(3),
    () => session.complete(claimed),
  ]
}
