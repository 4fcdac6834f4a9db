/**
 * A troupe in memory behind a gateway, in a process of its own. Steered by messages: `{ rate }`
 * transitions a second, or `{ full: true }` for as many as it can; tells what it used.
 */
import { createTroupe } from 'troupe'
import { createGateway, dashboardPages } from 'troupe/gateway'

const { parked = 0 } = JSON.parse(process.argv[2] ?? '{}')
const tickMs = 10
const perJob = 3 // added, started, completed

const troupe = await createTroupe()
const queue = troupe.queue('work', {
  tasks: { note: (job) => job.input }, concurrency: 50,
  // Small, so that memory that grows is memory that leaks.
  retention: { completed: 1000, minAge: 0, log: 5000 },
})
const many = (count, options) => queue.addMany(
  Array.from({ length: count }, (_, index) => ({ task: 'note', input: index, ...options })),
)
for (let left = parked; left > 0; left -= 1000) {
  await many(Math.min(left, 1000), { delay: '7d' })
}
const gateway = createGateway(troupe, { pages: dashboardPages(), limits: { streams: 2000 } })
const { url } = await gateway.listen({ port: 0 })
await troupe.start()

let rate = 0
let debt = 0
let completed = 0
let adding = Promise.resolve()
queue.transitions$.subscribe(({ to }) => {
  if (to === 'completed') completed += 1
})
/** Adds what the rate asks for since the last time, late or not. */
let last = performance.now()
setInterval(() => {
  const now = performance.now()
  debt += ((now - last) / 1000) * (rate / perJob)
  last = now
  const count = Math.floor(debt)
  debt -= count
  if (count > 0) adding = adding.then(() => many(count, {}))
}, tickMs)

let full = false
async function keepFull() {
  while (full) {
    const { queued } = await queue.counts()
    if (queued - parked < 2000) await many(1000, {})
    else await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

process.on('message', (message) => {
  if ('rate' in message) rate = message.rate
  if ('full' in message && full !== message.full) {
    full = message.full
    keepFull().catch((error) => { throw error })
  }
  if ('usage' in message) {
    if (message.usage === 'settled') globalThis.gc?.()
    const { user, system } = process.cpuUsage()
    const { rss, heapUsed } = process.memoryUsage()
    process.send({ usage: { cpuUs: user + system, rss, heapUsed, completed, at: Date.now() } })
  }
})
process.on('disconnect', () => process.exit())
process.send({ url })
