import { queueMachine } from '../../machines/queue.ts'
import type { QueueEvent } from '../../machines/queue.ts'
import type { JobRecord } from '../records/job.ts'
import type { QueueSetting } from '../stores/settings.ts'
import { createActor } from './actors.ts'
import type { Actor } from './actors.ts'
import { Completion } from './completion.ts'
import { Intake } from './intake.ts'
import { JobRun } from './job-run.ts'
import type { JobSurroundings } from './job-run.ts'
import { loadParents } from './parents.ts'
import { Pool } from './pool.ts'
import { changeQueueSetting } from './queue-setting.ts'
import type { QueueSettings, Workshop } from './workshop.ts'

/** How long an aborted handler has to end when the process stops. */
const abortGraceMs = 2000

/**
 * The queue's actor in this process: the control chart, the pool of job actors that it supervises,
 * and the intake that fills free slots while the chart accepts.
 */
export class QueueActor {
  readonly settings: QueueSettings
  readonly pool: Pool
  readonly intake: Intake
  readonly #control: Actor<typeof queueMachine>
  readonly #workshop: Workshop
  readonly #around: JobSurroundings
  readonly #waiters = new Set<() => void>()
  #paused = false
  #aborted = false
  /** A job was not claimed because its last attempt is not done here. */
  #passedOver = false

  constructor(settings: QueueSettings, workshop: Workshop) {
    this.settings = settings
    this.#workshop = workshop
    this.#control = createActor(queueMachine, {
      id: settings.name,
      input: { concurrency: settings.concurrency, paused: false },
      ...(workshop.inspect ? { inspect: workshop.inspect } : {}),
    })
    this.#control.start()
    this.pool = new Pool(this.#control, () => { this.#runEnded() })
    this.#around = this.#surroundings()
    this.intake = new Intake({
      settings, workshop, pool: this.pool,
      exclude: {
        has: (id) => this.#isHere(id),
        [Symbol.iterator]: () => this.#allHere(),
      },
      isAccepting: () => this.isAccepting,
      isStopping: () => this.state === 'stopping' || this.state === 'stopped',
      start: (record, definition, leaseSince) => {
        this.pool.start(new JobRun(record, definition, this.#around, leaseSince))
      },
      changed: () => { this.#changed() },
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
    this.intake.woken()
  }

  /** The store takes writes again: claims were held back. */
  recovered(): void {
    this.wake()
    this.#changed()
  }

  /** The setting of the queue was changed: only a change of the pause concerns the chart. */
  settingChanged({ paused, limitedUntil }: QueueSetting): void {
    // What waits here would start although nothing may be claimed.
    if (limitedUntil > this.#workshop.now()) this.intake.release()
    if (paused !== this.#paused) this.setPaused(paused)
    else this.wake()
  }

  /** Jobs of this queue may be ready. */
  wake(): void {
    if (this.isAccepting) this.intake.woken(this.pool.size === 0)
  }

  setPaused(paused: boolean): void {
    this.#paused = paused
    this.#tell({ type: paused ? 'pause' : 'resume' })
    this.wake()
    if (paused) {
      this.intake.release()
      this.intake.woken()
    }
    this.#changed()
  }

  /** News of this job matter here: it is here, or a claim is under way that may bring it. */
  concerns(id: string): boolean {
    return this.has(id) || this.intake.isClaiming
  }

  /** The job runs here, or waits for a slot. */
  has(id: string): boolean {
    return this.pool.has(id) || this.intake.get(id) !== undefined
  }

  /** A job of this queue was changed, by anybody; null: it was removed. */
  changed(id: string, record: JobRecord | null): void {
    if (!this.pool.changed(id, record)) this.intake.changed(id, record)
  }

  /** Resolves when nothing runs here, and nothing more can be claimed, now or after a limit. */
  idle(): Promise<void> {
    const { committer } = this.#workshop
    return this.#until(() => this.pool.size === 0 && this.intake.isQuiet &&
      !committer.failing && !(this.isAccepting && this.intake.isHeldBack))
  }

  /** Claims no more, and resolves when what ran has ended. The queue is paused here then. */
  async drain(): Promise<void> {
    this.#tell({ type: 'drain' })
    this.intake.release()
    // Who waits for a limit learns that nothing is claimed any more.
    this.intake.woken()
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
    this.intake.stop()
    this.#changed()
    let gaveUp = false
    const abort = env.after(graceMs, () => { this.abort() })
    const giveUp = env.after(graceMs + 2 * abortGraceMs, () => {
      gaveUp = true
      this.#changed()
    })
    await this.#until(() => gaveUp || (this.pool.size === 0 && this.intake.isQuiet))
    abort.cancel()
    giveUp.cancel()
    this.#tell({ type: 'emptied' })
  }

  /** Aborts what runs here, once; what then fails is given back, uncharged. */
  abort(): void {
    if (this.#aborted) return
    this.#aborted = true
    this.pool.sendAll({ type: 'stop', graceMs: abortGraceMs })
  }

  /** XState warns of an event for an actor that has ended; here somebody was late, no more. */
  #tell(event: QueueEvent): void {
    if (this.state !== 'stopped') this.#control.send(event)
  }

  #surroundings(): JobSurroundings {
    const { env, store, worker, now, newOperation, committer, report, outage } = this.#workshop
    return {
      newOperation,
      env,
      worker,
      now,
      report,
      resultLimit: this.settings.resultLimit,
      isLapsing: (since) => this.#workshop.lease.isLapsing(since),
      commit: (commit, answered) => { committer.add(commit, answered) },
      newCompletion: store.capabilities.transactionalAdd
        ? () => new Completion(this.#workshop) : null,
      committed: (change) => { this.#workshop.committed(change) },
      storeReport: (run, news) => { this.#workshop.reportWriter.add(run, news) },
      parents: (record, signal) => loadParents(record, signal, { env, store, outage }),
      limitReached: async (waitMs) => {
        await changeQueueSetting(store, this.settings.name, (setting) => {
          const limitedUntil = Math.max(setting.limitedUntil, now() + waitMs)
          return limitedUntil === setting.limitedUntil ? null : { ...setting, limitedUntil }
        })
      },
      handlerEnded: (run) => {
        // One that was abandoned may have kept its job from being claimed again.
        const wasAbandoned = this.pool.handlerEnded(run)
        this.intake.noteEnd()
        if (wasAbandoned) this.intake.woken()
        else this.intake.freed()
      },
    }
  }

  /** Its handler, or the commit of its last attempt, has not come to its end here. */
  #isHere(id: string): boolean {
    if (this.pool.abandoned.has(id)) return true
    if (!this.has(id)) return false
    this.#passedOver = true
    return true
  }

  *#allHere(): Generator<string> {
    yield* this.pool.abandoned.keys()
    yield* this.pool.ids()
    yield* this.intake.waitingIds()
  }

  #runEnded(): void {
    if (this.#passedOver) this.intake.woken()
    else if (this.pool.size === 0 || this.intake.isBacklogged) this.intake.freed()
    else return
    this.#passedOver = false
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
