import type { WireJobLine } from '../../../gateway/protocol.ts'
import { counted, span } from '../../shell/words.ts'

type Line = Pick<WireJobLine,
  'state' | 'phase' | 'createdAt' | 'runAt' | 'startedAt' | 'settledAt' | 'attempt' | 'policy' |
  'openParents' | 'reason' | 'by' | 'error'>

/** Since when it is where it is, as far as a line tells; null when it does not. */
export function sinceOf({ state, phase, createdAt, runAt, startedAt, settledAt, attempt }: Line) {
  if (settledAt !== null) return settledAt
  if (state !== 'queued') return startedAt
  if (phase === 'ready') return Math.max(createdAt, runAt)
  return attempt === 0 ? createdAt : null
}

/** `3 of 4`, or `3` while its retries are not resolved. */
export function attemptWords({ attempt, policy }: Pick<WireJobLine, 'attempt' | 'policy'>): string {
  if (policy === null || policy.retries === 0) return String(attempt)
  return `${String(attempt)} of ${String(policy.retries + 1)}`
}

/** What a line says of why it is where it is. */
export function noteOf(
  line: Line, now: number,
): { readonly text: string; readonly isBad: boolean } {
  const { state, phase, runAt, startedAt, settledAt, attempt, openParents } = line
  const { reason, by, error } = line
  const plain = (text: string) => ({ text, isBad: false })
  if (state === 'failed') {
    const said = error ? `${reason ?? error.name}: ${error.message}` : reason ?? 'failed'
    return { text: said, isBad: true }
  }
  if (state === 'cancelled') return plain(asked('cancelled', by, reason))
  if (state === 'cancelling') return plain(asked('cancel asked', by, reason))
  if (state === 'completed') {
    return plain(startedAt === null || settledAt === null ? ''
      : `ran ${span(settledAt - startedAt)}`)
  }
  if (phase === 'blocked') return plain(`waits for ${counted(openParents, 'job')}`)
  if (phase === 'delayed') {
    return plain(`in ${span(runAt - now)}${attempt > 0 ? ', after an attempt' : ''}`)
  }
  return plain('')
}

function asked(what: string, by: string | null, reason: string | null): string {
  return `${what}${by === null ? '' : ` by ${by}`}${reason === null ? '' : `: ${reason}`}`
}
