import type { Env, Timer } from '../env.ts'
import type { Beat, Store } from '../stores/store.ts'
import type { Lease } from './lease.ts'
import type { Outage } from './outage.ts'
import type { QueueActor } from './queue-actor.ts'

/** How long a stop waits for the answer to the last heartbeat. */
const leaveMs = 1000

/** The version of this package; a test holds it equal to its manifest. */
export const version = '0.1.0'

/** One thing that a heartbeat speaks of. */
interface Held {
  readonly queue: QueueActor
  readonly id: string
  readonly fence: number
  readonly startedAt: number | null
}

interface LeasesContext {
  readonly env: Env
  readonly store: Pick<Store, 'renew' | 'capabilities'>
  readonly worker: string
  readonly lease: Lease
  readonly outage: Outage
  readonly queues: () => Iterable<QueueActor>
  readonly now: () => number
  readonly report: (message: string, error: unknown) => void
}

/**
 * The heartbeat of this process: extends the leases of everything that runs or waits here, and
 * ends what has lost its lease. Beside it a watch ends what may soon be another worker's, by the
 * process's own monotonic clock, whether or not the store answers.
 */
export class Leases {
  readonly #context: LeasesContext
  #startedAt = 0
  #beating: Timer | null = null
  #watching: Timer | null = null
  #running = false

  constructor(context: LeasesContext) {
    this.#context = context
  }

  start(): void {
    this.#running = true
    this.#startedAt = this.#context.now()
    this.#beat()
    if (this.#context.store.capabilities.multiProcess) this.#watch()
  }

  /** Resolves when the store has heard that this worker is gone, or does not listen. */
  async stop(): Promise<void> {
    const { env, store, report } = this.#context
    const started = this.#running
    this.#running = false
    this.#beating?.cancel()
    this.#watching?.cancel()
    if (!started) return
    const said = store.renew(this.#say([], true)).catch((error: unknown) => {
      report('the store refused the last heartbeat', error)
    })
    await new Promise<void>((resolve) => {
      const late = env.after(leaveMs, resolve)
      void said.finally(() => {
        late.cancel()
        resolve()
      })
    })
  }

  #say(held: readonly Held[], leaving: boolean): Beat {
    const { worker, queues, lease } = this.#context
    const declared = [...queues()]
    return {
      worker,
      queues: declared.map(({ settings: { name, tasks } }) => ({ name, tasks: [...tasks.keys()] })),
      version,
      startedAt: this.#startedAt,
      running: declared.reduce((sum, { pool }) => sum + pool.handlers, 0),
      leaving,
      leaseMs: lease.ms,
      held: held.map(({ id, fence, startedAt }) => ({ id, fence, startedAt })),
    }
  }

  #held(): Held[] {
    const held: Held[] = []
    for (const queue of this.#context.queues()) {
      for (const { record: { id, startedAt }, fence } of queue.pool.runs()) {
        held.push({ queue, id, fence, startedAt })
      }
      for (const { record: { id, fence } } of queue.intake.waiting) {
        held.push({ queue, id, fence, startedAt: null })
      }
    }
    return held
  }

  /** An answer that hangs holds up the next beat for one interval, and not for ever. */
  #beat(): void {
    const { env, store, lease, outage } = this.#context
    // A process that was stopped for long must not renew what may be another's by now.
    this.#dropLapsing()
    const since = env.monotonic()
    const held = this.#held()
    let over = false
    const next = (waitMs: number): void => {
      if (over) return
      over = true
      this.#beating?.cancel()
      if (this.#running) this.#beating = env.after(waitMs, () => { this.#beat() })
    }
    const late = lease.beatMs
    this.#beating = env.after(late, () => { next(0) })
    store.renew(this.#say(held, false)).then(({ lost }) => {
      outage.answered('a heartbeat')
      this.#renewed(held, new Set(lost), since)
      next(Math.max(0, since + lease.beatMs - env.monotonic()))
    }, (error: unknown) => {
      outage.refused('a heartbeat', 'the store refused a heartbeat', error)
      // Sooner than usual: a lease may depend on it.
      next(lease.beatMs / 4 * (0.5 + env.random()))
    })
  }

  #renewed(held: readonly Held[], lost: ReadonlySet<string>, since: number): void {
    for (const { queue, id, fence } of held) {
      const run = queue.pool.get(id)
      const waiting = queue.intake.get(id)
      // What has ended meanwhile may be here again, under another fence.
      if (run?.fence === fence) {
        if (lost.has(id)) queue.pool.send(id, { type: 'lease.lost' })
        else run.leaseSince = Math.max(run.leaseSince, since)
      } else if (waiting?.record.fence === fence) {
        if (lost.has(id)) queue.intake.drop(id)
        else waiting.leaseSince = Math.max(waiting.leaseSince, since)
      }
    }
  }

  #watch(): void {
    const { env, lease } = this.#context
    this.#watching = env.after(lease.ms / 10, () => {
      this.#dropLapsing()
      this.#watch()
    })
  }

  #dropLapsing(): void {
    const { lease, queues } = this.#context
    for (const queue of queues()) {
      for (const run of queue.pool.runs()) {
        // What has ended is for the store to judge: its fence tells.
        if (!run.isWorking || !lease.isLapsing(run.leaseSince)) continue
        queue.pool.send(run.record.id, { type: 'lease.lost' })
      }
      for (const { record, leaseSince } of queue.intake.waiting) {
        if (lease.isLapsing(leaseSince)) queue.intake.drop(record.id)
      }
    }
  }
}
