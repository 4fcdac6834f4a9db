import { iterate } from 'troupe'
import { Observable, of, Subject, throwError } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { thrown, useStage } from '../support/stage.ts'

const stage = useStage()

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const value of values) list.push(value)
  return list
}

/** A subject that tells how many subscribers it has. */
function source() {
  const subject = new Subject<number>()
  let subscribers = 0
  const stream = new Observable<number>((subscriber) => {
    subscribers += 1
    const subscription = subject.subscribe(subscriber)
    return () => {
      subscribers -= 1
      subscription.unsubscribe()
    }
  })
  return { subject, stream, subscribers: () => subscribers }
}

describe('iterate', () => {
  test('gives every value in order, and ends when the stream does', async () => {
    const { subject, stream } = source()
    const list = all(iterate(stream))
    for (const value of [1, 2, 3]) subject.next(value)
    subject.complete()
    expect(await list).toEqual([1, 2, 3])
  })

  test('waits for a value that has not come yet', async () => {
    const { subject, stream } = source()
    const iterator = iterate(stream)
    const pulls = [iterator.next(), iterator.next(), iterator.next()]
    subject.next(1)
    subject.next(2)
    subject.complete()
    expect(await Promise.all(pulls)).toEqual([
      { done: false, value: 1 }, { done: false, value: 2 }, { done: true, value: undefined },
    ])
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  test('subscribes at once: nothing is missed before the first pull', async () => {
    const { subject, stream, subscribers } = source()
    const iterator = iterate(stream)
    expect(subscribers()).toBe(1)
    subject.next(1)
    expect(await iterator.next()).toEqual({ done: false, value: 1 })
    await iterator.return?.()
  })

  test('of a stream that ends while it is subscribed to', async () => {
    expect(await all(iterate(of(1, 2)))).toEqual([1, 2])
    await expect(all(iterate(throwError(() => new Error('at once'))))).rejects.toThrow('at once')
  })

  test('gives what came before an error, and then the error, once', async () => {
    const { subject, stream } = source()
    const iterator = iterate(stream)
    subject.next(1)
    subject.error(new Error('broken'))
    expect(await iterator.next()).toEqual({ done: false, value: 1 })
    await expect(iterator.next()).rejects.toThrow('broken')
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  test('gives an error to who waits already', async () => {
    const { subject, stream } = source()
    const pull = iterate(stream).next()
    subject.error(new Error('broken'))
    await expect(pull).rejects.toThrow('broken')
  })

  test('unsubscribes when the loop is left', async () => {
    const { subject, stream, subscribers } = source()
    const iterator = iterate(stream)
    for (const value of [1, 2, 3]) subject.next(value)
    for await (const value of iterator) if (value === 2) break
    expect(subscribers()).toBe(0)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  test('unsubscribes on return(), and lets go who waits', async () => {
    const { stream, subscribers } = source()
    const iterator = iterate(stream)
    const pull = iterator.next()
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined })
    expect(await pull).toEqual({ done: true, value: undefined })
    expect(subscribers()).toBe(0)
  })
})

describe('a slow consumer', () => {
  test('fails when it is more than the limit behind, after what was kept', async () => {
    const { subject, stream, subscribers } = source()
    const iterator = iterate(stream, { limit: 3 })
    for (const value of [1, 2, 3]) subject.next(value)
    expect(await iterator.next()).toEqual({ done: false, value: 1 })
    for (const value of [4, 5, 6]) subject.next(value)
    expect(await iterator.next()).toEqual({ done: false, value: 2 })
    expect(subscribers()).toBe(0)
    expect(await iterator.next()).toEqual({ done: false, value: 3 })
    expect(await iterator.next()).toEqual({ done: false, value: 4 })
    await expect(iterator.next()).rejects.toMatchObject({
      code: 'slow-consumer', details: { limit: 3 },
    })
  })

  test('has 1,000 values when nothing is said', async () => {
    const { subject, stream } = source()
    const fits = iterate(stream)
    for (let n = 1; n <= 1000; n += 1) subject.next(n)
    subject.complete()
    expect(await all(fits)).toHaveLength(1000)
    const other = source()
    const over = iterate(other.stream)
    for (let n = 1; n <= 1001; n += 1) other.subject.next(n)
    await expect(all(over)).rejects.toMatchObject({ code: 'slow-consumer' })
  })

  test('may forget the oldest instead, and goes on', async () => {
    const { subject, stream } = source()
    const iterator = iterate(stream, { limit: 2, whenFull: 'drop-oldest' })
    for (const value of [1, 2, 3, 4, 5]) subject.next(value)
    expect(await iterator.next()).toEqual({ done: false, value: 4 })
    subject.next(6)
    subject.complete()
    expect(await all(iterator)).toEqual([5, 6])
  })

  test('of a wrong kind is refused', () => {
    for (const limit of [0, -1, 1.5, Number.POSITIVE_INFINITY]) {
      expect(thrown(() => iterate(of(1), { limit }))).toMatchObject({
        code: 'invalid-option', details: { path: 'limit' },
      })
    }
    expect(thrown(() => iterate(of(1), { whenFull: 'wait' as 'fail' }))).toMatchObject({
      code: 'invalid-option', details: { path: 'whenFull' },
    })
  })
})

test('a loop over transitions ends when the troupe stops', async () => {
  const troupe = await stage.open()
  const queue = troupe.queue('q', { tasks: { work: () => 1 } })
  const loops = [
    all(iterate(troupe.observe({ from: 'start' }))), all(iterate(queue.transitions$)),
  ]
  const job = await queue.add('work')
  await troupe.start()
  await stage.drive(job.result())
  await stage.drive(troupe.stop())
  const events = (await Promise.all(loops)).map((list) => list.map(({ event }) => event))
  expect(events).toEqual([['add', 'claim', 'complete'], ['add', 'claim', 'complete']])
})
