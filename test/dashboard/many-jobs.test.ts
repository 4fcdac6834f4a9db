import type { Page } from 'playwright-core'
import { beforeEach, expect, test } from 'vitest'
import { TroupeErrorOf } from '../../src/errors.ts'
import { describeInBrowser } from '../browser/chromium.ts'
import { useTheatre } from './theatre.ts'

const theatre = useTheatre()
const many = 100_000
/** Rows that are in the page: a window of them, with some to spare. */
const mostRows = 90

/** Jobs `image 0` to `image 99999` that nobody works on. */
async function fill(): Promise<void> {
  for (let start = 0; start < many; start += 1000) {
    await theatre.images.addMany(Array.from({ length: 1000 }, (_none, index) => {
      const number = start + index
      return {
        task: 'resize' as const, id: `j${number}`, label: `image ${number}`,
        ...(number % 2 === 0 ? { partition: 'even' } : {}),
      }
    }))
  }
}

function foot(page: Page) {
  return page.locator('.foot').first()
}

/** The numbers of the jobs that are in the page, from the top down. */
async function numbers(page: Page): Promise<readonly number[]> {
  const labels = await page.locator('.jobs-table td a').allInnerTexts()
  return labels.map((label) => Number(label.replace('image ', '')))
}

/** Scrolls to this share of the list, and answers what is in sight when it is there. */
async function scrollTo(page: Page, share: number): Promise<readonly number[]> {
  await page.locator('.rows').evaluate((box: unknown, part) => {
    const rows = box as { scrollTop: number; readonly scrollHeight: number }
    rows.scrollTop = rows.scrollHeight * part
  }, share)
  await expect.poll(() => waiting(page)).toBe(false)
  return numbers(page)
}

/** Rows in sight are still asked for. */
function waiting(page: Page): Promise<boolean> {
  return page.evaluate(`(() => {
    const box = document.querySelector('.rows').getBoundingClientRect()
    return [40, box.height / 2, box.height - 40].some((y) =>
      !document.elementFromPoint(box.left + 300, box.top + y)?.closest('tr')?.querySelector('a'))
  })()`)
}

async function openJobs(page: Page): Promise<void> {
  page.setDefaultTimeout(15_000)
  await page.goto(`${theatre.url}/#/jobs`)
  await page.getByRole('link', { name: `image ${many - 1}`, exact: true }).waitFor()
}

function asked(page: Page) {
  return page.getByRole('heading', { name: 'Cancel 100,000 unsettled jobs of images and mail?' })
}

describeInBrowser('a hundred thousand jobs', ({ open, errors }) => {
  beforeEach(fill, 30_000)

  test('are gone through from the top over the middle to the end, a window at a time', async () => {
    const page = await open(await theatre.raise())
    await openJobs(page)
    await expect.poll(() => foot(page).innerText()).toContain('200 of 100,000 listed')
    const middle = await scrollTo(page, 0.5)
    expect(middle.length).toBeLessThan(mostRows)
    // Where a row is follows from when jobs were added: about there is good enough.
    expect(Math.abs((middle[0] ?? 0) - many / 2)).toBeLessThan(many / 20)
    expect(middle).toEqual(middle.map((_number, index) => (middle[0] ?? 0) - index))
    await expect.poll(() => foot(page).innerText()).toMatch(/from about row (49|50),\d{3} on/)
    expect((await scrollTo(page, 1)).at(-1)).toBe(0)
    expect((await numbers(page)).length).toBeLessThan(mostRows)
    expect((await scrollTo(page, 0))[0]).toBe(many - 1)
    expect(errors).toEqual([])
  })

  test('have no gap and no double where one goes on from the middle', async () => {
    const page = await open(await theatre.raise())
    await openJobs(page)
    const seen = new Set(await scrollTo(page, 0.5))
    for (const by of [...new Array<number>(20).fill(-900), ...new Array<number>(40).fill(900)]) {
      await page.locator('.rows').evaluate((box: unknown, more) => {
        (box as { scrollTop: number }).scrollTop += more
      }, by)
      await expect.poll(() => waiting(page)).toBe(false)
      const rows = await numbers(page)
      expect(rows).toEqual(rows.map((_number, index) => (rows[0] ?? 0) - index))
      for (const number of rows) seen.add(number)
    }
    const all = [...seen].sort((a, b) => a - b)
    expect(all.length).toBeGreaterThan(1000)
    expect((all.at(-1) ?? 0) - (all[0] ?? 0) + 1).toBe(all.length)
    expect(errors).toEqual([])
  })

  test('of which nobody has counted some are said to be over as many as are listed', async () => {
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/jobs?partition=even`)
    await expect.poll(() => foot(page).innerText()).toContain('200 of over 200 listed')
    await scrollTo(page, 1)
    await expect.poll(() => foot(page).innerText()).toMatch(/([46]00) of over \1 listed/)
    expect((await numbers(page)).length).toBeLessThan(mostRows)
  })

  test('are cancelled all at once, after a count of them, with a bar that grows', async () => {
    const page = await open(await theatre.raise())
    await openJobs(page)
    await page.evaluate(`new MutationObserver(() => {
      const bar = document.querySelector('progress')
      if (bar && bar.value > 0 && bar.value < bar.max) document.body.dataset.partly = bar.max
    }).observe(document.body, { subtree: true, attributeFilter: ['value'] })`)
    await page.keyboard.press('a')
    await page.getByText('All 100,000 that match').waitFor()
    await page.getByRole('button', { name: /^Cancel/ }).click()
    await asked(page).waitFor()
    expect((await theatre.images.counts()).cancelled).toBe(0)
    await page.keyboard.press('Enter')
    await page.getByText('100,000 jobs cancelled, or told to end').waitFor()
    expect(await page.locator('body[data-partly="100000"]').count()).toBe(1)
    expect((await theatre.images.counts()).queued).toBe(0)
    expect(errors).toEqual([])
  })

  test('of which some were cancelled before the store failed: the page says so', async () => {
    const page = await open(await theatre.raise())
    await openJobs(page)
    await page.keyboard.press('a')
    await page.getByRole('button', { name: /^Cancel/ }).click()
    await asked(page).waitFor()
    const { store } = theatre
    const apply = store.apply.bind(store)
    const fault = new TroupeErrorOf('store-failed', 'the disk is full', { operation: 'apply' })
    let batches = 0
    store.apply = (requests) => {
      batches += 1
      return batches <= 40 ? apply(requests) : Promise.reject(fault)
    }
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText(/^20,000 of 100,000 jobs cancelled/).waitFor()
    const { cancelled, queued } = await theatre.images.counts()
    expect([cancelled, queued]).toEqual([20_000, 80_000])
    // It can be gone on with.
    await page.getByRole('button', { name: /^Cancel/ }).waitFor()
  })
})
