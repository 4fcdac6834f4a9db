import type { Observable } from 'rxjs'
import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import type { Env, Timer } from '../env.ts'
import { JobStreams } from '../observe/job-streams.ts'
import { Publisher } from '../observe/publisher.ts'
import { observe, transitions } from '../observe/replay.ts'
import type { ObserveOptions } from '../observe/replay.ts'
import { parseName } from '../records/options.ts'
import type { Transition } from '../records/transition.ts'
import type { Finding, WorkerInfo } from '../stores/reading.ts'
import { queueSettingKey, toQueueSetting } from '../stores/settings.ts'
import type { Store, StoreSession } from '../stores/store.ts'
import { safeInspect } from './actors.ts'
import { cancelJob } from './cancelling.ts'
import { Committer } from './committer.ts'
import { examine } from './doctor.ts'
import { addFlow } from './flow.ts'
import type { After, Flow, FlowHandles } from './flow.ts'
import type { HandleContext } from './handle.ts'
import type { Middleware } from './job.ts'
import { Lease } from './lease.ts'
import { Leases } from './leases.ts'
import type { Logger } from './logger.ts'
import { News } from './news.ts'
import { Outage } from './outage.ts'
import type { Queue, WithTransaction } from './queue.ts'
import { QueueActor } from './queue-actor.ts'
import type { Inspect, Workshop } from './workshop.ts'
import { QueueFace } from './queue-face.ts'
import type { QueueContext } from './queue-face.ts'
import { parseQueueOptions } from './queue-options.ts'
import type { QueueOptions } from './queue-options.ts'
import type { Tasks } from './tasks.ts'
import { queueExists, stopped } from './refusals.ts'
import { ReportWriter } from './report-writer.ts'
import { Sandbox } from './sandbox/sandbox.ts'
import { Scheduler } from './schedules/scheduler.ts'
import { onSignals } from './signals.ts'
import { Sweeper } from './sweeper.ts'
import { witness } from './telemetry.ts'
import type { Telemetry, Witness } from './telemetry.ts'
import { splitTransaction } from './transaction.ts'
import { Waiting } from './waiting.ts'

/** How long to wait before a queue that could not start is tried again. */
const restartMs = 1000

export interface OpenTroupeOptions {
  readonly store: Store
  readonly session: StoreSession
  readonly env: Env
  readonly worker: string
  readonly leaseMs: number
  readonly logger: Logger
  readonly inspect: Inspect | undefined
  readonly telemetry: Telemetry | undefined
  readonly middleware: readonly Middleware[]
}

/** A troupe whose store is open: makes the parts, starts and stops them, tells them the news. */
export class OpenTroupe {
  readonly #store: Store
  readonly #env: Env
  readonly #worker: string
  readonly #queues = new Map<string, { readonly actor: QueueActor; readonly face: QueueFace }>()
  readonly #publisher: Publisher
  readonly #workshop: Workshop
  readonly #sweeper: Sweeper
  readonly #scheduler: Scheduler
  readonly #leases: Leases
  readonly #waiting: Waiting
  readonly #witness: Witness
  readonly #news: News
  readonly #queueContext: QueueContext
  readonly #streams: JobStreams
  readonly #report: (message: string, error: unknown) => void
  readonly #unwatch: () => void
  #started: Promise<void> | null = null
  #stopped: Promise<void> | null = null
  #ended = (): void => undefined
  readonly #end = new Promise<void>((resolve) => { this.#ended = resolve })
  readonly #restarts = new Set<Timer>()

  constructor(options: OpenTroupeOptions) {
    const { store, session, env, worker, logger, inspect, telemetry, middleware } = options
    const outage = new Outage(env, logger, worker)
    const lease = new Lease(env, options.leaseMs, store.capabilities.multiProcess)
    this.#store = store
    this.#env = env
    this.#worker = worker
    const report = (message: string, error: unknown): void => {
      logger.error({ err: error, worker }, message)
    }
    this.#report = report
    this.#witness = witness(telemetry, logger, report)
    const now = (): number => session.now()
    this.#publisher = new Publisher(store, (error, where) => { report(where, error) })
    const life = env.id()
    let operations = 0
    this.#workshop = {
      env, store, worker, now, report, middleware, lease, outage, sandbox: new Sandbox(env),
      committed: (change) => { this.#news.committed(change) },
      inspect: inspect && safeInspect(inspect, report),
      newOperation: () => `${life}:${operations += 1}`,
      committer: new Committer(env, store, outage, () => {
        for (const { actor } of this.#queues.values()) actor.recovered()
      }),
      reportWriter: new ReportWriter(env, store, worker),
    }
    const actors = (): QueueActor[] => [...this.#queues.values()].map(({ actor }) => actor)
    this.#sweeper = new Sweeper({
      env, store, worker, now, outage, isHeldUp: () => this.#workshop.committer.failing,
      retention: () => new Map(actors().map(({ settings }) => [settings.name, settings.retention])),
    })
    this.#scheduler = new Scheduler({ env, store, now, report, outage })
    this.#leases = new Leases({ env, store, worker, now, report, lease, outage, queues: actors })
    this.#waiting = new Waiting(env, () => {
      if (this.#started || !actors().some(({ settings }) => settings.tasks.size > 0)) return
      logger.warn({ worker }, 'result() waits, but nothing runs: call await troupe.start()')
    })
    this.#news = new News({
      store, queues: this.#queues, publisher: this.#publisher, witness: this.#witness,
      sweeper: this.#sweeper, scheduler: this.#scheduler,
    })
    this.#streams = new JobStreams(store, this.#publisher)
    this.#queueContext = this.#contextOfQueues('api')
    this.#unwatch = store.watch((event) => { this.#news.receive(event) }, this.#news.interest)
  }

  queue(name: string, options: QueueOptions = {}): Queue<never> {
    this.#assertOpen('queue')
    const settings = parseQueueOptions(name, options, this.#workshop)
    const known = this.#queues.get(settings.name)
    if (known) {
      if (Object.keys(options).length > 0) throw queueExists(settings.name)
      return known.face
    }
    const actor = new QueueActor(settings, this.#workshop)
    const face = new QueueFace(actor, this.#queueContext)
    this.#queues.set(settings.name, { actor, face })
    this.#scheduler.add(settings.name)
    if (this.#started) this.#startLate(actor)
    return face
  }

  queues({ by }: { readonly by?: string } = {}): readonly Queue<Tasks>[] {
    this.#assertOpen('queues')
    const declared = [...this.#queues.values()]
    if (by === undefined) return declared.map(({ face }) => face)
    const context = this.#contextOfQueues(parseName(by, 'queues.by'))
    return declared.map(({ actor }) => new QueueFace(actor, context))
  }

  observe(options?: ObserveOptions): Observable<Transition> {
    this.#assertOpen('observe')
    return observe(this.#store, this.#publisher, options)
  }

  async flow<const G extends Flow>(
    jobs: G, after: After<G> = {}, options: WithTransaction = {},
  ): Promise<FlowHandles<G>> {
    this.#assertOpen('flow')
    const { transaction } = splitTransaction(options, this.#store, 'options')
    return addFlow(this.#queueContext, jobs, after, transaction)
  }

  async workers(): Promise<readonly WorkerInfo[]> {
    this.#assertOpen('workers')
    return this.#store.workers()
  }

  async doctor(): Promise<readonly Finding[]> {
    this.#assertOpen('doctor')
    return examine(this.#store)
  }

  async announce(address: string | null): Promise<void> {
    await this.#store.announce?.(address)
  }

  start(): Promise<void> {
    if (this.#stopped) return Promise.reject(stopped('start'))
    this.#started ??= this.#start().catch((error: unknown) => {
      this.#started = null
      throw error
    })
    return this.#started
  }

  stop({ grace = 30_000 }: { readonly grace?: Duration } = {}): Promise<void> {
    const graceMs = parseDuration(grace, 'grace')
    if (this.#stopped && graceMs === 0) for (const { actor } of this.#queues.values()) actor.abort()
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async run(options?: { readonly grace?: Duration }): Promise<void> {
    await this.start()
    const stop = (first: boolean): Promise<void> => this.stop(first ? options : { grace: 0 })
    await onSignals(this.#env, ['SIGINT', 'SIGTERM'], stop, this.#end)
  }

  async #start(): Promise<void> {
    await this.#startQueues([...this.#queues.values()].map(({ actor }) => actor))
    this.#sweeper.start()
    this.#scheduler.start()
    this.#leases.start()
  }

  /** All or none. */
  async #startQueues(actors: readonly QueueActor[]): Promise<void> {
    await this.#workshop.sandbox.prepare()
    const keys = actors.map(({ settings }) => queueSettingKey(settings.name))
    const settings = await Promise.all(keys.map((key) => this.#store.getSetting(key)))
    if (this.#stopped) return
    for (const [index, actor] of actors.entries()) {
      actor.setPaused(toQueueSetting(settings[index]?.value ?? null).paused)
      actor.start()
    }
  }

  /** For a queue that is declared after `start`: nobody waits for it, so it is tried again. */
  #startLate(actor: QueueActor): void {
    const { outage } = this.#workshop
    const what = `queue ${actor.settings.name}`
    this.#startQueues([actor]).then(() => { outage.answered(what) }, (error: unknown) => {
      outage.refused(what, `${what} could not start; trying again`, error)
      if (this.#stopped) return
      const timer = this.#env.after(restartMs, () => {
        this.#restarts.delete(timer)
        this.#startLate(actor)
      })
      this.#restarts.add(timer)
    })
  }

  async #stop(graceMs: number): Promise<void> {
    await this.#started?.catch(() => undefined)
    this.#sweeper.stop()
    for (const timer of this.#restarts) timer.cancel()
    const scheduled = this.#scheduler.stop()
    await Promise.all([...this.#queues.values()].map(({ actor }) => actor.stop(graceMs)))
    await this.#workshop.sandbox.close()
    await scheduled
    this.#workshop.committer.close()
    await this.#leases.stop()
    this.#unwatch()
    this.#publisher.close()
    this.#waiting.rejectAll(stopped('result'))
    try {
      await this.#store.close()
    } finally {
      this.#ended()
    }
  }

  /** `by`: whom all is put down to that is done with it. */
  #contextOfQueues(by: string): QueueContext {
    const handles: HandleContext = {
      env: this.#env,
      streams: this.#streams,
      cancel: async (queue, id, reason) => {
        this.#assertOpen('cancel')
        return cancelJob(this.#store, by, queue, id, reason)
      },
      wake: (queue) => {
        this.#assertOpen('wake')
        this.#store.wake(queue)
      },
      waiting: (reject) => this.#waiting.add(reject),
      report: this.#report,
    }
    return {
      store: this.#store,
      handles,
      id: () => this.#env.id(),
      now: this.#workshop.now,
      maxQueued: () => this.#maxQueued(),
      trace: () => this.#witness.trace(),
      by,
      assertOpen: (operation) => { this.#assertOpen(operation) },
      isStarted: () => this.#started !== null,
      transitions: (queue) => transitions(this.#store, this.#publisher, queue),
    }
  }

  #maxQueued(): ReadonlyMap<string, number> | undefined {
    const bounds = new Map<string, number>()
    for (const [name, { actor }] of this.#queues) {
      const { maxQueued } = actor.settings
      if (maxQueued !== null) bounds.set(name, maxQueued)
    }
    return bounds.size === 0 ? undefined : bounds
  }

  #assertOpen(operation: string): void {
    if (this.#stopped) throw stopped(operation)
  }
}
