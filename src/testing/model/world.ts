import { TroupeError } from '../../index.ts'
import type { JobRecord } from '../../index.ts'
import { queueSettingKey, toQueueSetting } from '../../stores/settings.ts'
import type { Store } from '../../stores/store.ts'
import { isSettled } from '../../records/job.ts'
import type { LogEntry } from '../../records/transition.ts'
import { ClaimOrder } from '../claim-order.ts'
import { HandlerJournal } from '../handler-journal.ts'
import {
  checkCounts, checkLog, checkRecords, checkTold, holds,
} from '../invariants.ts'
import { checkAwaited, checkBlocked, heldByWish } from '../kinship.ts'
import { listQuery } from '../records.ts'
import { admitted, checkLimits, checkSuccessors, perPartition } from './limits.ts'
import type { Place } from './places.ts'
import { checkResults, checkTime, Witness } from './witness.ts'
import { concurrency, queueName, Worker } from './worker.ts'

const everything = listQuery({ queue: queueName })

/** A store that has not answered so long after its beginning keeps no stop from ending. */
const stopPatienceMs = 4000

/** The troupes of a model run, all on one store, and the promises that must hold at any time. */
export class World {
  readonly place: Place
  readonly journal = new HandlerJournal()
  readonly workers: Worker[] = []
  /** Ids whose add was acknowledged. */
  readonly added = new Set<string>()
  /** The store fails now and then, which is reported. */
  tolerant = false
  /** The store took so long, or failed so often, that leases may have lapsed. */
  slow = false
  readonly #gone: Worker[] = []
  #names = 0
  /** The log as it was at the last check: it must never be taken back. */
  #log: readonly LogEntry[] = []
  /** Claims that each worker had made when it stopped claiming. */
  readonly #closed = new Map<Worker, number>()

  readonly #witness = new Witness()

  private constructor(place: Place) {
    this.place = place
    const { journal } = this
    const order = new ClaimOrder(
      (worker, id) => journal.mayPassOver(worker, id), perPartition,
    )
    if (place.store) this.#witness.watch(place.store, order)
  }

  static async open(place: Place): Promise<World> {
    const world = new World(place)
    await world.join()
    return world
  }

  async join(): Promise<Worker> {
    const process = this.place.start()
    const { store, patienceMs } = this.place
    if (!store && patienceMs === 0) this.#witness.watch(process.store, null)
    const opening = Worker.open(`w${this.#names += 1}`, process, this.journal)
    const worker = await this.#drive(opening)
    this.workers.push(worker)
    return worker
  }

  worker(n: number): Worker {
    const worker = this.workers[n % this.workers.length]
    if (!worker) throw new Error('nobody is there')
    return worker
  }

  /** What is known of a worker's drain, after a resume or before one that may come. */
  reopen(worker: Worker, drained: false | null): void {
    worker.drained = drained
    this.#closed.delete(worker)
  }

  /** Lets all that can happen by itself happen, timers of this moment included. */
  async settle(): Promise<void> {
    // Notices to other processes are gathered for 20 ms.
    await this.place.clock.advance(this.place.patienceMs === 0 ? 1 : 25)
  }

  /** Waits for what needs time to pass. */
  async #drive<T>(work: Promise<T>): Promise<T> {
    let done = false
    const ended = (): void => { done = true }
    work.then(ended, ended)
    await this.place.clock.settle()
    for (let ms = 0; !done && ms < 60_000; ms += 50) await this.place.clock.advance(50)
    holds(done, 'it comes to an end within a minute')
    return work
  }

  /** A clean stop: nothing of it may be left in the store. */
  async stop(worker: Worker): Promise<void> {
    this.#leave(worker)
    const since = this.place.clock.monotonic()
    await this.#drive(worker.troupe.stop({ grace: 100 }))
    const patient = this.place.clock.monotonic() - since < stopPatienceMs
    // A stop that has lost patience has given up what the store did not take.
    if (patient) this.journal.leaveBehind(worker.name)
    else this.journal.bury(worker.name)
    if (this.workers.length === 0) await this.join()
    const left = (await this.jobs()).filter(({ lease }) => lease?.worker === worker.name)
    holds(left.length === 0 || !patient || this.tolerant, 'a stop hands back what it has', left)
  }

  /** The process is no more, from one moment to the next. */
  async crash(worker: Worker): Promise<void> {
    const dead = this.place.crash(worker.process)
    for (const each of [...this.workers]) {
      if (!dead.includes(each.process)) continue
      this.#leave(each)
      this.journal.bury(each.name)
    }
    if (this.workers.length === 0) await this.join()
    await this.place.clock.advance(this.place.patienceMs)
  }

  #leave(worker: Worker): void {
    this.workers.splice(this.workers.indexOf(worker), 1)
    this.#gone.push(worker)
  }

  /** Answers with what was answered; null when that was refused because of a stop. */
  async unlessStopped<T>(work: Promise<T>): Promise<T | null> {
    try {
      return await work
    } catch (error) {
      if (error instanceof TroupeError && error.code === 'stopped') return null
      throw error
    }
  }

  get #store(): Store {
    const { process } = this.workers[0] ?? this.#gone.at(-1) ?? this.worker(0)
    return process.plain
  }

  async jobs(): Promise<readonly JobRecord[]> {
    return (await this.#store.list(everything)).records
  }

  async job(id: string): Promise<JobRecord | undefined> {
    return (await this.#store.get([id]))[0]
  }

  async isPaused(): Promise<boolean> {
    const { value } = await this.#store.getSetting(queueSettingKey(queueName))
    return toQueueSetting(value).paused
  }

  /** All promises, at a moment when nothing more happens by itself. */
  async check(): Promise<void> {
    const store = this.#store
    const { entries: log } = await store.readLog(queueName, 0, 1_000_000)
    const records = await this.jobs()
    const counts = (await store.counts(queueName)).get(queueName)
    const facts = checkLog(log)
    checkRecords(facts, records, { pruned: true })
    if (counts) checkCounts(counts, records)
    for (const id of this.added) holds(facts.has(id), 'no acknowledged add is lost', id)
    this.#witness.check()
    checkBlocked(records)
    checkAwaited(records, (id) => facts.get(id)?.last.to === null)
    this.#checkHistory(log)
    this.#checkObservers(log)
    this.journal.check(log)
    this.#checkClaims(log)
    checkResults(records)
    checkLimits(log, records)
    checkSuccessors(log, records)
    const ready = admitted(log, records, this.place.clock.now())
    this.#checkWaiting(ready, await this.isPaused())
    checkTime(records, this.place.clock.now(), this.place.patienceMs)
    this.#checkCancels(records, log)
    // A store that only one process can hold takes back at once what ran in the last one.
    const orphans = records.filter(({ lease }) =>
      lease !== null && !this.workers.some(({ name }) => name === lease.worker))
    const alone = this.place.store === null && this.place.patienceMs === 0
    holds(!alone || orphans.length === 0, 'who is dead holds nothing', orphans)
    for (const { faults } of this.tolerant ? [] : [...this.workers, ...this.#gone]) {
      holds(faults.length === 0, 'nothing was reported', String(JSON.stringify(faults)))
    }
  }

  #checkHistory(log: readonly LogEntry[]): void {
    checkTold(this.#log, log)
    this.#log = log
  }

  /** Notices to other processes are gathered for 20 ms: what is younger may not have been told. */
  get #heardUntil(): number {
    return this.place.clock.now() - (this.place.patienceMs === 0 ? 0 : 25)
  }

  #checkObservers(log: readonly LogEntry[]): void {
    const until = this.#heardUntil
    const known = log.findLastIndex(({ at }) => at <= until) + 1
    for (const worker of [...this.workers, ...this.#gone]) {
      for (const { name, entries, fromStart } of worker.told) {
        checkTold(entries, log)
        if (!this.workers.includes(worker)) continue
        const newest = entries.at(-1)?.seq ?? 0
        const complete = fromStart ? entries.length >= known : true
        holds(complete, 'a replay tells all', { name, told: entries.length, log: log.length })
        holds(newest >= known || newest === 0, 'observers are up to date', { name, newest })
      }
    }
  }

  /** Claims come in order, and from nobody who has stopped claiming. */
  #checkClaims(log: readonly LogEntry[]): void {
    const claims = new Map<string, number>()
    for (const { event, by } of log) {
      if (event === 'claim') claims.set(by, (claims.get(by) ?? 0) + 1)
    }
    for (const worker of [...this.workers, ...this.#gone]) {
      const now = claims.get(worker.name) ?? 0
      const closed = worker.drained === true || !this.workers.includes(worker)
      const before = this.#closed.get(worker)
      const same = !closed || before === undefined || now === before
      holds(same, 'no claim after a drain', worker.name)
      if (closed) this.#closed.set(worker, now)
      else this.#closed.delete(worker)
    }
    for (const run of this.slow ? [] : this.journal.runs) {
      holds(run.dead || run.aborted !== 'lease-lost', 'who lives keeps the lease', run)
      const stalled = log.some(({ event, fence }) => event === 'stall' && fence === run.fence)
      holds(run.dead || !stalled, 'only the dead stall', run)
    }
  }

  /** Nothing ready waits while a slot is free and the queue accepts. */
  #checkWaiting(ready: readonly JobRecord[], paused: boolean): void {
    for (const worker of this.workers) {
      const running = this.journal.running(worker.name)
      if (paused || worker.drained !== false || running.length >= concurrency) continue
      const waiting = ready.filter(({ id }) => !running.some((run) => run.id === id))
      holds(waiting.length === 0, 'nothing ready waits for a free slot', { waiting, running })
    }
  }

  /** Who runs hears of a cancel at once, and has its grace and no more. */
  #checkCancels(records: readonly JobRecord[], log: readonly LogEntry[]): void {
    const now = this.place.clock.now()
    for (const record of records) {
      const { id, state, fence, lease, policy } = record
      const here = this.workers.some(({ name }) => name === lease?.worker)
      if (state !== 'cancelling' || !here) continue
      const run = this.journal.waiting().find((each) => each.fence === fence)
      const asked = log.findLast(({ event, jobId }) => event === 'cancel' && jobId === id)?.at ?? 0
      const heard = run ? run.aborted !== null : this.slow
      holds(heard || asked > this.#heardUntil, 'a cancel aborts the signal', { record, run })
      const over = run !== undefined &&
        asked + (policy?.cancelGraceMs ?? 0) + 2 < now
      holds(!over, 'who is cancelled has its grace and no more', { record, now })
    }
  }

  /** Lets everything come to its end, and sees that nothing is left behind. */
  async end(): Promise<void> {
    await this.worker(0).queue.resume()
    for (const worker of this.workers) {
      await worker.queue.resume()
      this.reopen(worker, false)
    }
    let unsettled = await this.jobs()
    // What the dead ran comes back after its lease.
    for (let round = 0; unsettled.length > 0 && round < 200; round += 1) {
      for (const run of this.journal.waiting()) run.finish('complete')
      await this.place.clock.advance(500)
      const records = await this.jobs()
      const held = heldByWish(records)
      unsettled = records.filter((record) => !isSettled(record) && !held.has(record.id))
    }
    await this.check()
    holds(unsettled.length === 0, 'in the end all is settled', unsettled)
    for (const worker of [...this.workers]) {
      if (this.workers.length > 1) await this.stop(worker)
    }
    await this.#reopen()
    await this.#drive(this.worker(0).troupe.stop())
    const { pendingTimers } = this.place.clock
    holds(pendingTimers === 0, 'no timer is left behind', pendingTimers)
  }

  async #reopen(): Promise<void> {
    await this.stop(this.worker(0))
    await this.settle()
    await this.check()
  }
}
