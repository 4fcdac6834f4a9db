import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { describeInBrowser } from '../browser/chromium.ts'
import { expectSound } from './page-checks.ts'
import { useTheatre } from './theatre.ts'
import type { Theatre } from './theatre.ts'

const theatre = useTheatre()
const script = '<script>window.taken=1</script><img src=x onerror="window.taken=1">'

/** Jobs `image 0` to `image n - 1` that nobody works on. */
async function fill({ images }: Theatre, count: number): Promise<void> {
  for (let start = 0; start < count; start += 500) {
    const size = Math.min(500, count - start)
    await images.addMany(Array.from({ length: size }, (_none, index) => {
      const number = start + index
      return {
        task: 'resize' as const, id: `j${number}`, label: `image ${number}`,
        partition: number % 2 === 0 ? 'even' : 'odd',
        meta: { plan: number % 10 === 0 ? 'pro' : 'free' },
      }
    }))
  }
}

async function labels(page: Page): Promise<readonly string[]> {
  return page.locator('.jobs-table td a').allInnerTexts()
}

function foot(page: Page) {
  return page.locator('.foot').first()
}

/** A search for text ends after a while, on a busy machine before it is through. */
async function expectFound(page: Page, text: string): Promise<void> {
  await expect.poll(async () => {
    const on = page.getByRole('button', { name: 'Search on' })
    if (await on.isVisible()) await on.click({ timeout: 1000 }).catch(() => undefined)
    return foot(page).innerText()
  }, { timeout: 10_000 }).toContain(text)
}

describeInBrowser('the jobs', ({ open, errors }) => {
  test('are all there as one scrolls, and few of them in the page', async () => {
    await fill(theatre, 1000)
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/jobs`)
    await page.getByRole('link', { name: 'image 999' }).waitFor()
    const rows = page.locator('.rows')
    await expect.poll(async () => {
      await rows.evaluate((box: unknown) => { (box as { scrollTop: number }).scrollTop += 2000 })
      return foot(page).innerText()
    }, { timeout: 10_000, interval: 20 }).toContain('1,000 of 1,000 listed')
    await rows.evaluate((box: unknown) => { (box as { scrollTop: number }).scrollTop = 1e9 })
    await page.getByRole('link', { name: 'image 0', exact: true }).waitFor()
    expect((await labels(page)).length).toBeLessThan(90)
    expect(errors).toEqual([])
  })

  test('are filtered by what the address says', async () => {
    await fill(theatre, 300)
    await theatre.mail.add('resize', undefined, { id: 'm', label: 'a letter' })
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/jobs?queue=images&partition=even`)
    await expect.poll(() => foot(page).innerText()).toContain('150 of 150 listed')
    await page.keyboard.press('/')
    await page.keyboard.type('meta.plan=pro image 2')
    await expectFound(page, '11 of 11 listed')
    expect(new URLSearchParams(page.url().split('?')[1]).get('text')).toBe('meta.plan=pro image 2')
    expect((await labels(page))[0]).toBe('image 290')
    await page.reload()
    await expectFound(page, '11 of 11 listed')
    await page.getByRole('link', { name: /^failed/ }).click()
    await page.getByRole('heading', { name: 'No job is like that' }).waitFor()
    await page.getByRole('button', { name: 'Clear' }).click()
    await page.getByRole('link', { name: 'a letter' }).waitFor()
    await expect.poll(() => foot(page).innerText()).toContain('of 301 listed')
  })

  test('are chosen and worked on with the keyboard alone, all that match at once', async () => {
    await fill(theatre, 600)
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/jobs?queue=images`)
    await page.getByRole('link', { name: 'image 599' }).waitFor()
    for (const key of ['j', 'x', 'j', 'x']) await page.keyboard.press(key)
    const bar = page.getByRole('region', { name: 'Selection' })
    await bar.getByText('2 jobs').waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => bar.count()).toBe(0)
    await page.keyboard.press('a')
    await bar.getByText('All 600 that match').waitFor()
    await bar.getByRole('button', { name: /^Cancel/ }).press('Enter')
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('heading', { name: 'Cancel 600 unsettled jobs of images?' }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByText('600 jobs cancelled, or told to end').waitFor()
    expect((await theatre.images.counts()).cancelled).toBe(600)
    await page.locator('.jobs-table .state').first().getByText('cancelled').waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('x')
    await bar.getByRole('button', { name: /^Retry/ }).press('Enter')
    await dialog.getByRole('heading', { name: 'Retry 1 failed or cancelled job' }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByText('1 job retried').waitFor()
    expect((await theatre.images.counts()).ready).toBe(1)
    await page.keyboard.press('Escape')
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Transitions' }).waitFor()
  })

  test('show what others wrote as text, among a thousand queues', async () => {
    for (let index = 0; index < 997; index += 1) theatre.queue(`q${index}`)
    const odd = theatre.queue(script.slice(0, 60))
    await odd.add('resize', { [script]: script }, {
      id: script.slice(0, 100), label: `עברית ${script}`, partition: script.slice(0, 60),
      meta: { [script]: script },
    })
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/jobs`)
    const link = page.getByRole('link', { name: `עברית ${script}` })
    await link.waitFor()
    await page.getByText('of the 12 queues with most of them').waitFor()
    await link.click()
    await page.getByRole('group', { name: 'Input' }).getByText(script).first().waitFor()
    expect(await page.evaluate('window.taken')).toBeUndefined()
    await page.goto(`${theatre.url}/#/jobs?queue=%3Cimg%3E&text=${encodeURIComponent(script)}`)
    await page.getByRole('heading', { name: 'There is no such queue' }).waitFor()
    expect(errors).toEqual([])
  })

  test('cannot be changed through a gateway that only reads', async () => {
    await fill(theatre, 3)
    const page = await open(await theatre.raise({ readOnly: true }))
    await page.goto(`${theatre.url}/#/jobs`)
    await page.getByRole('link', { name: 'image 2' }).waitFor()
    await page.keyboard.press('a')
    const bar = page.getByRole('region', { name: 'Selection' })
    await bar.getByText('Read-only').waitFor()
    expect(await bar.getByRole('button').allInnerTexts()).toEqual(['only the 3 shown', 'Clear'])
  })

  test('are sound in both themes, wide and narrow', async () => {
    await fill(theatre, 40)
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/jobs`)
    await page.getByRole('link', { name: 'image 39' }).waitFor()
    await page.keyboard.press('a')
    await expectSound(page)
  })
})
