import type { Finding } from '../stores/reading.ts'
import type { Store } from '../stores/store.ts'

/** What a troupe can say of a store that has no doctor of its own. */
export async function examine(store: Store): Promise<readonly Finding[]> {
  if (store.doctor) return store.doctor()
  const [workers, counts] = await Promise.all([store.workers(), store.counts(null)])
  const worked = new Set(workers.flatMap(({ queues }) =>
    queues.filter(({ tasks }) => tasks.length > 0).map(({ name }) => name)))
  const left = [...counts].filter(([queue, { ready }]) => ready > 0 && !worked.has(queue))
  return [keeping(store), ...(left.length === 0 ? [] : [unattended(left)]), {
    check: 'workers',
    level: workers.length > 0 ? 'ok' : 'warning',
    found: workers.length === 0
      ? 'no worker is alive'
      : `${workers.length} alive: ${workers.map(({ worker }) => worker).join(', ')}`,
    advice: workers.length > 0 ? null : 'call await troupe.start() in a process with tasks',
  }]
}

function keeping({ name, capabilities: { durable, multiProcess } }: Store): Finding {
  return {
    check: 'store',
    level: 'ok',
    found: `${name}: ${durable ? 'durable' : 'its jobs end with the process'}, for ${
      multiProcess ? 'many processes' : 'one process at a time'}`,
    advice: durable ? null : 'for jobs that survive the process, use lowdbStore or postgresStore',
  }
}

function unattended(left: readonly (readonly [string, { readonly ready: number }])[]): Finding {
  const waiting = left.map(([queue, { ready }]) => `${queue} (${ready})`).join(', ')
  return {
    check: 'queues',
    level: 'warning',
    found: `jobs are ready that no living worker has tasks for: ${waiting}`,
    advice: 'start a process that declares these queues with their tasks',
  }
}
