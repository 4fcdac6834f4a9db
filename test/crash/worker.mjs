// Works on a lowdb file until it is killed, and says on stdout what the product has acknowledged.
// Arguments: folder of the built package, file of the store, first number, 'work' or 'finish'.
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

const [, , built, file, first, mode] = process.argv
const { createTroupe } = await import(pathToFileURL(`${built}/src/index.js`).href)
const { lowdbStore } = await import(pathToFileURL(`${built}/src/stores/lowdb/store.js`).href)

/** Straight to the pipe: what is said before a SIGKILL must arrive. */
const say = (...words) => { writeSync(1, `${words.join(' ')}\n`) }

const troupe = await createTroupe({ store: lowdbStore(file, { checkpointBytes: 64 * 1024 }) })
const queue = troupe.queue('crash', {
  concurrency: 4,
  defaults: { retries: 2, backoff: 1, maxStalls: 1000 },
  retention: { completed: 1_000_000, failed: 1_000_000, log: 10_000_000 },
  tasks: {
    work: async (job) => {
      say('start', job.id, job.fence)
      job.progress({ current: 1, total: 2 })
      await sleep(job.input % 4)
      job.throwIfCancelled()
      if (job.input % 7 === 0 && job.attempt < 3) throw new Error('again')
      if (job.input % 31 === 0) throw new Error('for good')
      return job.input
    },
  },
})
await troupe.start()
say('ready')
if (mode === 'finish') {
  // What runs may fail and wait for its next attempt: nothing is idle for good before all is settled.
  for (;;) {
    const { queued, running, cancelling } = await queue.counts()
    if (queued + running + cancelling === 0) break
    await queue.idle()
    await sleep(2)
  }
  await troupe.stop()
  say('finished')
} else {
  for (let number = Number(first); ; number += 1) {
    const handle = await queue.add('work', number, { id: `job-${number}`, delay: number % 5 })
    say('added', handle.id)
    handle.result().then(
      () => { say('completed', handle.id) },
      ({ code }) => { if (code.startsWith('job-')) say(code.slice(4), handle.id) },
    )
    if (number % 5 === 0) await handle.cancel('not needed')
    if (number % 3 === 0) await sleep(1)
  }
}
