import type { AddOptions, DedupeOption, Job } from 'troupe'
import { describe, expect, test } from 'vitest'
import { hold, recordOf, refusal, untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()

async function open() {
  const troupe = await stage.open()
  const log: string[] = []
  const queue = troupe.queue('q', {
    tasks: {
      work: (job: Job<string>): string => {
        log.push(job.id)
        return `did ${job.input}`
      },
      slow: (job: Job<string>): Promise<never> => {
        log.push(job.id)
        return untilAborted(job)
      },
      other: (_job: Job<string>) => null,
    },
  })
  return { troupe, queue, log }
}

const simple: DedupeOption = { key: 'k', mode: 'simple' }
const supersede: DedupeOption = { key: 'k', mode: 'supersede' }
const throttle: DedupeOption = { key: 'k', mode: 'throttle', window: '10s' }
const debounce: DedupeOption = { key: 'k', mode: 'debounce', window: '10s' }

describe('an id of one\'s own', () => {
  test('gives the job that has it, in whatever state, and never runs it again', async () => {
    const { troupe, queue, log } = await open()
    const first = await queue.add('work', 'a', { id: 'order-1' })
    expect(first).toMatchObject({ id: 'order-1', created: true, foundIn: null })
    expect(await queue.add('work', 'b', { id: 'order-1' }))
      .toMatchObject({ id: 'order-1', created: false, foundIn: 'queued' })
    await troupe.start()
    await first.result()
    const again = await queue.add('work', 'c', { id: 'order-1' })
    expect(again).toMatchObject({ created: false, foundIn: 'completed' })
    expect(await again.result()).toBe('did a')
    await stage.env.advance(1000)
    expect(log).toEqual(['order-1'])
    expect((await refusal(queue.add('other', 'a', { id: 'order-1' }))).code).toBe('id-in-use')
  })

  test('is there again when the job was removed', async () => {
    const { queue } = await open()
    await queue.add('work', 'a', { id: 'order-1' })
    await queue.remove('order-1')
    expect(await queue.add('work', 'b', { id: 'order-1' })).toMatchObject({ created: true })
  })
})

describe('simple', () => {
  test('gives the job that is not settled yet, and its result', async () => {
    const { troupe, queue, log } = await open()
    const first = await queue.add('work', 'a', { dedupe: simple })
    const second = await queue.add('work', 'b', { dedupe: simple, priority: 1 })
    expect(second).toMatchObject({ id: first.id, created: false, foundIn: 'queued' })
    await troupe.start()
    expect(await second.result()).toBe('did a')
    expect(await queue.add('work', 'c', { dedupe: simple })).toMatchObject({ created: true })
    await queue.idle()
    expect(log).toHaveLength(2)
  })

  test('goes by queue, task and key', async () => {
    const { troupe, queue } = await open()
    const mail = troupe.queue('mail')
    const handles = [
      await queue.add('work', 'a', { dedupe: simple }),
      await queue.add('other', 'a', { dedupe: simple }),
      await queue.add('work', 'a', { dedupe: { ...simple, key: 'K' } }),
      await (mail as unknown as typeof queue).add('work', 'a', { dedupe: simple }),
    ]
    expect(handles.map(({ created }) => created)).toEqual([true, true, true, true])
  })

  test('one of several in a batch is made', async () => {
    const { queue } = await open()
    const specs = ['a', 'b', 'c'].map((input) => ({ task: 'work' as const, input, dedupe: simple }))
    const [first, ...others] = await queue.addMany(specs)
    expect(first).toMatchObject({ created: true, foundIn: null })
    for (const other of others) {
      expect(other).toMatchObject({ id: first?.id, created: false, foundIn: 'queued' })
    }
    expect(await queue.counts()).toMatchObject({ queued: 1 })
  })
})

describe('throttle', () => {
  test('takes one in a window, even if that one is done', async () => {
    const { troupe, queue, log } = await open()
    await troupe.start()
    const first = await queue.add('work', 'a', { dedupe: throttle })
    await first.result()
    await stage.env.advance(9999)
    const second = await queue.add('work', 'b', { dedupe: throttle })
    expect(second).toMatchObject({ id: first.id, created: false, foundIn: 'completed' })
    expect(await second.result()).toBe('did a')
    await stage.env.advance(1)
    expect(await queue.add('work', 'c', { dedupe: throttle })).toMatchObject({ created: true })
    await queue.idle()
    expect(log).toHaveLength(2)
  })

  test('retention does not let it go before its window has passed', async () => {
    const troupe = await stage.open()
    const queue = troupe.queue('q', {
      retention: { completed: 0, minAge: 0 }, tasks: { work: (_job: Job) => null },
    })
    await troupe.start()
    const first = await queue.add('work', null, { dedupe: { ...throttle, window: '1h' } })
    await stage.env.advance(3_599_000)
    expect(await queue.add('work', null, { dedupe: throttle })).toMatchObject({ id: first.id })
    await stage.env.advance(3000)
    expect(await queue.get(first.id)).toBeNull()
  })
})

describe('debounce', () => {
  test('runs once, with the latest input and options, a window after the latest add', async () => {
    const { troupe, queue, log } = await open()
    await troupe.start()
    const begin = stage.env.now()
    const first = await queue.add('work', 'a', { dedupe: debounce, label: 'old', retries: 3 })
    for (const input of ['b', 'c']) {
      await stage.env.advance(6000)
      const again = await queue.add('work', input, { dedupe: debounce, priority: 2 })
      expect(again).toMatchObject({ id: first.id, created: false, foundIn: 'queued' })
    }
    expect(await recordOf(queue, first.id)).toMatchObject({
      input: 'c', priority: 2, label: null, runAt: begin + 22_000, options: {},
    })
    await stage.env.advance(9999)
    expect(log).toEqual([])
    await stage.env.advance(1)
    expect(await first.result()).toBe('did c')
  })

  test('leaves a job alone that has started, and makes the next one', async () => {
    const { troupe, queue } = await open()
    await troupe.start()
    const first = await queue.add('slow', 'a', { dedupe: debounce })
    await stage.env.advance(10_000)
    const second = await queue.add('slow', 'b', { dedupe: debounce })
    expect(second.created).toBe(true)
    expect(await recordOf(queue, first.id)).toMatchObject({ state: 'running', input: 'a' })
    expect(await queue.add('slow', 'c', { dedupe: debounce })).toMatchObject({ id: second.id })
    await queue.cancelMany()
  })
})

describe('supersede', () => {
  test('aborts the one that runs elsewhere, and starts when that has settled', async () => {
    const one = await open()
    const end = hold()
    const troupe = await stage.open()
    const log: string[] = []
    const queue = troupe.queue('q', {
      concurrency: 1,
      tasks: {
        slow: async (job: Job<string>): Promise<void> => {
          log.push(`${job.input} starts`)
          if (job.input !== 'a') return
          await untilAborted(job).catch(() => { log.push('a is aborted') })
          await end.promise
          job.throwIfCancelled()
        },
      },
    })
    await troupe.start()
    const first = await one.queue.add('slow', 'a', { dedupe: supersede })
    await stage.env.settle()
    await one.troupe.start()
    const second = await one.queue.add('slow', 'b', { dedupe: supersede })
    const third = await one.queue.add('slow', 'c', { dedupe: supersede })
    await stage.env.settle()
    expect([second, third].map(({ created }) => created)).toEqual([true, true])
    expect(await recordOf(queue, second.id)).toMatchObject({
      state: 'cancelled', after: first.id, reason: `superseded by ${third.id}`,
    })
    expect(await recordOf(queue, third.id)).toMatchObject({ phase: 'blocked', after: first.id })
    expect(await queue.explain(third.id)).toMatchObject({ why: 'blocked' })
    await stage.env.advance(5000)
    expect([log, one.log]).toEqual([['a starts', 'a is aborted'], []])
    end.release()
    await stage.env.settle()
    expect(await recordOf(queue, first.id)).toMatchObject({ state: 'cancelled' })
    expect((await recordOf(queue, third.id)).state).not.toBe('queued')
    await queue.cancelMany()
  })

  test('a handler that does not end is left behind after its grace', async () => {
    const troupe = await stage.open()
    const end = hold()
    const queue = troupe.queue('q', {
      tasks: { work: (job: Job<string>) => (job.input === 'deaf' ? end.promise : null) },
    })
    await troupe.start()
    await queue.add('work', 'deaf', { dedupe: supersede, cancelGrace: '2s' })
    await stage.env.settle()
    const next = await queue.add('work', 'new', { dedupe: supersede })
    await stage.env.advance(1999)
    expect(await recordOf(queue, next.id)).toMatchObject({ phase: 'blocked' })
    await stage.env.advance(1)
    expect(await recordOf(queue, next.id)).toMatchObject({ state: 'completed' })
    end.release()
    await stage.env.settle()
  })
})

describe('a flow', () => {
  test('waits for the job that was found in place of its parent, and hears of it', async () => {
    const troupe = await stage.open()
    const end = hold<string>()
    const seen: unknown[] = []
    const queue = troupe.queue('q', {
      tasks: {
        load: (_job: Job<string>) => end.promise,
        use: (job: Job<null>): void => {
          seen.push(...job.parents.map(({ id, key, result }) => [id, key, result]))
        },
      },
    })
    await troupe.start()
    const running = await queue.add('load', 'old', { dedupe: simple })
    await stage.env.settle()
    const handles = await troupe.flow({
      load: queue.spec('load', 'new', { dedupe: simple }), use: queue.spec('use', null),
    }, { use: ['load'] })
    expect(handles.load).toMatchObject({ id: running.id, created: false, foundIn: 'running' })
    expect(await recordOf(queue, handles.use.id)).toMatchObject({
      phase: 'blocked', dependsOn: [running.id],
    })
    end.release('loaded')
    await handles.use.result()
    expect(seen).toEqual([[running.id, 'load', 'loaded']])
  })

  test('has no debounced job behind others: it would wait for those of the first', async () => {
    const { troupe, queue } = await open()
    const flow = { a: queue.spec('work', 'a'), b: queue.spec('work', 'b', { dedupe: debounce }) }
    const error = await refusal(troupe.flow(flow, { b: ['a'] }))
    expect(error.code).toBe('invalid-option')
    expect(error.message).toContain('debounce')
    expect(await queue.counts()).toMatchObject({ queued: 0 })
    await troupe.flow(flow, { a: ['b'] })
  })
})

const wrong: readonly [string, object, Partial<AddOptions>?][] = [
  ['dedupe', 5 as unknown as object],
  ['dedupe.key', { mode: 'simple' }], ['dedupe.key', { key: '', mode: 'simple' }],
  ['dedupe.mode', { key: 'k' }], ['dedupe.mode', { key: 'k', mode: 'once' }],
  ['dedupe.window', { key: 'k', mode: 'throttle' }],
  ['dedupe.window', { key: 'k', mode: 'debounce', window: 0 }],
  ['dedupe.window', { key: 'k', mode: 'simple', window: '1s' }],
  ['dedupe.ttl', { key: 'k', mode: 'simple', ttl: 3 }],
  ['delay', debounce, { delay: '1s' }], ['runAt', debounce, { runAt: 5 }],
  ['dependsOn', debounce, { dependsOn: [] }],
]

test.each(wrong)('a wrong %s is refused, nothing is stored: %j', async (path, dedupe, beside) => {
  const { queue } = await open()
  const error = await refusal(queue.add('work', 'a', {
    ...beside, dedupe: dedupe as unknown as DedupeOption,
  }))
  expect(error).toMatchObject({ code: 'invalid-option', details: { path: `options.${path}` } })
  expect(await queue.counts()).toMatchObject({ queued: 0 })
})
