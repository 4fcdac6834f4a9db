import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { describeInBrowser } from '../browser/chromium.ts'
import { useTheatre } from './theatre.ts'

const theatre = useTheatre()

/** The tab is looked at, or not. */
async function see(page: Page, isSeen: boolean): Promise<void> {
  await page.evaluate(`
    Object.defineProperty(document, 'hidden', { configurable: true, value: ${String(!isSeen)} })
    document.dispatchEvent(new Event('visibilitychange'))
  `)
}

/** Adds jobs that are due in an hour. */
async function add(ids: readonly string[]): Promise<void> {
  for (const id of ids) await theatre.images.add('resize', undefined, { id, delay: '1h' })
}

/** Loads a page whose time is the test's; what it asks for from then on. */
async function load(page: Page, url: string): Promise<{ readonly asked: string[] }> {
  page.setDefaultTimeout(8000)
  await page.clock.install()
  await page.goto(url)
  const asked: string[] = []
  page.on('request', (request) => { asked.push(request.url()) })
  return { asked }
}

describeInBrowser('a tab that is hidden', ({ open, errors }) => {
  test('does not listen to the fleet, and then shows it as it is', async () => {
    await add(['a'])
    const page = await open('about:blank')
    const { asked } = await load(page, await theatre.raise())
    const delayed = (jobs: number) => page.getByRole('link', { name: `delayed, ${jobs} job` })
    await delayed(1).waitFor()
    const ended = page.waitForEvent('requestfailed', (request) =>
      request.url().includes('/v1/fleet/stream'))
    await see(page, false)
    await ended
    asked.length = 0
    await add(['b', 'c'])
    // All that is asked for at intervals would be asked for meanwhile.
    await page.clock.runFor(30_000)
    expect(asked).toEqual([])
    expect(await delayed(1).count()).toBe(1)
    await see(page, true)
    await delayed(3).waitFor()
    expect(asked.filter((url) => url.includes('/v1/fleet/stream')).length).toBe(1)
    await add(['d'])
    await delayed(4).waitFor()
    expect(errors).toEqual([])
  })

  test.for([
    ['#/jobs', 'resize'], ['#/workers', 'stage'],
  ] as const)('asks for nothing: %s', async ([address, shown]) => {
    await add(['a'])
    await theatre.troupe.start()
    const page = await open('about:blank')
    const { asked } = await load(page, `${await theatre.raise()}${address}`)
    await page.locator('tbody').getByText(shown).first().waitFor()
    await see(page, false)
    await page.clock.runFor(1000)
    asked.length = 0
    await page.clock.runFor(30_000)
    expect(asked).toEqual([])
    await see(page, true)
    await page.clock.runFor(6000)
    await expect.poll(() => asked.length).toBeGreaterThan(0)
    expect(errors).toEqual([])
  })
})
