import type { Observable } from 'rxjs'
import type { Duration } from '../duration.ts'
import { systemEnv } from '../env.ts'
import type { Env } from '../env.ts'
import type { ObserveOptions } from '../observe/replay.ts'
import { parseName } from '../records/options.ts'
import type { Transition } from '../records/transition.ts'
import { memoryStore } from '../stores/memory.ts'
import type { WorkerInfo } from '../stores/reading.ts'
import type { Store } from '../stores/store.ts'
import type { After, Flow, FlowHandles } from './flow.ts'
import type { Middleware } from './job.ts'
import { consoleLogger, safeLogger } from './logger.ts'
import type { Logger } from './logger.ts'
import { OpenTroupe } from './open-troupe.ts'
import type { Queue } from './queue.ts'
import type { Inspect } from './queue-actor.ts'
import type { QueueOptions } from './queue-options.ts'
import { checkNames, parseMiddleware } from './tasks.ts'
import type { Annotated, Tasks } from './tasks.ts'
import { checkTelemetry } from './telemetry.ts'
import type { Telemetry } from './telemetry.ts'

export interface TroupeOptions {
  /** Where the jobs live. Default: this process's memory. */
  readonly store?: Store
  /** XState's inspection: an observer of the live actors of this process. */
  readonly inspect?: Inspect
  /**
   * Takes warnings and errors, in pino's form, and if it has `info` a line for each transition.
   * Default: warnings and errors on the console.
   */
  readonly logger?: Logger
  /** How this process is called in records and transitions. Default: a random name. */
  readonly worker?: string
  /** Goes around each attempt of every queue; the first of the list is the outermost. */
  readonly middleware?: readonly Middleware[]
  /** Traces and metrics: `openTelemetry()` of `troupe/otel`. */
  readonly telemetry?: Telemetry
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
  /**
   * Adds a graph of jobs, of any queues, in one atomic write: `after` says which come after which.
   * Rejects as `add` does, and with `dependency-cycle`, which names the keys.
   */
  flow<const G extends Flow>(jobs: G, after?: After<G>): Promise<FlowHandles<G>>
  /** The workers that are alive: that have beaten within one lease (30 s). */
  workers(): Promise<readonly WorkerInfo[]>
  /** Begins to claim and run jobs. */
  start(): Promise<void>
  /** Lets running jobs end, hands back what does not, and closes the store. */
  stop(options?: StopOptions): Promise<void>
  /** `start`, then `stop` on SIGINT or SIGTERM; a second signal stops at once. */
  run(options?: StopOptions): Promise<void>
}

const optionNames = [
  'store', 'inspect', 'logger', 'worker', 'middleware', 'telemetry', 'env',
]

/** Opens the store and makes a troupe on it. Nothing runs before `start()`. */
export async function createTroupe(options: TroupeOptions = {}): Promise<Troupe> {
  checkNames(options, optionNames, 'createTroupe')
  const { store = memoryStore(), env = systemEnv } = options
  const logger = safeLogger(options.logger ?? consoleLogger)
  const worker = options.worker === undefined
    ? `worker:${env.id().slice(0, 8)}`
    : parseName(options.worker, 'createTroupe.worker')
  const middleware = parseMiddleware(options.middleware, 'createTroupe.middleware')
  const { inspect, telemetry } = options
  if (telemetry !== undefined) checkTelemetry(telemetry, 'createTroupe.telemetry')
  const report = (message: string): void => { logger.info?.({ store: store.name }, message) }
  const session = await store.open({ env, report })
  return new OpenTroupe({
    store, session, env, worker, logger, inspect, telemetry,
    middleware: telemetry ? [telemetry.middleware, ...middleware] : middleware,
  })
}
