import { Observable } from 'rxjs'
import type { Observer, Operator, Subscriber, Subscription, TeardownLogic } from 'rxjs'

/** Takes what an observer threw, or an error that nobody listens to. */
export type ReportError = (error: unknown, where: string) => void

/**
 * An Observable whose observers cannot hurt anybody: RxJS rethrows what a `next` callback throws
 * as an uncaught exception, which ends the process. Here it is reported, and the observer goes on.
 * What is piped from it is as safe.
 */
export class SafeObservable<T> extends Observable<T> {
  readonly #report: ReportError

  constructor(
    report: ReportError, subscribe?: (subscriber: Subscriber<T>) => TeardownLogic,
  ) {
    super(subscribe)
    this.#report = report
  }

  // RxJS's operators build their results with `lift`; this keeps them of our kind.
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new SafeObservable<R>(this.#report)
    lifted.source = this
    lifted.operator = operator
    return lifted
  }

  override subscribe(
    first?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // A Subscriber is an operator's link in a chain, and brings its own care.
    if (isSubscriber(first)) return super.subscribe(first)
    return super.subscribe(safeObserver(toObserver(first, error, complete), this.#report))
  }
}

/** The three forms in which `subscribe` takes its callbacks, as one. */
export function toObserver<T>(
  first?: Partial<Observer<T>> | ((value: T) => void) | null,
  error?: ((error: unknown) => void) | null,
  complete?: (() => void) | null,
): Partial<Observer<T>> {
  if (first && typeof first !== 'function') return first
  return {
    ...(first ? { next: first } : {}),
    ...(error ? { error } : {}),
    ...(complete ? { complete } : {}),
  }
}

/** An observer that throws nothing: what `observer` throws, or does not hear, is reported. */
export function safeObserver<T>(observer: Partial<Observer<T>>, report: ReportError): Observer<T> {
  const guard = (callback: string, call: () => void): void => {
    try {
      call()
    } catch (error) {
      report(error, `an observer's ${callback} callback threw`)
    }
  }
  return {
    next: (value) => { guard('next', () => observer.next?.(value)) },
    complete: () => { guard('complete', () => observer.complete?.()) },
    error: (problem: unknown) => {
      if (observer.error) guard('error', () => observer.error?.(problem))
      else report(problem, 'a stream without an error callback ended')
    },
  }
}

function isSubscriber(value: unknown): value is Subscriber<never> {
  return typeof value === 'object' && value !== null && 'isStopped' in value && 'add' in value
}
