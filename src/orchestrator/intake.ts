import { expiry } from '../../machines/job.ts'
import type { Policy } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../records/job.ts'
import { ignored, step } from '../records/step.ts'
import type { ClaimAnswer, ClaimRequest } from '../stores/store.ts'
import { Claimer } from './claimer.ts'
import type { Wanted } from './claimer.ts'
import type { Pool } from './pool.ts'
import { Prefetch } from './prefetch.ts'
import type { Waiting } from './prefetch.ts'
import type { TaskDefinition } from './tasks.ts'
import type { QueueSettings, Workshop } from './workshop.ts'

/** Handlers whose outcome the store has not taken yet, at most, before claims are held back. */
const mostUncommitted = 2000

/** What an intake needs of its queue. */
export interface IntakeContext {
  readonly settings: QueueSettings
  readonly workshop: Workshop
  readonly pool: Pool
  readonly exclude: ClaimRequest['exclude']
  readonly isAccepting: () => boolean
  readonly isStopping: () => boolean
  /** The handler of a claimed job begins now. */
  readonly start: (record: JobRecord, definition: TaskDefinition, leaseSince: number) => void
  /** Something has changed that somebody may wait for. */
  readonly changed: () => void
}

/**
 * Brings jobs from the store to their slots: claims them, knows what became of them before the
 * answer came, keeps those that wait for a slot, and hands back what nobody may start any more.
 */
export class Intake {
  readonly #context: IntakeContext
  readonly #claimer: Claimer
  readonly #prefetch: Prefetch
  readonly #policies: ReadonlyMap<string, Policy>
  /** What became of claimed jobs before the answer to the claim was here; null: removed. */
  readonly #meanwhile = new Map<string, JobRecord | null>()
  #filling = false
  #backlogged = false
  /** Claimed jobs that are on their way back. */
  #returning = 0

  constructor(context: IntakeContext) {
    this.#context = context
    const { settings, workshop } = context
    const { env, store, now, outage } = workshop
    const { multiProcess } = store.capabilities
    const { rate, perPartition } = settings.limits
    this.#policies = new Map([...settings.tasks].map(([name, { policy }]) => [name, policy]))
    // Where limits hold, what waits here would keep others from starting.
    this.#prefetch = new Prefetch(env, multiProcess && rate === null && perPartition === null)
    const kind = `a claim of queue ${settings.name}`
    this.#claimer = new Claimer(env, {
      wanted: () => this.#wanted(),
      claim: (wanted) => this.#claim(wanted),
      now,
      take: (records, since, wanted) => { this.#take(records, since, wanted) },
      refused: (error) => {
        outage.refused(kind, 'the store refused a claim; trying again', error)
      },
      answered: () => { outage.answered(kind) },
      quiet: () => { context.changed() },
    }, multiProcess)
  }

  /** Nothing is claimed, or on its way from or to the store. */
  get isQuiet(): boolean {
    return this.#claimer.isQuiet && this.#prefetch.size === 0 && this.#returning === 0
  }

  /** Nothing is claimed before the store has taken more of what was done. */
  get isBacklogged(): boolean {
    return this.#backlogged
  }

  /** Ready jobs wait for a limit to pass. */
  get isHeldBack(): boolean {
    return this.#claimer.isHeldBack
  }

  /** Slots that could be filled now. */
  /** The answer to a claim is on its way. */
  get isClaiming(): boolean {
    return this.#claimer.isClaiming
  }

  get slots(): number {
    const { settings, pool } = this.#context
    return this.#isOpen ? Math.max(0, settings.concurrency - pool.handlers) : 0
  }

  /** A store that refuses outcomes would not take those of further jobs either. */
  get #isOpen(): boolean {
    return this.#context.isAccepting() && !this.#context.workshop.committer.failing
  }

  /** Jobs that wait for a slot. */
  get waiting(): readonly Waiting[] {
    return this.#prefetch.list()
  }

  waitingIds(): Iterable<string> {
    return this.#prefetch.ids()
  }

  get(id: string): Waiting | undefined {
    return this.#prefetch.get(id)
  }

  /** Jobs may be ready; an idle queue asks at once. */
  woken(now = false): void {
    this.#claimer.woken(now)
    this.#fillSoon()
  }

  /** There is room for more; after a handler has ended. */
  freed(): void {
    this.#fillSoon()
    this.#claimer.freed()
  }

  noteEnd(): void {
    this.#prefetch.noteEnd()
  }

  stop(): void {
    this.#claimer.stop()
    this.release()
  }

  /** Hands back all that waits for a slot: nobody knows when it could start. */
  release(): void {
    for (const { record } of this.#prefetch.clear()) this.#giveBack(record)
  }

  /** Another worker may have it by now. */
  drop(id: string): void {
    this.#prefetch.remove(id)
    this.#context.changed()
  }

  /** A job of the queue, which does not run here, is now so; null: it was removed. */
  changed(id: string, record: JobRecord | null): void {
    const waiting = this.#prefetch.get(id)
    if (waiting) this.#waitingChanged(waiting, record)
    else if (this.#claimer.isClaiming) {
      const known = this.#meanwhile.get(id)
      // News of what others did may be older than those of our own.
      if (known && record && isOlder(record, known)) return
      if (record?.fence === 0) this.#meanwhile.delete(id)
      else this.#meanwhile.set(id, record)
    }
  }

  #waitingChanged(waiting: Waiting, record: JobRecord | null): void {
    if (record && !isOlder(waiting.record, record)) return
    if (record?.fence === waiting.record.fence && record.state === 'running') {
      waiting.record = record
      return
    }
    this.drop(waiting.record.id)
    // A cancel ends it; nobody need run for that.
    if (record?.state === 'cancelling') this.#giveBack(record)
  }

  #wanted(): Wanted {
    const { settings, pool } = this.#context
    this.#backlogged = pool.size > settings.concurrency + mostUncommitted
    if (!this.#isOpen || this.#backlogged) return { limit: 0, startable: 0 }
    const startable = Math.max(0, this.slots - this.#prefetch.size)
    const left = Math.max(0, this.#prefetch.size - this.slots)
    return { limit: startable + this.#prefetch.room(left), startable }
  }

  #claim({ limit, startable }: Wanted): Promise<ClaimAnswer> {
    const { settings, workshop, exclude } = this.#context
    this.#meanwhile.clear()
    return workshop.store.claim({
      queue: settings.name,
      worker: workshop.worker,
      limit,
      startable,
      leaseMs: workshop.lease.ms,
      tasks: this.#policies,
      exclude,
      limits: settings.limits,
    })
  }

  #take(records: readonly JobRecord[], since: number, { startable }: Wanted): void {
    const { settings, isStopping, isAccepting } = this.#context
    for (const [index, claimed] of records.entries()) {
      const latest = this.#meanwhile.get(claimed.id)
      const record = latest && isOlder(claimed, latest) ? latest : claimed
      const definition = settings.tasks.get(record.task)
      // A cancel that came before the start ends the job; nobody need run for that.
      if (latest === null || record.fence !== claimed.fence) this.woken()
      else if (!definition || isStopping() || record !== claimed) this.#giveBack(record)
      else if (index < startable) this.#start(record, definition, since)
      else this.#prefetch.add({ record, definition, leaseSince: since })
    }
    if (!isAccepting()) this.release()
    this.#fillSoon()
  }

  /** In the next turn, so that handlers which do not wait leave room for everything else. */
  #fillSoon(): void {
    if (this.#filling || this.#prefetch.size === 0) return
    this.#filling = true
    this.#context.workshop.env.soon(() => {
      this.#filling = false
      for (let free = this.slots; free > 0; free -= 1) {
        const waiting = this.#prefetch.next()
        if (!waiting) break
        this.#begin(waiting)
      }
      this.#claimer.freed()
    })
  }

  #begin({ record, definition, leaseSince }: Waiting): void {
    const { workshop } = this.#context
    if (workshop.lease.isLapsing(leaseSince)) return
    // The claim has ended the ttl, but the job has never started.
    const attempt = record.attempt - 1
    const expiresAt = expiry({ ...record, attempt }, record.runAt)
    if (expiresAt !== null && workshop.now() >= expiresAt) this.#giveBack(record)
    else this.#start(record, definition, leaseSince)
  }

  #start(record: JobRecord, definition: TaskDefinition, since: number): void {
    const { workshop, start } = this.#context
    const begun = record.startedAt === null ? { ...record, startedAt: workshop.now() } : record
    start(begun, definition, since)
  }

  /** Claimed, but nobody may start it any more: hand it back, uncharged. */
  #giveBack(record: JobRecord): void {
    const { workshop, changed } = this.#context
    const { now, worker, committer, newOperation } = workshop
    // Its slot is free for another.
    if (this.#context.isAccepting()) this.woken()
    const event = { type: 'release', now: now(), by: worker, progress: null } as const
    const moved = step(record, event, newOperation())
    if (moved === ignored) return
    const { fence, rev } = record
    this.#returning += 1
    committer.add({ fence, rev, ...moved }, (answer) => {
      this.#returning -= 1
      // Somebody has cancelled it. After `lost` there is nothing left to give back.
      if (answer.outcome === 'conflict') this.#giveBack(answer.record)
      changed()
    })
  }
}

/** Of two records of one job. */
function isOlder(record: JobRecord, other: JobRecord): boolean {
  return record.fence < other.fence || (record.fence === other.fence && record.rev < other.rev)
}
