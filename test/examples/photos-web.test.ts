import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { connect } from 'troupe/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeInBrowser } from '../browser/chromium.ts'

const root = join(import.meta.dirname, '..', '..')
let place = ''
let child: ChildProcess | null = null
let url = ''

// One for all tests: it takes a while to start.
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'troupe-photos-web-'))
  url = await openShop()
}, 60_000)

afterAll(async () => {
  child?.kill('SIGKILL')
  await rm(place, { recursive: true, force: true })
})

/** The example in a process of its own, with one small photo of the shop's own. */
async function openShop(): Promise<string> {
  const folder = join(place, 'photos')
  await mkdir(folder)
  await writeFile(join(folder, 'shop.jpg'), await makePicture(320))
  const shop = spawn(process.execPath, [
    '--import', 'tsx', join(root, 'examples', 'photos', 'main.ts'), folder,
    '--data', join(place, 'data'), '--output', join(place, 'output'), '--port', '0', '--stay',
  ], { cwd: root, env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') } })
  child = shop
  let out = ''
  return new Promise<string>((resolve, reject) => {
    shop.once('close', () => { reject(new Error(out)) })
    shop.stderr.on('data', (text: Buffer) => { out += text.toString() })
    shop.stdout.on('data', (text: Buffer) => {
      out += text.toString()
      const found = /The page stays at (\S+)\. /.exec(out)?.[1]
      if (found !== undefined) resolve(found)
    })
  })
}

/** Noise takes its time: the more of it, the longer a job runs. */
async function makePicture(width: number): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const
  return sharp({
    create: { width, height: Math.round(width * 0.75), channels: 3, background: 'white', noise },
  }).jpeg().toBuffer()
}

function upload(body: Buffer | string, headers = {}): Promise<Response> {
  return fetch(`${url}/uploads`, {
    method: 'POST', body, headers: { 'content-type': 'application/octet-stream', ...headers },
  })
}

describe('the server of the page', { timeout: 60_000 }, () => {
  test('takes pictures only, and the gateway lets the page add to its own queue only', async () => {
    expect((await upload('no picture')).status).toBe(415)
    expect((await upload('x', { 'content-type': 'text/plain' })).status).toBe(415)
    const large = await upload(Buffer.alloc(21 * 1024 * 1024)).catch(() => null)
    expect([413, undefined]).toContain(large?.status)
    for (const path of ['/thumbnails/..%2f..%2fdata%2fjobs.json', '/client/../main.ts', '/x']) {
      expect((await fetch(`${url}${path}`)).status).toBe(404)
    }
    const page = await fetch(url)
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self';")

    const client = connect(`${url}/queues`)
    const input = { photo: 'x', file: '/etc/passwd', width: 1, output: '/tmp/x' }
    await expect(client.queue('image_processing').add('resize', input)).rejects
      .toMatchObject({ code: 'gateway-refused', details: { code: 'forbidden' } })
    const bad = await client.queue('uploads').add('thumbnails', { upload: '../jobs.json' })
    await expect(bad.result()).rejects.toMatchObject({ code: 'job-failed' })

    const { name } = await (await upload(await makePicture(400))).json() as {
      name: string
    }
    const job = await client.queue('uploads').add('thumbnails', { upload: name })
    await job.result()
    expect(await readdir(join(place, 'data', 'thumbnails'))).toHaveLength(4)
    client.close()
  })
})

describeInBrowser('the page, in Chromium', ({ open, errors }) => {
  const choose = async (page: Awaited<ReturnType<typeof open>>, name: string, width: number) => {
    const buffer = await makePicture(width)
    await page.setInputFiles('#files', { name, mimeType: 'image/jpeg', buffer })
  }

  test('uploads, shows progress, and the thumbnails', async () => {
    const page = await open(url)
    await choose(page, 'holiday.jpg', 2000)
    const card = page.locator('.picture', { hasText: 'holiday.jpg' })
    await card.locator('.state', { hasText: /px$/ }).waitFor()
    expect(await page.locator('#connection').textContent()).toBe('live')
    await expect.poll(() => card.locator('progress').evaluate((bar) =>
      (bar as unknown as { value: number }).value), { timeout: 30_000 })
      .toBeGreaterThan(0)
    await card.locator('img').waitFor({ timeout: 30_000 })
    expect(await card.getAttribute('data-state')).toBe('completed')
    await expect.poll(() => card.locator('img').evaluate((image) =>
      (image as unknown as { naturalWidth: number }).naturalWidth)).toBe(320)
    expect(await card.locator('a').allTextContents()).toHaveLength(4)
    // Another window has it, too.
    const other = await open(url)
    await other.locator('.picture', { hasText: 'holiday.jpg' }).locator('img').waitFor()
    expect(errors).toEqual([])
  }, 90_000)

  test('cancels', async () => {
    const page = await open(url)
    await choose(page, 'mistake.jpg', 3000)
    await page.getByRole('button', { name: 'Cancel mistake.jpg' }).click()
    const card = page.locator('.picture[data-state="cancelled"]', { hasText: 'mistake.jpg' })
    await card.waitFor({ timeout: 30_000 })
    expect(await card.locator('.state').textContent()).toBe('cancelled on the page')
    expect(errors).toEqual([])
  }, 90_000)

  test('goes on where it was when it was offline', async () => {
    const page = await open(url)
    await choose(page, 'journey.jpg', 2400)
    const card = page.locator('.picture', { hasText: 'journey.jpg' })
    await card.and(page.locator('[data-state="running"]')).waitFor()
    await page.context().setOffline(true)
    await page.locator('#connection[data-state="lost"]').waitFor()
    const client = connect(`${url}/queues`)
    const { jobs } = await client.queue('uploads').list({ text: 'journey' })
    await client.queue('uploads').job(jobs[0]?.id ?? '').result()
    client.close()
    expect(await card.getAttribute('data-state')).toBe('running')
    await page.context().setOffline(false)
    await card.locator('img').waitFor({ timeout: 30_000 })
  }, 90_000)

  test('can be used with the keyboard, and fits 360 pixels', async () => {
    const page = await open(url, { viewport: { width: 360, height: 640 } })
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.id')).toBe('files')
    await choose(page, `${'long-name-'.repeat(12)}.jpg`, 3000)
    const card = page.locator('.picture', { hasText: 'long-name' })
    await card.locator('.cancel:not([hidden])').waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.className')).toBe('cancel')
    await page.keyboard.press('Enter')
    await card.and(page.locator('[data-state="cancelled"]')).waitFor({ timeout: 30_000 })
  }, 90_000)
})

describe('at the end', () => {
  test('Ctrl-C ends the page, and the exit code is 0', async () => {
    const ended = new Promise((resolve) => { child?.once('close', resolve) })
    child?.kill('SIGINT')
    expect(await ended).toBe(0)
  }, 60_000)
})
