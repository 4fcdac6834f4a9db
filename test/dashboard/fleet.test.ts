import { readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import axe from 'axe-core'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { describeInBrowser } from '../browser/chromium.ts'
import { useTheatre } from './theatre.ts'
import type { Theatre } from './theatre.ts'

const theatre = useTheatre()

/** The counts that the chart names, in the order of its states. */
async function countsOf(page: Page): Promise<Record<string, number>> {
  const names = await page.evaluate<readonly string[]>(
    `[...document.querySelectorAll('svg.chart .node > a')].map((node) => node.ariaLabel ?? '')`,
  )
  return Object.fromEntries(names.map((name) => {
    const [, state = '', count = ''] = /^(\w+), ([\d,]+) job/.exec(name) ?? []
    return [state, Number(count.replaceAll(',', ''))]
  }))
}

async function untilCounts(page: Page, wanted: Record<string, number>): Promise<void> {
  await expect.poll(() => countsOf(page), { timeout: 8000, interval: 50 })
    .toMatchObject(wanted)
}

/** What axe has against the page. */
async function faults(page: Page): Promise<readonly string[]> {
  const { violations } = await page.evaluate<AxeResults>(
    `axe.run(document, { resultTypes: ['violations'] })`,
  )
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join()}`)
}

/** Three completed, one failed, one running, one delayed. */
async function play({ troupe, images }: Theatre): Promise<void> {
  await troupe.start()
  for (const id of ['a', 'b', 'c']) await (await images.add('resize', undefined, { id })).result()
  await (await images.add('fail', { text: 'no picture' }, { id: 'd' })).result()
    .catch(() => undefined)
  await images.add('resize', undefined, { id: 'e', delay: '1h' })
  await images.add('hang', undefined, { id: 'f' })
}
const addresses = ['#/fleet', '#/fleet?chart=queue', '#/fleet?edge=running-failed-fail']
const played = { completed: 3, failed: 1, running: 1, delayed: 1, ready: 0, queued: 1 }

describeInBrowser('the fleet', ({ open: openPage, errors }) => {
  const open: typeof openPage = async (...given) => {
    const page = await openPage(...given)
    page.setDefaultTimeout(8000)
    return page
  }

  test('shows jobs as they move, and where they are', async () => {
    const page = await open(await theatre.raise())
    await page.getByRole('heading', { name: 'No job yet' }).waitFor()
    await play(theatre)
    await untilCounts(page, played)
    await page.getByRole('link', { name: /^complete, [\d.]+ a second/ }).waitFor()
    await page.getByRole('link', { name: 'snooze, not taken' }).waitFor()
    await page.getByText('no picture').first().waitFor()
    await page.getByRole('link', { name: /^failed, 1 job/ }).click()
    await expect.poll(() => page.url()).toContain('#/jobs?state=failed')
    expect(errors).toEqual([])
  })

  test('shows the last transitions along an edge', async () => {
    await play(theatre)
    const page = await open(await theatre.raise())
    await page.getByRole('link', { name: /^fail, timeout, stall/ }).press('Enter')
    await page.getByRole('list', { name: /Last transitions/ }).getByText('no picture').waitFor()
    expect(page.url()).toContain('edge=running-failed-fail')
    await page.getByRole('button', { name: 'Close' }).click()
    expect(page.url()).not.toContain('edge=')
  })

  test('pauses and resumes a queue', async () => {
    const page = await open(await theatre.raise())
    await page.getByRole('button', { name: 'Pause images' }).click()
    await page.getByRole('button', { name: 'Resume images' }).waitFor()
    expect((await theatre.images.status()).paused).toBe(true)
    await theatre.images.add('resize')
    await page.getByText('images is paused; 1 job waits.').waitFor()
    await page.getByRole('button', { name: 'Resume', exact: true }).click()
    await page.getByRole('button', { name: 'Pause images' }).waitFor()
    expect((await theatre.images.status()).paused).toBe(false)
  })

  test('is filtered by the address', async () => {
    await play(theatre)
    await theatre.mail.add('resize', undefined, { delay: '1h', partition: 'acme' })
    const url = await theatre.raise()
    const page = await open(`${url}#/fleet?queue=mail`)
    await untilCounts(page, { delayed: 1, completed: 0, failed: 0 })
    await page.getByLabel('Queue', { exact: true }).selectOption('images')
    await untilCounts(page, played)
    expect(page.url()).toContain('queue=images')
    await page.getByRole('button', { name: 'Clear' }).click()
    await untilCounts(page, { delayed: 2, completed: 3 })
    await page.getByLabel('Partition').fill('acme')
    await page.keyboard.press('Enter')
    await untilCounts(page, { delayed: 1, completed: 0 })
  })

  test('goes back to any moment of the log, and to now', async () => {
    await play(theatre)
    const page = await open(await theatre.raise())
    await untilCounts(page, played)
    const live = await countsOf(page)
    await page.keyboard.press('[')
    await page.getByRole('button', { name: 'Live', pressed: false }).waitFor()
    await expect.poll(() => countsOf(page)).toEqual(live)
    await page.keyboard.press('[')
    await expect.poll(() => countsOf(page)).not.toEqual(live)
    await page.keyboard.press(']')
    await expect.poll(() => countsOf(page)).toEqual(live)
    await page.getByRole('slider').press('Home')
    await untilCounts(page, { completed: 0, failed: 0, running: 0, queued: 0 })
    await page.keyboard.press('l')
    await page.getByRole('button', { name: 'Live', pressed: true }).waitFor()
    await theatre.images.add('resize', undefined, { delay: '1h' })
    await untilCounts(page, { delayed: 2 })
  })

  test('plays from there until now', async () => {
    await play(theatre)
    const page = await open(await theatre.raise())
    await untilCounts(page, played)
    await page.getByRole('button', { name: '60×' }).click()
    await page.getByRole('slider').press('Home')
    await page.getByRole('button', { name: 'Live', pressed: false }).waitFor()
    await page.keyboard.press('Space')
    await page.getByRole('button', { name: 'Pause', exact: true }).waitFor()
    await page.getByRole('button', { name: 'Live', pressed: true }).waitFor()
    await untilCounts(page, played)
  })

  test('works below a path', async () => {
    await play(theatre)
    const page = await open(`${await theatre.raise({ basePath: '/jobs' })}jobs/`)
    await untilCounts(page, played)
    expect(errors).toEqual([])
  })

  test('shows an exported log without any server as it was live', async () => {
    await play(theatre)
    const page = await open(await theatre.raise())
    await untilCounts(page, played)
    const live = await countsOf(page)
    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export' }).click()
    const file = await (await download).path()
    expect((await readFile(file, 'utf8')).trim().split('\n').length).toBeGreaterThan(5)
    const offline = await open(pathToFileURL(`${theatre.folder}/index.html`).href)
    await offline.getByText('No gateway').waitFor()
    await offline.locator('input[type=file]').setInputFiles(file)
    await expect.poll(() => countsOf(offline)).toEqual(live)
    await offline.getByRole('slider').press('Home')
    await offline.keyboard.press('[')
    await expect.poll(() => countsOf(offline)).not.toEqual(live)
    await offline.getByRole('slider').press('End')
    await expect.poll(() => countsOf(offline)).toEqual(live)
    await offline.locator('input[type=file]').setInputFiles({
      name: 'photo.jsonl', mimeType: 'text/plain', buffer: Buffer.from('{"no": "log"}'),
    })
    await offline.getByText('photo.jsonl is no exported log: line 1 is no transition').waitFor()
    expect(errors).toEqual([])
  })

  test('stays when the gateway goes, and goes on when it is back', async () => {
    await play(theatre)
    const page = await open(await theatre.raise())
    await untilCounts(page, played)
    await theatre.drop()
    await page.getByText(/Last news \d+\ss ago/).waitFor()
    await page.getByRole('alert').getByText('Reconnecting').waitFor()
    await untilCounts(page, played)
    await theatre.raiseAgain()
    await theatre.images.add('resize', undefined, { delay: '1h' })
    await untilCounts(page, { ...played, delayed: 2, queued: 2 })
    await page.getByText('Live', { exact: true }).first().waitFor()
  })

  test('has no buttons that nobody may press', async () => {
    const page = await open(await theatre.raise({ readOnly: true }))
    await page.getByText('This gateway is read-only').waitFor()
    await page.getByRole('link', { name: 'images' }).waitFor()
    expect(await page.getByRole('button', { name: 'Pause images' }).count()).toBe(0)
  })

  test('asks for the token', async () => {
    const token = 'a-token-of-some-length'
    const page = await open(await theatre.raise({ token }))
    await page.getByLabel('Token').fill('another')
    await page.keyboard.press('Enter')
    await page.getByText('does not know this token').waitFor()
    await page.getByLabel('Token').fill(token)
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'images' }).waitFor()
    await page.reload()
    await page.getByRole('link', { name: 'images' }).waitFor()
  })

  test('works with the keyboard alone', async () => {
    await play(theatre)
    const page = await open(await theatre.raise())
    await untilCounts(page, played)
    await page.keyboard.press('/')
    await page.keyboard.type('mail')
    await expect.poll(() => page.getByRole('listitem').filter({ hasText: 'images' })
      .filter({ hasText: 'waiting' }).count()).toBe(0)
    await page.keyboard.press('Escape')
    await page.keyboard.press('j')
    await page.keyboard.press('p')
    await page.getByRole('button', { name: 'Resume mail' }).waitFor()
    await page.keyboard.press('Enter')
    expect(page.url()).toContain('queue=mail')
    await page.keyboard.press('t')
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark')
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Shortcuts' }).getByText('step back').waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('g')
    await page.keyboard.press('w')
    await expect.poll(() => page.url()).toContain('#/workers')
    await page.keyboard.press('g')
    await page.keyboard.press('f')
    await expect.poll(() => page.url()).toContain('#/fleet')
    await page.keyboard.press('Tab')
    const ring = await page.evaluate('getComputedStyle(document.activeElement).boxShadow')
    expect(ring).not.toBe('none')
  })

  test.each([
    ['no-preference', true], ['reduce', false],
  ] as const)('pulses along its edges, motion %s', async (reducedMotion, wanted) => {
    const page = await open(await theatre.raise(), { reducedMotion })
    await page.getByRole('link', { name: 'images' }).waitFor()
    // Each pulse is there for a second only.
    await page.evaluate(`new MutationObserver((records) => {
      for (const { addedNodes } of records) for (const node of addedNodes) {
        if (node.classList?.contains('pulse')) document.body.dataset.pulsed = 'yes'
      }
    }).observe(document.body, { subtree: true, childList: true })`)
    await theatre.images.add('resize')
    await page.getByRole('link', { name: /^add, [\d.]+ a second/ }).waitFor()
    expect(await page.locator('body[data-pulsed]').count() > 0).toBe(wanted)
  })

  test('has no fault that axe finds, in both themes, wide and narrow', async () => {
    await play(theatre)
    const page = await open(await theatre.raise())
    await untilCounts(page, played)
    await page.evaluate(axe.source)
    for (const width of [1440, 360]) {
      await page.setViewportSize({ width, height: 900 })
      for (const address of addresses) {
        await page.evaluate(`location.hash = '${address}'`)
        await expect.poll(() => page.locator('.wait').count()).toBe(0)
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme })
          expect(await faults(page), `${address} ${width} ${colorScheme}`).toEqual([])
        }
        const across = await page.evaluate<number>('document.documentElement.scrollWidth')
        expect(across).toBeLessThanOrEqual(width)
      }
    }
  })
})
