import type { Troupe, Transition } from 'troupe'
import { describe, expect, test } from 'vitest'
import { faultyStore, refuse, waitFor } from '../../src/testing/faulty-store.ts'
import { hold, thrown, useStage } from '../support/stage.ts'

const stage = useStage()

const seqs = (heard: readonly Transition[]): number[] => heard.map(({ seq }) => seq)
const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, n) => n + first)

/** What `observe` tells, and how it ends. */
function listen(troupe: Troupe, options?: Parameters<Troupe['observe']>[0]) {
  const heard: Transition[] = []
  const ends: unknown[] = []
  const subscription = troupe.observe(options).subscribe({
    next: (transition) => heard.push(transition),
    error: (error) => ends.push(error),
    complete: () => ends.push('end'),
  })
  return { heard, ends, unsubscribe: () => { subscription.unsubscribe() } }
}

/** A troupe that only adds; each add and each cancel is one transition. */
async function open() {
  const troupe = await stage.open()
  const queue = troupe.queue<{ work: () => void }>('q')
  let n = 0
  const add = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left -= 1) {
      await queue.add('work', undefined, { id: `${n += 1}` })
    }
  }
  return { troupe, queue, add }
}

describe('observe', () => {
  test('from the start: all that the log has, then live', async () => {
    const { troupe, add } = await open()
    await add(1203)
    const { heard, ends } = listen(troupe, { from: 'start' })
    await stage.env.settle()
    expect(seqs(heard)).toEqual(upTo(1203))
    await add(2)
    expect(seqs(heard)).toEqual(upTo(1205))
    expect(ends).toEqual([])
  })

  test('from now, which is the default: only what comes', async () => {
    const { troupe, add } = await open()
    await add(3)
    const both = [listen(troupe), listen(troupe, { from: 'now' })]
    await add(2)
    await stage.env.settle()
    await add(1)
    expect(both.map(({ heard }) => seqs(heard))).toEqual([[4, 5, 6], [4, 5, 6]])
  })

  test('from a cursor: right behind it, wherever the cursor came from', async () => {
    const { troupe, queue, add } = await open()
    const live: Transition[] = []
    queue.transitions$.subscribe((transition) => live.push(transition))
    const observed = listen(troupe)
    await add(10)
    await stage.env.settle()
    for (const source of [live, observed.heard]) {
      const cursor = source[3]?.cursor ?? ''
      const again = listen(troupe, { from: cursor })
      const ofQueue = listen(troupe, { from: cursor, queue: 'q' })
      await stage.env.settle()
      expect(seqs(again.heard)).toEqual(upTo(10, 5))
      expect(seqs(ofQueue.heard)).toEqual(upTo(10, 5))
      again.unsubscribe()
      ofQueue.unsubscribe()
    }
    const last = listen(troupe, { from: live.at(-1)?.cursor ?? '' })
    await stage.env.settle()
    expect(last.heard).toEqual([])
    await add(1)
    expect(seqs(last.heard)).toEqual([11])
  })

  test('of one queue hears nothing of others', async () => {
    const { troupe, add } = await open()
    const other = troupe.queue<{ work: () => void }>('other')
    await other.add('work')
    const { heard } = listen(troupe, { queue: 'other', from: 'start' })
    await add(3)
    await stage.env.settle()
    await other.add('work')
    await add(3)
    expect(heard.map(({ queue, seq }) => [queue, seq])).toEqual([['other', 1], ['other', 2]])
  })

  test('of all queues goes on with each where the cursor says', async () => {
    const { troupe } = await open()
    const queues = ['a', 'b:1,%', 'c'].map((name) => troupe.queue<{ work: () => void }>(name))
    const round = async (): Promise<void> => {
      for (const queue of queues) await queue.add('work')
    }
    await round()
    const first = listen(troupe)
    await stage.env.settle()
    await round()
    await round()
    const all = first.heard.map(({ queue, seq }) => `${queue} ${seq}`)
    expect(all).toEqual(['a 2', 'b:1,% 2', 'c 2', 'a 3', 'b:1,% 3', 'c 3'])
    first.unsubscribe()
    for (const [index, { cursor }] of first.heard.entries()) {
      const again = listen(troupe, { from: cursor })
      await stage.env.settle()
      expect(again.heard.map(({ queue, seq }) => `${queue} ${seq}`).toSorted())
        .toEqual(all.slice(index + 1).toSorted())
      again.unsubscribe()
    }
  })

  test('of a queue that did not exist begins with its first transition', async () => {
    const { troupe, add } = await open()
    const { heard } = listen(troupe)
    await stage.env.settle()
    await add(2)
    expect(seqs(heard)).toEqual([1, 2])
  })

  test('can be subscribed to many times, each on its own', async () => {
    const { troupe, add } = await open()
    await add(2)
    const stream = troupe.observe({ from: 'start' })
    const counts = [0, 0]
    stream.subscribe(() => { counts[0] = (counts[0] ?? 0) + 1 })
    await stage.env.settle()
    await add(1)
    stream.subscribe(() => { counts[1] = (counts[1] ?? 0) + 1 })
    await stage.env.settle()
    expect(counts).toEqual([3, 3])
  })

  test('stops reading when nobody listens any more', async () => {
    const { store, calls } = faultyStore(stage.store)
    const troupe = await stage.open({ store })
    const queue = troupe.queue<{ work: () => void }>('q')
    await queue.addMany(Array.from({ length: 2000 }, () => ({ task: 'work' as const })))
    const gate = hold()
    const seen: number[] = []
    const subscription = troupe.observe({ from: 'start' }).subscribe(({ seq }) => {
      seen.push(seq)
      if (seq === 10) subscription.unsubscribe()
    })
    gate.release()
    await stage.env.settle()
    expect(seen).toEqual(upTo(10))
    expect(calls('readLog')).toHaveLength(1)
  })

  test('ends with the error of the store when it cannot read', async () => {
    const { store, next } = faultyStore(stage.store)
    const troupe = await stage.open({ store })
    await troupe.queue<{ work: () => void }>('q').add('work')
    next('readLog', refuse, 2)
    const both = [listen(troupe, { from: 'start' }), listen(troupe)]
    await stage.env.settle()
    expect(both.map(({ ends }) => ends)).toEqual(Array(2).fill([
      expect.objectContaining({ code: 'store-failed' }),
    ]))
  })
})

describe('a cursor', () => {
  test('that no transition carried is refused at once', async () => {
    const { troupe } = await open()
    for (const cursor of ['latest', 'q', 'q:', 'q:-1', 'q:1,', ':1', 'q:1;x:2', '%:1', 'q:1e3']) {
      expect(thrown(() => troupe.observe({ from: cursor }))).toMatchObject({
        code: 'invalid-cursor', details: { cursor },
      })
    }
    expect(thrown(() => troupe.observe({ from: 5 as unknown as string }))).toMatchObject({
      code: 'invalid-option', details: { path: 'from' },
    })
  })

  test('that the log was trimmed past is too old, also when the trimming comes later', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', { retention: { log: 5 }, tasks: { work: () => 1 } })
    const { heard } = listen(troupe)
    await stage.env.settle()
    for (let n = 0; n < 10; n += 1) await queue.add('work', undefined, { delay: '1d' })
    await troupe.start()
    await stage.env.advance(2000)
    const cursorOf = (seq: number): string => heard.find((one) => one.seq === seq)?.cursor ?? ''
    const old = listen(troupe, { from: cursorOf(4) })
    const edge = listen(troupe, { from: cursorOf(5) })
    const start = listen(troupe, { from: 'start' })
    await stage.env.settle()
    expect(old.heard).toEqual([])
    expect(old.ends).toEqual([expect.objectContaining({
      code: 'cursor-too-old', details: { queue: 'q', seq: 4, oldest: 6 },
    })])
    expect(seqs(edge.heard)).toEqual([6, 7, 8, 9, 10])
    expect(seqs(start.heard)).toEqual([6, 7, 8, 9, 10])
  })

  test('of another life of the store is refused, and does not swallow what comes', async () => {
    const { troupe, add } = await open()
    await add(2)
    const ahead = [listen(troupe, { from: 'q:7' }), listen(troupe, { from: 'gone:7' })]
    await stage.env.settle()
    for (const { heard, ends } of ahead) {
      expect(heard).toEqual([])
      expect(ends).toEqual([expect.objectContaining({ code: 'invalid-cursor' })])
    }
  })
})

test('a slow read leaves no gap and no duplicate at the seam', async () => {
  const { store, next } = faultyStore(stage.store)
  const troupe = await stage.open({ store })
  const queue = troupe.queue<{ work: () => void }>('q')
  for (const from of ['start', 'now', 'q:1'] as const) {
    const gate = hold()
    const { newest } = await stage.store.readLog('q', 0, 1)
    next('readLog', waitFor(gate.promise))
    await queue.add('work')
    const { heard, unsubscribe } = listen(troupe, { from })
    await queue.add('work')
    await stage.env.settle()
    await queue.add('work')
    gate.release()
    await stage.env.settle()
    await queue.add('work')
    const first = from === 'start' ? 1 : from === 'now' ? newest + 2 : 2
    expect(seqs(heard)).toEqual(upTo(newest + 4, first))
    unsubscribe()
  }
})
