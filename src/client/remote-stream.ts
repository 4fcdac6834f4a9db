import { TroupeErrorOf } from '../errors.ts'

/** Takes what a stream says; each part may be left out. */
export interface StreamObserver<T> {
  next?(value: T): void
  error?(error: unknown): void
  complete?(): void
}

export interface StreamSubscription {
  unsubscribe(): void
}

/** What `subscribe` of a source gets: nothing comes through once it is closed. */
export interface StreamSink<T> {
  next(value: T): void
  error(error: unknown): void
  complete(): void
}

/** How far `for await` may fall behind before it ends with `slow-consumer`. */
const iteratorLimit = 10_000

type Callback<T> = StreamObserver<T> | ((value: T) => void) | null | undefined

/**
 * Values over time, without RxJS: `subscribe`, `for await`, or `from(stream)` of RxJS, which then
 * has all its operators. Nothing happens before somebody listens, and each listener is on its own.
 * What a listener throws, and an error that nobody listens to, is written to the console.
 */
export class RemoteStream<T> implements AsyncIterable<T> {
  readonly #source: (sink: StreamSink<T>) => () => void

  constructor(source: (sink: StreamSink<T>) => () => void) {
    this.#source = source
  }

  subscribe(
    first?: Callback<T>, error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): StreamSubscription {
    const observer = toObserver(first, error, complete)
    let open = true
    let undo: (() => void) | null = null
    const close = (): void => {
      open = false
      const stop = undo
      undo = null
      stop?.()
    }
    undo = this.#source({
      next: (value) => { if (open) guard(() => observer.next?.(value)) },
      error: (problem) => {
        if (!open) return
        close()
        guard(() => {
          if (!observer.error) throw problem
          observer.error(problem)
        })
      },
      complete: () => {
        if (!open) return
        close()
        guard(() => observer.complete?.())
      },
    })
    if (!open) close()
    return { unsubscribe: close }
  }

  /** What `from` of RxJS and other libraries of observables look for. */
  '@@observable'(): this {
    return this
  }

  /** A loop that falls more than 10,000 values behind ends with `slow-consumer`. */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return iterator(this)
  }
}

function toObserver<T>(
  first?: Callback<T>, error?: ((error: unknown) => void) | null,
  complete?: (() => void) | null,
): StreamObserver<T> {
  if (first && typeof first !== 'function') return first
  return {
    ...(first ? { next: first } : {}),
    ...(error ? { error } : {}),
    ...(complete ? { complete } : {}),
  }
}

function guard(call: () => void): void {
  try {
    call()
  } catch (error) {
    console.error(error)
  }
}

function iterator<T>(stream: RemoteStream<T>): AsyncIterator<T, undefined> {
  const values: T[] = []
  let ended: { readonly error?: unknown } | null = null
  let wake: (() => void) | null = null
  const tell = (): void => {
    wake?.()
    wake = null
  }
  const end = (how: { readonly error?: unknown }): void => {
    ended ??= how
    tell()
  }
  const subscription = stream.subscribe({
    next: (value) => {
      if (values.push(value) > iteratorLimit) {
        subscription.unsubscribe()
        end({ error: new TroupeErrorOf(
          'slow-consumer', `the loop fell more than ${iteratorLimit} values behind`,
          { limit: iteratorLimit },
        ) })
      }
      tell()
    },
    error: (error) => { end({ error }) },
    complete: () => { end({}) },
  })
  return {
    async next() {
      while (values.length === 0 && !ended) await new Promise<void>((resolve) => { wake = resolve })
      if (values.length > 0) return { value: values.shift() as T, done: false }
      if (ended && 'error' in ended) throw ended.error
      return { value: undefined, done: true }
    },
    async return() {
      subscription.unsubscribe()
      end({})
      values.length = 0
      return { value: undefined, done: true }
    },
  }
}
