import { TroupeError, TroupeErrorOf } from '../../errors.ts'

/** Classes and codes of PostgreSQL's errors that a later try may not meet again. */
const transientCodes = new Set([
  '40001', '40P01', // serialization failure, deadlock
  '55P03', '57014', // lock not available, statement or query cancelled
  '53000', '53100', '53200', '53300', // out of disk, memory, connections
  '57P01', '57P02', '57P03', '57P05', // the server goes down, crashed, starts up; idle session
  '25006', // a standby that is about to become the primary
])

const lostCodes = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND',
  'EAI_AGAIN', 'ECONNABORTED',
])

/** What the client says when a connection has ended; it gives no code for these. */
const lostMessages = new RegExp([
  'Connection terminated', 'timeout expired', 'timeout exceeded when trying to connect',
  'not queryable', 'Client was closed', 'Query read timeout',
].join('|'))

function codeOf(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error
    ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

/** The connection is gone: what was under way may or may not have taken effect. */
export function isLostConnection(error: unknown): boolean {
  const code = codeOf(error)
  if (code !== undefined) {
    return lostCodes.has(code) || code.startsWith('08') || /^57P0[1235]$/.test(code)
  }
  if (error instanceof AggregateError) return error.errors.some(isLostConnection)
  return error instanceof Error && lostMessages.test(error.message)
}

/** Worth another try. */
export function isTransient(error: unknown): boolean {
  const code = codeOf(error)
  return isLostConnection(error) || (code !== undefined && transientCodes.has(code))
}

/** A member of a group that the database refuses for what it holds. */
export function isRefusedData(error: unknown): boolean {
  return codeOf(error)?.startsWith('22') === true
}

/** What the caller of a store gets: never the connection string, which may hold a password. */
export function toStoreError(error: unknown, operation: string): unknown {
  if (error instanceof TroupeError) return error
  const message = error instanceof Error ? error.message : String(error)
  const code = codeOf(error)
  const text = message === '' ? code ?? 'no message' : message
  return new TroupeErrorOf(
    'store-failed',
    `PostgreSQL refused ${operation}: ${text}${code === undefined ? '' : ` (${code})`}`,
    { operation }, { cause: error },
  )
}

/** Somebody else has just inserted the same key. */
export function isUniqueViolation(error: unknown): boolean {
  if (error instanceof TroupeError) return isUniqueViolation(error.cause)
  return codeOf(error) === '23505'
}
