import type { Observable } from 'rxjs'
import { invalidOption, TroupeErrorOf } from '../errors.ts'

export interface IterateOptions {
  /** Values kept for a consumer that is behind. Default 1,000. */
  readonly limit?: number
  /**
   * What happens to a consumer that falls further behind: `'fail'` ends the iteration with
   * `slow-consumer` after the kept values were given; `'drop-oldest'` forgets the oldest kept
   * value. Default `'fail'`.
   */
  readonly whenFull?: 'fail' | 'drop-oldest'
}

/** Turns a stream into a `for await` loop with bounded memory. Leaving the loop unsubscribes. */
export function iterate<T>(
  source: Observable<T>, options: IterateOptions = {},
): AsyncIterableIterator<T, undefined> {
  const { limit = 1000, whenFull = 'fail' } = options
  if (!Number.isInteger(limit) || limit < 1) {
    throw invalidOption('limit', 'an integer of 1 or more', limit)
  }
  if (whenFull !== 'fail' && whenFull !== 'drop-oldest') {
    throw invalidOption('whenFull', "'fail' or 'drop-oldest'", whenFull)
  }
  return new Iteration(source, limit, whenFull)
}

type Pull<T> = {
  readonly resolve: (result: IteratorResult<T, undefined>) => void
  readonly reject: (error: unknown) => void
}

class Iteration<T> implements AsyncIterableIterator<T, undefined> {
  readonly #buffer: T[] = []
  readonly #pulls: Pull<T>[] = []
  #end: { readonly error: unknown } | 'complete' | null = null
  readonly #unsubscribe: () => void

  constructor(source: Observable<T>, limit: number, whenFull: 'fail' | 'drop-oldest') {
    const subscription = source.subscribe({
      next: (value) => {
        if (this.#end) return
        const pull = this.#pulls.shift()
        if (pull) {
          pull.resolve({ done: false, value })
          return
        }
        if (this.#buffer.length < limit) this.#buffer.push(value)
        else if (whenFull === 'drop-oldest') {
          this.#buffer.shift()
          this.#buffer.push(value)
        } else this.#finish({ error: slowConsumer(limit) })
      },
      error: (error: unknown) => { this.#finish({ error }) },
      complete: () => { this.#finish('complete') },
    })
    this.#unsubscribe = () => { subscription.unsubscribe() }
    if (this.#end) subscription.unsubscribe()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#buffer.length > 0) {
      return Promise.resolve({ done: false, value: this.#buffer.shift() as T })
    }
    if (this.#end === null) {
      return new Promise((resolve, reject) => { this.#pulls.push({ resolve, reject }) })
    }
    if (this.#end === 'complete') return Promise.resolve({ done: true, value: undefined })
    const { error } = this.#end
    this.#end = 'complete'
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as it came
    return Promise.reject(error)
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#buffer.length = 0
    this.#finish('complete')
    return Promise.resolve({ done: true, value: undefined })
  }

  #finish(end: { readonly error: unknown } | 'complete'): void {
    if (this.#end) return
    this.#end = end
    // The subscription may still be on its way: an observable can end while it is subscribed to.
    queueMicrotask(() => { this.#unsubscribe() })
    for (const pull of this.#pulls.splice(0)) {
      if (end === 'complete') pull.resolve({ done: true, value: undefined })
      else pull.reject(end.error)
    }
  }
}

function slowConsumer(limit: number): TroupeErrorOf<'slow-consumer'> {
  return new TroupeErrorOf(
    'slow-consumer', `the consumer fell more than ${limit} values behind`, { limit },
  )
}
