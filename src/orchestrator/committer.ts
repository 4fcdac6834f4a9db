import type { Env, Timer } from '../env.ts'
import { TroupeErrorOf } from '../errors.ts'
import type { Commit, CommitAnswer, Store } from '../stores/store.ts'
import type { Outage } from './outage.ts'

interface Waiting {
  readonly commit: Commit
  readonly answered: (answer: CommitAnswer) => void
}

/** Commits in one write, at the most. */
const groupLimit = 500
const firstRetryMs = 100
const longestRetryMs = 5000
/** A group without an answer is sent again after so long: a connection may have gone silent. */
const lateMs = 30_000
const kind = 'a commit'

/**
 * Sends what job actors decided to the store, in groups: what is decided in one turn of the event
 * loop travels together. A write that fails is repeated under the same operation ids until the
 * store answers; meanwhile `failing` holds new claims back.
 */
export class Committer {
  readonly #env: Env
  readonly #store: Pick<Store, 'commit'>
  readonly #outage: Outage
  /** Groups on their way at once: behind a store that is far away the others gather meanwhile. */
  readonly #flightLimit: number
  readonly #recovered: () => void
  #waiting: Waiting[] = []
  #flights = 0
  #scheduled = false
  #retryMs = 0
  #retry: Timer | null = null
  #closed = false
  /** One timer for each group on its way, where an answer may never come. */
  readonly #late = new Set<Timer | null>()
  readonly #idle = new Set<() => void>()

  /** `recovered` is called when the store takes writes again. */
  constructor(
    env: Env, store: Pick<Store, 'commit' | 'capabilities'>, outage: Outage,
    recovered: () => void,
  ) {
    this.#env = env
    this.#store = store
    this.#outage = outage
    this.#flightLimit = store.capabilities.multiProcess ? 2 : Number.POSITIVE_INFINITY
    this.#recovered = recovered
  }

  /** The store refuses writes just now. */
  get failing(): boolean {
    return this.#retryMs > 0
  }

  add(commit: Commit, answered: (answer: CommitAnswer) => void): void {
    this.#waiting.push({ commit, answered })
    this.#schedule()
  }

  /** Resolves when everything that was added has been answered. */
  settled(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve()
    return new Promise((resolve) => { this.#idle.add(resolve) })
  }

  /** Gives up what the store did not take. */
  close(): void {
    this.#closed = true
    this.#retry?.cancel()
    for (const late of this.#late) late?.cancel()
    this.#waiting = []
    this.#wakeIdle()
  }

  #isIdle(): boolean {
    return this.#flights === 0 && this.#waiting.length === 0
  }

  #wakeIdle(): void {
    if (!this.#isIdle() && !this.#closed) return
    for (const resolve of this.#idle) resolve()
    this.#idle.clear()
  }

  #schedule(): void {
    if (this.#scheduled || this.#retry || this.#closed) return
    this.#scheduled = true
    this.#env.soon(() => {
      this.#scheduled = false
      this.#sendAll()
    })
  }

  #sendAll(): void {
    while (this.#waiting.length > 0 && this.#flights < this.#flightLimit && !this.#retry) {
      this.#send(this.#waiting.splice(0, groupLimit))
    }
  }

  #send(group: readonly Waiting[]): void {
    this.#flights += 1
    let over = false
    const land = (): boolean => {
      if (over) return false
      over = true
      this.#flights -= 1
      late?.cancel()
      this.#late.delete(late)
      return true
    }
    const late = this.#flightLimit === Infinity ? null : this.#env.after(lateMs, () => {
      if (land()) this.#refused(group, noAnswer())
    })
    this.#late.add(late)
    this.#store.commit(group.map(({ commit }) => commit)).then(
      (answers) => { if (land()) this.#answered(group, answers) },
      (error: unknown) => { if (land()) this.#refused(group, error) },
    )
  }

  #answered(group: readonly Waiting[], answers: readonly CommitAnswer[]): void {
    const recovered = this.failing
    this.#retryMs = 0
    this.#outage.answered(kind)
    group.forEach(({ answered }, index) => {
      const answer = answers[index]
      if (answer) answered(answer)
    })
    if (recovered) this.#recovered()
    if (!this.#closed) this.#sendAll()
    this.#wakeIdle()
  }

  #refused(group: readonly Waiting[], error: unknown): void {
    if (!this.#closed) this.#sendLater(group, error)
  }

  #sendLater(group: readonly Waiting[], error: unknown): void {
    this.#waiting.unshift(...group)
    if (this.#retry) return
    this.#outage.refused(kind, 'the store refused to commit; trying again', error)
    this.#retryMs = Math.min(Math.max(firstRetryMs, this.#retryMs * 2), longestRetryMs)
    this.#retry = this.#env.after(this.#retryMs, () => {
      this.#retry = null
      this.#schedule()
    })
  }
}

function noAnswer(): TroupeErrorOf<'store-failed'> {
  return new TroupeErrorOf(
    'store-failed', `the store has not answered for ${lateMs / 1000} s`, { operation: 'commit' },
  )
}
