import { setTimeout as sleep } from 'node:timers/promises'

export const CHUNK = 1_000
export const noop = async () => {}

/** About 90 bytes as JSON. */
export const payload = (i) => ({
  i,
  to: 'user@example.com',
  subject: 'Your order is on its way',
  template: 'shipped-v2',
})

export async function addAll(driver, count) {
  for (let from = 0; from < count; from += CHUNK) {
    const length = Math.min(CHUNK, count - from)
    await driver.addMany(Array.from({ length }, (_, k) => payload(from + k)))
  }
}

export async function heldBytes() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc()
    await sleep(50)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Interpolated between the two nearest values. */
export function quantile(numbers, q) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const place = q * (sorted.length - 1)
  const below = Math.floor(place)
  const above = Math.ceil(place)
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below)
}
