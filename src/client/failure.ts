import { TroupeErrorOf } from '../errors.ts'
import type { Code, ErrorDetails, TroupeError } from '../errors.ts'
import { gatewayCodes } from '../gateway/protocol.ts'
import type { WireError } from '../gateway/protocol.ts'

/**
 * Why a try came to nothing. `final`: another one would end the same way. `lost`: nobody knows
 * what was done. `untouched`: nothing was done.
 */
export class Failure extends Error {
  readonly error: TroupeError
  readonly kind: 'final' | 'lost' | 'untouched'
  readonly retryAfterMs: number

  constructor(error: TroupeError, kind: Failure['kind'], retryAfterMs = 0) {
    super(error.message, { cause: error })
    this.error = error
    this.kind = kind
    this.retryAfterMs = retryAfterMs
  }
}

/** Answers that another try may change. */
const passing: { readonly [code: string]: 'lost' | 'untouched' } = {
  'too-many-requests': 'untouched',
  'too-many-streams': 'untouched',
  'stopped': 'untouched',
  'store-failed': 'lost',
  'internal': 'lost',
}
/** From a proxy whose gateway is away. */
const passingStatus: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])
/** A gateway may ask for a rest, but not for the rest of the day. */
const longestRetryAfterS = 60

/** The failure that an answer stands for that is no success. */
export async function refusal(response: Response, url: string): Promise<Failure> {
  const { status, headers } = response
  const retryAfterMs = Math.min(Number(headers.get('retry-after')) || 0, longestRetryAfterS) * 1000
  const said = await wireError(response)
  if (said === null) {
    return passingStatus.has(status)
      ? new Failure(unreachableError(url, `it answers ${status}`), 'lost', retryAfterMs)
      : new Failure(refused(`http-${status}`, status, `${url} answers ${status}`), 'final')
  }
  return bodyRefusal(said, status, retryAfterMs)
}

/** The failure that the body of an answer tells. */
export function bodyRefusal(said: WireError, status: number, retryAfterMs = 0): Failure {
  const { code, message, details } = said.error
  const error = (gatewayCodes as readonly string[]).includes(code)
    ? refused(code, status, message)
    : new TroupeErrorOf(code as Code, message, details as ErrorDetails[Code]) as TroupeError
  return new Failure(error, passing[code] ?? 'final', retryAfterMs)
}

/** No answer, or half of one. */
export function unreachable(url: string, cause: unknown): Failure {
  const problem = cause instanceof Error ? deepest(cause).message : String(cause)
  return new Failure(unreachableError(url, problem, cause), 'lost')
}

/** Node says `fetch failed`, and why in the cause. */
function deepest(error: Error): Error {
  return error.cause instanceof Error ? deepest(error.cause) : error
}

function unreachableError(url: string, problem: string, cause?: unknown): TroupeError {
  return new TroupeErrorOf(
    'unreachable', `no answer from ${url}: ${problem}`, { url, problem }, { cause },
  )
}

function refused(code: string, status: number, message: string): TroupeError {
  return new TroupeErrorOf('gateway-refused', message, { code, status })
}

async function wireError(response: Response): Promise<WireError | null> {
  try {
    const body = await response.json() as Partial<WireError> | null
    return typeof body?.error?.code === 'string' ? body as WireError : null
  } catch {
    // No JSON: it is not the gateway that speaks.
    return null
  }
}

/** Null in place of an error that says that there is no such thing. */
export async function orNull<T>(asked: Promise<T>, code: Code): Promise<T | null> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof TroupeErrorOf && error.code === code) return null
    throw error
  }
}
