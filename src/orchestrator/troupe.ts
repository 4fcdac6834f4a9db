import type { Observable } from 'rxjs'
import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { systemEnv } from '../env.ts'
import type { Env } from '../env.ts'
import { invalidOption } from '../errors.ts'
import type { ObserveOptions } from '../observe/replay.ts'
import { parseName } from '../records/options.ts'
import type { Transition } from '../records/transition.ts'
import { memoryStore } from '../stores/memory.ts'
import type { Finding, WorkerInfo } from '../stores/reading.ts'
import type { Store } from '../stores/store.ts'
import type { After, Flow, FlowHandles } from './flow.ts'
import type { Middleware } from './job.ts'
import { consoleLogger, safeLogger } from './logger.ts'
import type { Logger } from './logger.ts'
import { OpenTroupe } from './open-troupe.ts'
import type { Queue, WithTransaction } from './queue.ts'
import type { Inspect } from './workshop.ts'
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
  /**
   * How long a claimed job belongs to this process without a heartbeat; these come at a third of
   * it. What a dead process ran starts again after this long, and a process that cannot reach the
   * store for nearly as long aborts its handlers. At least 1 s. Default 30 s.
   */
  readonly lease?: Duration
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
  /**
   * The queues that this process has declared. With `by`, what is done through them is put down to
   * that name, in records and transitions; 1 to 128 characters.
   */
  queues(options?: { readonly by?: string }): readonly Queue<Tasks>[]
  /** Transitions from a point of the log on: replayed, then live, without gap or duplicate. */
  observe(options?: ObserveOptions): Observable<Transition>
  /**
   * Adds a graph of jobs, of any queues, in one atomic write: `after` says which come after which.
   * Rejects as `add` does, and with `dependency-cycle`, which names the keys.
   */
  flow<const G extends Flow>(
    jobs: G, after?: After<G>, options?: WithTransaction,
  ): Promise<FlowHandles<G>>
  /** The workers that are alive: that have beaten within one lease. */
  workers(): Promise<readonly WorkerInfo[]>
  /** What is amiss with the store, and what to do about it: a finding for each look. */
  doctor(): Promise<readonly Finding[]>
  /**
   * Says where this process's gateway is (null: nowhere any more) to processes that a lowdb file
   * refuses because this one holds it. With other stores nothing happens.
   */
  announce(address: string | null): Promise<void>
  /** Begins to claim and run jobs. */
  start(): Promise<void>
  /** Lets running jobs end, hands back what does not, and closes the store. */
  stop(options?: StopOptions): Promise<void>
  /** `start`, then `stop` on SIGINT or SIGTERM; a second signal stops at once. */
  run(options?: StopOptions): Promise<void>
}

const optionNames = [
  'store', 'inspect', 'logger', 'worker', 'lease', 'middleware', 'telemetry', 'env',
]

/** Opens the store and makes a troupe on it. Nothing runs before `start()`. */
export async function createTroupe(options: TroupeOptions = {}): Promise<Troupe> {
  checkNames(options, optionNames, 'createTroupe')
  const { store = memoryStore(), env = systemEnv } = options
  const logger = safeLogger(options.logger ?? consoleLogger)
  const worker = options.worker === undefined
    ? `worker:${env.id().slice(0, 8)}`
    : parseName(options.worker, 'createTroupe.worker')
  const leaseMs = parseLease(options.lease ?? '30s')
  const middleware = parseMiddleware(options.middleware, 'createTroupe.middleware')
  const { inspect, telemetry } = options
  if (telemetry !== undefined) checkTelemetry(telemetry, 'createTroupe.telemetry')
  const report = (message: string, level: 'info' | 'warn' = 'info'): void => {
    logger[level]?.({ store: store.name }, message)
  }
  const session = await store.open({ env, report })
  return new OpenTroupe({
    store, session, env, worker, leaseMs, logger, inspect, telemetry,
    middleware: telemetry ? [telemetry.middleware, ...middleware] : middleware,
  })
}

/** Heartbeats come at a third of it: a shorter one would be lost to any hiccup. */
const shortestLeaseMs = 1000
const longestLeaseMs = 24 * 60 * 60 * 1000

function parseLease(given: Duration): number {
  const ms = parseDuration(given, 'createTroupe.lease')
  if (ms >= shortestLeaseMs && ms <= longestLeaseMs) return ms
  throw invalidOption('createTroupe.lease', 'from 1 s to 24 h', given)
}
