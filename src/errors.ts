import type { JobError } from '../machines/vocabulary.ts'

/** What each code carries in `details`. The keys of this map are all the codes there are. */
export interface ErrorDetails {
  /** An option, a name or an argument is wrong. `path` names it. */
  'invalid-option': { readonly path: string; readonly expected: string; readonly received: string }
  /** An input, a result, progress or meta is not JSON. `path` leads to the fault. */
  'invalid-input': { readonly path: string; readonly problem: string }
  /** An input or a result is over the limit. Sizes in bytes of UTF-8 JSON. */
  'too-large': { readonly path: string; readonly bytes: number; readonly limit: number }
  'unknown-task': {
    readonly queue: string
    readonly task: string
    readonly known: readonly string[]
  }
  'queue-exists': { readonly queue: string }
  /** The id belongs to a job of another queue or task. */
  'id-in-use': { readonly id: string; readonly queue: string; readonly task: string }
  /** `dependsOn` names a job that is not in the store. */
  'unknown-parent': { readonly path: string; readonly id: string }
  /** Jobs wait for each other in a circle: ids, or keys of a flow; the first is the last. */
  'dependency-cycle': { readonly cycle: readonly string[] }
  /** The queue has as many queued jobs as its `maxQueued` allows. Nothing was stored. */
  'queue-full': {
    readonly queue: string
    readonly queued: number
    readonly adding: number
    readonly maxQueued: number
  }
  /** A schedule with this key is not known. */
  'unknown-schedule': { readonly queue: string; readonly key: string }
  /** The troupe was stopped, or its store is closed. */
  'stopped': { readonly operation: string }
  'not-started': { readonly operation: string }
  'unknown-job': { readonly id: string }
  'job-failed': {
    readonly id: string
    readonly reason: string | null
    readonly error: JobError | null
  }
  'job-cancelled': { readonly id: string; readonly reason: string | null }
  'job-removed': { readonly id: string }
  /** `result({ timeout })` passed; the job itself is not touched. */
  'timeout': { readonly id: string; readonly timeoutMs: number }
  /** The reason of `signal` when the attempt ran longer than its timeout. */
  'job-timeout': { readonly id: string; readonly timeoutMs: number }
  /** The reason of `signal` when another worker may have the job. */
  'lease-lost': { readonly id: string }
  /** Thrown by `job.snooze()` to leave the handler. */
  'snoozed': { readonly waitMs: number }
  /** Thrown by `job.limitReached()` to leave the handler. */
  'limit-reached': { readonly waitMs: number }
  /** The reason of `signal` when the process stops. */
  'stopping': { readonly id: string }
  'invalid-cursor': { readonly cursor: string }
  /** The log was trimmed past the cursor. */
  'cursor-too-old': { readonly queue: string; readonly seq: number; readonly oldest: number }
  /** A consumer of the async iterator fell more than `limit` transitions behind. */
  'slow-consumer': { readonly limit: number }
  /** The store could not write or read; nothing of the operation took effect, if not said so. */
  'store-failed': { readonly operation: string }
  /** Another process holds the file. `gateway`: where that one is to be reached, if it said so. */
  'store-locked': {
    readonly file: string
    readonly holder: string
    readonly gateway: string | null
  }
  /** The stored bytes make no sense at `offset` of `file`; nothing was changed. */
  'store-damaged': { readonly file: string; readonly offset: number }
  'missing-package': { readonly package: string }
  /** A client's gateway refused; `code` is what it said, in a word of its own. */
  'gateway-refused': { readonly code: string; readonly status: number }
  /** A client had no answer of its gateway. What it asked for may have been done all the same. */
  'unreachable': { readonly url: string; readonly problem: string }
  /** A client that observes was away, or behind, for longer than the log can tell. */
  'missed-transitions': { readonly why: string }
}

export type Code = keyof ErrorDetails

const brand = Symbol.for('troupe.error')

/** The one error class, for one code. Prefer the union `TroupeError`. */
export class TroupeErrorOf<C extends Code> extends Error {
  readonly code: C
  readonly details: ErrorDetails[C]

  constructor(code: C, message: string, details: ErrorDetails[C], options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.details = details
  }
}

/** Every error of Troupe: `instanceof TroupeError`, then `switch (error.code)`. */
export type TroupeError = { [C in Code]: TroupeErrorOf<C> }[Code]

interface TroupeErrorConstructor {
  new <C extends Code>(
    code: C, message: string, details: ErrorDetails[C], options?: ErrorOptions,
  ): TroupeErrorOf<C>
  [Symbol.hasInstance](value: unknown): value is TroupeError
}

// On the prototype, so that stacks begin with the name and inspection shows neither.
Object.defineProperty(TroupeErrorOf.prototype, 'name', { value: 'TroupeError' })
Object.defineProperty(TroupeErrorOf.prototype, brand, { value: true })
// The brand instead of the prototype: two copies of the package in one process must agree.
Object.defineProperty(TroupeErrorOf, Symbol.hasInstance, {
  value: (value: unknown) => typeof value === 'object' && value !== null && brand in value,
})
export const TroupeError = TroupeErrorOf as unknown as TroupeErrorConstructor

/** Throw this in a handler to fail the job at once, whatever retries are left. */
export class UnrecoverableError extends Error {
  override readonly name: string = 'UnrecoverableError'
}

/** An `invalid-option` error that says where, what would be right, and what came. */
export function invalidOption(
  path: string, expected: string, received: unknown,
): TroupeErrorOf<'invalid-option'> {
  const shown = show(received)
  return new TroupeErrorOf(
    'invalid-option', `${path} must be ${expected}; received ${shown}`,
    { path, expected, received: shown },
  )
}

/** A short, safe rendering of any value for a message. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60))
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) {
    const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null
    const name = prototype?.constructor?.name
    return typeof name === 'string' && name !== 'Object' ? `a ${name}` : 'an object'
  }
  return String(value)
}
