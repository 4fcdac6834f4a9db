import { settledStates } from '../../machines/vocabulary.ts'
import type { State } from '../../machines/vocabulary.ts'
import { TroupeErrorOf } from '../errors.ts'
import type { TroupeError } from '../errors.ts'
import type { WireJob } from '../gateway/protocol.ts'

export function isSettled(state: State | null): boolean {
  return (settledStates as readonly (State | null)[]).includes(state)
}

/** The result of a settled job, or the error that it ended with. */
export function resultOf({ id, state, reason, result, error }: WireJob): unknown {
  if (state === 'completed') return result
  if (state === 'cancelled') {
    const why = reason === null ? '' : `: ${reason}`
    throw new TroupeErrorOf('job-cancelled', `job ${id} was cancelled${why}`, { id, reason })
  }
  const why = error ? `: ${error.name}: ${error.message}` : ''
  throw new TroupeErrorOf(
    'job-failed', `job ${id} failed (${reason ?? 'error'})${why}`, { id, reason, error },
  )
}

export function unknownJob(queue: string, id: string): TroupeError {
  return new TroupeErrorOf(
    'unknown-job', `queue ${queue} has no job ${JSON.stringify(id)}; it may have been pruned`,
    { id },
  )
}

export function removedJob(id: string): TroupeError {
  return new TroupeErrorOf('job-removed', `job ${id} was removed before it settled`, { id })
}

export function timedOut(id: string, timeoutMs: number): TroupeError {
  return new TroupeErrorOf(
    'timeout', `job ${id} had not settled after ${timeoutMs} ms`, { id, timeoutMs },
  )
}

export function closedClient(operation: string): TroupeError {
  return new TroupeErrorOf('stopped', `${operation}: the client is closed`, { operation })
}
