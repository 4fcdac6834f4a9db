import { expect, test, vi } from 'vitest'
import { MemoryDisk } from '../../../src/testing/memory-disk.ts'
import { VirtualEnv } from '../../../src/testing/virtual-env.ts'
import { always, expectOneOf, file, open, scenario, Session } from './harness.ts'
import type { Ledger } from './harness.ts'

// Thousands of reopenings.
vi.setConfig({ testTimeout: 120_000 })

interface Crash {
  readonly disk: MemoryDisk
  readonly during: number
  readonly at: string
}

/** One run of the scenario, with a copy of the disk at each of its changes. */
async function crashesOf(copy: (disk: MemoryDisk) => MemoryDisk) {
  const disk = new MemoryDisk()
  const session = new Session(disk, always)
  const crashes: Crash[] = []
  const ledgers: Ledger[] = [session.ledger.copy()]
  disk.before = ({ operation, path, index }) => {
    crashes.push({ disk: copy(disk), during: ledgers.length, at: `${index} ${operation} ${path}` })
    return undefined
  }
  await session.open()
  for (const step of scenario(session)) {
    await step()
    ledgers.push(session.ledger.copy())
  }
  await session.store.close()
  return { crashes, ledgers }
}

async function expectRecovered(crashes: readonly Crash[], ledgers: readonly Ledger[]) {
  for (const { disk, during, at } of crashes) {
    const session = await open(disk, always)
    await session.add('later')
    const expected = ledgers.slice(during - 1, during + 1).map((ledger) => ledger.copy())
    await session.remove('later')
    await expectOneOf(await reopened(session), expected).catch((error: unknown) => {
      throw new Error(`crash at ${at}`, { cause: error })
    })
  }
}

/** The same content after a clean end, without what this test added and removed. */
async function reopened(session: Session): Promise<Session> {
  await session.store.close()
  const again = await open(session.env.disk as MemoryDisk, always)
  const readLog = again.store.readLog.bind(again.store)
  again.store.readLog = async (queue, after, limit) => {
    const page = await readLog(queue, after, limit)
    return { ...page, entries: page.entries.filter(({ jobId }) => jobId !== 'later') }
  }
  return again
}

test('a process killed before any change of the disk loses nothing acknowledged', async () => {
  const { crashes, ledgers } = await crashesOf((disk) => disk.crashed())
  expect(crashes.length).toBeGreaterThan(100)
  expect(crashes.some(({ at }) => at.includes('rename'))).toBe(true)
  await expectRecovered(crashes, ledgers)
})

test.each([1, 2, 3])('a power cut at any change loses nothing acknowledged (%i)', async (seed) => {
  const { random } = new VirtualEnv({ seed })
  const { crashes, ledgers } = await crashesOf((disk) => disk.powerCut(random))
  await expectRecovered(crashes, ledgers)
})

test('a power cut that keeps nothing unsynced loses nothing acknowledged', async () => {
  const { crashes, ledgers } = await crashesOf((disk) => disk.powerCut(() => 0))
  await expectRecovered(crashes, ledgers)
})

test('a journal cut at any byte of its last group is what it was before that group', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a', 'b')
  const [job] = await session.claim()
  if (!job) throw new Error('nothing was claimed')
  const segment = `${file}.journal/00000001.jsonl`
  const start = disk.content(segment).length
  const before = session.ledger.copy()
  await session.complete([job])
  const end = disk.content(segment).length
  for (let length = start; length <= end; length += 1) {
    const crashed = disk.crashed()
    crashed.put(segment, crashed.content(segment).subarray(0, length))
    const next = await open(crashed)
    await expectOneOf(next, [length === end ? session.ledger : before])
    const torn = length > start && length < end
    expect(next.reports.filter((report) => report.includes(`at byte ${start}`))).toHaveLength(
      torn ? 1 : 0,
    )
    await next.store.close()
  }
})

test('a tail of blocks that were never written is cut like any torn one', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  const segment = `${file}.journal/00000001.jsonl`
  const crashed = disk.crashed()
  crashed.put(segment, Buffer.concat([disk.content(segment), Buffer.alloc(700)]))
  const next = await open(crashed)
  await expectOneOf(next, [session.ledger])
  expect(next.reports.join()).toContain('cut an interrupted write of 700 bytes')
  // For good: who opens it after another crash finds nothing to cut.
  expect(crashed.content(segment)).toEqual(disk.content(segment))
  const later = await open(crashed.crashed(10_000_003))
  expect(later.reports.join()).not.toContain('cut an interrupted')
})

test('what ran when the process died is ready again, as the first thing that lasts', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  await session.claim()
  const second = await open(disk.crashed(10_000_002))
  const third = await open((second.env.disk as MemoryDisk).crashed(10_000_003))
  for (const next of [second, third]) {
    expect((await next.store.get(['a']))[0]).toMatchObject({ state: 'queued', rev: 3, stalls: 1 })
  }
})
