import { Queue, Worker, createPostgresBackend } from 'bullmq'

const table = 'bullmq.job'

/** BullMQ on its PostgreSQL backend, with its own settings: done jobs and events are kept. */
export async function open({ url, concurrency, handler }) {
  const options = { connection: { connectionString: url, max: 10, migrate: true } }
  const queue = new Queue('bench', options, createPostgresBackend)
  await queue.waitUntilReady()
  let worker
  return {
    add: async (input) => (await queue.add('work', input)).id,
    addMany: (inputs) => queue.addBulk(inputs.map((data) => ({ name: 'work', data }))),
    start: async () => {
      const work = (job) => handler(job.data)
      worker = new Worker('bench', work, { ...options, concurrency }, createPostgresBackend)
      worker.on('error', console.error)
      await worker.waitUntilReady()
    },
    jobTable: { name: table, fresh: { id: `'dead ' || i`, seq: '-1000000 + i' } },
    unfinished: `select count(*)::int as count from ${table} where queue = 'bench' and ` +
      `state in ('waiting', 'active')`,
    isDone: `select exists (select from ${table} where queue = 'bench' and id = $1 and ` +
      `state = 'completed') as done`,
    close: async () => {
      await worker?.close()
      await queue.close()
    },
  }
}
