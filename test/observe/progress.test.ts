import type { Job, Progress, Transition } from 'troupe'
import type { Observable } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { hold, useStage } from '../support/stage.ts'

const stage = useStage()

/** What an observer heard, as words. */
function listen<T>(stream: Observable<T>, word: (value: T) => unknown = (value) => value) {
  const heard: unknown[] = []
  const subscription = stream.subscribe({
    next: (value) => heard.push(word(value)),
    error: (error: { code?: string }) => heard.push(`error ${error.code ?? ''}`),
    complete: () => heard.push('end'),
  })
  return { heard, unsubscribe: () => { subscription.unsubscribe() } }
}

async function open<R>(work: (job: Job) => R) {
  const troupe = await stage.open()
  const queue = troupe.queue('q', { tasks: { work } })
  return { troupe, queue }
}

describe('progress', () => {
  /** A job that reports each `ms`, so often, and the progress that was stored of it. */
  async function chatty(ms: number, times: number): Promise<Transition[]> {
    const stored: Transition[] = []
    const { troupe, queue } = await open(async (job) => {
      for (let n = 1; n <= times; n += 1) {
        job.progress({ current: n, total: times })
        await new Promise<void>((resolve) => { stage.env.after(ms, resolve) })
      }
    })
    queue.transitions$.subscribe((transition) => {
      if (transition.progress) stored.push(transition)
    })
    await troupe.start()
    await stage.drive((await queue.add('work')).result())
    return stored
  }

  test('is stored each 100 ms at most, and the last report is never lost', async () => {
    const stored = await chatty(1, 1000)
    const ticks = stored.filter(({ event }) => event === 'progress')
    expect(ticks.length).toBeGreaterThan(5)
    expect(ticks.length).toBeLessThanOrEqual(11)
    const times = ticks.map(({ at }) => at)
    times.slice(1).forEach((at, index) => {
      expect(at - (times[index] ?? 0)).toBeGreaterThanOrEqual(100)
    })
    expect(ticks[0]?.progress?.current).toBe(1)
    expect(stored.at(-1)).toMatchObject({ event: 'complete', progress: { current: 1000 } })
  })

  test('of a calm handler is stored each time', async () => {
    const stored = await chatty(150, 5)
    expect(stored.filter(({ event }) => event === 'progress').map(({ progress }) =>
      progress?.current)).toEqual([1, 2, 3, 4, 5])
  })

  test('that is followed by silence is stored as well', async () => {
    const gate = hold()
    const { troupe, queue } = await open(async (job) => {
      for (let n = 1; n <= 10; n += 1) job.progress({ current: n })
      await gate.promise
    })
    await troupe.start()
    const job = await queue.add('work')
    const { heard } = listen<Progress>(job.progress$, ({ current }) => current)
    await stage.env.settle()
    await stage.env.advance(100)
    expect(heard).toEqual([1, 10])
    await stage.env.advance(5000)
    expect(heard).toEqual([1, 10])
    gate.release()
    await stage.env.settle()
    expect(heard).toEqual([1, 10, 'end'])
  })

  test('that is still pending joins the commit that ends the attempt', async () => {
    const { troupe, queue } = await open((job) => {
      job.progress({ current: 1, total: 2, message: 'half' })
      if (job.input === 'bad') throw new Error('bad')
    })
    const { heard } = listen(queue.transitions$, ({ event, progress }) =>
      `${event} ${progress?.percent ?? '-'}`)
    await troupe.start()
    await stage.drive((await queue.add('work')).result())
    await (await queue.add('work', 'bad')).result().catch(() => undefined)
    expect(heard).toEqual([
      'add -', 'claim -', 'complete 50', 'add -', 'claim -', 'fail 50',
    ])
  })

  test('completes what was reported', async () => {
    const reports: unknown[] = []
    const { troupe, queue } = await open(async (job) => {
      const odd = { current: 0, total: 0 }
      for (const report of [25, { current: 3, total: 4 }, { current: 7 }, odd]) {
        job.progress(report)
        await new Promise<void>((resolve) => { stage.env.after(100, resolve) })
      }
    })
    await troupe.start()
    const job = await queue.add('work')
    job.progress$.subscribe((progress) => reports.push(progress))
    await stage.drive(job.result())
    expect(reports).toEqual([
      { current: 25, total: 100, message: null, percent: 25 },
      { current: 3, total: 4, message: null, percent: 75 },
      { current: 7, total: null, message: null, percent: null },
      { current: 0, total: 0, message: null, percent: 100 },
    ])
  })
})
