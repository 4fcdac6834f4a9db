import type { Env, Timer } from '../env.ts'
import type { JobRecord } from '../records/job.ts'
import type { ClaimAnswer, ClaimRequest } from '../stores/store.ts'

/** Waits between the tries while the store refuses claims; each is spread by half of it. */
const firstRetryMs = 500
const longestRetryMs = 5000
const longestWaitMs = 24 * 60 * 60 * 1000

/** How many jobs a claim shall bring; `startable` of them have a slot. */
export type Wanted = Required<Pick<ClaimRequest, 'limit' | 'startable'>>

/** What a claimer needs of its queue. */
export interface ClaimSource {
  /** What a claim shall bring now; nothing when the queue does not accept. */
  wanted(): Wanted
  claim(wanted: Wanted): Promise<ClaimAnswer>
  /** The store's clock. */
  now(): number
  /** Takes claimed jobs; `since` is the monotonic time before the claim was sent. */
  take(records: readonly JobRecord[], since: number, wanted: Wanted): void
  refused(error: unknown): void
  /** The store has answered. */
  answered(): void
  /** Nothing is in hand and nothing more can be claimed for now. */
  quiet(): void
}

/**
 * Asks the store for jobs while there is room for them: once per turn of the event loop, so that
 * what ends in one turn is replaced in one claim, and a queue of short jobs leaves room for
 * everything else in the process. Only an idle queue claims at once.
 */
export class Claimer {
  readonly #env: Env
  readonly #source: ClaimSource
  /** Nothing is left after a claim that was not filled, until the store wakes the queue. */
  readonly #thrifty: boolean
  #scheduled = false
  #claiming = false
  /** Somebody asked while a claim was on its way: what it brings may be out of date. */
  #woken = false
  #freed = false
  #dry = false
  #retryMs = 0
  #retry: Timer | null = null
  /** Ready jobs are held back by a limit until then. */
  #held: Timer | null = null
  #stopped = false

  constructor(env: Env, source: ClaimSource, thrifty: boolean) {
    this.#env = env
    this.#source = source
    this.#thrifty = thrifty
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

  /** Jobs may be ready. With `now` the claim does not wait for the next turn. */
  woken(now = false): void {
    if (this.#claiming) this.#woken = true
    this.#dry = false
    this.#request(now)
  }

  /** There is room for more. */
  freed(): void {
    if (this.#claiming) this.#freed = true
    if (this.#dry) this.#source.quiet()
    else this.#request(false)
  }

  stop(): void {
    this.#stopped = true
    this.#retry?.cancel()
    this.#retry = null
    this.#release()
  }

  #request(now: boolean): void {
    if (this.#scheduled || this.#claiming || this.#retry) return
    this.#scheduled = true
    const pass = (): void => {
      this.#scheduled = false
      this.#pass()
    }
    if (now) queueMicrotask(pass)
    else this.#env.soon(pass)
  }

  #hold(nextAt: number | null): void {
    this.#release()
    if (nextAt === null || this.#stopped) return
    // The wait is cut, since no timer may be longer than 2^31 ms.
    const waitMs = Math.min(Math.max(1, nextAt - this.#source.now()), longestWaitMs)
    this.#held = this.#env.after(waitMs, () => {
      this.#held = null
      this.woken()
    })
  }

  #release(): void {
    this.#held?.cancel()
    this.#held = null
  }

  #pass(): void {
    const wanted = this.#source.wanted()
    if (wanted.limit <= 0) {
      this.#release()
      this.#source.quiet()
      return
    }
    this.#claiming = true
    this.#woken = false
    this.#freed = false
    const since = this.#env.monotonic()
    this.#source.claim(wanted).then(({ records, nextAt }) => {
      this.#claiming = false
      this.#retryMs = 0
      this.#source.answered()
      this.#hold(nextAt)
      this.#dry = this.#thrifty && !this.#woken && records.length < wanted.limit
      this.#source.take(records, since, wanted)
      if (this.#woken || (this.#freed && !this.#dry)) this.#request(false)
      else this.#source.quiet()
    }, (error: unknown) => { this.#refused(error) })
  }

  #refused(error: unknown): void {
    this.#claiming = false
    this.#source.refused(error)
    if (!this.#stopped) {
      this.#retryMs = Math.min(Math.max(firstRetryMs, this.#retryMs * 2), longestRetryMs)
      this.#retry = this.#env.after(this.#retryMs * (0.5 + this.#env.random() / 2), () => {
        this.#retry = null
        this.#request(false)
      })
    }
    this.#source.quiet()
  }
}
