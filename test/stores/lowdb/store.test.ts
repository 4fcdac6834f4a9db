import { expect, test } from 'vitest'
import { CheckpointFile } from '../../../src/stores/lowdb/checkpoint.ts'
import { lowdbStore } from '../../../src/stores/lowdb/store.ts'
import { MemoryDisk } from '../../../src/testing/memory-disk.ts'
import { VirtualEnv } from '../../../src/testing/virtual-env.ts'
import { newJob } from '../../../src/testing/records.ts'
import {
  always, expectOneOf, file, open, picture, queue, scenario, Session,
} from './harness.ts'

function segments(disk: MemoryDisk): string[] {
  return disk.paths().filter((path) => path.startsWith(`${file}.journal/`))
}

test('a reopened store has its jobs, settings and log, with their numbers', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk, always)
  for (const step of scenario(session)) await step()
  await session.store.close()
  const first = await open(disk, always, session.ledger.copy())
  const seen = await picture(first)
  await first.store.close()
  for (let round = 0; round < 3; round += 1) {
    const next = await open(disk, always, session.ledger)
    expect(await picture(next)).toEqual(seen)
    await expectOneOf(next, [session.ledger])
    await next.store.close()
  }
  expect(disk.paths().filter((path) => !path.includes('.journal/'))).toEqual([file])
})

test('an open and a close without changes leave the files as they are', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  await session.store.close()
  const image = disk.image()
  await (await open(disk)).store.close()
  expect(disk.image()).toEqual(image)
})

test.each(['close', 'crash'])('the fence never falls after a %s', async (end) => {
  let disk = new MemoryDisk()
  let last = 0
  for (let round = 0; round < 4; round += 1) {
    const session = await open(disk)
    await session.add(`job-${round}`)
    const [job] = await session.claim()
    expect(job?.fence).toBeGreaterThan(last)
    last = job?.fence ?? 0
    await session.complete(job ? [job] : [])
    await session.prune(0)
    expect(await session.store.get([`job-${round}`])).toEqual([undefined])
    if (end === 'close') await session.store.close()
    else disk = disk.crashed(10_000_100 + round)
  }
})

test('the log keeps its numbers when its segments are gone', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk, always)
  await session.add(...Array.from({ length: 20 }, (_, index) => `job-${index}`))
  await session.prune(0, 0)
  await session.store.casSetting('other', 0, 1)
  await session.store.close()
  const next = await open(disk, always)
  expect(await next.store.readLog(queue, 0, 10)).toEqual({ entries: [], oldest: 21, newest: 20 })
  await next.add('later')
  expect((await next.log()).map(({ seq }) => seq)).toEqual([21])
})

test('segments stay as long as the log needs them, and no longer', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk, always)
  for (let round = 0; round < 40; round += 1) await session.add(`job-${round}`)
  await session.env.settle()
  const all = segments(disk).length
  expect(all).toBeGreaterThan(10)
  expect((await session.log()).length).toBe(40)
  await session.remove('job-0')
  await session.prune(0, 5)
  const log = await session.log()
  expect(log).toHaveLength(5)
  await session.store.close()
  expect(segments(disk).length).toBeLessThan(10)
  const next = await open(disk, always)
  expect((await next.log()).slice(-5)).toEqual(log)
})

test('what is settled is pruned by age after a reopening, too', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a', 'b', 'c')
  const jobs = await session.claim(3)
  for (const index of [2, 0, 1]) {
    const job = jobs[index]
    if (job) await session.complete([job])
    await session.env.advance(10)
  }
  await session.store.close()
  const next = await open(disk)
  await next.env.advance(1_000)
  await next.prune(1)
  expect(await next.store.get(['a', 'b', 'c'])).toMatchObject([
    undefined, { state: 'completed' }, undefined,
  ])
})

test('two stores on one file in one process are one', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  const other = lowdbStore('/data/../data/jobs.json')
  const seen: string[] = []
  other.watch((event) => { seen.push(event.type) })
  const context = { env: session.env, report: () => undefined }
  await other.open(context)
  await session.add('a')
  expect(await other.get(['a'])).toMatchObject([{ id: 'a' }])
  expect(seen).toContain('changes')
  await session.store.close()
  await expect(session.add('b')).rejects.toMatchObject({ code: 'stopped' })
  await other.insert([newJob({ id: 'c' })])
  await other.open(context)
  await other.close()
  await other.insert([newJob({ id: 'd' })])
  const closing = other.close()
  await expect(other.get(['d'])).rejects.toMatchObject({ code: 'stopped' })
  const again = lowdbStore(file)
  await again.open(context)
  await closing
  expect(await again.get(['a', 'c', 'd'])).toMatchObject([{ id: 'a' }, { id: 'c' }, { id: 'd' }])
  await again.close()
  expect(disk.paths()).not.toContain(`${file}.lock`)
})

test('what was asked for before the close is done', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  const added = session.add('a')
  await session.store.close()
  expect(await added).toMatchObject([{ created: true }])
  expect((await open(disk)).store.capabilities).toEqual({
    durable: true, multiProcess: false, push: true, transactionalAdd: false,
  })
})

test('nobody sees what is not durable yet', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('before')
  const order: string[] = []
  session.store.watch(({ type }) => { order.push(type) })
  let reading: Promise<unknown> = Promise.resolve()
  disk.before = ({ operation }) => {
    order.push(operation)
    if (operation === 'datasync') {
      reading = session.store.counts(queue).then(() => { order.push('read') })
    }
    return undefined
  }
  await session.add('a').then(() => { order.push('answer') })
  await reading
  expect(order.slice(order.lastIndexOf('append'))).toEqual([
    'append', 'datasync', 'changes', 'wake', 'answer', 'read',
  ])
})

test('operations that wait together share one write; one that throws harms no other', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  await session.add('a')
  const syncs: string[] = []
  disk.before = ({ operation }) => {
    if (operation === 'datasync') syncs.push(operation)
    return undefined
  }
  const answers = await Promise.allSettled([
    session.add('b'),
    session.store.insert([newJob({ id: 'a', queue: 'another' })]),
    session.claim(2),
    session.add('c'),
  ])
  expect(answers.map(({ status }) => status)).toEqual([
    'fulfilled', 'rejected', 'fulfilled', 'fulfilled',
  ])
  expect(answers[1]).toMatchObject({ reason: { code: 'id-in-use' } })
  expect(syncs).toHaveLength(1)
})

test('what changes nothing is answered without a write', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  const { changes } = disk
  expect(await session.claim()).toEqual([])
  expect(await session.complete([])).toEqual([])
  expect(await session.store.casSetting('other', 3, 1)).toBe(false)
  expect(disk.changes).toBe(changes)
})

test('a checkpoint is written in slices, with a turn of the loop after each', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk)
  const ids = Array.from({ length: 10_000 }, (_, index) => `job-${index}`)
  await session.add(...ids)
  const slices: number[] = []
  const { soon } = session.env
  session.env.soon = (action) => {
    slices.push(0)
    soon(action)
  }
  const openFile = disk.open.bind(disk)
  disk.open = async (path, mode) => {
    const opened = await openFile(path, mode)
    if (!path.endsWith('.tmp')) return opened
    return {
      ...opened,
      append: (bytes) => {
        slices.push((slices.pop() ?? 0) + Buffer.from(bytes).toString().split('\n').length - 1)
        return opened.append(bytes)
      },
    }
  }
  await session.store.close()
  expect(slices.reduce((sum, jobs) => sum + jobs, 0)).toBeGreaterThan(10_000)
  expect(Math.max(...slices)).toBeLessThanOrEqual(260)
})

test('all goes on while a checkpoint is written, into the next segment', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk, { checkpointBytes: 1_000_000, segmentBytes: 10_000_000 })
  await session.add(...Array.from({ length: 3_000 }, (_, index) => `job-${index}`))
  expect(disk.paths()).not.toContain(file)
  const jobs = await session.claim(2)
  await Promise.all([
    session.add('meanwhile'), session.complete(jobs), session.cancel('job-2900'),
    session.cancel('job-2901'), session.remove('job-2901'), session.remove('job-2999'),
  ])
  disk.before = ({ operation, path }) =>
    operation === 'datasync' && path.endsWith('.jsonl') ? { code: 'EIO' } : undefined
  await expect(session.remove('job-2950')).rejects.toMatchObject({ code: 'store-failed' })
  disk.before = () => undefined
  expect(disk.paths()).not.toContain(file)
  await expectOneOf(await open(disk.crashed()), [session.ledger])
  await session.env.settle()
  expect(disk.paths()).toContain(file)
  await expectOneOf(await open(disk.crashed()), [session.ledger])
})

test('a segment that a checkpoint names is there after a power cut', async () => {
  const disk = new MemoryDisk()
  const session = await open(disk, always)
  await session.add(...Array.from({ length: 10 }, (_, index) => `job-${index}`))
  await session.env.settle()
  expect(disk.paths()).toContain(file)
  await expectOneOf(await open(disk.powerCut(() => 0)), [session.ledger])
})

test('a missing lowdb is named, with the command', async () => {
  const env = new VirtualEnv({ disk: new MemoryDisk() })
  const missing = CheckpointFile.load(env, file, () => Promise.reject(new Error('not found')))
  await expect(missing).rejects.toMatchObject({
    code: 'missing-package', details: { package: 'lowdb' },
    message: expect.stringContaining('npm install lowdb'),
  })
})

test('paths are checked, and a store that is not open says so', async () => {
  expect(() => lowdbStore('')).toThrow(expect.objectContaining({ code: 'invalid-option' }))
  const session = new Session(new MemoryDisk())
  await expect(session.add('a')).rejects.toMatchObject({ code: 'stopped' })
  await expect(session.store.get(['a'])).rejects.toMatchObject({ code: 'stopped' })
  await session.store.close()
})
