import { expect, test } from 'vitest'
import type { RemoteTransition } from '../../src/client/remote-queue.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'
import { serveImages } from './gateway-fixture.ts'

test('a stream whose user has lost the right to it ends with the refusal', async () => {
  const env = new VirtualEnv()
  let isKnown = true
  const { client, images } = await serveImages({
    start: false,
    gateway: {
      env, limits: { streamMs: 20_000 }, authorize: () => (isKnown ? { user: 'ann' } : null),
    },
  })
  const seen: string[] = []
  const ended = new Promise<unknown>((resolve) => {
    client.queue('images').transitions$.subscribe({
      next: ({ jobId }: RemoteTransition) => { seen.push(jobId) },
      error: resolve,
    })
  })
  // The first one is heard when the stream is open.
  for (let probe = 0; seen.length === 0; probe += 1) {
    await images.add('nothing', undefined, { id: `probe-${probe}`, delay: '1h' })
    await env.advance(100)
  }
  // What is authorized again goes on unnoticed.
  await env.advance(20_000)
  await images.add('nothing', undefined, { id: 'between', delay: '1h' })
  await expect.poll(async () => {
    await env.advance(100)
    return seen.at(-1)
  }).toBe('between')
  isKnown = false
  await env.advance(20_000)
  await expect(ended).resolves.toMatchObject({
    code: 'gateway-refused', details: { code: 'unauthorized' },
  })
  await images.add('nothing', undefined, { id: 'later', delay: '1h' })
  expect(seen).not.toContain('later')
})
