import { queueMachine } from '../../machines/queue.ts'
import type { QueueEvent } from '../../machines/queue.ts'
import type { Policy } from '../../machines/vocabulary.ts'
import type { Env } from '../env.ts'
import type { JobRecord } from '../records/job.ts'
import { ignored, step } from '../records/step.ts'
import type { QueueSetting } from '../stores/settings.ts'
import { changeQueueSetting } from './queue-setting.ts'
import type { Change, ClaimAnswer, Limits, Retention, Store } from '../stores/store.ts'
import { createActor } from './actors.ts'
import type { Actor, ActorOptions } from './actors.ts'
import { Claimer } from './claimer.ts'
import type { Committer } from './committer.ts'
import { JobRun } from './job-run.ts'
import type { JobSurroundings } from './job-run.ts'
import { Pool } from './pool.ts'
import type { RunLogic } from './job-actor.ts'
import type { Middleware } from './job.ts'
import { loadParents } from './parents.ts'
import type { ReportWriter } from './report-writer.ts'
import type { Sandbox } from './sandbox/sandbox.ts'
import type { TaskDefinition } from './tasks.ts'

/** How long a lease lasts; it is renewed at a third of that. */
export const leaseMs = 30_000

/** How long an aborted handler has to end when the process stops. */
const abortGraceMs = 2000

export type Inspect = NonNullable<ActorOptions<RunLogic>['inspect']>

/** What one process does for its queues. */
export interface Workshop {
  readonly env: Env
  readonly store: Store
  readonly worker: string
  readonly committer: Committer
  readonly reportWriter: ReportWriter
  readonly middleware: readonly Middleware[]
  readonly sandbox: Sandbox
  readonly inspect: Inspect | undefined
  readonly now: () => number
  readonly newOperation: () => string
  readonly report: (message: string, error: unknown) => void
}

export interface QueueSettings {
  readonly name: string
  readonly concurrency: number
  readonly tasks: ReadonlyMap<string, TaskDefinition>
  readonly retention: Retention
  readonly limits: Limits
  readonly maxQueued: number | null
  readonly resultLimit: number
}

/**
 * The queue's actor in this process: the control chart, the pool of job actors that it supervises,
 * and the claimer that fills free slots while the chart accepts.
 */
export class QueueActor {
  readonly settings: QueueSettings
  readonly pool: Pool
  readonly #control: Actor<typeof queueMachine>
  readonly #workshop: Workshop
  readonly #claimer: Claimer
  readonly #around: JobSurroundings
  readonly #policies: ReadonlyMap<string, Policy>
  readonly #waiters = new Set<() => void>()
  /** What became of claimed jobs before the answer to the claim was here; null: removed. */
  readonly #meanwhile = new Map<string, JobRecord | null>()
  #paused = false
  /** A job was not claimed because its last attempt is not done here. */
  #passedOver = false
  /** Claimed jobs that are on their way back. */
  #returning = 0

  constructor(settings: QueueSettings, workshop: Workshop) {
    this.settings = settings
    this.#workshop = workshop
    this.#policies = new Map([...settings.tasks].map(([name, { policy }]) => [name, policy]))
    this.#control = createActor(queueMachine, {
      id: settings.name,
      input: { concurrency: settings.concurrency, paused: false },
      ...(workshop.inspect ? { inspect: workshop.inspect } : {}),
    })
    this.#control.start()
    this.pool = new Pool(this.#control, () => { this.#runEnded() })
    this.#around = this.#surroundings()
    this.#claimer = new Claimer(workshop.env, {
      freeSlots: () => this.freeSlots,
      claim: (limit) => this.#claim(limit),
      now: workshop.now,
      take: (records, since) => { this.#take(records, since) },
      report: workshop.report,
      quiet: () => { this.#changed() },
    })
  }

  get isAccepting(): boolean {
    return this.#control.getSnapshot().hasTag('claiming')
  }

  get state(): string {
    return this.#control.getSnapshot().value
  }

  start(): void {
    this.#tell({ type: 'start' })
    this.#claimer.request()
  }

  /** The store takes writes again: claims were held back. */
  recovered(): void {
    this.wake()
    this.#changed()
  }

  /** The setting of the queue was changed: only a change of the pause concerns the chart. */
  settingChanged({ paused }: QueueSetting): void {
    if (paused !== this.#paused) this.setPaused(paused)
    else this.wake()
  }

  /** Jobs of this queue may be ready. */
  wake(): void {
    if (this.isAccepting) this.#claimer.request(this.pool.size === 0)
  }

  setPaused(paused: boolean): void {
    this.#paused = paused
    this.#tell({ type: paused ? 'pause' : 'resume' })
    this.wake()
    if (paused) this.#claimer.request()
    this.#changed()
  }

  /** A job of this queue was changed, by anybody. */
  changed({ entry, record }: Change): void {
    if (this.pool.changed(entry.jobId, record) || !this.#claimer.isClaiming) return
    if (entry.event === 'claim') this.#meanwhile.delete(entry.jobId)
    else if (record?.fence !== 0) this.#meanwhile.set(entry.jobId, record)
  }

  /** Resolves when nothing runs here, and nothing more can be claimed, now or after a limit. */
  idle(): Promise<void> {
    const { committer } = this.#workshop
    return this.#until(() => this.pool.size === 0 && this.#claimer.isQuiet &&
      !committer.failing && !(this.isAccepting && this.#claimer.isHeldBack))
  }

  /** Claims no more, and resolves when what ran has ended. The queue is paused here then. */
  async drain(): Promise<void> {
    this.#tell({ type: 'drain' })
    // Who waits for a limit learns that nothing is claimed any more.
    this.#claimer.request()
    await this.idle()
    this.#tell({ type: 'emptied' })
  }

  /**
   * Claims no more and lets what runs end. After `graceMs` the handlers are aborted, soon after
   * that left behind, and what the store does not take by then is given up.
   */
  async stop(graceMs: number): Promise<void> {
    const { env } = this.#workshop
    this.#tell({ type: 'stop' })
    this.#claimer.stop()
    this.#changed()
    let gaveUp = false
    const abort = env.after(graceMs, () => { this.abort() })
    const giveUp = env.after(graceMs + 2 * abortGraceMs, () => {
      gaveUp = true
      this.#changed()
    })
    await this.#until(() => gaveUp ||
      (this.pool.size === 0 && this.#claimer.isQuiet && this.#returning === 0))
    abort.cancel()
    giveUp.cancel()
    this.#tell({ type: 'emptied' })
  }

  /** Aborts what runs here; what then fails is given back, uncharged. */
  abort(): void {
    this.pool.sendAll({ type: 'stop', graceMs: abortGraceMs })
  }

  /** XState warns of an event for an actor that has ended; here somebody was late, no more. */
  #tell(event: QueueEvent): void {
    if (this.state !== 'stopped') this.#control.send(event)
  }

  /** Slots that a claim could fill now. */
  get freeSlots(): number {
    if (!this.isAccepting || this.#workshop.committer.failing) return 0
    return this.settings.concurrency - this.pool.handlers
  }

  #claim(limit: number): Promise<ClaimAnswer> {
    this.#meanwhile.clear()
    return this.#workshop.store.claim({
      queue: this.settings.name,
      worker: this.#workshop.worker,
      limit,
      leaseMs,
      tasks: this.#policies,
      exclude: { has: (id) => this.#isHere(id) },
      limits: this.settings.limits,
    })
  }

  #take(records: readonly JobRecord[], since: number): void {
    const stopping = this.state === 'stopping' || this.state === 'stopped'
    for (const claimed of records) {
      const latest = this.#meanwhile.get(claimed.id)
      const record = latest?.fence === claimed.fence ? latest : claimed
      const definition = this.settings.tasks.get(record.task)
      // A cancel that came before the start ends the job; nobody need run for that.
      if (latest === null) this.wake()
      else if (!definition || stopping || record !== claimed) this.#giveBack(record)
      else this.pool.start(new JobRun(record, definition, this.#around, since))
    }
  }

  /** Claimed, but nobody may start it any more: hand it back, uncharged. */
  #giveBack(record: JobRecord): void {
    const { now, worker, committer, newOperation } = this.#workshop
    // Its slot is free for another.
    this.wake()
    const event = { type: 'release', now: now(), by: worker, progress: null } as const
    const moved = step(record, event, newOperation())
    if (moved === ignored) return
    const { fence, rev } = record
    this.#returning += 1
    committer.add({ fence, rev, ...moved }, (answer) => {
      this.#returning -= 1
      // Somebody has cancelled it. After `lost` there is nothing left to give back.
      if (answer.outcome === 'conflict') this.#giveBack(answer.record)
      this.#changed()
    })
  }

  #surroundings(): JobSurroundings {
    const { env, store, worker, now, newOperation, committer, report } = this.#workshop
    return {
      newOperation,
      env,
      worker,
      now,
      report,
      resultLimit: this.settings.resultLimit,
      commit: (commit, answered) => { committer.add(commit, answered) },
      storeReport: (run, news) => { this.#workshop.reportWriter.add(run, news) },
      parents: (record, signal) => loadParents(record, signal, { env, store, report }),
      limitReached: async (waitMs) => {
        await changeQueueSetting(store, this.settings.name, (setting) => {
          const limitedUntil = Math.max(setting.limitedUntil, now() + waitMs)
          return limitedUntil === setting.limitedUntil ? null : { ...setting, limitedUntil }
        })
      },
      handlerEnded: (run) => {
        this.pool.handlerEnded(run)
        this.#claimer.request()
      },
    }
  }

  /** Its handler, or the commit of its last attempt, has not come to its end here. */
  #isHere(id: string): boolean {
    if (this.pool.abandoned.has(id)) return true
    if (!this.pool.has(id)) return false
    this.#passedOver = true
    return true
  }

  #runEnded(): void {
    if (this.pool.size > 0 && !this.#passedOver) return
    this.#passedOver = false
    this.#claimer.request()
    this.#changed()
  }

  #until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve()
    return new Promise((resolve) => {
      const check = (): void => {
        if (!holds()) return
        this.#waiters.delete(check)
        resolve()
      }
      this.#waiters.add(check)
    })
  }

  #changed(): void {
    for (const check of this.#waiters) check()
  }
}
