import type { Env, Timer } from '../env.ts'
import type { JobRecord } from '../records/job.ts'
import type { ClaimAnswer } from '../stores/store.ts'

/** How long to wait after the store refused a claim. */
const retryMs = 1000
const longestWaitMs = 24 * 60 * 60 * 1000

/** What a claimer needs of its queue. */
export interface ClaimSource {
  /** Slots that are free now; 0 when the queue does not accept. */
  freeSlots(): number
  claim(limit: number): Promise<ClaimAnswer>
  /** The store's clock. */
  now(): number
  /** Takes claimed jobs; `since` is the monotonic time before the claim was sent. */
  take(records: readonly JobRecord[], since: number): void
  report(message: string, error: unknown): void
  /** Nothing is in hand and nothing more can be claimed for now. */
  quiet(): void
}

/**
 * Asks the store for jobs while slots are free: once per turn of the event loop, so that what ends
 * in one turn is replaced in one claim, and a queue of short jobs leaves room for everything else
 * in the process. Only an idle queue claims at once.
 */
export class Claimer {
  readonly #env: Env
  readonly #source: ClaimSource
  #scheduled = false
  #claiming = false
  /** Somebody asked while a claim was on its way: what it brings may be out of date. */
  #again = false
  #retry: Timer | null = null
  /** Ready jobs are held back by a limit until then. */
  #held: Timer | null = null
  #stopped = false
  constructor(env: Env, source: ClaimSource) {
    this.#env = env
    this.#source = source
  }

  /** A claim is on its way. */
  get isClaiming(): boolean {
    return this.#claiming
  }

  /** No claim is planned or under way. */
  get isQuiet(): boolean {
    return !this.#scheduled && !this.#claiming && !this.#retry
  }

  /** Ready jobs wait for a limit to pass. */
  get isHeldBack(): boolean {
    return this.#held !== null
  }

  /** A slot is free, or jobs may be ready. With `now` the claim does not wait for the next turn. */
  request(now = false): void {
    if (this.#claiming) this.#again = true
    if (this.#scheduled || this.#claiming || this.#retry) return
    this.#scheduled = true
    const pass = (): void => {
      this.#scheduled = false
      this.#pass()
    }
    if (now) queueMicrotask(pass)
    else this.#env.soon(pass)
  }

  stop(): void {
    this.#stopped = true
    this.#retry?.cancel()
    this.#retry = null
    this.#release()
  }

  #hold(nextAt: number | null): void {
    this.#release()
    if (nextAt === null || this.#stopped) return
    // The wait is cut, since no timer may be longer than 2^31 ms.
    const waitMs = Math.min(Math.max(1, nextAt - this.#source.now()), longestWaitMs)
    this.#held = this.#env.after(waitMs, () => {
      this.#held = null
      this.request()
    })
  }

  #release(): void {
    this.#held?.cancel()
    this.#held = null
  }

  #pass(): void {
    const limit = this.#source.freeSlots()
    if (limit <= 0) {
      this.#release()
      this.#source.quiet()
      return
    }
    this.#claiming = true
    this.#again = false
    const since = this.#env.monotonic()
    this.#source.claim(limit).then(({ records, nextAt }) => {
      this.#claiming = false
      this.#hold(nextAt)
      this.#source.take(records, since)
      if (this.#again) this.request()
      else this.#source.quiet()
    }, (error: unknown) => {
      this.#claiming = false
      this.#source.report('the store refused a claim; trying again', error)
      if (!this.#stopped) {
        this.#retry = this.#env.after(retryMs, () => {
          this.#retry = null
          this.request()
        })
      }
      this.#source.quiet()
    })
  }
}
