import { readFileSync } from 'node:fs'
import type { Job } from 'troupe'
import { expect, test } from 'vitest'
import { version } from '../../src/orchestrator/leases.ts'
import { useStage } from '../support/stage.ts'

const stage = useStage()

test('workers() names who is alive, with the version of this package', async () => {
  const troupe = await stage.open()
  troupe.queue('q', { tasks: { work: (_job: Job<number>) => null, wait: () => null } })
  expect(await troupe.workers()).toEqual([])
  await troupe.start()
  const manifest = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  expect(version).toBe(manifest.version)
  expect(await troupe.workers()).toEqual([{
    worker: 'w1', queues: [{ name: 'q', tasks: ['work', 'wait'] }], version, running: 0,
    startedAt: stage.env.now(), at: stage.env.now(),
  }])
  const other = await stage.open()
  await troupe.stop()
  expect(await other.workers()).toEqual([])
})
