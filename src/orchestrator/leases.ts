import type { Env, Timer } from '../env.ts'
import type { Beat, Store } from '../stores/store.ts'
import type { JobRun } from './job-run.ts'
import { leaseMs } from './queue-actor.ts'
import type { QueueActor } from './queue-actor.ts'

/** Time between two heartbeats: two may be lost before a lease lapses. */
const beatMs = leaseMs / 3

/** How long a stop waits for the answer to the last heartbeat. */
const leaveMs = 1000

/** The version of this package; a test holds it equal to its manifest. */
export const version = '0.1.0'

/**
 * The heartbeat of this process: extends the leases of everything that runs here, and ends what
 * has lost its lease. When the store cannot be reached, handlers are aborted before their leases
 * can lapse, by the process's own monotonic clock.
 */
export class Leases {
  readonly #env: Env
  readonly #store: Pick<Store, 'renew' | 'capabilities'>
  readonly #worker: string
  readonly #queues: () => Iterable<QueueActor>
  readonly #now: () => number
  readonly #report: (message: string, error: unknown) => void
  #startedAt = 0
  #timer: Timer | null = null
  #running = false

  constructor(context: {
    readonly env: Env
    readonly store: Pick<Store, 'renew' | 'capabilities'>
    readonly worker: string
    readonly queues: () => Iterable<QueueActor>
    readonly now: () => number
    readonly report: (message: string, error: unknown) => void
  }) {
    this.#env = context.env
    this.#store = context.store
    this.#worker = context.worker
    this.#queues = context.queues
    this.#now = context.now
    this.#report = context.report
  }

  start(): void {
    this.#running = true
    this.#startedAt = this.#now()
    this.#beat()
  }

  /** Resolves when the store has heard that this worker is gone, or does not listen. */
  async stop(): Promise<void> {
    const started = this.#running
    this.#running = false
    this.#timer?.cancel()
    if (!started) return
    const said = this.#store.renew(this.#say([], true)).catch((error: unknown) => {
      this.#report('the store refused the last heartbeat', error)
    })
    await new Promise<void>((resolve) => {
      const late = this.#env.after(leaveMs, resolve)
      void said.finally(() => {
        late.cancel()
        resolve()
      })
    })
  }

  #say(held: readonly JobRun[], leaving: boolean): Beat {
    const queues = [...this.#queues()]
    return {
      worker: this.#worker,
      queues: queues.map(({ settings: { name, tasks } }) => ({ name, tasks: [...tasks.keys()] })),
      version,
      startedAt: this.#startedAt,
      running: queues.reduce((sum, { pool }) => sum + pool.handlers, 0),
      leaving,
      leaseMs,
      held: held.map(({ record, fence }) => ({ id: record.id, fence })),
    }
  }

  #beat(): void {
    const since = this.#env.monotonic()
    const queues = [...this.#queues()]
    const runs = queues.flatMap((queue) => queue.pool.runs().map((run) => ({ queue, run })))
    this.#store.renew(this.#say(runs.map(({ run }) => run), false)).then(({ lost }) => {
      const gone = new Set(lost)
      for (const { queue, run } of runs) {
        // What has ended meanwhile may run here again, under another fence.
        if (run.done) continue
        if (gone.has(run.record.id)) queue.pool.send(run.record.id, { type: 'lease.lost' })
        else run.leaseSince = since
      }
    }, (error: unknown) => {
      this.#report('the store refused a heartbeat', error)
      this.#abortLapsing()
    }).finally(() => { this.#again() })
  }

  #again(): void {
    if (!this.#running) return
    this.#timer = this.#env.after(beatMs, () => { this.#beat() })
  }

  /** Nobody else can take the jobs of a store that one process holds: there is nothing to fear. */
  #abortLapsing(): void {
    if (!this.#store.capabilities.multiProcess) return
    const limit = this.#env.monotonic() - (leaseMs - beatMs - 1000)
    for (const queue of this.#queues()) {
      for (const run of queue.pool.runs()) {
        if (run.leaseSince <= limit) queue.pool.send(run.record.id, { type: 'lease.lost' })
      }
    }
  }
}
