import { isSettled } from '../../src/records/job.ts'
import { ScheduleBook } from '../../src/records/schedule.ts'
import type { LogEntry } from '../../src/records/transition.ts'
import { schedulesKey } from '../../src/stores/settings.ts'
import type { Store } from '../../src/stores/store.ts'
import { readLog, readRecords } from '../../src/testing/history/reading.ts'
import { heldByWish } from '../../src/testing/kinship.ts'
import { checkRun } from './checks.ts'
import type { Failure, Stored } from './checks.ts'
import { perform } from './commands.ts'
import { Coverage } from './coverage.ts'
import { Diary } from './diary.ts'
import { Fleet } from './fleet.ts'
import { queueName, scratchName } from './node.ts'
import type { Node } from './node.ts'
import { FilePlace, prepareLowdb } from './places.ts'
import { hasScratch, isFault, queueNames } from './plan.ts'
import type { Command, Plan, QueueName, Step } from './plan.ts'
import { bootMs, Scheduler } from './scheduler.ts'
import { hearingMs } from './scratch-checks.ts'
import { strike } from './strike.ts'

/** What came of a simulation. */
export interface Outcome {
  readonly plan: Plan
  /** Two runs with the same one were the same run. */
  readonly hash: string
  readonly failures: readonly Failure[]
  readonly coverage: Coverage
  /** The store would not open what a lying disk had left: nothing more could be seen. */
  readonly refused: boolean
  readonly log: readonly LogEntry[]
  readonly lines: readonly string[]
}

/** After so long without a fault, everything must have come to its end. */
const drainLimitMs = 240_000

const nothing: Stored = { log: [], records: [], schedules: new Map() }
const noJobs = { queued: 0, running: 0, cancelling: 0 }

/** Runs a plan from its beginning to the end of its last job, and holds it to every promise. */
export async function simulate(plan: Plan): Promise<Outcome> {
  if (plan.store === 'lowdb') await prepareLowdb()
  const { stackTraceLimit } = Error
  // Stacks name files, and their length would make a run differ from place to place.
  Error.stackTraceLimit = 0
  try {
    return await new Simulation(plan).run()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

class Simulation {
  readonly #plan: Plan
  readonly #scheduler = new Scheduler()
  readonly #coverage = new Coverage()
  readonly #fleet: Fleet
  readonly #diary: Diary
  #refused = false
  /** The log as it was when a lie of the disk came to light. */
  #lost = 0

  constructor(plan: Plan) {
    this.#plan = plan
    const fleet = new Fleet(plan, this.#scheduler, this.#coverage)
    this.#fleet = fleet
    this.#diary = new Diary(fleet.trueNow, fleet.fault)
  }

  async run(): Promise<Outcome> {
    const { steps, faultsEndAt, rates } = this.#plan
    for (const slot of rates.keys()) this.#fleet.join(slot)
    for (const step of steps) this.#scheduler.at(bootMs + step.at, () => { this.#step(step) })
    await this.#runUntil(bootMs + faultsEndAt)
    this.#heal()
    const drained = await this.#drain()
    const complete = await this.#observersKnow()
    const left = await this.#end()
    const stored = await this.#read()
    const { log, records } = stored?.images ?? nothing
    const { trace, events } = this.#scheduler
    for (const { seq, at, jobId, rev, event, to, fence, by } of log) {
      trace.add([seq, at, jobId, rev, event, to, fence, by].join())
    }
    this.#coverage.follow(log)
    this.#coverage.runs = 1
    this.#coverage.events = events
    const failures = this.#refused ? [] : checkRun({
      plan: this.#plan, fleet: this.#fleet, log, records, drained, complete, left,
      readable: stored !== null, calls: this.#diary.calls, faultsEndAt: bootMs + faultsEndAt,
      schedules: stored?.images.schedules ?? nothing.schedules,
      scratch: {
        ...stored?.scratch ?? nothing,
        tombstones: this.#fleet.place.tombstones.filter(({ queue }) => queue === scratchName),
      },
    })
    const nodes = [...this.#fleet.gone, ...this.#fleet.nodes]
    return {
      plan: this.#plan, hash: trace.hash, failures, coverage: this.#coverage, log,
      refused: this.#refused,
      lines: nodes.flatMap(({ name, lines }) =>
        lines.map(({ level, message, err }) => `${name} ${level}: ${message} ${String(err)}`)),
    }
  }

  async #runUntil(time: number): Promise<void> {
    for (let at = this.#scheduler.now; at < time && !this.#refused;) {
      at = Math.min(time, at + 250)
      await this.#scheduler.runUntil(at)
      await this.#lookForLies()
    }
  }

  /** After a lie and a power cut the store may refuse, or have lost what it had promised. */
  async #lookForLies(): Promise<void> {
    const { place, nodes } = this.#fleet
    if (!(place instanceof FilePlace) || !place.mayHaveLost) return
    if (nodes.some(({ refused }) => refused)) this.#refused = true
    const store = this.#store
    if (!store) return
    const log = await this.#ask(readLog(store, queueName))
    // The power may have gone once more.
    if (!log) return
    place.mayHaveLost = false
    this.#fleet.forget(log)
    this.#diary.forget()
    this.#lost += 1
  }

  #step(step: Step): void {
    this.#scheduler.trace.add(step.type)
    if (isFault(step)) strike(step, this.#fleet, this.#coverage, this.#scheduler)
    else this.#perform(step)
  }

  #perform(command: Command): void {
    if (command.type === 'finish') {
      const held = [...this.#fleet.held]
      held[command.which % Math.max(1, held.length)]?.tell(command.how)
      return
    }
    if (command.type === 'join') return this.#fleet.join(command.node)
    const node = this.#fleet.node(command.node)
    if (!node?.ready) return
    this.#coverage.command(command.type)
    void perform(command, node, this.#diary)
  }

  /** From now on nothing goes wrong, and somebody is there to work. */
  #heal(): void {
    const { nodes, place } = this.#fleet
    if (place instanceof FilePlace) place.calm()
    for (const { body } of nodes) body.link?.calm()
    this.#fleet.ending = true
    this.#fleet.join(0)
  }

  get #store(): Store | null {
    const { place, nodes } = this.#fleet
    return place.plain(nodes.find(({ ready }) => ready)?.body)
  }

  /** Runs on until the answer is there; null: whoever was asked is no more. */
  async #ask<T>(work: Promise<T>): Promise<T | null> {
    let answer: T | null = null
    let over = false
    const end = (): void => { over = true }
    work.then((value) => { answer = value }).then(end, end)
    await this.#scheduler.runUntil(this.#scheduler.now)
    for (let ms = 0; !over && ms < 2000; ms += 5) {
      await this.#scheduler.runUntil(this.#scheduler.now + 5)
    }
    return answer
  }

  /** All that is stored, when nobody works any more; what is on a disk is read from there. */
  async #read(): Promise<Readonly<Record<QueueName, Stored>> | null> {
    const { place } = this.#fleet
    const body = place.body('reader', 1)
    const store = place.plain(body)
    if (!store || this.#refused) return { images: nothing, scratch: nothing }
    if (place instanceof FilePlace) {
      const context = { env: body.env, report: () => undefined }
      if (!await this.#ask(store.open(context))) return null
    }
    const images = await this.#readQueue(store, queueName)
    const scratch = hasScratch(this.#plan) ? await this.#readQueue(store, scratchName) : nothing
    if (place instanceof FilePlace) await this.#ask(store.close())
    return { images, scratch }
  }

  async #readQueue(store: Store, name: QueueName): Promise<Stored> {
    const log = await this.#ask(readLog(store, name)) ?? []
    const records = await this.#ask(readRecords(store, name)) ?? []
    const setting = await this.#ask(store.getSetting(schedulesKey(name)))
    return { log, records, schedules: new ScheduleBook(setting?.value ?? null).schedules }
  }

  /** Nothing is left to do in the queue, and nothing will come. */
  async #isQuiet(store: Store, name: QueueName): Promise<boolean> {
    const setting = await this.#ask(store.getSetting(schedulesKey(name)))
    if (!setting || new ScheduleBook(setting.value).nextAt < Infinity) return false
    const counts = await this.#ask(store.counts(name))
    if (!counts) return false
    const { queued, running, cancelling } = counts.get(name) ?? noJobs
    if (queued + running + cancelling === 0) return true
    const records = await this.#ask(readRecords(store, name))
    if (!records) return false
    const held = heldByWish(records)
    return records.every((record) => isSettled(record) || held.has(record.id))
  }

  async #isDone(): Promise<boolean> {
    const store = this.#store
    if (!store || !this.#fleet.nodes.some(({ started }) => started)) return false
    for (const name of hasScratch(this.#plan) ? queueNames : [queueName] as const) {
      if (!await this.#isQuiet(store, name)) return false
    }
    return true
  }

  /** Who accepts is left alone: a resume would wake it. */
  async #reopen(node: Node): Promise<void> {
    const { queue, ready, started } = node
    if (!queue || !ready || !started) return
    const status = await this.#ask(queue.status())
    if (!status || (!status.paused && status.state === 'accepting')) return
    void perform({ type: 'resume', node: node.slot }, node, this.#diary)
  }

  /** Waits until nothing is left to do, and nobody can begin anything; false: that took long. */
  async #drain(): Promise<boolean> {
    const { nodes, held } = this.#fleet
    const until = this.#scheduler.now + drainLimitMs
    // Handlers that are to be told that their job is gone are told nothing else before that.
    const patience = this.#scheduler.now + hearingMs(this.#plan) + 500
    let quiet = 0
    for (let round = 0; this.#scheduler.now < until && !this.#refused; round += 1) {
      this.#fleet.join(0)
      for (const each of [...held]) {
        if (each.queue !== scratchName || this.#scheduler.now > patience) each.tell('complete')
      }
      // What was asked for before may pause the queue late.
      for (const node of round % 8 === 0 ? [...nodes] : []) await this.#reopen(node)
      await this.#runUntil(this.#scheduler.now + 500)
      quiet = !this.#fleet.isBusy && await this.#isDone() ? quiet + 1 : 0
      if (quiet === 2) return true
    }
    return false
  }

  /** Those who observe from the start, and live, are told everything in a while. */
  async #observersKnow(): Promise<boolean> {
    for (let ms = 0; ms < 3000 && !this.#refused; ms += 250) {
      const store = this.#store
      const { length } = (store && await this.#ask(readLog(store, queueName))) ?? []
      const behind = this.#fleet.nodes.some((node) =>
        node.ready && node.replayed.length < length)
      if (!behind) return true
      await this.#runUntil(this.#scheduler.now + 250)
    }
    return this.#refused
  }

  /** All stop. Answers what should not be left. */
  async #end(): Promise<string[]> {
    const left: string[] = []
    if (this.#refused) return left
    this.#fleet.closed = true
    const stopping = [...this.#fleet.nodes]
    const all = Promise.all(stopping.map((node) => this.#fleet.stop(node, 100)))
    let over = false
    void all.then(() => { over = true })
    for (let ms = 0; ms < 30_000 && !over; ms += 250) {
      await this.#scheduler.runUntil(this.#scheduler.now + 250)
    }
    if (!over) left.push('a stop does not come to an end')
    for (const { name, body } of over ? stopping : []) {
      if (body.clock.pending > 0) left.push(`${name} has ${body.clock.pending} timers left`)
    }
    return left
  }
}
