import { createTroupe } from 'troupe'
import { postgresStore } from 'troupe/stores/postgres'

/** Troupe on PostgreSQL with its own settings. */
export async function open({ url, concurrency, handler }) {
  const troupe = await createTroupe({ store: postgresStore(url) })
  const tasks = handler ? { tasks: { work: (job) => handler(job.input) } } : {}
  const queue = troupe.queue('bench', { concurrency, ...tasks })
  return {
    add: async (input) => (await queue.add('work', input)).id,
    addMany: (inputs) => queue.addMany(inputs.map((input) => ({ task: 'work', input }))),
    start: () => troupe.start(),
    /** Adds, and waits for the result as a caller does. */
    run: async (input) => (await queue.add('work', input)).result(),
    jobTable: { name: 'troupe.jobs', fresh: { id: `'dead ' || i`, n: '-1000000 + i' } },
    unfinished: 'select count(*)::int as count from troupe.jobs',
    isDone: `select exists (select from troupe.history where id = $1 and ` +
      `state = 'completed') as done`,
    close: () => troupe.stop(),
  }
}
