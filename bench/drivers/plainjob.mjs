import { join } from 'node:path'
import Database from 'better-sqlite3'
import { better, defineQueue, defineWorker } from 'plainjob'

const silent = { error: console.error, warn: console.warn, info() {}, debug() {} }
const pollIntervall = 10 // its spelling; its default is 1000

/**
 * plainjob on SQLite (WAL, synchronous=NORMAL: its own settings). A worker runs one job at a time,
 * so concurrency c is c workers. It keeps no result; "done" is `onCompleted`, after its UPDATE.
 */
export async function open({ concurrency, handler, dir }) {
  const connection = better(new Database(join(dir, 'plainjob.db')))
  const queue = defineQueue({ connection, logger: silent })
  const waiting = new Map()
  let open = 0
  let onDrained = () => {}
  const options = {
    queue,
    logger: silent,
    pollIntervall,
    onCompleted: (job) => {
      waiting.get(job.id)?.()
      if (--open === 0) onDrained()
    },
  }
  const work = (job) => handler(job.data)
  const workers = Array.from({ length: concurrency }, () => defineWorker('work', work, options))
  let running = []
  return {
    add: (input) => {
      open++
      queue.add('work', input)
    },
    addMany: (inputs) => {
      open += inputs.length
      queue.addMany('work', inputs)
    },
    start: () => {
      running = workers.map((worker) => worker.start())
    },
    drained: () => new Promise((resolve) => (onDrained = resolve)),
    run: async (input) => {
      open++
      const { id } = queue.add('work', input)
      await new Promise((resolve) => waiting.set(id, resolve))
      waiting.delete(id)
    },
    close: async () => {
      for (const worker of workers) void worker.stop()
      await Promise.all(running)
      queue.close()
    },
  }
}
