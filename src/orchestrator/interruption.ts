import type { Env, Timer } from '../env.ts'
import { TroupeErrorOf } from '../errors.ts'
import type { Policy } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../records/job.ts'
import { LazySignal } from './lazy-signal.ts'

/** Ends an attempt from outside: aborts its signal, once, and gives it its grace. */
export class Interruption {
  readonly signal = new LazySignal()
  readonly #env: Env
  readonly #policy: Policy
  readonly #graceUp: () => void
  #timedOut = false
  #stopping = false
  #ended = false
  #timeout: Timer | null = null
  #grace: Timer | null = null

  /** `graceUp` is called when the handler goes on after that. */
  constructor(env: Env, policy: Policy, graceUp: () => void) {
    this.#env = env
    this.#policy = policy
    this.#graceUp = graceUp
  }

  /** The attempt took too long. */
  get timedOut(): boolean {
    return this.#timedOut
  }

  /** The process stops. */
  get stopping(): boolean {
    return this.#stopping
  }

  /** Calls `timeUp` when the attempt has taken as long as it may. */
  arm(timeUp: () => void): void {
    const { timeoutMs } = this.#policy
    if (timeoutMs !== null) this.#timeout = this.#env.after(timeoutMs, timeUp)
  }

  timeUp(id: string): void {
    // Who was told to end already has its grace, and no second one.
    if (this.signal.aborted || this.#ended) return
    this.#timedOut = true
    const { timeoutMs } = this.#policy
    this.signal.abort(new TroupeErrorOf(
      'job-timeout', `the attempt took longer than its timeout of ${timeoutMs} ms`,
      { id, timeoutMs: timeoutMs ?? 0 },
    ))
    this.#armGrace(this.#policy.cancelGraceMs)
  }

  cancel({ id, reason }: JobRecord): void {
    if (this.signal.aborted) return
    this.signal.abort(new TroupeErrorOf(
      'job-cancelled', `the job was cancelled${reason ? `: ${reason}` : ''}`, { id, reason },
    ))
    this.#armGrace(this.#policy.cancelGraceMs)
  }

  stop(id: string, graceMs: number): void {
    if (this.#ended) return
    this.#stopping = true
    this.signal.abort(new TroupeErrorOf('stopping', 'the process stops', { id }))
    this.#armGrace(graceMs)
  }

  lose(id: string): void {
    this.signal.abort(leaseLost(id))
  }

  /** The handler has ended, or nobody waits for it any more. */
  end(): void {
    this.#ended = true
    this.#timeout?.cancel()
    this.#grace?.cancel()
  }

  #armGrace(ms: number): void {
    this.#grace?.cancel()
    if (this.#ended) return
    this.#grace = this.#env.after(ms, () => { this.#graceUp() })
  }
}

export function leaseLost(id: string): TroupeErrorOf<'lease-lost'> {
  return new TroupeErrorOf(
    'lease-lost', 'the right to run the job was lost; another worker may have it', { id },
  )
}
