import type { Job } from 'troupe'
import type { Observable} from 'rxjs';
import { filter, from, map, toArray, firstValueFrom, lastValueFrom } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { refuse, faultyStore } from '../../src/testing/faulty-store.ts'
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

describe('the streams of a job', () => {
  test('give the value now, then each change, and end when the job settles', async () => {
    const gate = hold()
    const { troupe, queue } = await open(async (job) => {
      job.progress(50)
      await gate.promise
    })
    const job = await queue.add('work')
    const records = listen(job.record$, ({ state, rev }) => `${rev} ${state}`)
    const states = listen(job.state$)
    const progress = listen(job.progress$, ({ percent }) => percent)
    await stage.env.settle()
    expect(records.heard).toEqual(['1 queued'])
    expect(states.heard).toEqual(['queued'])
    expect(progress.heard).toEqual([])

    await troupe.start()
    await stage.env.settle()
    const late = listen(job.record$, ({ state, rev }) => `${rev} ${state}`)
    const lateProgress = listen(job.progress$, ({ percent }) => percent)
    await stage.env.settle()
    gate.release()
    await stage.env.settle()
    expect(records.heard).toEqual(['1 queued', '2 running', '3 running', '4 completed', 'end'])
    expect(states.heard).toEqual(['queued', 'running', 'completed', 'end'])
    expect(progress.heard).toEqual([50, 'end'])
    expect(late.heard).toEqual(['3 running', '4 completed', 'end'])
    expect(lateProgress.heard).toEqual([50, 'end'])
  })

  test('of a settled job give the last value and end', async () => {
    const { troupe, queue } = await open((job) => { job.progress(100) })
    await troupe.start()
    const job = await queue.add('work')
    await stage.drive(job.result())
    const heard = [
      listen(job.record$, ({ state }) => state), listen(job.state$),
      listen(job.progress$, ({ percent }) => percent),
    ]
    await stage.env.settle()
    expect(heard.map((one) => one.heard)).toEqual([
      ['completed', 'end'], ['completed', 'end'], [100, 'end'],
    ])
  })

  test('can be subscribed to again after a retry', async () => {
    let broken = true
    const { troupe, queue } = await open(() => { if (broken) throw new Error('broken') })
    await troupe.start()
    const job = await queue.add('work')
    const first = listen(job.state$)
    await stage.env.settle()
    expect(first.heard.slice(-2)).toEqual(['failed', 'end'])
    broken = false
    await queue.pause()
    await queue.retry(job.id)
    const second = listen(job.state$)
    await queue.resume()
    await stage.env.settle()
    expect(second.heard).toEqual(['queued', 'running', 'completed', 'end'])
    expect(first.heard.at(-1)).toBe('end')
  })

  test('end when the job is removed', async () => {
    const { queue } = await open(() => 1)
    const job = await queue.add('work')
    const { heard } = listen(job.state$)
    await stage.env.settle()
    await queue.remove(job.id)
    expect(heard).toEqual(['queued', 'end'])
  })

  test('of an unknown job, or of one of another queue, end with an error', async () => {
    const { troupe, queue } = await open(() => 1)
    const { id } = await queue.add('work')
    const other = troupe.queue('other').job(id)
    const streams = [listen(queue.job('nobody').record$), listen(other.state$)]
    // News of the job that come before the answer are news of another queue.
    await queue.cancel(id)
    await stage.env.settle()
    expect(streams.map(({ heard }) => heard)).toEqual([
      ['error unknown-job'], ['error unknown-job'],
    ])
  })

  test('of a store that cannot be read end with its error, logged if unheard', async () => {
    const { store, next } = faultyStore(stage.store)
    const troupe = await stage.open({ store })
    const job = await troupe.queue<{ work: () => 1 }>('q').add('work')
    next('get', refuse, 2)
    const { heard } = listen(job.record$)
    job.record$.subscribe(() => undefined)
    await stage.env.settle()
    expect(heard).toEqual(['error store-failed'])
    expect(stage.takeLines()).toMatchObject([{ level: 'error', err: { code: 'store-failed' } }])
  })

  test('miss nothing that happens while they are subscribed to', async () => {
    const { queue } = await open(() => 1)
    const job = await queue.add('work')
    const { heard } = listen(job.record$, ({ rev }) => rev)
    await queue.reschedule(job.id, '1s')
    await queue.reschedule(job.id, '2s')
    await queue.cancel(job.id)
    await stage.env.settle()
    expect(heard.at(-1)).toBe('end')
    expect(heard.at(-2)).toBe(4)
    expect(heard.slice(0, -1)).toEqual(heard.slice(0, -1).toSorted())
  })

  test('work with the operators of RxJS', async () => {
    const { troupe, queue } = await open((job) => { job.progress(10) })
    const job = await queue.add('work')
    const all = firstValueFrom(from(job.state$).pipe(toArray()))
    const last = lastValueFrom(job.record$.pipe(
      filter(({ state }) => state !== 'queued'), map(({ attempt }) => attempt),
    ))
    await troupe.start()
    expect(await stage.drive(all)).toEqual(['queued', 'running', 'completed'])
    expect(await stage.drive(last)).toBe(1)
  })

  test('end when the troupe stops, also for jobs that have not settled', async () => {
    const { troupe, queue } = await open(() => 1)
    const job = await queue.add('work')
    const streams = [listen(job.state$), listen(queue.transitions$), listen(troupe.observe())]
    await stage.env.settle()
    await troupe.stop()
    expect(streams.map(({ heard }) => heard.at(-1))).toEqual(['end', 'end', 'end'])
    const after = [listen(queue.transitions$), listen(job.state$)]
    await stage.env.settle()
    expect(after.map(({ heard }) => heard)).toEqual([['end'], ['end']])
  })
})
