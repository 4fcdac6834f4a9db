import { UnrecoverableError } from 'troupe'
import type { Job, Logger } from 'troupe'
import { describe, expect, test, vi } from 'vitest'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { openWithJournal } from '../support/log-journal.ts'
import type { Work } from '../support/log-journal.ts'
import { hold, recordOf, refusal, untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()
const open = (work?: Work, start?: boolean) => openWithJournal(stage, work, start)

describe('a line', () => {
  test('says what happened to which job, and to whom', async () => {
    const { lines, queue } = await open()
    const options = { id: 'j', label: 'a label', meta: { secret: 1 } }
    await stage.drive((await queue.add('work', { secret: 2 }, options)).result())
    const about = { level: 'info', queue: 'q', jobId: 'j', task: 'work', label: 'a label' }
    expect(lines).toEqual([
      {
        ...about, message: 'queue.job.added', attempt: 0, state: 'queued', by: 'api',
        reason: null, seq: 1, waitMs: null, runMs: null,
      },
      {
        ...about, message: 'queue.job.claimed', attempt: 1, state: 'running', by: 'w1',
        reason: null, seq: 2, waitMs: 0, runMs: null,
      },
      {
        ...about, message: 'queue.job.completed', attempt: 1, state: 'completed', by: 'w1',
        reason: null, seq: 3, waitMs: 0, runMs: 0,
      },
    ])
  })

  test('of a failure says its name and message, and nothing else of the error', async () => {
    const { lines, queue } = await open((job) => {
      if (job.attempt > 1) return 'done'
      throw new RangeError('x'.repeat(2000), { cause: new Error('cause') })
    })
    const job = await queue.add('work', 'INPUT', { retries: 1, meta: 'META' })
    await stage.drive(job.result())
    const failed = lines.find(({ message }) => message === 'queue.job.retrying')
    expect(failed).toMatchObject({ state: 'queued', reason: null })
    expect(failed?.error).toEqual({ name: 'RangeError', message: 'x'.repeat(1024) })
    // The record keeps the error of the last attempt; the lines that follow do not repeat it.
    expect(lines.filter(({ error }) => error)).toHaveLength(1)
    expect(JSON.stringify(lines)).not.toMatch(/INPUT|META|done|cause|stack/)
  })

  test('of a removed job has no label and no state any more', async () => {
    const { lines, queue } = await open(() => 1, false)
    await queue.add('work', null, { id: 'j', label: 'a label' })
    await queue.remove('j')
    expect(lines.at(-1)).toMatchObject({
      message: 'queue.job.removed', jobId: 'j', label: null, state: null, seq: 2,
    })
  })

  test('of progress is for debug', async () => {
    const gate = hold()
    const { lines, queue } = await open((job) => {
      job.progress({ current: 1, total: 4 })
      return gate.promise
    })
    await queue.add('work')
    await stage.env.settle()
    gate.release()
    expect(lines.filter(({ level }) => level === 'debug')).toMatchObject([{
      message: 'queue.job.progress', state: 'running', waitMs: null, runMs: null,
      progress: { current: 1, total: 4, percent: 25 },
    }])
  })
})

describe('the word', () => {
  test('for each end of an attempt', async () => {
    const gate = hold()
    const { words, lines, queue } = await open((job) => {
      switch (job.input) {
        case 'fatal': throw new UnrecoverableError('no')
        case 'slow': return untilAborted(job)
        case 'sleepy': return job.attempt === 1 ? job.snooze(10) : 'slept'
        case 'limited': return lines.length < 3 ? job.limitReached(10) : 'admitted'
        case 'held': return gate.promise
        default: throw new Error('again')
      }
    })
    const run = async (input: string, options = {}): Promise<unknown[]> => {
      lines.length = 0
      const job = await queue.add('work', input, options)
      await stage.drive(job.result().catch(() => undefined))
      return words()
    }
    expect(await run('fatal')).toEqual(['added', 'claimed', 'failed'])
    expect(await run('fails', { retries: 1 }))
      .toEqual(['added', 'claimed', 'retrying', 'due', 'claimed', 'failed'])
    expect(await run('slow', { timeout: 50 })).toEqual(['added', 'claimed', 'timed-out'])
    expect(await run('sleepy'))
      .toEqual(['added', 'claimed', 'snoozed', 'due', 'claimed', 'completed'])
    expect(await run('limited'))
      .toEqual(['added', 'claimed', 'released', 'claimed', 'completed'])
    lines.length = 0
    const slow = await queue.add('work', 'slow', { id: 'slow' })
    await stage.env.settle()
    await slow.cancel('enough')
    await stage.drive(refusal(slow.result()))
    expect(words()).toEqual(['added', 'claimed', 'cancelling', 'cancelled'])
    expect(lines.at(-1)).toMatchObject({ state: 'cancelled', reason: 'enough', by: 'w1' })
    gate.release()
  })

  test('for what happens to a job that waits', async () => {
    const { words, lines, queue } = await open(() => 1, false)
    const parents = [await queue.add('work'), await queue.add('work')]
    const child = await queue.add('work', null, { id: 'child', dependsOn: parents })
    lines.length = 0
    await parents[0]?.cancel()
    expect(words()).toEqual(['cancelled', 'failed'])
    expect(lines.at(-1)).toMatchObject({
      jobId: 'child', reason: 'dependency', error: { name: 'DependencyError' },
    })
    lines.length = 0
    await queue.add('work', null, { id: 'late', delay: '1h' })
    await queue.reschedule('late', 'now')
    await queue.cancel('late')
    await queue.retry('late')
    await child.cancel()
    expect(words()).toEqual(['added', 'rescheduled', 'cancelled', 'retried'])
  })

  test('for what waits for parents, and for too long', async () => {
    const { words, lines, troupe, queue } = await open(() => 1, false)
    const a = await queue.add('work', null, { id: 'a' })
    const b = await queue.add('work', null, { id: 'b' })
    await queue.add('work', null, { id: 'child', dependsOn: [a, b] })
    await queue.add('work', null, { id: 'short', ttl: 5, delay: 10, priority: 9 })
    await queue.pause()
    await troupe.start()
    await stage.env.advance(20_000)
    expect(lines.filter(({ jobId }) => jobId === 'short').at(-1)).toMatchObject({
      message: 'queue.job.expired', state: 'failed', reason: 'expired', attempt: 0,
      waitMs: null, runMs: null,
    })
    await queue.resume()
    await stage.drive(queue.idle())
    const ofChild = words().filter((_word, index) => lines[index]?.jobId === 'child')
    expect(ofChild).toEqual(['added', 'blocked', 'unblocked', 'claimed', 'completed'])
  })
})

describe('the logger', () => {
  test('without info gets nothing of it, and the console stays silent', async () => {
    const spies = (['log', 'info', 'debug', 'warn', 'error'] as const)
      .map((name) => vi.spyOn(console, name).mockImplementation(() => undefined))
    const troupe = await stage.open({ logger: { warn: () => undefined, error: () => undefined } })
    const queue = troupe.queue('q', { tasks: { work: (job: Job) => { job.progress(50) } } })
    await troupe.start()
    await stage.drive((await queue.add('work')).result())
    expect(spies.flatMap(({ mock }) => mock.calls)).toEqual([])
    for (const spy of spies) spy.mockRestore()
  })

  test('hears only of queues that this process has declared', async () => {
    const { lines } = await open()
    await (await stage.open()).queue<{ work: () => 1 }>('other').add('work')
    expect(lines).toEqual([])
  })

  test.each<[string, () => unknown]>([
    ['throws', () => { throw new Error('the disk of the log is full') }],
    ['rejects', () => Promise.reject(new Error('the disk of the log is full'))],
  ])('that %s disturbs nobody', async (_name, fail) => {
    const broken: () => void = fail
    const logger: Logger = { debug: broken, info: broken, warn: broken, error: broken }
    const { store, next } = faultyStore(stage.store)
    const troupe = await stage.open({ logger, store })
    const queue = troupe.queue('q', { tasks: { work: (job: Job) => { job.progress(1) } } })
    await troupe.start()
    next('claim', () => Promise.reject(new Error('so that an error is logged')))
    const job = await queue.add('work')
    await stage.drive(job.result())
    expect((await recordOf(queue, job.id)).state).toBe('completed')
  })

  test('is called as a method, as pino needs it', async () => {
    class Pino implements Logger {
      readonly lines: string[] = []
      info(_fields: object, message: string): void { this.lines.push(message) }
      warn(): void { throw new Error('not expected') }
      error(): void { throw new Error('not expected') }
    }
    const logger = new Pino()
    const troupe = await stage.open({ logger })
    await troupe.queue<{ work: () => 1 }>('q').add('work')
    expect(logger.lines).toEqual(['queue.job.added'])
  })
})
