import { expect, test, vi } from 'vitest'
import { TroupeError } from '../../../src/errors.ts'
import type { Fault, Happening, Operation } from '../../../src/testing/memory-disk.ts'
import { MemoryDisk } from '../../../src/testing/memory-disk.ts'
import { beat } from '../../../src/testing/records.ts'
import { VirtualEnv } from '../../../src/testing/virtual-env.ts'
import { always, expectOneOf, file, open, scenario, Session } from './harness.ts'

// Thousands of reopenings.
vi.setConfig({ testTimeout: 120_000 })

const { random } = new VirtualEnv({ seed: 3 })

/** Runs one step; a rejection must be the disk's and must have told nobody of anything. */
async function attempt(session: Session, step: () => Promise<unknown>): Promise<boolean> {
  const before = session.ledger.log.length
  try {
    await step()
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(TroupeError)
    expect(error).toMatchObject({ code: 'store-failed' })
    expect((error as Error).cause).toMatchObject({ message: expect.stringMatching(/EIO|ENOSPC/) })
    expect(session.ledger.log.length).toBe(before)
    return false
  }
}

/** The scenario on a disk that fails; afterwards the disk works, and so must the store. */
async function survive(fail: (happening: Happening) => Fault | undefined) {
  const disk = new MemoryDisk()
  const session = new Session(disk, always)
  let faults = 0
  disk.before = (happening) => {
    const fault = fail(happening)
    if (fault) faults += 1
    return fault
  }
  if (!await attempt(session, () => session.open())) {
    disk.before = () => undefined
    await session.open()
  }
  for (const step of scenario(session)) await attempt(session, step)
  disk.before = () => undefined
  await session.env.advance(2_000)
  await session.add('in the end')
  return { disk, session, faults }
}

async function expectSame({ disk, session }: { disk: MemoryDisk; session: Session }) {
  for (const crashed of [disk.crashed(), disk.powerCut(() => 0), disk.powerCut(random)]) {
    const next = await open(crashed, always)
    await expectOneOf(next, [session.ledger])
    await next.store.close()
  }
  await session.store.close()
  await expectOneOf(await open(disk, always), [session.ledger])
}

async function changesOfScenario(): Promise<number> {
  const { disk } = await survive(() => undefined)
  return disk.changes
}

test.each(['EIO', 'ENOSPC'])('any one change of the disk may fail with %s', async (code) => {
  const changes = await changesOfScenario()
  for (let n = 1; n <= changes; n += 1) {
    const result = await survive(({ index }) =>
      index === n ? { code, part: Math.floor(random() * 400) } : undefined)
    await expectSame(result).catch((error: unknown) => {
      throw new Error(`change ${n} failed`, { cause: error })
    })
  }
})

test.each<Operation>([
  'append', 'datasync', 'rename', 'remove', 'syncDirectory', 'truncate', 'open', 'close',
])('%s may fail for a while, from any moment on', async (operation) => {
  const changes = await changesOfScenario()
  for (let n = 1; n <= changes; n += 7) {
    const { faults, ...result } = await survive((happening) => {
      const bad = happening.index >= n && happening.index < n + 40 &&
        happening.operation === operation
      return bad ? { code: 'EIO', part: Math.floor(random() * 400) } : undefined
    })
    expect(faults).toBeGreaterThanOrEqual(0)
    await expectSame(result).catch((error: unknown) => {
      throw new Error(`${operation} failed from change ${n} on`, { cause: error })
    })
  }
})

test('a dead disk refuses at once, keeps the rows readable, and is used again later', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  disk.before = ({ operation }) =>
    operation === 'touch' ? undefined : { code: 'ENOSPC', part: 10 }
  const failure = { code: 'store-failed', details: { operation: 'insert' } }
  await expect(session.add('b')).rejects.toMatchObject(failure)
  await expect(session.add('c')).rejects.toMatchObject(failure)
  await expect(session.claim()).rejects.toMatchObject({ code: 'store-failed' })
  expect(await session.store.get(['a', 'b'])).toMatchObject([{ state: 'queued' }, undefined])
  expect(await session.store.renew(beat())).toEqual({ lost: [] })
  disk.before = () => undefined
  await session.env.advance(2_000)
  await session.add('d')
  expect(session.reports.join()).toContain('the disk works again')
  await expectSame({ disk, session })
})

test('a rejected group that is complete on the disk is not found after a crash', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  disk.before = ({ operation }) => operation === 'datasync' ? { code: 'EIO' } : undefined
  await expect(session.add('b')).rejects.toMatchObject({ code: 'store-failed' })
  for (const crashed of [disk.crashed(), disk.powerCut(() => 0.999)]) {
    await expectOneOf(await open(crashed), [session.ledger])
  }
})

test('when it cannot be cut, the next segment disowns it', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  let failed = false
  disk.before = ({ operation }) => {
    if (operation === 'truncate') return { code: 'EIO' }
    if (operation !== 'datasync' || failed) return undefined
    failed = true
    return { code: 'EIO' }
  }
  await expect(session.add('b')).rejects.toMatchObject({ code: 'store-failed' })
  expect(disk.content(`${file}.journal/00000001.jsonl`).toString()).toContain('"id":"b"')
  await expectOneOf(await open(disk.crashed()), [session.ledger])
  await session.add('c')
  expect(disk.paths()).toContain(file)
  await expectOneOf(await open(disk.crashed()), [session.ledger])
  await expectOneOf(await open(disk.powerCut(() => 0)), [session.ledger])
})

test('a failed segment is neither appended to nor synced again', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  const touched: string[] = []
  let failed = false
  disk.before = ({ operation, path }) => {
    if (failed && path.includes('.journal/')) touched.push(`${operation} ${path.slice(-14)}`)
    if (failed || operation !== 'datasync') return undefined
    failed = true
    return { code: 'EIO' }
  }
  await expect(session.add('b')).rejects.toMatchObject({ code: 'store-failed' })
  await session.add('c')
  await session.add('d')
  expect(touched.filter((happened) => happened.includes('00000001'))).toEqual([
    'close 00000001.jsonl', 'truncate 00000001.jsonl',
  ])
})

test('one group fails as a whole, and each operation is told its own name', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  disk.before = ({ operation }) => operation === 'append' ? { code: 'ENOSPC' } : undefined
  const answers = await Promise.allSettled([
    session.add('b'), session.claim(), session.store.casSetting('other', 0, 1),
  ])
  expect(answers).toMatchObject(['insert', 'claim', 'casSetting'].map((operation) => ({
    status: 'rejected',
    reason: { code: 'store-failed', details: { operation }, cause: { code: 'ENOSPC' } },
  })))
  expect(await session.store.get(['a', 'b'])).toMatchObject([{ fence: 0 }, undefined])
})
