import { isSettled } from '../records/job.ts'
import { parseName } from '../records/options.ts'
import type { RequestAnswer, Store } from '../stores/store.ts'
import type { CancelAnswer } from './handle.ts'

/** Asks for the end of one job, in the name of `by`. */
export async function cancelJob(
  store: Pick<Store, 'apply'>, by: string, queue: string, id: string, reason?: string,
): Promise<CancelAnswer> {
  const [answer] = await store.apply([{
    type: 'cancel', id: parseName(id, 'id'), queue, by,
    reason: reason === undefined ? null : parseName(reason, 'reason', 1024),
  }])
  return answer ? toCancelAnswer(answer) : 'unknown'
}

function toCancelAnswer({ outcome, record }: RequestAnswer): CancelAnswer {
  if (outcome === 'unknown' || !record) return 'unknown'
  if (record.state === 'cancelling') return 'cancelling'
  if (outcome === 'moved') return 'cancelled'
  return isSettled(record) ? 'settled' : 'unknown'
}
