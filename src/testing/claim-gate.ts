import type { JobRecord } from '../records/job.ts'
import type { ClaimAnswer, ClaimRequest, Store } from '../stores/store.ts'

const nothing: ClaimAnswer = { records: [], nextAt: null }

/** Stands between a troupe and its store, and lets through as many claims as it may. */
export class ClaimGate {
  readonly store: Store
  /** Jobs that were claimed so far. */
  claims = 0
  readonly #inner: Store
  #left = Number.POSITIVE_INFINITY
  #last: JobRecord | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(inner: Store) {
    this.#inner = inner
    this.store = new Proxy(inner, {
      get: (target, name) => {
        if (name === 'claim') return (request: ClaimRequest) => this.#claim(request)
        const member: unknown = Reflect.get(target, name, target)
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      },
    })
  }

  /** Everything goes through from now on. */
  open(): void {
    this.#left = Number.POSITIVE_INFINITY
  }

  /** The next `count` jobs go through, and then none. */
  admit(count: number): void {
    this.#left = count
    this.#last = null
  }

  /** The job that was let through last, since `admit`. */
  get last(): JobRecord | null {
    return this.#last
  }

  #claim(request: ClaimRequest): Promise<ClaimAnswer> {
    if (this.#left === Number.POSITIVE_INFINITY) return this.#pass(request, request.limit)
    // One after the other: what one queue does not take is there for the next one.
    const turn = this.#turn.then(() => {
      const limit = Math.min(request.limit, this.#left)
      return limit <= 0 ? nothing : this.#pass(request, limit)
    })
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #pass(request: ClaimRequest, limit: number): Promise<ClaimAnswer> {
    const startable = Math.min(request.startable ?? limit, limit)
    const answer = await this.#inner.claim({ ...request, limit, startable })
    this.#left -= answer.records.length
    this.claims += answer.records.length
    this.#last = answer.records.at(-1) ?? this.#last
    return answer
  }
}
