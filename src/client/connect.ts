import { invalidOption } from '../errors.ts'
import { paths } from '../gateway/protocol.ts'
import type {
  WireAnswer, WireFindings, WireHello, WireJob, WireQueue, WireQueues, WireWorkers,
} from '../gateway/protocol.ts'
import type { After, Flow } from '../orchestrator/flow.ts'
import type { JobSpec } from '../orchestrator/flow.ts'
import type { CancelAnswer } from '../orchestrator/handle.ts'
import type { Tasks } from '../orchestrator/tasks.ts'
import type { Finding, WorkerInfo } from '../stores/reading.ts'
import { Adding } from './adding.ts'
import { parseRetry } from './backoff.ts'
import type { RetryOptions } from './backoff.ts'
import { machineEnv } from './client-env.ts'
import type { ClientEnv } from './client-env.ts'
import { orNull } from './failure.ts'
import type { JobFollower } from './job-follower.ts'
import { Live } from './live.ts'
import type { Connection } from './live.ts'
import { observe } from './observing.ts'
import type { RemoteObserveOptions } from './observing.ts'
import { RemoteQueueFace } from './queue-face.ts'
import type { QueueContext } from './queue-face.ts'
import { RemoteHandle } from './remote-job.ts'
import type { RemoteJobHandle } from './remote-job.ts'
import type { AnyTasks, RemoteQueue, RemoteTransition } from './remote-queue.ts'
import { RemoteStream } from './remote-stream.ts'
import type { StreamSink } from './remote-stream.ts'
import { Transport } from './transport.ts'
import type { Fetch, Headers } from './transport.ts'

export { TroupeError } from '../errors.ts'
export type {
  Action, JobAction, WireJob, WireJobLine, WirePage, WireQueue,
} from '../gateway/protocol.ts'
export type { RetryOptions } from './backoff.ts'
export type { Connection } from './live.ts'
export type { RemoteObserveOptions } from './observing.ts'
export type { RemoteJobHandle, RemoteResultOptions } from './remote-job.ts'
export type {
  AnyTasks, RemoteQueue, RemoteSchedules, RemoteTransition,
} from './remote-queue.ts'
export type { RemoteStream, StreamObserver, StreamSubscription } from './remote-stream.ts'

export interface ConnectOptions {
  /** Sent with every request: `{ authorization: 'Bearer …' }`. A function is asked each time. */
  readonly headers?: Headers | (() => Headers | Promise<Headers>)
  /** Default: the platform's. */
  readonly fetch?: Fetch
  /** How it goes about a gateway that does not answer. Streams come back for ever. */
  readonly retry?: RetryOptions
  /** Timers, ids and chance; for tests. */
  readonly env?: ClientEnv
}

export type RemoteFlowHandles<G extends Flow> = {
  readonly [K in keyof G]: RemoteJobHandle<G[K] extends JobSpec<infer Result> ? Result : never>
}

/** A gateway, from a browser or from Node. */
export interface Client {
  /**
   * A queue of the gateway; nothing is asked before it is used. Typed by a type of the server
   * alone: `client.queue<TasksOf<typeof images>>('images')`.
   */
  queue<T extends Tasks = AnyTasks>(name: string): RemoteQueue<T>
  /** Adds a graph of jobs, made by `spec` of this client's queues, in one atomic write. */
  flow<const G extends Flow>(jobs: G, after?: After<G>): Promise<RemoteFlowHandles<G>>
  /** Transitions of the queues that you may read: each once, and in order. */
  observe(options?: RemoteObserveOptions): RemoteStream<RemoteTransition>
  /** The queues that you may read. */
  queues(): Promise<readonly WireQueue[]>
  /** Who you are to the gateway, and its version. */
  hello(): Promise<WireHello>
  workers(): Promise<readonly WorkerInfo[]>
  doctor(): Promise<readonly Finding[]>
  /**
   * How the stream does that handles and observers share, now and after each change: `idle` while
   * nobody listens, `open`, or `lost` and on its way back.
   */
  readonly connection$: RemoteStream<Connection>
  /** Ends everything: streams complete, what is asked and what waits rejects with `stopped`. */
  close(): void
}

/**
 * A client of the gateway at `url`, which is where it is mounted; in a browser it may be a path.
 * Nothing is asked before it is used. Throws `invalid-option`.
 */
export function connect(url: string | URL, options: ConnectOptions = {}): Client {
  return new GatewayClient(url, options)
}

class GatewayClient implements Client {
  readonly connection$: RemoteStream<Connection>
  readonly #transport: Transport
  readonly #live: Live
  readonly #context: QueueContext
  #connection: Connection = 'idle'

  constructor(url: string | URL, options: ConnectOptions) {
    const { headers = {}, fetch = globalThis.fetch, retry = {}, env = machineEnv } = options
    this.#transport = new Transport({
      base: parseUrl(url),
      headers: typeof headers === 'function' ? headers : () => headers,
      // Called as a method it would not be the window's.
      fetch: (...rest) => fetch(...rest),
      backoff: parseRetry(retry),
      env,
    })
    const sinks = new Set<StreamSink<Connection>>()
    this.connection$ = new RemoteStream((sink) => {
      sinks.add(sink)
      sink.next(this.#connection)
      return () => { sinks.delete(sink) }
    })
    this.#live = new Live(this.#transport, (connection) => {
      if (connection === this.#connection) return
      this.#connection = connection
      for (const sink of [...sinks]) sink.next(connection)
    })
    this.#context = this.#toContext(env)
  }

  queue<T extends Tasks = AnyTasks>(name: string): RemoteQueue<T> {
    return new RemoteQueueFace(name, this.#context)
  }

  async flow<const G extends Flow>(
    jobs: G, after: After<G> = {},
  ): Promise<RemoteFlowHandles<G>> {
    const handles = await new Adding(this.#transport).flow(jobs, after)
    return Object.fromEntries([...handles].map(([key, wire]) =>
      [key, new RemoteHandle(wire, this.#context)])) as unknown as RemoteFlowHandles<G>
  }

  observe(options: RemoteObserveOptions = {}): RemoteStream<RemoteTransition> {
    return observe(this.#live, options)
  }

  async queues(): Promise<readonly WireQueue[]> {
    return (await this.#transport.get<WireQueues>(paths.queues)).queues
  }

  hello(): Promise<WireHello> {
    return this.#transport.get(paths.hello)
  }

  async workers(): Promise<readonly WorkerInfo[]> {
    return (await this.#transport.get<WireWorkers>(paths.workers)).workers
  }

  async doctor(): Promise<readonly Finding[]> {
    return (await this.#transport.get<WireFindings>(paths.doctor)).findings
  }

  close(): void {
    this.#live.close()
    this.#transport.close()
  }

  #toContext(env: ClientEnv): QueueContext {
    const transport = this.#transport
    return {
      env,
      transport,
      live: this.#live,
      followers: new Map<string, JobFollower>(),
      fetch: (queue, id, signal) => orNull(transport.get<WireJob>(
        paths.job(queue, id), [], { again: 'ever', signal },
      ), 'unknown-job'),
      cancel: async (queue, id, reason) => (await transport.post<WireAnswer<CancelAnswer>>(
        paths.act(queue, id, 'cancel'), reason === undefined ? {} : { reason }, 'some',
      )).answer,
      transitions: (queue) => this.observe({ queue }),
    }
  }
}

function parseUrl(given: string | URL): string {
  const page = (globalThis as { location?: { href: string } }).location?.href
  const text = String(given)
  const url = URL.canParse(text, page) ? new URL(text, page) : null
  if (!url || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw invalidOption('connect.url', 'the http or https address of a gateway', text)
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}
