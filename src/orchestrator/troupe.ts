import type { Observable } from 'rxjs'
import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { systemEnv } from '../env.ts'
import type { Env, Timer } from '../env.ts'
import { TroupeErrorOf } from '../errors.ts'
import { JobStreams } from '../observe/job-streams.ts'
import { Publisher } from '../observe/publisher.ts'
import { observe } from '../observe/replay.ts'
import type { ObserveOptions } from '../observe/replay.ts'
import { parseName } from '../records/options.ts'
import type { Transition } from '../records/transition.ts'
import { memoryStore } from '../stores/memory.ts'
import { isPausedSetting, queueSettingKey } from '../stores/store.ts'
import type { Request, Store, StoreEvent, StoreSession } from '../stores/store.ts'
import { safeInspect } from './actors.ts'
import { Committer } from './committer.ts'
import type { CancelAnswer, HandleContext } from './handle.ts'
import { Leases } from './leases.ts'
import { consoleLogger } from './logger.ts'
import type { Logger } from './logger.ts'
import { ProgressWriter } from './progress-writer.ts'
import { QueueActor } from './queue-actor.ts'
import type { Inspect, Workshop } from './queue-actor.ts'
import { parseQueueOptions } from './queue-options.ts'
import type { QueueOptions } from './queue-options.ts'
import { QueueOfTroupe, toCancelAnswer } from './queue.ts'
import type { Queue, QueueContext } from './queue.ts'
import { onSignals } from './signals.ts'
import { Sweeper } from './sweeper.ts'
import { checkNames } from './tasks.ts'
import type { Annotated, Tasks } from './tasks.ts'
import { Waiting } from './waiting.ts'

export interface TroupeOptions {
  /** Where the jobs live. Default: this process's memory. */
  readonly store?: Store
  /** XState's inspection: an observer of the live actors of this process. */
  readonly inspect?: Inspect
  /** Takes warnings and errors, in pino's form. Default: the console. */
  readonly logger?: Logger
  /** How this process is called in records and transitions. Default: a random name. */
  readonly worker?: string
  /** Clock, timers, ids, chance and disk; for tests and simulations. */
  readonly env?: Env
}

export interface StopOptions {
  /** How long running handlers may go on before they are aborted and given back. Default 30 s. */
  readonly grace?: Duration
}

/** A process's part in the work of a store. */
export interface Troupe {
  /** Declares a queue that this process adds to and watches; who works on it declares `tasks`. */
  queue<T extends Tasks = never>(
    name: string, options?: QueueOptions & { readonly tasks?: never },
  ): Queue<T>
  /** Declares a queue and what this process does for it. */
  queue<const T extends Tasks>(
    name: string, options: QueueOptions<T> & { readonly tasks: T & Annotated<T> },
  ): Queue<T>
  /** Transitions from a point of the log on: replayed, then live, without gap or duplicate. */
  observe(options?: ObserveOptions): Observable<Transition>
  /** Begins to claim and run jobs. */
  start(): Promise<void>
  /** Lets running jobs end, hands back what does not, and closes the store. */
  stop(options?: StopOptions): Promise<void>
  /** `start`, then `stop` on SIGINT or SIGTERM; a second signal stops at once. */
  run(options?: StopOptions): Promise<void>
}

/** How long to wait before a queue that could not start is tried again. */
const restartMs = 1000

const optionNames = ['store', 'inspect', 'logger', 'worker', 'env']

/** Opens the store and makes a troupe on it. Nothing runs before `start()`. */
export async function createTroupe(options: TroupeOptions = {}): Promise<Troupe> {
  checkNames(options, optionNames, 'createTroupe')
  const { store = memoryStore(), logger = consoleLogger, env = systemEnv } = options
  const worker = options.worker === undefined
    ? `worker:${env.id().slice(0, 8)}`
    : parseName(options.worker, 'createTroupe.worker')
  const report = (message: string): void => { logger.info?.({ store: store.name }, message) }
  const session = await store.open({ env, report })
  return new OpenTroupe(store, session, env, worker, logger, options.inspect)
}

class OpenTroupe implements Troupe {
  readonly #store: Store
  readonly #env: Env
  readonly #worker: string
  readonly #queues = new Map<string, { readonly actor: QueueActor; readonly face: QueueOfTroupe }>()
  readonly #publisher: Publisher
  readonly #workshop: Workshop
  readonly #sweeper: Sweeper
  readonly #leases: Leases
  readonly #waiting: Waiting
  readonly #queueContext: QueueContext
  readonly #report: (message: string, error: unknown) => void
  readonly #unwatch: () => void
  #started: Promise<void> | null = null
  #stopped: Promise<void> | null = null
  #ended = (): void => undefined
  readonly #end = new Promise<void>((resolve) => { this.#ended = resolve })
  readonly #restarts = new Set<Timer>()

  constructor(
    store: Store, session: StoreSession, env: Env, worker: string, logger: Logger,
    inspect: Inspect | undefined,
  ) {
    this.#store = store
    this.#env = env
    this.#worker = worker
    const report = (message: string, error: unknown): void => {
      logger.error({ err: error, worker }, message)
    }
    this.#report = report
    const now = (): number => session.now()
    this.#publisher = new Publisher((error, where) => { report(where, error) })
    const life = env.id()
    let operations = 0
    this.#workshop = {
      env, store, worker, now, report,
      inspect: inspect && safeInspect(inspect, report),
      newOperation: () => `${life}:${operations += 1}`,
      committer: new Committer(env, store, report, () => {
        for (const { actor } of this.#queues.values()) actor.recovered()
      }),
      progressWriter: new ProgressWriter(env, store, worker),
    }
    const actors = (): QueueActor[] => [...this.#queues.values()].map(({ actor }) => actor)
    this.#sweeper = new Sweeper({
      env, store, worker, now, report,
      retention: () => new Map(actors().map(({ settings }) => [settings.name, settings.retention])),
    })
    this.#leases = new Leases({ env, store, worker, queues: actors, report })
    this.#waiting = new Waiting(env, () => {
      if (this.#started || !actors().some(({ settings }) => settings.tasks.size > 0)) return
      logger.warn({ worker }, 'result() waits, but nothing runs: call await troupe.start()')
    })
    this.#queueContext = this.#contextOfQueues()
    this.#unwatch = store.watch((event) => { this.#receive(event) })
  }

  queue(name: string, options: QueueOptions = {}): Queue<never> {
    this.#assertOpen('queue')
    const settings = parseQueueOptions(name, options)
    const known = this.#queues.get(settings.name)
    if (known) {
      if (Object.keys(options).length > 0) throw queueExists(settings.name)
      return known.face
    }
    const actor = new QueueActor(settings, this.#workshop)
    const face = new QueueOfTroupe(actor, this.#queueContext)
    this.#queues.set(settings.name, { actor, face })
    if (this.#started) this.#startLate(actor)
    return face
  }

  observe(options?: ObserveOptions): Observable<Transition> {
    this.#assertOpen('observe')
    return observe(this.#store, this.#publisher, options)
  }

  start(): Promise<void> {
    if (this.#stopped) return Promise.reject(stopped('start'))
    this.#started ??= this.#start().catch((error: unknown) => {
      this.#started = null
      throw error
    })
    return this.#started
  }

  stop({ grace = 30_000 }: StopOptions = {}): Promise<void> {
    const graceMs = parseDuration(grace, 'grace')
    if (this.#stopped && graceMs === 0) for (const { actor } of this.#queues.values()) actor.abort()
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async run(options?: StopOptions): Promise<void> {
    await this.start()
    const stop = (first: boolean): Promise<void> => this.stop(first ? options : { grace: 0 })
    await onSignals(this.#env, ['SIGINT', 'SIGTERM'], stop, this.#end)
  }

  async #start(): Promise<void> {
    await this.#startQueues([...this.#queues.values()].map(({ actor }) => actor))
    this.#sweeper.start()
    this.#leases.start()
  }

  /** All or none. */
  async #startQueues(actors: readonly QueueActor[]): Promise<void> {
    const keys = actors.map(({ settings }) => queueSettingKey(settings.name))
    const settings = await Promise.all(keys.map((key) => this.#store.getSetting(key)))
    if (this.#stopped) return
    for (const [index, actor] of actors.entries()) {
      actor.setPaused(isPausedSetting(settings[index]?.value ?? null))
      actor.start()
    }
  }

  /** For a queue that is declared after `start`: nobody waits for it, so it is tried again. */
  #startLate(actor: QueueActor): void {
    this.#startQueues([actor]).catch((error: unknown) => {
      this.#report(`queue ${actor.settings.name} could not start; trying again`, error)
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
    await Promise.all([...this.#queues.values()].map(({ actor }) => actor.stop(graceMs)))
    this.#workshop.committer.close()
    this.#leases.stop()
    this.#unwatch()
    this.#publisher.close()
    this.#waiting.rejectAll(stopped('result'))
    try {
      await this.#store.close()
    } finally {
      this.#ended()
    }
  }

  #receive(event: StoreEvent): void {
    switch (event.type) {
      case 'changes':
        for (const change of event.changes) {
          this.#queues.get(change.entry.queue)?.actor.changed(change)
        }
        break
      case 'wake':
        this.#queues.get(event.queue)?.actor.wake()
        break
      case 'setting':
        for (const [name, { actor }] of this.#queues) {
          if (queueSettingKey(name) === event.key) actor.setPaused(isPausedSetting(event.value))
        }
        break
      case 'timer':
        break
    }
    this.#sweeper.receive(event)
    this.#publisher.receive(event)
  }

  #contextOfQueues(): QueueContext {
    const handles: HandleContext = {
      env: this.#env,
      streams: new JobStreams(this.#store, this.#publisher),
      cancel: (queue, id, reason) => this.#cancel(queue, id, reason),
      waiting: (reject) => this.#waiting.add(reject),
      report: this.#report,
    }
    return {
      store: this.#store,
      handles,
      id: () => this.#env.id(),
      by: 'api',
      assertOpen: (operation) => { this.#assertOpen(operation) },
      isStarted: () => this.#started !== null,
      transitions: (queue) => this.#publisher.transitions(queue),
    }
  }

  async #cancel(queue: string, id: string, reason?: string): Promise<CancelAnswer> {
    this.#assertOpen('cancel')
    const request: Request = {
      type: 'cancel', id: parseName(id, 'id'), queue, by: 'api',
      reason: reason === undefined ? null : parseName(reason, 'reason', 1024),
    }
    const [answer] = await this.#store.apply([request])
    return answer ? toCancelAnswer(answer) : 'unknown'
  }

  #assertOpen(operation: string): void {
    if (this.#stopped) throw stopped(operation)
  }
}

function stopped(operation: string): TroupeErrorOf<'stopped'> {
  return new TroupeErrorOf('stopped', `${operation}: the troupe was stopped`, { operation })
}

function queueExists(queue: string): TroupeErrorOf<'queue-exists'> {
  return new TroupeErrorOf(
    'queue-exists', `queue ${queue} was declared already; call queue(name) to get it`, { queue },
  )
}
