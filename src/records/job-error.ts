import type { JobError } from '../../machines/vocabulary.ts'

/** Messages and stacks are cut at this many characters, and marked. */
const textLimit = 64 * 1024
/** Longer chains of causes are cut, and marked. */
const maxCauses = 8

/** Any thrown value as JSON: an error keeps name, message, code, stack and its causes. */
export function toJobError(thrown: unknown): JobError {
  return convert(thrown, maxCauses)
}

function convert(thrown: unknown, causesLeft: number): JobError {
  try {
    return thrown instanceof Error || isErrorLike(thrown)
      ? fromError(thrown, causesLeft)
      : finish({ name: 'NonError', message: describe(thrown) })
  } catch {
    // A getter or a toString of the thrown value threw in its turn.
    return { name: 'NonError', message: 'the thrown value cannot be read' }
  }
}

interface ErrorLike {
  readonly name: string
  readonly message: string
  readonly stack?: unknown
  readonly code?: unknown
  readonly cause?: unknown
}

/** An error of another realm is not `instanceof` ours. */
function isErrorLike(value: unknown): value is ErrorLike {
  if (typeof value !== 'object' || value === null) return false
  const { name, message } = value as Partial<ErrorLike>
  return typeof name === 'string' && typeof message === 'string'
}

function fromError(error: ErrorLike, causesLeft: number): JobError {
  const { code, cause, stack } = error
  return finish({
    name: String(error.name),
    message: String(error.message),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: String(code) } : {}),
    ...(typeof stack === 'string' ? { stack } : {}),
    ...(cause === undefined ? {} : keepCause(cause, causesLeft)),
  })
}

function keepCause(cause: unknown, causesLeft: number): Pick<JobError, 'cause' | 'truncated'> {
  return causesLeft > 0 ? { cause: convert(cause, causesLeft - 1) } : { truncated: true }
}

function describe(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return String(value)
  return JSON.stringify(value) ?? 'an object'
}

function finish(error: JobError): JobError {
  let truncated = false
  const clean = (text: string): string => {
    if (text.length > textLimit) truncated = true
    return text.slice(0, textLimit).replaceAll('\0', '\uFFFD').toWellFormed()
  }
  const result = {
    ...error,
    name: clean(error.name),
    message: clean(error.message),
    ...(error.code === undefined ? {} : { code: clean(error.code) }),
    ...(error.stack === undefined ? {} : { stack: clean(error.stack) }),
  }
  return truncated ? { ...result, truncated: true } : result
}
