import type { Transition } from 'troupe'
import { describe, expect, test } from 'vitest'
import { Publisher } from '../../src/observe/publisher.ts'
import { createRecord } from '../../src/records/job.ts'
import { toLogEntry } from '../../src/records/transition.ts'
import { Broadcast } from '../../src/stores/broadcast.ts'
import type { Change, StoreEvent } from '../../src/stores/store.ts'
import { newJob } from '../../src/testing/records.ts'

/** A store's news that a job was added. */
function news(...seqs: number[]): StoreEvent {
  const changes: Change[] = seqs.map((seq) => {
    const record = createRecord(newJob({ id: `job ${seq}` }), 1000)
    return { entry: { ...toLogEntry(record, 'add', null, 1000, 'api'), seq }, record }
  })
  return { type: 'changes', changes }
}

/** A publisher in front of a store that tells what a test says. */
function open() {
  const reports: unknown[] = []
  const store = new Broadcast()
  const publisher = new Publisher(store, (error) => { reports.push(error) })
  store.watch((event) => { publisher.receive(event) })
  return { publisher, store, reports }
}

describe('the publisher', () => {
  test('tells what an observer causes after what is being told, to everybody', () => {
    const { publisher, store } = open()
    const heard: string[] = []
    publisher.transitions('images').subscribe(({ seq }) => {
      heard.push(`first ${seq}`)
      if (seq === 1) store.emit([news(3)])
    })
    publisher.transitions('images').subscribe(({ seq }) => heard.push(`second ${seq}`))
    publisher.follow({ entry: ({ seq }) => heard.push(`all ${seq}`), over: () => undefined })
    store.emit([news(1, 2)])
    expect(heard).toEqual([1, 2, 3].flatMap((n) => [`first ${n}`, `second ${n}`, `all ${n}`]))
  })

  test('goes on after an observer that threw', () => {
    const { publisher, store, reports } = open()
    const heard: Transition[] = []
    publisher.transitions('images').subscribe(() => { throw new Error('bad') })
    publisher.transitions('images').subscribe((transition) => heard.push(transition))
    store.emit([news(1)])
    store.emit([news(2)])
    expect(heard.map(({ cursor }) => cursor)).toEqual(['images:1', 'images:2'])
    expect(reports).toHaveLength(2)
  })

  test('tells who unsubscribes while others are told nothing more', () => {
    const { publisher } = open()
    const heard: string[] = []
    const stop = publisher.followJob('job 1', () => {
      heard.push('job')
      stop()
    })
    publisher.receive(news(1))
    publisher.receive(news(1))
    expect(heard).toEqual(['job'])
    expect(publisher.followed.size).toBe(0)
  })

  test('ends everything once, and what comes later at once', () => {
    const { publisher } = open()
    const heard: unknown[] = []
    publisher.transitions('images').subscribe({ complete: () => heard.push('transitions') })
    publisher.follow({ entry: () => undefined, over: () => heard.push('all') })
    publisher.followJob('job 1', (what) => heard.push(what))
    publisher.close()
    expect(heard.toSorted()).toEqual(['all', 'over', 'transitions'])
    publisher.transitions('images').subscribe({ complete: () => heard.push('late') })
    publisher.receive(news(1))
    expect(heard.at(-1)).toBe('late')
  })
})
