// One process of a fleet on one schema. Works until it is killed, and writes down what its
// handlers do and what the product acknowledges: see src/testing/history/journal.ts.
// Argument: JSON with built, url, schema, worker, journal, lease, adds, queues.
import { openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

const options = JSON.parse(process.argv[2])
const load = (path) => import(pathToFileURL(`${options.built}/src/${path}`).href)
const { createTroupe, UnrecoverableError } = await load('index.js')
const { postgresStore } = await load('stores/postgres/store.js')

const journal = openSync(options.journal, 'a')
/** Straight to the file: what is written before a SIGKILL stays. */
const write = (line) => { writeSync(journal, `${JSON.stringify(line)}\n`) }

/** Fails, sleeps and dawdles as its number says, so that each run of it is the same. */
async function act(job) {
  const { number, ms } = job.input
  const first = job.attempt === 1
  job.progress({ current: job.attempt, total: 9 })
  await sleep(number % 17 === 0 ? ms * 10 : ms, null, { signal: job.signal }).catch(() => {})
  job.throwIfCancelled()
  if (number % 31 === 0) throw new UnrecoverableError('for good')
  if (number % 7 === 0 && first) throw new Error('again')
  if (number % 13 === 0 && first) job.snooze(20)
  return { number, parents: job.parents.map(({ id }) => id) }
}

function endingOf(error, signal) {
  if (error === signal.reason) return 'aborted'
  if (error.code === 'snoozed') return 'snooze'
  return error instanceof UnrecoverableError ? 'fatal' : 'fail'
}

async function work(job) {
  const { id, queue, fence, attempt, signal } = job
  write({ what: 'start', queue, id, fence, attempt, at: Date.now() })
  const end = (ending, result) => {
    const aborted = signal.aborted ? signal.reason.code : null
    write({
      what: 'end', queue, id, fence, at: Date.now(), ending, result, reported: attempt, aborted,
    })
  }
  try {
    const result = await act(job)
    end('complete', result)
    return result
  } catch (error) {
    end(endingOf(error, signal), null)
    throw error
  }
}

const troupe = await createTroupe({
  store: postgresStore(options.url, { schema: options.schema, maxConnections: 4 }),
  worker: options.worker,
  lease: options.lease,
})
const queues = options.queues.map(({ name, settings }) => troupe.queue(name, {
  ...settings, tasks: { work },
}))
await troupe.start()
process.send('ready')

process.on('message', () => {
  troupe.stop().then(() => { process.exit(0) }, (error) => {
    console.error(error)
    process.exit(1)
  })
})

for (let count = 0; count < options.adds; count += 1) {
  const number = options.first + count
  const id = `${options.process}-${count}`
  // What is refused may be there all the same: the same id again settles it.
  for (let added = false; !added; added = await sleep(20, false)) {
    try {
      await queues[0].add('work', { number, ms: number % 20 }, { id })
      write({ what: 'added', queue: queues[0].name, id })
      break
    } catch (error) {
      if (error.code === 'stopped') break
      if (error.code !== 'store-failed') throw error
    }
  }
}
process.send('added')
