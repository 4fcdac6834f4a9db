import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CHUNK, addAll, payload, quantile } from '../load.mjs'
import { holdSnapshot, makeDeadRows, userBytes } from './inside.mjs'
import { withClient } from './server.mjs'
import { countStatements } from './wire.mjs'

/** Every measure: (open, options) → a flat object of numbers. `open` makes a fresh driver. */
export const measures = {
  drain10: (open, options) => drain(open, 10, options),
  drain100: (open, options) => drain(open, 100, options),
  dead: drainThroughDeadRows,
  single: singleAdds,
  pipelined: pipelinedAdds,
  bulk: bulkAdds,
  latency: idleLatency,
  remote: remoteLatency,
  idle: idleQueries,
  bytes: bytesPerJob,
}

/** Asked of Troupe only. */
export const ownMeasures = ['remote']

const addSeconds = 3
const result = { ok: true }
const working = async () => result

/** Preloaded jobs, from start until the database says that the last one is done. */
async function drain(open, concurrency, { jobs, url }) {
  await drainOnce(open, concurrency, Math.min(jobs, 2_000), url)
  return await drainOnce(open, concurrency, jobs, url)
}

async function drainOnce(open, concurrency, jobs, url) {
  const counter = countRuns(jobs)
  const driver = await open({ concurrency, handler: counter.handler })
  await addAll(driver, jobs)
  const values = await timeDrain(driver, counter, { jobs, url })
  await driver.close()
  if (counter.ran !== jobs) throw new Error(`${counter.ran} handlers ran for ${jobs} jobs`)
  return values
}

function countRuns(jobs) {
  const finished = Promise.withResolvers()
  const counter = {
    ran: 0,
    finished: finished.promise,
    handler: async () => {
      if (++counter.ran === jobs) finished.resolve()
      return result
    },
  }
  return counter
}

/** Stops after `atMostMs`, with the rate until then. */
async function timeDrain(driver, counter, { jobs, url, atMostMs = 120_000 }) {
  return await withClient(url, async (query) => {
    await query('analyze')
    globalThis.gc()
    const cpu = process.cpuUsage()
    const started = performance.now()
    await driver.start()
    const stop = new AbortController()
    await Promise.race([counter.finished, sleep(atMostMs, null, { signal: stop.signal })])
    stop.abort()
    let left = jobs
    while (left > 0) {
      left = (await query(driver.unfinished))[0].count
      if (performance.now() - started > atMostMs) break
      if (left > 0) await sleep(2)
    }
    const ms = performance.now() - started
    const { user, system } = process.cpuUsage(cpu)
    const done = jobs - left
    return { rate: (done / ms) * 1000, cpuUs: (user + system) / Math.max(done, 1) }
  })
}

/**
 * While another session holds a snapshot that sees none of it, a million jobs have come and gone,
 * and no vacuum may take their rows away.
 */
async function drainThroughDeadRows(open, { jobs, deadRows, url }) {
  const counter = countRuns(jobs)
  const driver = await open({ concurrency: 100, handler: counter.handler })
  await driver.add(payload(0))
  const snapshot = await holdSnapshot(url, driver.jobTable.name)
  await makeDeadRows(url, driver.jobTable, deadRows)
  await addAll(driver, jobs - 1)
  const values = await timeDrain(driver, counter, { jobs, url, atMostMs: 60_000 })
  await snapshot.close()
  return values
}

/** One add after another, each acknowledged, nothing running. */
async function singleAdds(open) {
  const driver = await open({ concurrency: 10, handler: working })
  for (let i = 0; i < 200; i++) await driver.add(payload(i))
  return await addsPerSecond(driver, async (i) => {
    await driver.add(payload(i))
    return 1
  })
}

/** A thousand adds at once, then the next thousand. */
async function pipelinedAdds(open) {
  const driver = await open({ concurrency: 10, handler: working })
  const chunk = (count) =>
    Promise.all(Array.from({ length: count }, (_, i) => driver.add(payload(i))))
  await chunk(200)
  return await addsPerSecond(driver, async () => {
    await chunk(CHUNK)
    return CHUNK
  })
}

async function addsPerSecond(driver, addSome) {
  globalThis.gc()
  const started = performance.now()
  let adds = 0
  let seconds = 0
  while (seconds < addSeconds && adds < 40_000) {
    adds += await addSome(adds)
    seconds = (performance.now() - started) / 1000
  }
  await driver.close()
  return { rate: adds / seconds }
}

/** The quickest documented way to add many, in chunks of 1,000, nothing running. */
async function bulkAdds(open, { jobs }) {
  const driver = await open({ concurrency: 10, handler: working })
  await addAll(driver, 4_000)
  globalThis.gc()
  const started = performance.now()
  await addAll(driver, jobs)
  const seconds = (performance.now() - started) / 1000
  await driver.close()
  return { rate: jobs / seconds }
}

const warmUp = 20
const pause = (i) => sleep(20 + ((i * 7) % 31))

/** One job at a time on a started, idle queue. Done is when the database says so. */
async function idleLatency(open, { samples, url }) {
  const seen = { begin() {} }
  const handler = async () => {
    seen.begin(performance.now())
    return result
  }
  const driver = await open({ concurrency: 10, handler })
  await driver.start()
  const starts = []
  const dones = []
  await withClient(url, async (query) => {
    for (let i = 0; i < warmUp + samples; i++) {
      await pause(i)
      const began = new Promise((resolve) => (seen.begin = resolve))
      const added = performance.now()
      const id = await driver.add(payload(i))
      const start = (await began) - added
      while (!(await query(driver.isDone, [id]))[0].done) continue
      if (i < warmUp) continue
      starts.push(start)
      dones.push(performance.now() - added)
    }
  })
  await driver.close()
  return {
    startP50: quantile(starts, 0.5),
    startP99: quantile(starts, 0.99),
    doneP50: quantile(dones, 0.5),
    doneP99: quantile(dones, 0.99),
  }
}

/** The same with the handler in another process; done is when the one who added has the result. */
async function remoteLatency(open, { samples, url }) {
  const worker = fork(fileURLToPath(new URL('worker.mjs', import.meta.url)), [url])
  await once(worker, 'message')
  const driver = await open({ concurrency: 10 })
  const starts = []
  const results = []
  for (let i = 0; i < warmUp + samples; i++) {
    await pause(i)
    const added = process.hrtime.bigint()
    const { startedAt } = await driver.run(payload(i))
    const ended = process.hrtime.bigint()
    if (i < warmUp) continue
    starts.push(Number(BigInt(startedAt) - added) / 1e6)
    results.push(Number(ended - added) / 1e6)
  }
  await driver.close()
  worker.send('stop')
  await once(worker, 'exit')
  return {
    startP50: quantile(starts, 0.5),
    startP99: quantile(starts, 0.99),
    resultP50: quantile(results, 0.5),
    resultP99: quantile(results, 0.99),
  }
}

/** Statements a second of one started process with nothing to do. */
async function idleQueries(open, { idleSeconds, url }) {
  const wire = await countStatements(url)
  const driver = await open({ concurrency: 10, handler: working, url: wire.url })
  await driver.start()
  await driver.add(payload(1))
  await sleep(5_000)
  const before = wire.counter.count
  const cpu = process.cpuUsage()
  await sleep(idleSeconds * 1000)
  const rate = (wire.counter.count - before) / idleSeconds
  const { user, system } = process.cpuUsage(cpu)
  await driver.close()
  wire.close()
  return { rate, cpuPercent: (user + system) / 1e4 / idleSeconds }
}

/** Tables and indexes, for each queued job. */
async function bytesPerJob(open, { jobs, url }) {
  const driver = await open({ concurrency: 10, handler: working })
  await addAll(driver, CHUNK)
  return await withClient(url, async (query) => {
    const before = await userBytes(query)
    await addAll(driver, jobs)
    const bytes = ((await userBytes(query)) - before) / jobs
    await driver.close()
    return { bytes }
  })
}
