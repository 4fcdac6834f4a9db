import type { Env, Timer } from '../env.ts'
import type { Commit, CommitAnswer, Store } from '../stores/store.ts'

interface Waiting {
  readonly commit: Commit
  readonly answered: (answer: CommitAnswer) => void
}

/** Commits in one write, at the most. */
const groupLimit = 500
const firstRetryMs = 100
const longestRetryMs = 5000

/**
 * Sends what job actors decided to the store, in groups: what is decided in one turn of the event
 * loop travels together. A write that fails is repeated under the same operation ids until the
 * store answers; meanwhile `failing` holds new claims back.
 */
export class Committer {
  readonly #env: Env
  readonly #store: Pick<Store, 'commit'>
  readonly #report: (message: string, error: unknown) => void
  readonly #recovered: () => void
  #waiting: Waiting[] = []
  #flights = 0
  #scheduled = false
  #retryMs = 0
  #retry: Timer | null = null
  #closed = false
  readonly #idle = new Set<() => void>()

  /** `recovered` is called when the store takes writes again. */
  constructor(
    env: Env, store: Pick<Store, 'commit'>, report: (message: string, error: unknown) => void,
    recovered: () => void,
  ) {
    this.#env = env
    this.#store = store
    this.#report = report
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
      while (this.#waiting.length > 0) this.#send(this.#waiting.splice(0, groupLimit))
    })
  }

  #send(group: readonly Waiting[]): void {
    this.#flights += 1
    this.#store.commit(group.map(({ commit }) => commit)).then(
      (answers) => {
        this.#flights -= 1
        const recovered = this.failing
        this.#retryMs = 0
        group.forEach(({ answered }, index) => {
          const answer = answers[index]
          if (answer) answered(answer)
        })
        if (recovered) this.#recovered()
        this.#wakeIdle()
      },
      (error: unknown) => {
        this.#flights -= 1
        if (!this.#closed) this.#sendLater(group, error)
      },
    )
  }

  #sendLater(group: readonly Waiting[], error: unknown): void {
    this.#waiting.unshift(...group)
    if (this.#retry) return
    if (!this.failing) this.#report('the store refused to commit; trying again', error)
    this.#retryMs = Math.min(Math.max(firstRetryMs, this.#retryMs * 2), longestRetryMs)
    this.#retry = this.#env.after(this.#retryMs, () => {
      this.#retry = null
      this.#schedule()
    })
  }
}
