import { expect } from 'vitest'
import type { Line } from './stage.ts'

/**
 * The lines tell of so many outages of a store, and of nothing else: one line when each began, and
 * one when it was over. The last one may go on.
 */
export function expectOutages(lines: readonly Line[], least = 1, most = least): void {
  const began = lines.filter(({ level }) => level === 'error')
  expect(began.length).toBeGreaterThanOrEqual(least)
  expect(began.length).toBeLessThanOrEqual(most)
  for (const [index, { level, message, err }] of lines.entries()) {
    expect(level).toBe(index % 2 === 0 ? 'error' : 'warn')
    if (level === 'error') expect(err).toMatchObject({ code: 'store-failed' })
    else expect(message).toMatch(/^the store takes everything again; it refused \d+ times/)
  }
}
