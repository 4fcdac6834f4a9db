import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { describeInBrowser } from '../browser/chromium.ts'
import { useTheatre } from './theatre.ts'

const theatre = useTheatre()
const script = '<script>document.title = "taken"</script><img src=x onerror="document.title=1">'
const rightToLeft = 'עברית \u202e txet'

async function title(page: Page): Promise<string> {
  return page.evaluate<string>('document.title')
}

test('all files of the page are under 80 kB with gzip', async () => {
  expect(await theatre.gzipSize()).toBeLessThan(80_000)
})

describeInBrowser('what others wrote', ({ open, errors }) => {
  test('is text, however it is meant', async () => {
    const { images } = theatre
    await theatre.troupe.start()
    const label = `${script}${rightToLeft}`
    await (await images.add('fail', { text: script + 'x'.repeat(60_000) }, { label })).result()
      .catch(() => undefined)
    await images.add('resize', undefined, { delay: '1h', partition: script })
    const page = await open(await theatre.raise())
    await page.getByText(script).first().waitFor()
    expect(await title(page)).toBe('Fleet · Troupe')
    expect(await page.locator('.fails img, .fails script').count()).toBe(0)
    const across = await page.evaluate<number>('document.documentElement.scrollWidth')
    expect(across).toBeLessThanOrEqual(1280)
    await page.goto(`${theatre.url}/#/fleet?text=${encodeURIComponent(script)}&edge=%3Cscript%3E`)
    await page.getByText('No queue has this name').waitFor()
    expect(errors).toEqual([])
  })

  test('a thousand queues stay a short list', async () => {
    for (let index = 0; index < 998; index += 1) {
      theatre.queue(`q${String(index).padStart(4, '0')}`)
    }
    const page = await open(await theatre.raise())
    await page.getByText('1,000, by what waits and runs').waitFor()
    expect(await page.locator('.qrow').count()).toBeLessThan(20)
    await page.keyboard.press('/')
    await page.keyboard.type('q0997')
    await page.getByRole('link', { name: 'q0997' }).waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await expect.poll(() => page.url()).toContain('queue=q0997')
  })
})
