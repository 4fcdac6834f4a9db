import { describe, expect, test } from 'vitest'
import { consoleLogger } from '../../src/orchestrator/logger.ts'
import { hold, useStage } from '../support/stage.ts'

const stage = useStage()

async function open(retention: Parameters<typeof declare>[1]) {
  const troupe = await stage.open()
  const queue = declare(troupe, retention)
  await troupe.start()
  return queue
}

function declare(
  troupe: Awaited<ReturnType<typeof stage.open>>,
  retention: {
    completed?: number; failed?: number; minAge?: `${number}s`; log?: number; logAge?: `${number}m`
  },
) {
  return troupe.queue('q', {
    retention,
    tasks: { good: () => 1, bad: () => { throw new Error('bad') } },
  })
}

/** Ids of the jobs that the queue still has. */
async function kept(queue: ReturnType<typeof declare>): Promise<string[]> {
  return (await queue.list({ limit: 1000 })).jobs.map(({ id }) => id)
}

async function addEachSecond(
  queue: ReturnType<typeof declare>, task: 'good' | 'bad', count: number, prefix = '',
): Promise<void> {
  for (let n = 1; n <= count; n += 1) {
    await queue.add(task, undefined, { id: `${prefix}${n}` })
    await stage.env.advance(1000)
  }
}

describe('retention', () => {
  test('keeps the newest that completed', async () => {
    const queue = await open({ completed: 3, minAge: '2s' })
    await addEachSecond(queue, 'good', 8)
    await stage.env.advance(10_000)
    expect(await kept(queue)).toEqual(['6', '7', '8'])
    expect(await queue.counts()).toMatchObject({ completed: 3 })
  })

  test('keeps the newest that failed or were cancelled, on their own account', async () => {
    const queue = await open({ completed: 1, failed: 2, minAge: '2s' })
    await addEachSecond(queue, 'bad', 2)
    await queue.add('good', undefined, { id: 'cancelled', delay: '1d' })
    await queue.cancel('cancelled')
    await stage.env.advance(1000)
    await addEachSecond(queue, 'good', 3, 'good ')
    await stage.env.advance(10_000)
    expect(await kept(queue)).toEqual(['2', 'cancelled', 'good 3'])
  })

  test('prunes nothing before its age, and at that age without any traffic', async () => {
    const queue = await open({ completed: 1 })
    await addEachSecond(queue, 'good', 3)
    await stage.env.advance(56_999)
    expect(await kept(queue)).toEqual(['1', '2', '3'])
    await stage.env.advance(1)
    expect(await kept(queue)).toEqual(['2', '3'])
    await stage.env.advance(1000)
    expect(await kept(queue)).toEqual(['3'])
    await stage.env.advance(3_600_000)
    expect(await kept(queue)).toEqual(['3'])
  })

  test('of nothing keeps nothing', async () => {
    const queue = await open({ completed: 0, failed: 0, minAge: '0s' })
    await addEachSecond(queue, 'good', 2)
    await addEachSecond(queue, 'bad', 2, 'bad ')
    await stage.env.advance(5000)
    expect(await kept(queue)).toEqual([])
  })

  test('leaves alone what has not settled, however old', async () => {
    const queue = await open({ completed: 0, failed: 0, minAge: '0s' })
    await queue.add('good', undefined, { id: 'far', delay: '1d' })
    await stage.env.advance(3_600_000)
    expect(await kept(queue)).toEqual(['far'])
  })

  test('bounds the log by number and by age', async () => {
    const queue = await open({ log: 10 })
    await addEachSecond(queue, 'good', 20)
    await stage.env.advance(2000)
    const page = await stage.store.readLog('q', 0, 1000)
    expect(page).toMatchObject({ oldest: 51, newest: 60 })
    expect(page.entries.map(({ seq }) => seq)).toEqual([51, 52, 53, 54, 55, 56, 57, 58, 59, 60])
  })

  test('forgets what is too old for the log, at the next change', async () => {
    const queue = await open({ logAge: '1m' })
    await addEachSecond(queue, 'good', 2)
    await stage.env.advance(120_000)
    await addEachSecond(queue, 'good', 1, 'new ')
    await stage.env.advance(2000)
    expect(await stage.store.readLog('q', 0, 1000)).toMatchObject({ oldest: 7, newest: 9 })
  })

  test('lets an id be used again', async () => {
    const queue = await open({ completed: 0, minAge: '0s' })
    const first = await queue.add('good', undefined, { id: 'a' })
    await stage.env.advance(5000)
    const second = await queue.add('good', undefined, { id: 'a' })
    expect([first.created, second.created]).toEqual([true, true])
  })
})

describe('a result() that waits where nothing was started', () => {
  test('is said once, after 5 s, with what to do', async () => {
    const troupe = await stage.open()
    const queue = declare(troupe, {})
    const job = await queue.add('good')
    const results = [job.result(), job.result()]
    await stage.env.advance(4999)
    expect(stage.takeLines()).toEqual([])
    await stage.env.advance(60_000)
    const lines = stage.takeLines()
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({
      level: 'warn', message: expect.stringContaining('await troupe.start()'),
    })
    await troupe.start()
    expect(await stage.drive(Promise.all(results))).toEqual([1, 1])
  })

  test('is not said of a producer, nor after start, nor when the wait is over', async () => {
    const producer = await stage.open()
    const watched = await producer.queue<{ good: () => number }>('q').add('good')
    const unwatched = watched.result().catch(() => 'given up')
    await stage.env.advance(10_000)

    const gate = hold()
    const troupe = await stage.open()
    const queue = troupe.queue('q', { tasks: { good: () => gate.promise } })
    const brief = await queue.add('good')
    await stage.drive(brief.result({ timeout: 4000 }).catch(() => undefined))
    await troupe.start()
    const long = brief.result()
    await stage.env.advance(20_000)
    expect(stage.takeLines()).toEqual([])
    gate.release()
    await stage.drive(long)
    expect(await stage.drive(unwatched)).toBeNull()
  })
})

test('the console hears of warnings and errors when no logger is given', () => {
  const heard: unknown[][] = []
  const { warn, error } = console
  console.warn = (...args: unknown[]) => { heard.push(['warn', ...args]) }
  console.error = (...args: unknown[]) => { heard.push(['error', ...args]) }
  try {
    const problem = new Error('disk')
    consoleLogger.warn({ worker: 'w' }, 'careful')
    consoleLogger.error({ err: problem }, 'it broke')
    expect(heard).toEqual([
      ['warn', 'troupe: careful'], ['error', 'troupe: it broke', problem],
    ])
  } finally {
    console.warn = warn
    console.error = error
  }
})

test('a job that throws is no error of the troupe: nothing is logged', async () => {
  const queue = await open({})
  const failed = await (await queue.add('bad')).result().catch((e: unknown) => e)
  expect(failed).toMatchObject({ code: 'job-failed' })
  expect(stage.takeLines()).toEqual([])
})
