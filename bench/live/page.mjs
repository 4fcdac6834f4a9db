/** A dashboard in Chromium beside a troupe that works: what it costs, and what it keeps. */
import { chromium } from 'playwright-core'
import { quantile } from '../load.mjs'
import { megabytes, serve, sleep } from './served.mjs'

const parked = 100_000
const rate = 2000
const windows = 6
const windowMs = 10_000

export async function measurePage({ seconds }) {
  const server = await serve({ parked })
  const browser = await chromium.launch({
    executablePath: process.env.TROUPE_TEST_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'],
  })
  try {
    server.steer({ rate })
    const page = await browser.newPage()
    const quiet = await cpuShare(server)
    await page.goto(server.url)
    const open = await cpuShare(server)
    const kept = await keptOpen(page, server, seconds)
    server.steer({ rate: 0, full: true })
    return [
      `${parked} jobs in the store, ${rate} transitions a second; the server: ` +
        `${quiet.toFixed(1)} % of a core without a page, ${open.toFixed(1)} % with one`,
      ...kept,
      await throughput(page, server),
    ]
  } finally {
    await browser.close()
    server.close()
  }
}

async function cpuShare(server) {
  await sleep(3000)
  const before = await server.usage()
  await sleep(windowMs)
  const after = await server.usage()
  return (after.cpuUs - before.cpuUs) / (after.at - before.at) / 10
}

async function keptOpen(page, server, seconds) {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable')
  const look = async () => {
    await session.send('HeapProfiler.collectGarbage')
    const { metrics } = await session.send('Performance.getMetrics')
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]))
  }
  const heaps = []
  const first = await look()
  const { completed, at } = await server.usage()
  for (let part = 0; part < 10; part += 1) {
    await sleep(seconds * 100)
    heaps.push((await look()).JSHeapUsedSize)
  }
  const last = await look()
  const after = await server.usage()
  const tps = ((after.completed - completed) * 3000) / (after.at - at)
  const main = (last.TaskDuration - first.TaskDuration) / (last.Timestamp - first.Timestamp)
  return [
    `the page, open for ${seconds} s at ${Math.round(tps)} transitions a second: main thread ` +
      `${(main * 100).toFixed(1)} % of a core; heap after each tenth of the time ` +
      `${heaps.map((heap) => (heap / 2 ** 20).toFixed(1)).join(', ')} MB; the server's heap ` +
      `${megabytes(after.heapUsed)} MB`,
  ]
}

/** As many jobs as it can, by turns with the page and without it. */
async function throughput(page, server) {
  const rates = { open: [], away: [] }
  for (let turn = 0; turn < windows * 2; turn += 1) {
    const kind = turn % 2 === 0 ? 'open' : 'away'
    await page.goto(kind === 'open' ? server.url : 'about:blank')
    await sleep(2000)
    const before = await server.usage()
    await sleep(windowMs)
    const after = await server.usage()
    rates[kind].push(((after.completed - before.completed) * 1000) / (after.at - before.at))
  }
  const [open, away] = [rates.open, rates.away].map((list) => quantile(list, 0.5))
  return `as many jobs as it can: ${Math.round(away)} a second without a page, ` +
    `${Math.round(open)} with one (${((1 - open / away) * 100).toFixed(1)} % fewer); medians of ` +
    `${windows} turns of ${windowMs / 1000} s each`
}
