import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { StatelyInspectionEvent } from '@statelyai/inspect'
import { createInspectorServer } from '@statelyai/inspect/server'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { appOf, root, tsconfig } from '../docs/blocks.ts'

/** The end of an inspector: where it is, and what came so far. */
async function listen() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  const texts: string[] = []
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => { texts.push(data.toString()) })
  })
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, texts }
}

/** The recipe as it stands in the guide, at a port of our own. */
function runRecipe(port: number): void {
  const recipe = appOf('docs/guides/observing.md').get('inspect.ts') ?? ''
  expect(recipe).toContain("'ws://127.0.0.1:8080'")
  const file = join(root, '.cache', `inspect-${process.pid}.ts`)
  mkdirSync(join(root, '.cache'), { recursive: true })
  writeFileSync(file, `${recipe.replace('8080', String(port))}\nexport {}\n`)
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), file], {
    env: { ...process.env, TSX_TSCONFIG_PATH: tsconfig }, stdio: 'inherit',
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    rmSync(file, { force: true })
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

describe('an inspector of XState', () => {
  test('hears of the actors of a job, their events and states, and of no data', async () => {
    const end = await listen()
    runRecipe(end.port)
    const heard = () => end.texts.map((text) => JSON.parse(text) as StatelyInspectionEvent)
    const statesOf = (id: string) => heard().flatMap((message) => {
      if (message.type !== '@xstate.snapshot' || message.sessionId !== id) return []
      return [(message.snapshot as { readonly value?: unknown }).value]
    })
    const actors = () => heard().filter((message) => message.type === '@xstate.actor')
    await expect.poll(() => actors().length, { timeout: 15_000 }).toBe(3)

    const [queue, pool, job] = actors()
    expect([queue?.name, pool?.name]).toEqual(['photos', 'pool'])
    expect(queue?.definition).toContain('draining')
    expect(job?.definition).toBe(JSON.stringify({ id: job?.name }))
    expect([pool?.parentId, job?.parentId]).toEqual([queue?.sessionId, pool?.sessionId])

    const id = job?.sessionId ?? ''
    await expect.poll(() => statesOf(id).at(-1), { timeout: 10_000 }).toBe('completed')
    expect(statesOf(id)[0]).toBe('running')
    expect(statesOf(queue?.sessionId ?? '')).toContain('accepting')
    const events = heard().flatMap((message) =>
      (message.type === '@xstate.event' && message.sessionId === id ? [message.event] : []))
    expect(events).toContainEqual({ type: 'handler.ended' })

    const first = heard().findIndex(({ sessionId }) => sessionId === id)
    const count = heard().length - first
    expect(count).toBeGreaterThanOrEqual(8)
    expect(count).toBeLessThanOrEqual(12)
    expect(end.texts.join()).not.toContain('a.jpg') // nor the result, which begins with it
  })

  test('that comes with the package shows a page from elsewhere', async () => {
    const port = await freePort()
    const server = createInspectorServer({ port, autoOpen: false })
    onTestFinished(() => { server.stop() })
    const page = await fetch(`http://127.0.0.1:${port}`, { headers: { connection: 'close' } })
    expect(await page.text()).toContain('<iframe id="inspector" src="https://stately.ai/inspect"')
  })
})
