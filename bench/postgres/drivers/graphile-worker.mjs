import { EventEmitter } from 'node:events'
import { Logger, makeWorkerUtils, run } from 'graphile-worker'

const logger = new Logger(() => (level, message) => {
  if (level === 'error') console.error(message)
})
const table = 'graphile_worker._private_jobs'

/** graphile-worker, tuned as its guide to performance says. A done job is deleted. */
export async function open({ url, concurrency, handler }) {
  const worker = {
    connectionString: url,
    concurrentJobs: concurrency,
    maxPoolSize: 10,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
    logger,
  }
  const preset = { worker }
  const producer = await makeWorkerUtils({ preset })
  await producer.migrate()
  let runner
  return {
    add: async (input) => (await producer.addJob('work', input)).id,
    addMany: (inputs) =>
      producer.addJobs(inputs.map((payload) => ({ identifier: 'work', payload }))),
    start: async () => {
      const taskList = { work: (input) => handler(input) }
      runner = await run({ preset, taskList, events: new EventEmitter(), noHandleSignals: true })
    },
    jobTable: { name: table, fresh: {} },
    unfinished: `select count(*)::int as count from ${table}`,
    isDone: `select not exists (select from ${table} where id = $1::bigint) as done`,
    close: async () => {
      await runner?.stop()
      await producer.release()
    },
  }
}
