import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import type { Browser } from 'playwright-core'

/**
 * Takes the screenshots of docs/dashboard.md: `npm run build`, then
 * `npx tsx scripts/dashboard-screenshots.ts`. Chromium is looked for in CHROMIUM, or /usr/bin.
 */
const place = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))
const folder = place('docs/images')
const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
/** Long enough for sparklines and rates. */
const playMs = 45_000

interface Shot {
  readonly name: string
  readonly address: string
  readonly width?: number
  readonly height?: number
  /** A link that leads there from the address. */
  readonly follow?: string
}

const shots: readonly Shot[] = [
  { name: 'fleet', address: '#/fleet' },
  { name: 'fleet-narrow', address: '#/fleet', width: 360, height: 780 },
  { name: 'queue-control', address: '#/fleet?chart=queue' },
  { name: 'edge', address: '#/fleet?edge=running-delayed-fail' },
  { name: 'jobs', address: '#/jobs?queue=image_processing' },
  { name: 'job', address: '#/fleet', follow: '.fails a >> nth=4' },
]

/** The demonstration, and the address that it prints. */
async function startDemo(): Promise<{ readonly url: string; readonly stop: () => void }> {
  const demo = spawn(process.execPath, ['--import', 'tsx', place('scripts/demo-fleet.ts'), '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  for await (const chunk of demo.stdout) {
    said += String(chunk)
    const [url] = /http:\S+/.exec(said) ?? []
    if (url !== undefined) return { url, stop: () => { demo.kill() } }
  }
  throw new Error(`the demonstration ended and said: ${said}`)
}

async function take(browser: Browser, url: string, theme: 'light' | 'dark'): Promise<void> {
  const pages = await Promise.all(shots.map(async ({ address, width = 1440, height = 900 }) => {
    const page = await browser.newPage({
      viewport: { width, height }, colorScheme: theme, deviceScaleFactor: 1,
    })
    await page.goto(`${url}/${address}`)
    return page
  }))
  await pages[0]?.waitForTimeout(playMs)
  for (const [index, { name, follow }] of shots.entries()) {
    if (follow !== undefined) {
      await pages[index]?.click(follow)
      await pages[index]?.waitForTimeout(1500)
    }
    await pages[index]?.screenshot({ path: `${folder}/${name}-${theme}.png` })
  }
  await Promise.all(pages.map((page) => page.close()))
}

await mkdir(folder, { recursive: true })
const demo = await startDemo()
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
try {
  for (const theme of ['light', 'dark'] as const) await take(browser, demo.url, theme)
  console.log(`${String(shots.length * 2)} screenshots are in docs/images`)
} finally {
  await browser.close()
  demo.stop()
}
