import { TroupeError } from '../errors.ts'

/** What the program's end says to the one who called it. */
export const exitCodes = {
  /** Done. */
  ok: 0,
  /** Refused, failed, or the answer is no: an unknown job, one that has settled, a failed job. */
  failed: 1,
  /** The command line is wrong, or a question could not be asked. Nothing was done. */
  usage: 2,
  /** The store or the gateway cannot be reached, is locked or damaged, or lets nobody in. */
  unreachable: 3,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** An end that is no fault of the program: its message is all there is to say. */
export class Refusal extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** The reader of standard output has gone: nothing is left to do, and nothing is wrong. */
export class ReaderGone extends Error {}

export function usageError(message: string): Refusal {
  return new Refusal(exitCodes.usage, message)
}

const usageCodes: ReadonlySet<string> = new Set([
  'invalid-option', 'invalid-input', 'too-large', 'unknown-task', 'dependency-cycle',
  'invalid-body', 'body-too-large',
])
const unreachableCodes: ReadonlySet<string> = new Set([
  'store-failed', 'store-locked', 'store-damaged', 'missing-package', 'unreachable',
  'unauthorized', 'wrong-host', 'wrong-origin', 'unknown-route', 'http-404',
])

/** The exit code of anything that was thrown. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof Refusal) return error.exitCode
  if (!(error instanceof TroupeError)) return exitCodes.failed
  const code = error.code === 'gateway-refused' ? error.details.code : error.code
  if (usageCodes.has(code)) return exitCodes.usage
  return unreachableCodes.has(code) ? exitCodes.unreachable : exitCodes.failed
}

/** One line for people. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replaceAll(/\s*\n\s*/g, ' ').trim() || 'an error without a message'
}
