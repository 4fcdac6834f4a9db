import type { Job, State } from 'troupe'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Publisher } from '../../src/observe/publisher.ts'
import type { JobListener } from '../../src/observe/publisher.ts'
import { useStage } from '../support/stage.ts'

const stage = useStage()
afterEach(() => { vi.restoreAllMocks() })

async function open<R>(work: (job: Job) => R) {
  const troupe = await stage.open()
  const queue = troupe.queue('q', { tasks: { work } })
  return { troupe, queue }
}

describe('following many jobs', () => {
  /** Counts how often a listener of a job is called, and remembers the publishers. */
  function countCalls() {
    const counted = { calls: 0, publishers: new Set<Publisher>() }
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called on its publisher below
    const { followJob } = Publisher.prototype
    vi.spyOn(Publisher.prototype, 'followJob').mockImplementation(function count(
      this: Publisher, id, listener,
    ) {
      counted.publishers.add(this)
      const heard: JobListener = (news) => {
        counted.calls += 1
        listener(news)
      }
      return followJob.call(this, id, heard)
    })
    return counted
  }

  test('costs a transition the same with 10,000 as with ten', async () => {
    const counted = countCalls()
    const cost = async (followed: number): Promise<number> => {
      const { queue } = await open(() => 1)
      const specs = Array.from({ length: followed }, () => ({ task: 'work' as const }))
      const jobs = await queue.addMany(specs)
      const states: State[] = []
      for (const job of jobs) job.state$.subscribe((state) => states.push(state))
      await stage.env.settle()
      expect(states).toHaveLength(followed)
      const before = counted.calls
      await jobs[0]?.cancel()
      expect(states).toHaveLength(followed + 1)
      return counted.calls - before
    }
    expect(await cost(10)).toBe(1)
    stage.reset()
    expect(await cost(10_000)).toBe(1)
  })

  test('leaves nothing behind when they settle, are removed, or nobody listens', async () => {
    const counted = countCalls()
    const { troupe, queue } = await open((job) => { if (job.input === 1) throw new Error('no') })
    const jobs = await queue.addMany([0, 1, 2, 3].map((input) => ({ task: 'work', input })))
    const delayed = await queue.add('work', null, { delay: '1d' })
    const left = await queue.add('work', null, { delay: '1d' })
    const actors = [...jobs, delayed].map(({ actor }) => actor)
    for (const job of [...jobs, delayed]) job.record$.subscribe(() => undefined)
    const results = [...jobs, delayed].map((job) => job.result().catch(() => undefined))
    const subscription = left.record$.subscribe(() => undefined)
    queue.job('nobody').record$.subscribe({ error: () => undefined })
    await stage.env.settle()
    const [publisher] = counted.publishers
    expect(publisher?.followed.size).toBe(6)
    subscription.unsubscribe()
    await queue.remove(delayed.id)
    await troupe.start()
    await stage.drive(Promise.all(results))
    expect(actors.map((actor) => actor.getSnapshot().status)).not.toContain('active')
    expect(publisher?.followed.size).toBe(0)
  })
})
