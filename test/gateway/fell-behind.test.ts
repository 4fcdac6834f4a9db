import { createTroupe, memoryStore } from 'troupe'
import type { Queue, Store, Tasks, Troupe } from 'troupe'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createGateway } from '../../src/gateway/gateway.ts'
import type { Gateway } from '../../src/gateway/gateway.ts'
import { hold } from '../support/stage.ts'
import { EventReader, told } from './stand.ts'
import type { SeenEvent } from './stand.ts'

let troupe = undefined as unknown as Troupe
let queue = undefined as unknown as Queue<Tasks>
let gateway = undefined as unknown as Gateway
/** Looks at jobs wait for it. */
let gate: Promise<void> = Promise.resolve()

beforeEach(async () => {
  const store = memoryStore()
  const slow: Store = new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const call = (...args: unknown[]): unknown => Reflect.apply(value, target, args)
      return name === 'get'
        ? (...args: unknown[]): Promise<unknown> => gate.then(() => call(...args))
        : call
    },
  })
  troupe = await createTroupe({ store: slow })
  queue = troupe.queue('photos', { tasks: { resize: () => 'done' } })
  gateway = createGateway(troupe, {
    authorize: () => ({ user: 'ann', scope: { partition: 'ann' } }),
  })
})
afterEach(async () => {
  await gateway.close()
  await troupe.stop({ grace: 0 })
})

const open = async (): Promise<EventReader> =>
  new EventReader(await gateway.fetch(new Request('http://app.test/v1/stream')))

async function add(count: number, prefix: string): Promise<void> {
  for (let done = 0; done < count; done += 1000) {
    await queue.addMany(Array.from({ length: Math.min(1000, count - done) }, (_, index) =>
      ({ task: 'resize', id: `${prefix}${done + index}`, partition: 'ann' })))
  }
}

/** More comes than is kept in memory while the jobs of the group are looked up. */
async function fallBehind(witness: EventReader): Promise<void> {
  const { promise, release } = hold()
  gate = promise
  await add(5000, 'flood')
  release()
  for (;;) {
    const event = await witness.next()
    if (event?.data['why'] === 'fell-behind') return
  }
}

async function until(stream: EventReader, id: string): Promise<SeenEvent[]> {
  const seen: SeenEvent[] = []
  while (seen.at(-1)?.data['jobId'] !== id) seen.push(...await stream.take(1))
  return seen
}

describe('a group whose jobs are looked up too slowly asks anew,', () => {
  test.each([
    ['a few jobs wait for', 5], ['more waits than is kept for', 1500],
  ])('once, also when %s one that does not read', async (_name, waiting) => {
    const witness = await open()
    const slow = await open()
    await witness.take(1)
    await add(400, 'fill')
    await witness.take(400)
    await add(waiting, 'wait')
    await witness.take(waiting)
    await fallBehind(witness)
    // Read up to here.
    const before = await until(slow, 'fill399')
    const frame = (await slow.take(1))[0]
    expect(frame).toMatchObject({ event: 'queue.keyframe', data: { why: 'fell-behind' } })
    expect(before).toHaveLength(401)
    for (const id of ['last', 'last of all']) {
      await queue.add('resize', null, { id, partition: 'ann' })
      expect(told(await slow.take(1))).toEqual([`add ${id}`])
      expect(told(await witness.take(1))).toEqual([`add ${id}`])
    }
  })
})
