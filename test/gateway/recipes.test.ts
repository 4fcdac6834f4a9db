import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import { createTroupe } from 'troupe'
import type { Job } from 'troupe'
import { createGateway } from 'troupe/gateway'
import { expect, onTestFinished, test } from 'vitest'
import { describeInBrowser } from '../browser/chromium.ts'
import { root } from '../docs/blocks.ts'

const html = `<!doctype html><title>Images</title><link rel="icon" href="data:,">
  <p id="state"></p><progress id="bar" max="100"></progress><p id="text"></p>
  <button id="cancel">Cancel</button><img id="image" alt=""><script type="module" src="/page.js">
  </script>`

/** The script of the guide, bundled as an app would. */
async function pageScript(): Promise<string> {
  const guide = readFileSync(join(root, 'docs/guides/web.md'), 'utf8')
  const { outputFiles } = await build({
    stdin: { contents: /^```js\n(.*?)^```/ms.exec(guide)?.[1] ?? '', resolveDir: root },
    alias: { 'troupe/client': join(root, 'src/client/connect.ts') },
    bundle: true, format: 'esm', write: false,
  })
  return outputFiles[0]?.text ?? ''
}

/** The page, before a queue of which a job ends when the test says so. */
async function serveImages() {
  let end = (): void => undefined
  const held = new Promise<void>((resolve) => { end = resolve })
  const troupe = await createTroupe()
  const images = troupe.queue('images', {
    tasks: {
      resize: async (job: Job<{ file: string; width: number }>) => {
        job.progress({ current: 1, total: 4, message: 'a quarter' })
        const aborted = once(job.signal, 'abort').then(() => { throw job.signal.reason })
        await Promise.race([held, aborted])
        return { output: `data:,${job.input.file}@${job.input.width}` }
      },
    },
  })
  await troupe.start()
  const gateway = createGateway(troupe, { basePath: '/queues' })
  const script = await pageScript()
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/queues')) return gateway.handler(request, response)
    const isScript = request.url === '/page.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? script : html)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    await gateway.close()
    server.close()
    server.closeAllConnections()
    await troupe.stop({ grace: 0 })
  })
  return { images, end, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

describeInBrowser('the page of the guide, in Chromium', ({ open, errors }) => {
  test('adds a job, follows it, and shows what came of it', async () => {
    const { url, end } = await serveImages()
    const page = await open(url)
    await page.locator('#text', { hasText: 'a quarter' }).waitFor()
    expect(await page.locator('#bar').getAttribute('value')).toBe('25')
    expect(await page.locator('#state').textContent()).toBe('running')
    end()
    await page.locator('#state', { hasText: 'completed' }).waitFor()
    await page.locator('#image[src="data:,a.jpg@800"]').waitFor({ state: 'attached' })
  })

  test('cancels it', async () => {
    const { url, images } = await serveImages()
    const page = await open(url)
    await page.locator('#state', { hasText: 'running' }).waitFor()
    await page.locator('#cancel').click()
    await page.locator('#state', { hasText: 'cancelled' }).waitFor()
    expect((await images.list()).jobs).toMatchObject([{ reason: 'changed my mind' }])
    await expect.poll(() => errors.length).toBe(1) // what `result` rejects with
    expect(errors[0]).toContain('changed my mind')
  })
})
