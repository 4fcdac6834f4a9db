import { expect, test } from 'vitest'
import type { JobRecord } from '../../../src/records/job.ts'
import { toLogEntry } from '../../../src/records/transition.ts'
import { MemoryDisk } from '../../../src/testing/memory-disk.ts'
import { listQuery, newJob, recordIn } from '../../../src/testing/records.ts'
import { VirtualEnv } from '../../../src/testing/virtual-env.ts'
import { open } from './harness.ts'
import type { Session } from './harness.ts'

const often = { checkpointBytes: 2_500, segmentBytes: 2_000 } as const
const parts = Array.from({ length: 6 }, (_, part) => Array.from({ length: 3 }, (_1, n) =>
  recordIn('completed', { id: `${part}-${n}`, fence: part * 3 + n + 1, result: { part, n } })))

function restore({ store }: Session, part: number) {
  const jobs = parts[part] ?? []
  const entries = jobs.map((job) => toLogEntry(job, 'complete', 'running', 3_000, 'w1'))
  return store.restore({ queue: 'images', jobs, log: { behind: part * 3, entries } })
}

async function seen({ store }: Session) {
  const { records } = await store.list(listQuery())
  const { entries } = await store.readLog('images', 0, 1e6)
  expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1))
  return { records, told: entries.map(({ jobId }) => jobId) }
}

function expectParts(records: readonly JobRecord[], told: readonly string[], least: number): void {
  const ids = records.map(({ id }) => id)
  expect(told).toEqual(ids)
  expect(records.length % 3).toBe(0)
  expect(records.length / 3).toBeGreaterThanOrEqual(least)
  expect(records).toEqual(parts.flat().slice(0, records.length))
}

test.each(['killed', 'without power'] as const)(
  'a process that ends while it takes parts in (%s) has each whole or not at all', async (how) => {
    const env = new VirtualEnv()
    const disk = new MemoryDisk()
    const crashes: { readonly disk: MemoryDisk; readonly acknowledged: number }[] = []
    let acknowledged = 0
    const session = await open(disk, often)
    disk.before = () => {
      const left = how === 'killed' ? disk.crashed() : disk.powerCut(env.random)
      crashes.push({ disk: left, acknowledged })
      return undefined
    }
    for (const part of parts.keys()) {
      expect(await restore(session, part)).toEqual({ created: [true, true, true], logged: true })
      acknowledged += 1
    }
    await session.store.close()
    expect(crashes.length).toBeGreaterThan(20)
    for (const crash of crashes) {
      const next = await open(crash.disk, often)
      const { records, told } = await seen(next)
      expectParts(records, told, crash.acknowledged)
      // The whole import once more: what was there is known, the rest comes.
      for (const part of parts.keys()) {
        expect(await restore(next, part)).toMatchObject({ logged: true })
      }
      expect((await seen(next)).records).toEqual(parts.flat())
      await next.store.close()
      const last = await open(crash.disk, often)
      expect((await seen(last)).told).toHaveLength(18)
      await last.store.close()
    }
  },
)

test('what the disk refuses is not there, and a later try takes it in', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await restore(session, 0)
  disk.before = () => { throw Object.assign(new Error('no space'), { code: 'ENOSPC' }) }
  await expect(restore(session, 1)).rejects.toMatchObject({ code: 'store-failed' })
  const { records, told } = await seen(session)
  expectParts(records, told, 1)
  expect(records).toHaveLength(3)
  disk.before = () => undefined
  await session.env.advance(2_000)
  expect(await restore(session, 1)).toEqual({ created: [true, true, true], logged: true })
  const added = await session.store.insert([newJob({ id: 'new' })])
  expect(added).toHaveLength(1)
  await session.store.close()
  const again = await open(disk)
  expect((await seen(again)).told).toEqual([...parts.flat().slice(0, 6).map(({ id }) => id), 'new'])
})
