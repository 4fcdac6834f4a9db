import { expect, test, vi } from 'vitest'
import { TroupeError } from '../../../src/errors.ts'
import { CheckpointFile } from '../../../src/stores/lowdb/checkpoint.ts'
import { Replay } from '../../../src/stores/lowdb/replay.ts'
import { Rows } from '../../../src/stores/rows.ts'
import type { JobRecord } from '../../../src/records/job.ts'
import { noLimits } from '../../../src/stores/store.ts'
import { MemoryDisk } from '../../../src/testing/memory-disk.ts'
import { listQuery } from '../../../src/testing/records.ts'
import { VirtualEnv } from '../../../src/testing/virtual-env.ts'
import { always, expectOneOf, file, open, scenario } from './harness.ts'
import type { Session } from './harness.ts'

// Thousands of reopenings.
vi.setConfig({ testTimeout: 120_000 })

const directory = `${file}.journal`
const first = `${directory}/00000001.jsonl`

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  const at = bit >> 3
  copy[at] = (copy[at] as number) ^ (1 << (bit & 7))
  return copy
}

async function faultOf(work: Promise<unknown>): Promise<TroupeError> {
  const error: unknown = await work.then(() => undefined, (reason: unknown) => reason)
  if (!(error instanceof TroupeError)) throw new Error('not refused', { cause: error })
  return error
}

/** Refused with that file, and a place at or before the damage; or everything is there. */
async function expectRefusedOrWhole(disk: MemoryDisk, path: string, at: number, was: Session) {
  const before = disk.image()
  let next: Session
  try {
    next = await open(disk, always)
  } catch (error) {
    if (!(error instanceof TroupeError) || error.code !== 'store-damaged') throw error
    expect(error.details.file).toBe(path)
    expect(error.details.offset).toBeLessThanOrEqual(at)
    const after = disk.image()
    delete before[`${file}.lock`]
    expect(after).toEqual(before)
    return 'refused'
  }
  await expectOneOf(next, [was.ledger])
  await next.store.close()
  return 'whole'
}

test('every single flipped bit of a small journal is refused, with its place', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  await session.claim()
  const bytes = disk.content(first)
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    disk.put(first, flipped(bytes, bit))
    const fault = await faultOf(new Replay(disk, directory, new Rows(), null).run())
    if (fault.code !== 'store-damaged') throw fault
    expect(fault.details.file).toBe(first)
    expect(fault.details.offset).toBeLessThanOrEqual(bit >> 3)
  }
})

test('every single flipped bit of a small checkpoint is refused, with its file', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  await session.store.close()
  const bytes = disk.content(file)
  const env = new VirtualEnv({ disk })
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    disk.put(file, flipped(bytes, bit))
    const fault = await faultOf((await CheckpointFile.load(env, file)).read())
    if (fault.code !== 'store-damaged') throw fault
    expect(fault.details.file).toBe(file)
  }
})

test('flipped bits in a grown store lose nothing acknowledged, or are refused', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk, always)
  for (const step of scenario(session)) await step()
  await session.env.settle()
  const paths = disk.paths().filter((path) => !path.endsWith('.lock'))
  expect(paths.length).toBeGreaterThan(3)
  const { random } = new VirtualEnv({ seed: 7 })
  const outcomes = new Set<string>()
  for (let round = 0; round < 400; round += 1) {
    const path = paths[Math.floor(random() * paths.length)] as string
    const crashed = disk.crashed()
    const bytes = crashed.content(path)
    const bit = Math.floor(random() * bytes.length * 8)
    crashed.put(path, flipped(bytes, bit))
    outcomes.add(await expectRefusedOrWhole(crashed, path, bit >> 3, session))
  }
  expect(outcomes).toContain('refused')
})

test('a missing segment is refused, and nothing is changed', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk, always)
  for (const step of scenario(session)) await step()
  await session.env.settle()
  for (const path of disk.paths().filter((name) => name.startsWith(directory))) {
    const crashed = disk.crashed()
    crashed.put(path, null)
    const before = crashed.image()
    const fault = await faultOf(open(crashed, always))
    expect(fault).toMatchObject({ code: 'store-damaged' })
    delete before[`${file}.lock`]
    expect(crashed.image()).toEqual(before)
  }
})

test('a missing checkpoint is refused when the journal has not everything', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk, always)
  for (const step of scenario(session)) await step()
  await session.prune(0, 0)
  await session.store.close()
  expect(disk.paths()).not.toContain(first)
  disk.put(file, null)
  expect(await faultOf(open(disk))).toMatchObject({ code: 'store-damaged' })
})

test('a group that is missing in the middle is refused', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  const start = disk.content(first).length
  await session.add('b')
  const end = disk.content(first).length
  await session.add('c')
  const crashed = disk.crashed()
  const bytes = disk.content(first)
  crashed.put(first, Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]))
  expect(await faultOf(open(crashed))).toMatchObject({
    code: 'store-damaged', details: { file: first, offset: start },
  })
})

test('a file that is no checkpoint is refused and stays as it is', async () => {
  for (const text of ['', 'hello', '{"posts":[]}', '[]', 'null', '{"version":2}']) {
    const disk = new MemoryDisk()
    disk.put(file, Buffer.from(text))
    expect(await faultOf(open(disk))).toMatchObject({ code: 'store-damaged', details: { file } })
    expect(disk.content(file).toString()).toBe(text)
    expect(disk.paths()).not.toContain(`${file}.lock`)
  }
})

test('a checkpoint without its checksum was edited by hand, and is taken as it is', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  await session.store.close()
  const text = disk.content(file).toString().replace(/,\n"crc32": "\w+"/, '')
  const edited = JSON.stringify(JSON.parse(text), null, 2).replace('a.jpg', 'b.jpg')
  disk.put(file, Buffer.from(edited))
  const next = await open(disk)
  expect((await next.store.get(['a']))[0]?.input).toEqual({ file: 'b.jpg' })
})

test('a checkpoint from before jobs had parents, keys and logs is taken as it is', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a', 'b')
  await session.store.close()
  const text = disk.content(file).toString().replace(/,\n"crc32": "\w+"/, '')
  const whole = JSON.parse(text) as { starts?: unknown; jobs: { record: Partial<JobRecord> }[] }
  delete whole.starts
  for (const { record } of whole.jobs) {
    for (const field of ['parentKeys', 'after', 'dedupe', 'log', 'trace'] as const) {
      delete record[field]
    }
  }
  disk.put(file, Buffer.from(JSON.stringify(whole)))
  const next = await open(disk)
  expect((await next.store.get(['a']))[0])
    .toMatchObject({ parentKeys: null, after: null, dedupe: null, log: null, trace: null })
  expect((await next.store.explain('images', 'a', noLimits))?.parents).toEqual([])
})

test('a job that was written into a checkpoint by hand gets no number twice', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  await session.store.close()
  const text = disk.content(file).toString().replace(/,\n"crc32": "\w+"/, '')
  const whole = JSON.parse(text) as { jobs: { order: number; record: JobRecord }[] }
  const [job] = whole.jobs
  if (job) whole.jobs.push({ order: 2, record: { ...job.record, id: 'by hand' } })
  disk.put(file, Buffer.from(JSON.stringify(whole)))
  const next = await open(disk)
  await next.add('b')
  const page = await next.store.list(listQuery({ limit: 2 }))
  const rest = await next.store.list(listQuery({ limit: 2, cursor: page.cursor }))
  expect([...page.records, ...rest.records].map(({ id }) => id)).toEqual(['a', 'by hand', 'b'])
})
