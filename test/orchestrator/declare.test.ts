import { TroupeError, task } from 'troupe'
import type { Job, StandardSchemaV1 } from 'troupe'
import { describe, expect, test } from 'vitest'
import { recordOf, refusal, thrown, useStage } from '../support/stage.ts'

const stage = useStage()

const tasks = { resize: (_job: Job) => null, crop: () => null }

async function expectNothingStored(): Promise<void> {
  expect((await stage.store.readLog('images', 0, 10)).entries).toEqual([])
}

describe('where no handlers are', () => {
  test('a producer adds to tasks that it does not know', async () => {
    const troupe = await stage.open()
    const images = troupe.queue<{ resize: (job: Job<number>) => string }>('images')
    const { id } = await images.add('resize', 800, { retries: 2 })
    expect(await recordOf(images, id)).toMatchObject({
      task: 'resize', input: 800, policy: null, options: { retries: 2 },
    })
  })

  test('what the worker says of the task holds for the producer\'s job', async () => {
    const producer = (await stage.open()).queue<{ resize: () => Promise<string> }>('images')
    const troupe = await stage.open()
    troupe.queue('images', {
      tasks: { resize: task({ retries: 4, timeout: '5s', handler: async () => 'done' }) },
      defaults: { cancelGrace: '1s', retries: 9 },
    })
    const job = await producer.add('resize', undefined, { timeout: '7s' })
    await troupe.start()
    expect(await stage.drive(job.result())).toBe('done')
    expect((await recordOf(producer, job.id)).policy).toMatchObject({
      retries: 4, timeoutMs: 7000, cancelGraceMs: 1000, maxStalls: 1,
    })
  })
})

describe('a schema', () => {
  const width: StandardSchemaV1<{ width: string }, { width: number }> = {
    '~standard': {
      version: 1, vendor: 'test',
      validate: (value) => {
        const text = (value as { width?: unknown } | null)?.width
        const number = typeof text === 'string' ? Number(text) : Number.NaN
        return Number.isNaN(number)
          ? { issues: [{ message: 'no number', path: ['width'] }] }
          : { value: { width: number } }
      },
    },
  }
  const resize = task({ input: width, handler: async ({ input }) => input.width * 2 })

  test('refuses at the door, with the path', async () => {
    const images = (await stage.open()).queue('images', { tasks: { resize } })
    expect(await refusal(images.add('resize', { width: 'wide' }))).toMatchObject({
      code: 'invalid-input', details: { path: 'input.width', problem: 'no number' },
    })
    expect(await refusal(images.addMany([
      { task: 'resize', input: { width: '1' } }, { task: 'resize', input: { width: 'wide' } },
    ]))).toMatchObject({ details: { path: 'jobs[1].input.width' } })
    await expectNothingStored()
  })

  test('gives the handler its output, while the raw input is stored', async () => {
    const troupe = await stage.open()
    const images = troupe.queue('images', { tasks: { resize } })
    const job = await images.add('resize', { width: '21' })
    await troupe.start()
    expect(await stage.drive(job.result())).toBe(42)
    expect((await recordOf(images, job.id)).input).toEqual({ width: '21' })
  })

  test('that the stored input does not pass fails the job at once, without retry', async () => {
    const producer = (await stage.open()).queue<{ resize: (job: Job<string>) => 1 }>('images')
    const troupe = await stage.open()
    const images = troupe.queue('images', { tasks: { resize } })
    const { id } = await producer.add('resize', 'nonsense', { retries: 5 })
    await troupe.start()
    await stage.drive(images.idle())
    expect(await recordOf(images, id)).toMatchObject({
      state: 'failed', reason: 'invalid-input', attempt: 1,
      error: { message: expect.stringContaining('input.width: no number') },
    })
  })
})

describe('a declaration', () => {
  test('is refused when it is wrong, with the path', async () => {
    const troupe = await stage.open()
    const declare = (name: unknown, options?: unknown): string => {
      const error = thrown(() => troupe.queue(name as string, options as object))
      return error.code === 'invalid-option' ? error.details.path : error.code
    }
    expect(declare('')).toBe('queue name')
    expect(declare('q', { concurency: 3 })).toBe('queue "q".concurency')
    expect(declare('q', { concurrency: 0 })).toBe('queue "q".concurrency')
    expect(declare('q', { tasks: { a: 1 } })).toBe('queue "q".tasks.a')
    expect(declare('q', { tasks: { a: { retries: 1 } } })).toBe('queue "q".tasks.a.handler')
    expect(declare('q', { tasks: { a: { handler: tasks.crop, rety: 1 } } }))
      .toBe('queue "q".tasks.a.rety')
    expect(declare('q', { tasks: { a: { handler: tasks.crop, input: {} } } }))
      .toBe('queue "q".tasks.a.input')
    expect(declare('q', { defaults: { delay: 1 } })).toBe('queue "q".defaults.delay')
    expect(declare('q', { retention: { completed: -1 } })).toBe('queue "q".retention.completed')
  })

  test('made twice is refused; without options it gives the same queue', async () => {
    const troupe = await stage.open()
    const images = troupe.queue('images', { tasks })
    expect(thrown(() => troupe.queue('images', { tasks }))).toMatchObject({ code: 'queue-exists' })
    expect(troupe.queue('images')).toBe(images)
  })

  test('an error of ours knows itself', async () => {
    const images = (await stage.open()).queue('images', { tasks })
    expect(await refusal(images.add('resize', Number.NaN))).toBeInstanceOf(TroupeError)
  })
})

test('a telemetry that is none is refused: it would fail every attempt', async () => {
  const forgotten = (() => null) as never
  expect(await refusal(stage.open({ telemetry: forgotten })))
    .toMatchObject({ code: 'invalid-option', details: { path: 'createTroupe.telemetry.trace' } })
})
