import type { Env } from '../env.ts'
import { settledStates } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../records/job.ts'
import { cloneJson } from '../records/json.ts'
import type { Store } from '../stores/store.ts'
import type { Parent } from './job.ts'
import type { LazySignal } from './lazy-signal.ts'
import type { Outage } from './outage.ts'

const retryMs = 500
const kind = 'a read of parents'

/** Reads the parents of a job; a store that refuses is asked again until the attempt is aborted. */
export async function loadParents(
  record: JobRecord, signal: LazySignal,
  { env, store, outage }: {
    readonly env: Env
    readonly store: Pick<Store, 'get'>
    readonly outage: Outage
  },
): Promise<readonly Parent[]> {
  for (;;) {
    try {
      const records = await store.get(record.dependsOn)
      outage.answered(kind)
      return record.dependsOn.map((id, index) =>
        toParent(id, record.parentKeys?.[index] ?? null, records[index]))
    } catch (error) {
      outage.refused(
        kind, `the parents of job ${record.id} could not be read; trying again`, error,
      )
      await pause(env, signal.signal)
      signal.throwIfAborted()
    }
  }
}

/** Ends early when the attempt is aborted. */
function pause(env: Env, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = env.after(retryMs, end)
    signal.addEventListener('abort', end)
  })
}

function toParent(id: string, key: string | null, record: JobRecord | undefined): Parent {
  // A parent that runs again, after a retry, counts as it stands: it has no outcome any more.
  const state = settledStates.find((settled) => settled === record?.state)
  if (!record) {
    return { id, key, queue: null, task: null, state: 'removed', result: null, error: null }
  }
  const { queue, task, result, error } = record
  // The handler may change what it gets; the store's own must stay as it is.
  const copy = { result: cloneJson(result), error: error && structuredClone(error) }
  return { id, key, queue, task, state: state ?? 'retried', ...copy }
}
