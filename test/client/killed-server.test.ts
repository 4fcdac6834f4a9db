import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { RemoteTransition } from '../../src/client/remote-queue.ts'
import { connectTo } from './gateway-fixture.ts'

const root = join(import.meta.dirname, '..', '..')
const kills = 3
const perRound = 100

test('a server that is killed and started again: every transition once and in order', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'troupe-killed-'))
  const children: ChildProcess[] = []
  onTestFinished(async () => {
    for (const child of children) child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  const serve = async (port: string): Promise<string> => {
    const child = spawn(process.execPath, [
      '--import', 'tsx', join(root, 'test', 'client', 'served-jobs.ts'),
      join(folder, 'jobs.json'), port,
    ], { cwd: root, env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') } })
    children.push(child)
    let errors = ''
    child.stderr.on('data', (text: Buffer) => { errors += text.toString() })
    return new Promise((resolve, reject) => {
      child.stdout.once('data', (text: Buffer) => { resolve(text.toString().trim()) })
      child.once('close', () => { reject(new Error(errors)) })
    })
  }
  const kill = async (): Promise<void> => {
    const child = children.at(-1)
    await new Promise<void>((resolve) => {
      child?.once('close', () => { resolve() })
      child?.kill('SIGKILL')
    })
  }

  const url = await serve('0')
  const client = connectTo(url, { retry: { tries: 1000, delay: 20, maxDelay: 200 } })
  const queue = client.queue('work')
  const seen: RemoteTransition[] = []
  client.observe({ from: 'start' }).subscribe((transition) => { seen.push(transition) })
  const results: Promise<unknown>[] = []
  for (let round = 0; round <= kills; round += 1) {
    const added = Array.from({ length: perRound }, async (_, index) =>
      (await queue.add('double', { n: round * perRound + index })).result())
    results.push(...added)
    // In the middle of adding and of working.
    await Promise.race(added)
    if (round === kills) break
    await kill()
    await serve(new URL(url).port)
  }
  const numbers = await Promise.all(results)
  expect(numbers).toEqual(numbers.map((_, n) => n * 2))
  const total = (kills + 1) * perRound
  await expect.poll(() => seen.filter(({ to }) => to === 'completed').length, { timeout: 20_000 })
    .toBe(total)
  expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, index) => index + 1))
  expect(seen.filter(({ event }) => event === 'add')).toHaveLength(total)
}, 120_000)
