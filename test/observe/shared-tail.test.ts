import { TroupeError } from 'troupe'
import type { Store, Transition } from 'troupe'
import { expect, test } from 'vitest'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { SharedStore } from '../support/shared-store.ts'
import { hold, useStage } from '../support/stage.ts'

const stage = useStage()

/** A troupe on a store whose tail begins when a test says so, and counts who listens. */
async function open() {
  const gate = hold()
  const tails = { begun: 0, ended: 0 }
  const session = new SharedStore(stage.env).session()
  const tail: Store['tail'] = async (listener) => {
    await gate.promise
    const stop = await session.tail(listener)
    tails.begun += 1
    return () => {
      tails.ended += 1
      stop()
    }
  }
  const troupe = await stage.open({ store: faultyStore(session, { tail }).store })
  const queue = troupe.queue<{ work: () => void }>('q')
  const add = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) await queue.add('work')
    await stage.env.settle()
  }
  return { troupe, queue, gate, tails, add }
}

const seqs = (heard: readonly Transition[]): number[] => heard.map(({ seq }) => seq)

test.each(['start', 'cursor', 'now'] as const)(
  'from %s: what is numbered before the tail begins is told, once', async (point) => {
    const { troupe, queue, gate, add } = await open()
    await add(3)
    const from = point === 'cursor' ? 'q:2' : point
    const heard: Transition[][] = [[], []]
    troupe.observe({ from }).subscribe((each) => heard[0]?.push(each))
    const { length } = heard
    if (point === 'now') queue.transitions$.subscribe((each) => heard[1]?.push(each))
    await stage.env.settle()
    await add(2)
    const adding = add(2)
    gate.release()
    await adding
    await add(1)
    const expected = { start: [1, 2, 3, 4, 5, 6, 7, 8], cursor: [3, 4, 5, 6, 7, 8] }
    const now = [4, 5, 6, 7, 8]
    expect(seqs(heard[0] ?? [])).toEqual(point === 'now' ? now : expected[point])
    if (point === 'now') expect(seqs(heard[length - 1] ?? [])).toEqual(now)
  },
)

test('a queue that is born before the tail begins is told from its first number on', async () => {
  const { troupe, gate, add } = await open()
  const heard: Transition[] = []
  troupe.observe().subscribe((each) => heard.push(each))
  await stage.env.settle()
  await add(2)
  gate.release()
  await stage.env.settle()
  await add(1)
  expect(seqs(heard)).toEqual([1, 2, 3])
})

test('the store is listened to while somebody observes, and once for all', async () => {
  const { troupe, queue, gate, tails, add } = await open()
  gate.release()
  await stage.env.settle()
  expect(tails).toEqual({ begun: 0, ended: 0 })
  const first = troupe.observe().subscribe()
  const second = queue.transitions$.subscribe()
  await add(1)
  expect(tails).toEqual({ begun: 1, ended: 0 })
  first.unsubscribe()
  await add(1)
  expect(tails).toEqual({ begun: 1, ended: 0 })
  second.unsubscribe()
  await stage.env.settle()
  expect(tails).toEqual({ begun: 1, ended: 1 })
  const heard: Transition[] = []
  troupe.observe({ from: 'start' }).subscribe((each) => heard.push(each))
  await add(1)
  expect(tails).toEqual({ begun: 2, ended: 1 })
  expect(seqs(heard)).toEqual([1, 2, 3])
})

test('who leaves before the tail has begun is told nothing, and it ends', async () => {
  const { troupe, gate, tails, add } = await open()
  const early: Transition[] = []
  troupe.observe({ from: 'start' }).subscribe((each) => early.push(each)).unsubscribe()
  const heard: Transition[] = []
  troupe.observe({ from: 'start' }).subscribe((each) => heard.push(each))
  gate.release()
  await add(2)
  expect([seqs(early), seqs(heard)]).toEqual([[], [1, 2]])
  expect(tails).toEqual({ begun: 2, ended: 1 })
})

test('a store that cannot be listened to is an error of the stream, and tried anew', async () => {
  const session = new SharedStore(stage.env).session()
  let refused = 1
  const { store } = faultyStore(session, {
    tail: (listener) => ((refused -= 1) >= 0
      ? Promise.reject(new TroupeError('store-failed', 'no', { operation: 'tail' }))
      : session.tail(listener)),
  })
  const troupe = await stage.open({ store })
  const queue = troupe.queue<{ work: () => void }>('q')
  const errors: unknown[] = []
  troupe.observe({ from: 'start' }).subscribe({ error: (error) => { errors.push(error) } })
  await stage.env.settle()
  expect(errors).toMatchObject([{ code: 'store-failed' }])
  const heard: Transition[] = []
  queue.transitions$.subscribe((each) => heard.push(each))
  await stage.env.settle()
  await queue.add('work')
  await stage.env.settle()
  expect(seqs(heard)).toEqual([1])
})
