import type { Lease } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../records/job.ts'

/** Names in one sentence, and characters of a message. */
const shownNames = 10
const shownText = 200

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

export function at(time: number | null): string {
  return time === null ? 'an unknown time' : new Date(time).toISOString()
}

const units = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000], ['second', 1000]] as
  const

/** A length of time in the largest unit of which it has at least two. */
export function span(ms: number): string {
  const unit = units.find(([, length]) => ms >= 2 * length)
  return unit ? `${Math.floor(ms / unit[1])} ${unit[0]}s` : `${Math.max(0, Math.round(ms))} ms`
}

/** The first of many names. */
export function shown(names: readonly string[]): string {
  const more = names.length - shownNames
  return `${names.slice(0, shownNames).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** Why it ended, when that was not well. */
export function failureText({ state, reason, error }: JobRecord): string {
  if (state === 'completed' || (reason === null && error === null)) return ''
  const said = error === null
    ? [reason] : [reason, `${error.name}: ${error.message.slice(0, shownText)}`]
  return ` (${said.filter((part) => part !== null).join('; ')})`
}

/** A queued job that cannot wait for ever. */
export function expiryText({ expiresAt }: JobRecord, now: number): string {
  if (expiresAt === null) return ''
  return expiresAt <= now
    ? ` Its ttl ended at ${at(expiresAt)}: it fails when the store is swept next.`
    : ` It fails when it has not started at ${at(expiresAt)}.`
}

/** A worker that was not heard of. */
export function leaseText(lease: Lease | null, now: number): string {
  if (lease === null || lease.until > now) return ''
  return ` Its worker was not heard of, its lease ended at ${at(lease.until)}: it is taken back ` +
    'when the store is swept next.'
}

/** What a blocked job waits for, and what can come of it. */
export function blockedText(
  waitsFor: readonly { readonly id: string; readonly state: string }[],
  { onParentFailure }: JobRecord,
): string {
  if (waitsFor.length === 0) {
    return 'The jobs that it waited for have ended: it moves when the store is swept next.'
  }
  const names = shown(waitsFor.map(({ id, state }) => `${id} (${state})`))
  const text = `It waits for ${plural(waitsFor.length, 'job')}: ${names}.`
  if (onParentFailure !== 'wait') return text
  const ended = (...states: readonly string[]): boolean =>
    waitsFor.some(({ state }) => states.includes(state))
  const failed = ended('failed', 'cancelled')
    ? ' By its onParentFailure \'wait\' it goes on waiting until what has failed is retried.' : ''
  const removed = ended('removed')
    ? ' What was removed comes back only when a job is added under the same id.' : ''
  return `${text}${failed}${removed}`
}
