import { PgBoss } from 'pg-boss'

const table = 'pgboss.job'
const batchSize = 500
const localConcurrency = 4

/**
 * pg-boss, tuned: four workers that each fetch 500 jobs at a time, woken by NOTIFY. How many jobs
 * of a batch run at once is the handler's affair; here they go one by one, as no-ops.
 */
export async function open({ url, handler }) {
  const boss = new PgBoss({ connectionString: url, max: 10, useListenNotify: true })
  boss.on('error', console.error)
  await boss.start()
  await boss.createQueue('bench', { notify: true })
  const work = async (jobs) => {
    const results = []
    for (const { id, data } of jobs) {
      results.push({ id, status: 'completed', output: await handler(data) })
    }
    return results
  }
  return {
    add: (input) => boss.send('bench', input),
    addMany: (inputs) => boss.insert('bench', inputs.map((data) => ({ data }))),
    start: async () => {
      const tuned = { batchSize, localConcurrency, burstWhenBatchFull: true }
      await boss.work('bench', { ...tuned, pollingIntervalSeconds: 0.5, perJobResults: true }, work)
    },
    jobTable: { name: table, fresh: { id: 'gen_random_uuid()' } },
    unfinished: `select count(*)::int as count from ${table} where name = 'bench' and ` +
      `state < 'completed'`,
    isDone: `select exists (select from ${table} where name = 'bench' and id = $1::uuid and ` +
      `state = 'completed') as done`,
    close: () => boss.stop({ graceful: false, close: true }),
  }
}
