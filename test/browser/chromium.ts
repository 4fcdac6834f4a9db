import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'

/** The system's own: nothing is downloaded. */
const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser']
const executable = [process.env['TROUPE_TEST_CHROMIUM'], ...places]
  .find((path) => path !== undefined && existsSync(path))

export interface InBrowser {
  /** A page of a fresh profile; what it reports as an error is in `errors`. */
  readonly open: (url: string, options?: BrowserContextOptions) => Promise<Page>
  /** Errors of scripts and of the console, of all pages of the test. */
  readonly errors: readonly string[]
}

/**
 * Tests in a real Chromium. Without one they are skipped, and the name says so; where `CI` is set
 * they fail.
 */
export function describeInBrowser(name: string, body: (browser: InBrowser) => void): void {
  if (executable === undefined) {
    const missing = `${name}: no Chromium on this machine (apt-get install chromium)`
    if (process.env['CI'] === undefined) describe.skip(missing, () => { test('', () => undefined) })
    else test(name, () => { throw new Error(missing) })
    return
  }
  // Two browsers on a busy machine take their time.
  describe(name, { timeout: 60_000 }, () => {
    let browser: Browser | null = null
    const errors: string[] = []
    beforeAll(async () => {
      browser = await chromium.launch({ executablePath: executable, args: ['--no-sandbox'] })
    }, 60_000)
    afterEach(async () => {
      await Promise.all((browser?.contexts() ?? []).map((context) => context.close()))
      errors.length = 0
    })
    afterAll(async () => { await browser?.close() })
    body({
      errors,
      open: async (url, options) => {
        if (!browser) throw new Error('the browser has not started')
        const page = await (await browser.newContext(options)).newPage()
        page.on('pageerror', (error) => { errors.push(error.message) })
        page.on('console', (line) => { if (line.type() === 'error') errors.push(line.text()) })
        await page.goto(url)
        return page
      },
    })
  })
}
