/** What Troupe alone is asked: does the cost stay flat when there is more of everything? */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { addAll, heldBytes, noop, payload, quantile } from './load.mjs'

/** p50 of an awaited add with ten jobs waiting, and with 50,000. */
export async function backlog(open) {
  const driver = await open({ concurrency: 10, handler: noop })
  if (!driver.follow) return {}
  await addAll(driver, 300)
  const fewP50 = await addP50(driver)
  await addAll(driver, 50_000)
  const manyP50 = await addP50(driver)
  await driver.close()
  return { fewP50, manyP50, ratio: manyP50 / fewP50 }
}

async function addP50(driver) {
  const times = []
  for (let i = 0; i < 500; i++) {
    const started = performance.now()
    await driver.add(payload(i))
    times.push(performance.now() - started)
  }
  return quantile(times, 0.5)
}

/** p50 of an awaited add whose key is new or held, in turn, with 100 keys held and with 100,000. */
export async function keyed(open, { heapJobs }) {
  const driver = await open({ concurrency: 10, handler: noop })
  if (!driver.addKeyed) return {}
  const fewP50 = await keyedP50(driver, 0, 100)
  const manyP50 = await keyedP50(driver, 1000, heapJobs)
  await driver.close()
  return { fewP50, manyP50, ratio: manyP50 / fewP50 }
}

async function keyedP50(driver, from, count) {
  for (let done = 0; done < count; done += 1000) {
    const length = Math.min(1000, count - done)
    await driver.addManyKeyed(Array.from({ length }, (_, i) => `key ${from + done + i}`))
  }
  const times = []
  for (let i = 0; i < 500; i++) {
    const key = i % 2 === 0 ? `key ${from + (i % count)}` : `new ${from + i}`
    const started = performance.now()
    await driver.addKeyed(payload(i), key)
    times.push(performance.now() - started)
  }
  return quantile(times, 0.5)
}

/** The longest time that the event loop was blocked while 100,000 jobs were written at close. */
export async function checkpoint(open, { heapJobs }) {
  const driver = await open({ concurrency: 10, handler: noop })
  if (!driver.follow) return {}
  await addAll(driver, heapJobs)
  globalThis.gc()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const started = performance.now()
  await driver.close()
  const closeMs = performance.now() - started
  delay.disable()
  return { closeMs, blockedMs: delay.max / 1e6 }
}

/** µs for each job while 10, then 10,000 other jobs are followed. */
export async function followed(open, { jobs }) {
  const few = await drainFollowing(open, jobs, 10)
  if (few === undefined) return {}
  const many = await drainFollowing(open, jobs, 10_000)
  return { fewUs: few, manyUs: many, ratio: many / few }
}

async function drainFollowing(open, jobs, count) {
  const driver = await open({ concurrency: 100, handler: noop })
  if (!driver.follow) return undefined
  await driver.follow(count)
  await addAll(driver, jobs)
  globalThis.gc()
  const started = performance.now()
  const drained = driver.drained()
  await driver.start()
  await drained
  const us = ((performance.now() - started) / jobs) * 1000
  await driver.close()
  return us
}

/** Heap left by 100,000 finished and observed jobs, with a small retention: bytes for each. */
export async function growth(open, { heapJobs }) {
  const retention = { completed: 100, failed: 100, minAge: 0, log: 1000 }
  const driver = await open({ concurrency: 100, handler: noop, retention })
  if (!driver.follow) return {}
  await driver.start()
  await finish(driver, 20_000)
  const before = await heldBytes()
  await finish(driver, heapJobs)
  const bytes = ((await heldBytes()) - before) / heapJobs
  await driver.close()
  return { bytes }
}

/** Every job is awaited through its own handle, in chunks. */
async function finish(driver, jobs) {
  for (let done = 0; done < jobs; done += 1000) {
    await Promise.all(Array.from({ length: 1000 }, (_, i) => driver.run(payload(done + i))))
  }
  await driver.swept()
}
