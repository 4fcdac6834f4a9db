import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { systemEnv } from '../../../src/env.ts'
import type { DiskFile } from '../../../src/env.ts'
import { lowdbStore } from '../../../src/stores/lowdb/store.ts'
import { MemoryDisk } from '../../../src/testing/memory-disk.ts'
import { VirtualEnv } from '../../../src/testing/virtual-env.ts'
import { always, expectOneOf, file, open, Session } from './harness.ts'

const lockFile = `${file}.lock`
const folders: string[] = []

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

/** A disk that a process has opened and still holds; the reader is somebody else. */
async function held(): Promise<{ first: Session; disk: MemoryDisk }> {
  const before = new MemoryDisk()
  const first = await open(before)
  await first.add('a')
  const disk = before.crashed()
  // The holder lives: the next process sees it in /proc.
  disk.setProcess('10000001', 10_000_001, '10000001')
  return { first, disk }
}

function holderName(error: unknown): string {
  return (error as { details: { holder: string } }).details.holder
}

async function refusal(disk: MemoryDisk): Promise<string> {
  const error: unknown = await open(disk).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'store-locked', details: { file } })
  return (error as Error).message
}

test('a living holder is named, with the two ways out', async () => {
  const { disk } = await held()
  const image = disk.image()
  const message = await refusal(disk)
  expect(message).toContain('process 10000001 on host-1 (since 2026-01-01T00:00:00.000Z)')
  expect(message).toContain('let that process serve the others through a gateway')
  expect(message).toContain('or keep the jobs in PostgreSQL, a store for several processes')
  expect(disk.image()).toEqual(image)
})

test('a gateway that the holder announces is named, until it is taken back', async () => {
  const address = 'http://127.0.0.1:4100'
  const disk = new MemoryDisk()
  const first = await open(disk)
  const refused = async (): Promise<unknown> => {
    const other = disk.crashed()
    other.setProcess('10000001', 10_000_001, '10000001')
    return open(other).catch((error: unknown) => error)
  }
  await first.store.announce?.(address)
  expect(await refused()).toMatchObject({
    code: 'store-locked',
    message: expect.stringContaining(`use the gateway of that process, at ${address}, or`),
    details: { file, gateway: address },
  })
  await first.store.announce?.(null)
  expect(await refused()).toMatchObject({ code: 'store-locked', details: { gateway: null } })
  await first.env.advance(60_000)
  await first.add('a')
  await first.store.close()
  expect(disk.paths().filter((path) => path.includes('.lock'))).toEqual([])
})

test('who has lost the lock announces nothing', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  disk.put(lockFile, Buffer.from('{"pid":42,"host":"h","since":0,"token":"theirs"}'))
  await expect(session.store.announce?.('http://127.0.0.1:1')).rejects
    .toMatchObject({ code: 'store-locked', details: { holder: expect.stringContaining('42') } })
  expect(disk.content(lockFile).toString()).toContain('theirs')
  await session.store.close()
})

test.each<[string, (disk: MemoryDisk) => void]>([
  ['is no more', (disk) => { disk.setSystem('/proc/10000001/stat', null) }],
  ['has a pid that came again', (disk) => { disk.setProcess('10000001', 10_000_001, '777') }],
  ['was before the boot', (disk) => { disk.become(10_000_002, 'boot-2') }],
])('a lock whose holder %s is taken over', async (_, change) => {
  const { first, disk } = await held()
  change(disk)
  const next = await open(disk)
  expect(next.reports.join()).toContain('took over the lock of /data/jobs.json from process 1000')
  await expectOneOf(next, [first.ledger])
  expect(disk.paths().filter((path) => path.includes('.lock'))).toEqual([lockFile])
  await next.store.close()
  expect(disk.paths()).not.toContain(lockFile)
})

test.each<[string, (disk: MemoryDisk) => void]>([
  ['in another container', (disk) => { disk.become(1, 'boot-1', '5', 'pid:[2]') }],
  ['on another host', (disk) => {
    disk.become(10_000_001, 'boot-9')
    disk.setSystem('/proc/sys/kernel/hostname', 'host-2\n')
  }],
  ['on a system without /proc', (disk) => {
    for (const path of ['/proc/sys/kernel/random/boot_id', '/proc/self/ns/pid']) {
      disk.setSystem(path, null)
    }
    disk.setSystem('/proc/sys/kernel/hostname', 'host-2\n')
  }],
])('a holder %s is trusted for 20 s after its last sign', async (_, change) => {
  const { disk } = await held()
  change(disk)
  await refusal(disk)
  const waiting = new Session(disk)
  await waiting.env.advance(20_000)
  await expect(waiting.open()).rejects.toMatchObject({ code: 'store-locked' })
  await waiting.env.advance(1)
  await waiting.open()
})

test('the holder gives a sign every 5 s', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  const start = await disk.modifiedAt(lockFile)
  await session.env.advance(60_000)
  expect(await disk.modifiedAt(lockFile)).toBe((start ?? 0) + 60_000)
  await session.store.close()
  expect(session.env.pendingTimers).toBe(0)
})

test('who has lost the lock writes nothing more', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  const other = JSON.parse(disk.content(lockFile).toString()) as object
  disk.put(lockFile, Buffer.from(JSON.stringify({ ...other, pid: 42, token: 'theirs' })))
  await session.env.advance(5_000)
  const image = disk.image()
  const refused: unknown = await session.add('b').catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'store-locked' })
  expect(holderName(refused)).toContain('process 42')
  await session.store.close()
  expect(disk.image()).toEqual(image)
})

test('before a group is written after a long silence, the lock is looked at', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  // As when the process was stopped for a while: time passes and no timer has fired yet.
  const { monotonic } = session.env
  session.env.monotonic = () => monotonic() + 15_001
  disk.put(lockFile, Buffer.from('{"pid":42,"host":"h","since":0,"token":"theirs"}'))
  await expect(session.add('b')).rejects.toMatchObject({ code: 'store-locked' })
})

test('a checkpoint never replaces the file of somebody else', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk, always)
  disk.before = ({ operation, path }) => {
    if (operation === 'close' && path.endsWith('.tmp')) {
      disk.put(lockFile, Buffer.from('{"pid":42,"host":"h","since":0,"token":"theirs"}'))
    }
    return undefined
  }
  const ids = Array.from({ length: 10 }, (_, index) => `job-${index}`)
  await session.add(...ids)
  await session.env.settle()
  expect(session.reports.join()).toContain('process 42')
  expect(disk.paths()).not.toContain(file)
})

test('of many processes that find a stale lock at once, one gets it', async () => {
  for (let round = 0; round < 200; round += 1) {
    const { disk } = await held()
    disk.setSystem('/proc/10000001/stat', null)
    for (const pid of [1, 2, 3, 4]) disk.setProcess(String(pid), pid, String(pid))
    const sessions = [1, 2, 3, 4].map((pid) => new Session(facing(disk, pid, round)))
    const answers = await Promise.allSettled(sessions.map((session) => session.open()))
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(disk.paths().filter((path) => path.includes('.lock'))).toEqual([lockFile])
  }
})

/** The same files seen by another process, which is slower now and then. */
function facing(disk: MemoryDisk, pid: number, round: number): MemoryDisk {
  const self = new MemoryDisk(pid)
  const { random } = new VirtualEnv({ seed: round * 10 + pid })
  const pause = async (): Promise<void> => {
    const turns = random() < 0.5 ? 0 : Math.floor(random() * 60)
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
  }
  const slowFile = (opened: unknown): unknown => {
    if (typeof opened !== 'object' || opened === null || !('append' in opened)) return opened
    const fast = opened as DiskFile
    return { ...fast, append: (bytes: Uint8Array) => pause().then(() => fast.append(bytes)) }
  }
  return new Proxy(disk, {
    get(target, key) {
      if (key === 'readLink') return self.readLink
      const value: unknown = Reflect.get(target, key)
      if (typeof value !== 'function') return value
      return (...values: unknown[]): unknown => {
        const own = key === 'read' && String(values[0]).startsWith('/proc/self')
        const work = (): unknown => Reflect.apply(value, own ? self : target, values)
        return ['open', 'read', 'rename', 'remove', 'modifiedAt'].includes(String(key))
          ? pause().then(work).then(slowFile) : work()
      }
    },
    set: (target, key, value) => Reflect.set(target, key, value),
  })
}

test('two real processes cannot hold one file, and a killed one is followed at once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'troupe-lock-'))
  folders.push(folder)
  const path = join(folder, 'jobs.json')
  const script = fileURLToPath(new URL('holder-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const reports: string[] = []
  const context = { env: systemEnv, report: (message: string) => { reports.push(message) } }
  await expect(lowdbStore(path).open(context)).rejects.toMatchObject({
    code: 'store-locked',
    details: { holder: expect.stringContaining(`process ${String(child.pid)} on`) },
  })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const store = lowdbStore(path)
  await store.open(context)
  expect(reports.join()).toContain('took over the lock')
  expect(await store.get(['of the other process'])).toMatchObject([{ state: 'queued' }])
  await store.close()
})
