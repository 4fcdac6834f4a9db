import { describe, expect, it, vi } from 'vitest'
import { memoryStore } from 'troupe'
import type { Job } from 'troupe'
import { answerAfter, faultyStore, waitFor } from '../../src/testing/faulty-store.ts'
import { hold, useStage } from '../support/stage.ts'

/** Defects that the model, the races or the contract have found, each on its shortest way. */

const stage = useStage()

function until(job: Job<undefined>): Promise<never> {
  return new Promise((_resolve, reject) => {
    job.signal.addEventListener('abort', () => { reject(job.signal.reason as Error) })
  })
}

describe('a cancel while the claim is on its way', () => {
  it('from an observer that hears of the claim: no handler starts', async () => {
    const troupe = await stage.open()
    const started: string[] = []
    const queue = troupe.queue('q', {
      tasks: { work: async (job: Job<undefined>) => { started.push(job.id); return until(job) } },
    })
    await troupe.start()
    queue.transitions$.subscribe(({ event, jobId }) => {
      if (event === 'claim') void queue.cancel(jobId, 'cursed')
    })
    await queue.add('work', undefined, { id: 'a' })
    await stage.env.settle()
    expect(await queue.get('a')).toMatchObject({ state: 'cancelled', reason: 'cursed', by: 'api' })
    expect(started).toEqual([])
  })

  it.each([1, 2])('and the answer late: others start in its slot, of %s', async (concurrency) => {
    const { store, next } = faultyStore(memoryStore())
    const troupe = await stage.open({ store })
    const started: string[] = []
    const queue = troupe.queue('q', {
      concurrency, tasks: { work: async (job: Job<undefined>) => { started.push(job.id) } },
    })
    const answer = hold()
    next('claim', answerAfter(answer.promise))
    await queue.addMany([{ task: 'work', id: 'a' }, { task: 'work', id: 'b' }])
    await troupe.start()
    await stage.env.settle()
    expect(await queue.cancel('a')).toBe('cancelling')
    answer.release()
    await stage.env.settle()
    expect(await queue.counts()).toMatchObject({ cancelled: 1, completed: 1 })
    expect(started).toEqual(['b'])
  })

  it('and the stop as well: the job is cancelled, not left behind', async () => {
    const { store, next } = faultyStore(memoryStore())
    const troupe = await stage.open({ store })
    const queue = troupe.queue('q', { tasks: { work: until } })
    const answer = hold()
    const write = hold()
    next('claim', answerAfter(answer.promise))
    next('commit', waitFor(write.promise))
    await queue.add('work', undefined, { id: 'a' })
    await troupe.start()
    await stage.env.settle()
    const stopped = troupe.stop()
    answer.release()
    await stage.env.settle()
    const other = await stage.open({ store })
    expect(await other.queue('q').cancel('a')).toBe('cancelling')
    write.release()
    await stopped
    expect(await other.queue('q').get('a')).toMatchObject({ state: 'cancelled', lease: null })
  })
})

it('a resume whose answer comes after the stop warns nobody', async () => {
  const { store, next } = faultyStore(memoryStore())
  const troupe = await stage.open({ store })
  const queue = troupe.queue('q', { tasks: { work: until } })
  await troupe.start()
  const answer = hold()
  next('getSetting', answerAfter(answer.promise))
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  const resumed = queue.resume()
  await troupe.stop()
  answer.release()
  await resumed
  expect(warn).not.toHaveBeenCalled()
  warn.mockRestore()
})

it('a drain that the stop overtakes, or that comes after it, warns nobody', async () => {
  const troupe = await stage.open()
  const end = hold()
  const queue = troupe.queue('q', { tasks: { work: (_job: Job<undefined>) => end.promise } })
  await troupe.start()
  await queue.add('work')
  await stage.env.settle()
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  const drained = queue.drain()
  const stopped = troupe.stop()
  end.release()
  await Promise.all([drained, stopped])
  await queue.drain()
  expect(warn).not.toHaveBeenCalled()
  warn.mockRestore()
})

it('a timeout that comes after a cancel does not lengthen the grace', async () => {
  const troupe = await stage.open()
  const end = hold()
  const deaf = (_job: Job<undefined>): Promise<void> => end.promise
  const queue = troupe.queue('q', { tasks: { deaf } })
  await troupe.start()
  await queue.add('deaf', undefined, { id: 'a', timeout: 30, cancelGrace: 50 })
  await stage.env.settle()
  await queue.cancel('a')
  await stage.env.advance(49)
  expect(await queue.get('a')).toMatchObject({ state: 'cancelling' })
  await stage.env.advance(1)
  expect(await queue.get('a')).toMatchObject({ state: 'cancelled' })
  end.release()
  await stage.env.settle()
})

describe('jobs that wait for others', () => {
  it.each(['add', 'flow'] as const)('%s refuses a circle that a retry would close', async (
    verb,
  ) => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { work: () => 1 } })
    await queue.addMany([{ task: 'work', id: 'a' }, { task: 'work', id: 'b', dependsOn: ['a'] }])
    await queue.remove('a')
    expect(await queue.get('b')).toMatchObject({ state: 'failed', reason: 'dependency' })
    const options = { id: 'a', dependsOn: ['b'], onParentFailure: 'wait' } as const
    const added = verb === 'add' ? queue.add('work', undefined, options)
      : troupe.flow({ again: queue.spec('work', undefined, options) })
    await expect(added).rejects.toMatchObject({
      code: 'dependency-cycle',
      details: { cycle: verb === 'add' ? ['a', 'b', 'a'] : ['again', 'b', 'again'] },
    })
    await queue.add('work', undefined, { id: 'a' })
    await queue.retry('b')
    await troupe.start()
    await stage.env.settle()
    expect(await queue.counts()).toMatchObject({ completed: 2 })
  })

  it('those of a call that are ready run in the order in which they were given', async () => {
    const troupe = await stage.open()
    const started: string[] = []
    const queue = troupe.queue('q', {
      concurrency: 1, tasks: { work: (job: Job<undefined>) => { started.push(job.id) } },
    })
    const spec = (id: string) => queue.spec('work', undefined, { id })
    await troupe.flow(
      { end: spec('end'), one: spec('one'), two: spec('two'), three: spec('three') },
      { end: ['three', 'one', 'two'] },
    )
    await troupe.start()
    await stage.env.settle()
    expect(started).toEqual(['one', 'two', 'three', 'end'])
  })
})
