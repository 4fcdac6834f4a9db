import { TroupeError, TroupeErrorOf, UnrecoverableError } from '../../errors.ts'
import type { Code, ErrorDetails } from '../../errors.ts'
import { toJobError } from '../../records/job-error.ts'

/**
 * A thrown value on its way between threads. The platform's own copy of an error forgets its name
 * and its code, and refuses errors that hold a function.
 */
export type PackedError =
  | { readonly type: 'value'; readonly value: unknown }
  | {
      readonly type: 'error'
      readonly name: string
      readonly message: string
      readonly stack: string | undefined
      readonly code: string | number | undefined
      readonly cause: PackedError | undefined
      readonly unrecoverable: boolean
      /** Of a `TroupeError`; null for any other. */
      readonly details: unknown
    }

/** More causes than a record keeps, so that the record says that there were more. */
const maxCauses = 10

/** The thread of a job ended before the handler did. */
export class SandboxError extends Error {
  override readonly name: string = 'SandboxError'
}

/** The job cannot run in a thread at all: its module or its input is at fault. */
export class UnrecoverableSandboxError extends UnrecoverableError {
  override readonly name: string = 'SandboxError'
}

/** Any thrown value as one that every thread can be sent. */
export function packError(thrown: unknown): PackedError {
  return pack(thrown, maxCauses, thrown instanceof UnrecoverableError)
}

/** The same, and the job fails of it at once, whatever it is. */
export function packUnrecoverable(thrown: unknown): PackedError {
  return pack(thrown, maxCauses, true)
}

function pack(thrown: unknown, causesLeft: number, unrecoverable: boolean): PackedError {
  try {
    if (!(thrown instanceof Error)) return { type: 'value', value: structuredClone(thrown) }
    const { name, message, stack, cause } = thrown
    const code: unknown = 'code' in thrown ? thrown.code : undefined
    return {
      type: 'error',
      name: String(name),
      message: String(message),
      stack: typeof stack === 'string' ? stack : undefined,
      code: typeof code === 'string' || typeof code === 'number' ? code : undefined,
      cause: cause === undefined || causesLeft === 0
        ? undefined : pack(cause, causesLeft - 1, false),
      unrecoverable,
      details: thrown instanceof TroupeError ? structuredClone(thrown.details) : null,
    }
  } catch {
    // It cannot be copied, or not even be read: what a record would say of it must do.
    const { name, message, stack, code } = toJobError(thrown)
    return {
      type: 'error', name, message, stack, code, cause: undefined, unrecoverable, details: null,
    }
  }
}

/** What was thrown, as far as another thread can have it. */
export function unpackError(packed: PackedError): unknown {
  if (packed.type === 'value') return packed.value
  const { name, stack, code } = packed
  const error = revive(packed)
  const define = (key: string, value: unknown): void => {
    Object.defineProperty(error, key, { value, writable: true, configurable: true })
  }
  if (error.name !== name) define('name', name)
  define('stack', stack)
  if (code !== undefined && !('code' in error)) define('code', code)
  return error
}

function revive(packed: PackedError & { readonly type: 'error' }): Error {
  const { message, code, cause, unrecoverable, details } = packed
  const options = cause && { cause: unpackError(cause) }
  if (unrecoverable) return new UnrecoverableError(message, options)
  if (details === null) return new Error(message, options)
  return new TroupeErrorOf(code as Code, message, details as ErrorDetails[Code], options)
}
