import { expect, test } from 'vitest'
import { ignored, step } from '../../../src/records/step.ts'
import type { Limits } from '../../../src/stores/store.ts'
import { MemoryDisk } from '../../../src/testing/memory-disk.ts'
import { listQuery, newJob, policy } from '../../../src/testing/records.ts'
import { open as openFile } from './harness.ts'
import type { Session } from './harness.ts'

const rare: Limits = { rate: { max: 1, perMs: 1e9, perPartition: false }, perPartition: null }

/** All that can be seen of the queues of a file. */
async function seen({ store }: Session): Promise<unknown> {
  const of = async (queue: string) => ({
    jobs: (await store.list(listQuery({ queue }))).records, log: await store.readLog(queue, 0, 1e6),
  })
  const [first] = (await of('images')).jobs
  return {
    rate: first ? (await store.explain('images', first.id, rare))?.rate : null,
    images: await of('images'), mail: await of('mail'), counts: await store.counts(null),
    settings: await Promise.all(['queue:images', 'schedules:images', 'queue:mail']
      .map((key) => store.getSetting(key))),
  }
}

const often = { checkpointBytes: 1000, segmentBytes: 1000 } as const
const obliterate = { type: 'obliterate', queue: 'images', by: 'ann', force: false } as const

/** A start that the rate limit remembers, and its end. */
async function start({ env, store }: Session): Promise<void> {
  const { records } = await store.claim({
    queue: 'images', worker: 'w1', limit: 1, leaseMs: 1000, tasks: new Map([['resize', policy]]),
    exclude: new Set(), limits: rare,
  })
  const event = { type: 'complete', now: env.now(), by: 'w1', result: 1, progress: null } as const
  await store.commit(records.flatMap((record) => {
    const moved = step(record, event, env.id())
    return moved === ignored ? [] : [{ fence: record.fence, rev: record.rev, ...moved }]
  }))
}

/** The life of a file with two queues, of which one ends, and is used again. */
function chapters(session: Session, starting: () => Promise<unknown>) {
  const { store } = session
  const mail = (id: string) => store.insert([newJob({ id, queue: 'mail' })])
  return [
    () => session.add('a', 'b'),
    () => mail('m'),
    starting,
    () => store.casSetting('queue:images', 0, { paused: true }),
    () => store.casSetting('schedules:images', 0, { version: 1 }),
    () => Promise.all([session.cancel('b'), session.add('c')]),
    () => store.apply([obliterate]),
    () => mail('n'),
    () => session.add('a', 'd'),
    starting,
    () => Promise.all([session.add('e'), store.apply([obliterate]), session.add('f', 'a')]),
    () => Promise.all(['f', 'a'].map((id) => session.remove(id))),
    () => store.apply([obliterate]),
    () => Promise.all([mail('o'), mail('p'), mail('q')]),
    () => session.add('z'),
  ]
}

test('a process killed at any moment has it whole or not at all', async () => {
  const disk = new MemoryDisk()
  const session = await openFile(disk, often)
  const pictures = [await seen(session)]
  const crashes: { readonly disk: MemoryDisk; readonly during: number; at: string }[] = []
  let watching = true
  disk.before = ({ operation, path, index }) => {
    const at = `${index} ${operation} ${path}`
    if (watching) crashes.push({ disk: disk.crashed(), during: pictures.length, at })
    return undefined
  }
  // In the middle of this a job runs, which the next process would take back.
  const unwatched = async (): Promise<void> => {
    watching = false
    await start(session)
    watching = true
  }
  for (const chapter of chapters(session, unwatched)) {
    await chapter()
    pictures.push(await seen(session))
  }
  await session.store.close()
  disk.before = () => undefined
  crashes.push({ disk, during: pictures.length, at: 'the end' })
  expect(crashes.filter(({ at }) => at.includes('rename')).length).toBeGreaterThan(3)
  for (const { disk: left, during, at } of crashes) {
    let next = await openFile(left, often)
    const possible = pictures.slice(during - 1, during + 1)
    const found = await seen(next)
    expect(possible, `crash at ${at}`).toContainEqual(found)
    await next.store.close()
    next = await openFile(left, often)
    expect(await seen(next), `reopened after a crash at ${at}`).toEqual(found)
    await next.store.close()
  }
})

const nothing = async (): Promise<void> => undefined

test('a write that fails takes nothing away, the log included', async () => {
  const lengthOf = async (): Promise<number> => {
    const disk = new MemoryDisk()
    for (const chapter of chapters(await openFile(disk, often), nothing)) await chapter()
    return disk.changes
  }
  const changes = await lengthOf()
  for (let bad = 10; bad <= changes; bad += 1) {
    const disk = new MemoryDisk()
    const session = await openFile(disk, often)
    disk.before = ({ index }) => (index === bad ? { code: 'EIO', part: 50 } : undefined)
    for (const chapter of chapters(session, nothing)) {
      const before = await seen(session)
      try {
        await chapter()
      } catch (error) {
        expect(error).toMatchObject({ code: 'store-failed' })
        expect(await seen(session), `change ${bad}`).toEqual(before)
        await session.env.advance(2000)
        await chapter()
      }
    }
    const end = await seen(session)
    await session.store.close()
    expect(await seen(await openFile(disk, often)), `change ${bad}`).toEqual(end)
  }
})

test('its log does not come back out of segments that another queue needs', async () => {
  const disk = new MemoryDisk()
  let session = await openFile(disk, { checkpointBytes: 1e6, segmentBytes: 1 })
  const mail = newJob({ id: 'm', queue: 'mail' })
  await Promise.all([session.add('a'), session.store.insert([mail])])
  const late = newJob({ id: 'n', queue: 'mail' })
  await Promise.all([session.remove('a'), session.store.insert([late])])
  await session.store.apply([obliterate])
  for (let round = 0; round < 3; round += 1) {
    await session.store.insert([newJob({ id: `m-${round}`, queue: 'mail' })])
    await session.store.close()
    session = await openFile(disk, { checkpointBytes: 1e6, segmentBytes: 1 })
    expect(await session.store.readLog('images', 0, 10))
      .toEqual({ entries: [], oldest: 3, newest: 2 })
    expect([...(await session.store.counts(null)).keys()]).toEqual(['mail'])
    expect((await session.store.readLog('mail', 0, 10)).entries).toHaveLength(3 + round)
  }
})

test('a segment that follows is not missing when nothing was written into it', async () => {
  const disk = new MemoryDisk()
  const session = await openFile(disk, { checkpointBytes: 1e6, segmentBytes: 1 })
  await session.add('a')
  await session.store.casSetting('other', 0, 'x')
  const crashed = disk.crashed()
  for (let opened = 0; opened < 3; opened += 1) {
    const next = await openFile(crashed)
    expect(await next.store.getSetting('other')).toEqual({ value: 'x', version: 1 })
    await next.store.close()
  }
})
