import axe from 'axe-core'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

/** Both themes, and as narrow as a telephone. */
const looks = [
  { colorScheme: 'light', width: 1440 }, { colorScheme: 'dark', width: 1440 },
  { colorScheme: 'dark', width: 360 }, { colorScheme: 'light', width: 360 },
] as const

/** In each look nothing that axe finds, and nothing to scroll to at the side. */
export async function expectSound(page: Page): Promise<void> {
  await expect.poll(() => page.locator('.wait').count()).toBe(0)
  await page.evaluate(axe.source)
  for (const { colorScheme, width } of looks) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.setViewportSize({ width, height: 900 })
    const { violations } = await page.evaluate<AxeResults>(
      `axe.run(document, { resultTypes: ['violations'] })`,
    )
    const faults = violations.map(({ id, nodes }) =>
      `${id}: ${nodes.map(({ html }) => html).join()}`)
    const where = `${page.url()} ${colorScheme} ${width} px`
    expect(faults, where).toEqual([])
    const across = await page.evaluate<number>('document.documentElement.scrollWidth')
    expect(across, where).toBeLessThanOrEqual(width)
  }
}
