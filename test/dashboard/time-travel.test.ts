import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import type { WireMoment } from '../../src/gateway/fleet-protocol.ts'
import { leaves } from '../../src/gateway/fleet-protocol.ts'
import { describeInBrowser } from '../browser/chromium.ts'
import { useTheatre } from './theatre.ts'

const theatre = useTheatre()

/** One after the other: three of `resize`, and between them two of `fail`. */
async function play(): Promise<void> {
  const { images, troupe } = theatre
  await troupe.start()
  await (await images.add('resize')).result()
  for (const text of ['no picture', 'no light']) {
    // A step goes from moment to moment: these are to be some.
    const before = Date.now()
    await expect.poll(() => Date.now(), { interval: 1 }).toBeGreaterThan(before + 2)
    await (await images.add('fail', { text }, { partition: 'acme' })).result()
      .catch(() => undefined)
    await (await images.add('resize')).result()
  }
}

async function jobsIn(page: Page, state: string): Promise<number> {
  const link = page.getByRole('link', { name: new RegExp(`^${state}, [\\d,]+ job`) })
  const name = await link.getAttribute('aria-label')
  return Number(/, ([\d,]+) job/.exec(name ?? '')?.[1])
}

async function ask(query: string): Promise<Record<string, number>> {
  const answer = await fetch(`${theatre.url}/v1/fleet/at?${query}`)
  const moment = await answer.json() as WireMoment
  const counts = moment.kept ? moment.counts : []
  return Object.fromEntries(leaves.map((leaf, place) => [leaf, counts[place] ?? 0] as const)
    .filter(([, jobs]) => jobs > 0))
}

describeInBrowser('time travel', ({ open, errors }) => {
  test('heeds a filter by task, and says of which partition it knows nothing', async () => {
    await play()
    const page = await open(`${await theatre.raise()}#/fleet?task=fail`)
    page.setDefaultTimeout(8000)
    await expect.poll(() => jobsIn(page, 'failed')).toBe(2)
    expect(await page.getByText('Nobody counted').count()).toBe(0)
    await page.keyboard.press('[')
    await page.getByText('Nobody counted fail alone').waitFor()
    await expect.poll(() => jobsIn(page, 'failed')).toBe(2)
    expect(await jobsIn(page, 'completed')).toBe(0)
    await page.getByRole('slider').press('Home')
    await expect.poll(() => jobsIn(page, 'failed')).toBe(0)
    await page.goto(`${theatre.url}/#/fleet?partition=acme`)
    await page.keyboard.press('l')
    await expect.poll(() => jobsIn(page, 'failed')).toBe(2)
    expect(await jobsIn(page, 'completed')).toBe(0)
    const notice = page.getByText('the past is shown of all partitions, not of acme alone')
    // A key that comes before the page has taken up its new address says nothing of partitions.
    await expect.poll(async () => {
      await page.keyboard.press('[')
      return notice.waitFor({ timeout: 2500 }).then(() => true, () => false)
    }, { timeout: 8000 }).toBe(true)
    await expect.poll(() => jobsIn(page, 'completed')).toBe(3)
    expect(errors).toEqual([])
  })

  test('of a task counts as the stream does, and estimates what the log has lost', async () => {
    const { troupe, store } = theatre
    const short = troupe.queue('short', {
      concurrency: 1, retention: { log: 200 },
      tasks: { a: (): null => null, b: (): null => null },
    })
    await short.addMany(Array.from({ length: 30 }, () => ({ task: 'a' as const })))
    await short.addMany(Array.from({ length: 10 }, () => ({ task: 'b' as const })))
    await theatre.raise()
    expect(await ask('queue=short&task=a')).toEqual({ ready: 30 })
    expect(await ask('queue=short&task=b')).toEqual({ ready: 10 })
    expect(await ask('queue=short&task=a,b')).toEqual({ ready: 40 })
    expect(await ask('queue=short&task=none')).toEqual({})
    await troupe.start()
    await short.idle()
    expect(await ask('queue=short&task=a')).toEqual({ completed: 30 })
    expect(await ask('queue=short&task=b')).toEqual({ completed: 10 })
    await short.addMany(Array.from({ length: 100 }, () => ({ task: 'b' as const })))
    await short.idle()
    await expect.poll(async () => (await store.readLog('short', 1e6, 1)).oldest, { timeout: 8000 })
      .toBeGreaterThan(1)
    const { completed, ...others } = await ask('queue=short&task=b')
    expect(others).toEqual({})
    // Of ten the log may tell nothing any more.
    expect(completed).toBeGreaterThanOrEqual(100)
    expect(completed).toBeLessThanOrEqual(110)
  })

  test('shows the failures until the moment', async () => {
    await play()
    const page = await open(await theatre.raise())
    page.setDefaultTimeout(8000)
    const list = page.getByRole('region', { name: 'Last failures' })
    await list.getByText('no light').waitFor()
    await list.getByText('2 kept').waitFor()
    while (await list.getByText('no light').count() > 0) {
      await Promise.all([
        page.waitForResponse((response) => response.url().includes('until=')),
        page.keyboard.press('['),
      ])
      await page.evaluate('new Promise(requestAnimationFrame)')
    }
    await list.getByText('no picture').waitFor()
    await list.getByText(/^until \d\d:\d\d:\d\d$/).waitFor()
    await page.getByRole('slider').press('Home')
    await list.getByRole('heading', { name: 'Nothing had failed' }).waitFor()
    await page.keyboard.press('l')
    await list.getByText('no light').waitFor()
    expect(errors).toEqual([])
  })

  test('leads from an error to the failed jobs with it', async () => {
    await play()
    await theatre.images.add('fail', { text: 'no "light"\n  at all' })
    await theatre.images.idle()
    const page = await open(await theatre.raise())
    page.setDefaultTimeout(8000)
    await page.getByRole('link', { name: 'no light' }).click()
    await expect.poll(() => page.locator('.foot').innerText()).toContain('1 of 1 listed')
    expect(page.url()).toContain('queue=images&state=failed&text=no+light')
    await page.goto(`${theatre.url}/#/fleet`)
    await page.getByRole('link', { name: 'no "light"' }).click()
    await expect.poll(() => page.locator('.foot').innerText()).toContain('1 of 1 listed')
  })

  test('hatches what the log no longer keeps, and nothing else', async () => {
    const { troupe } = theatre
    const short = troupe.queue('short', {
      retention: { log: 20 }, tasks: { quick: (): null => null },
    })
    await play()
    const page = await open(await theatre.raise())
    await page.getByRole('slider').waitFor()
    expect(await page.locator('.track .gone').count()).toBe(0)
    await short.addMany(Array.from({ length: 100 }, () => ({ task: 'quick' as const })))
    await short.idle()
    await expect.poll(async () => {
      await page.reload()
      await page.getByRole('slider').waitFor()
      return page.locator('.track .gone').count()
    }, { timeout: 15_000, interval: 500 }).toBe(1)
    const gone = await page.locator('.track .gone').getAttribute('width')
    expect(Number(gone)).toBeGreaterThan(0)
    expect(Number(gone)).toBeLessThan(1000)
    await page.getByText('not kept').waitFor()
    await page.getByRole('slider').press('Home')
    await page.getByText('The log no longer keeps this moment').waitFor()
    expect(errors).toEqual([])
  })
})
