import { setTimeout as sleep } from 'node:timers/promises'
import { CHUNK, addAll, heldBytes, noop, payload, quantile } from './load.mjs'
import { backlog, checkpoint, followed, growth, keyed } from './scaling.mjs'

/** Every measure: (open, options) → a flat object of numbers. `open` makes a fresh driver. */
export const measures = {
  drain10: (open, { jobs }) => drain(open, 10, jobs),
  drain100: (open, { jobs }) => drain(open, 100, jobs),
  single: singleAdds,
  bulk: (open, { jobs }) => bulkAdd(open, jobs),
  latency: idleLatency,
  heap: (open, { heapJobs }) => heapPerJob(open, heapJobs),
  backlog,
  keyed,
  checkpoint,
  followed,
  growth,
}

/** Preloaded no-op jobs, from start until the last one is done. */
async function drain(open, concurrency, jobs) {
  await drainOnce(open, concurrency, Math.min(jobs, 2_000))
  return { rate: await drainOnce(open, concurrency, jobs) }
}

async function drainOnce(open, concurrency, jobs) {
  let ran = 0
  const driver = await open({ concurrency, handler: async () => void ran++ })
  await addAll(driver, jobs)
  globalThis.gc()
  const started = performance.now()
  const drained = driver.drained()
  await driver.start()
  await drained
  const seconds = (performance.now() - started) / 1000
  await driver.close()
  if (ran !== jobs) throw new Error(`${ran} handlers ran for ${jobs} jobs`)
  return jobs / seconds
}

/** One add after another, each acknowledged, for a second or 20,000 adds, nothing running. */
async function singleAdds(open) {
  const driver = await open({ concurrency: 10, handler: noop })
  for (let i = 0; i < 200; i++) await driver.add(payload(i))
  globalThis.gc()
  const started = performance.now()
  let adds = 0
  let elapsed = 0
  while (adds < 20_000 && elapsed < 1_000) {
    await driver.add(payload(adds++))
    elapsed = performance.now() - started
  }
  await driver.close()
  return { rate: (adds / elapsed) * 1000 }
}

/** The quickest documented way to add many, in chunks of 1,000, nothing running. */
async function bulkAdd(open, jobs) {
  const driver = await open({ concurrency: 10, handler: noop })
  await addAll(driver, 2_000)
  globalThis.gc()
  const started = performance.now()
  await addAll(driver, jobs)
  const seconds = (performance.now() - started) / 1000
  await driver.close()
  return { rate: jobs / seconds }
}

/** One job at a time on a started, idle queue; the pauses vary so that polls are hit anywhere. */
async function idleLatency(open, { samples }) {
  let began = 0
  const handler = async () => void (began = performance.now())
  const driver = await open({ concurrency: 10, handler })
  await driver.start()
  const starts = []
  const dones = []
  const warmUp = 50
  for (let i = 0; i < warmUp + samples; i++) {
    await sleep(3 + ((i * 7) % 11))
    const added = performance.now()
    await driver.run(payload(i))
    const done = performance.now()
    if (i < warmUp) continue
    starts.push(began - added)
    dones.push(done - added)
  }
  await driver.close()
  return {
    startP50: quantile(starts, 0.5),
    startP99: quantile(starts, 0.99),
    doneP50: quantile(dones, 0.5),
    doneP99: quantile(dones, 0.99),
  }
}

/** Heap and external memory held by each queued job, nothing running, no handle kept. */
async function heapPerJob(open, jobs) {
  const driver = await open({ concurrency: 10, handler: noop })
  await addAll(driver, CHUNK)
  const before = await heldBytes()
  await addAll(driver, jobs)
  const bytes = ((await heldBytes()) - before) / jobs
  await driver.close()
  return { bytes }
}

/** Asked of Troupe only. */
export const ownMeasures = ['backlog', 'checkpoint', 'followed', 'growth']
