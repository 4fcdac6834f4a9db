import { createTroupe, memoryStore } from 'troupe'
import type { Job, JobLog, JobRecord, Queue } from 'troupe'
import { lowdbStore } from 'troupe/stores/lowdb'
import { describe, expect, test } from 'vitest'
import { faultyStore, loseAnswer, refuse } from '../../src/testing/faulty-store.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { Life } from '../../src/testing/mortal.ts'
import { hold, recordOf, thrown, untilAborted, useStage } from '../support/stage.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'

const stage = useStage()

type Work = { work: (job: Job<unknown>) => unknown }

async function open(work: Work['work'], store = stage.store): Promise<Queue<Work>> {
  const troupe = await stage.open({ store })
  const queue = troupe.queue('q', { concurrency: 1, tasks: { work } })
  await troupe.start()
  return queue
}

/** What is kept of the lines that one attempt logs. */
async function keptOf(write: (job: Job<unknown>) => void): Promise<JobLog> {
  const queue = await open(write)
  const job = await queue.add('work')
  await stage.drive(job.result())
  return logOf(await recordOf(queue, job.id))
}

function logOf({ log }: JobRecord): JobLog {
  if (!log) throw new Error('the job has logged nothing')
  return log
}

const textsOf = (record: JobRecord): string[] => logOf(record).lines.map(({ text }) => text)

describe('what is kept', () => {
  test('is each line, with its time and attempt', async () => {
    const gate = hold()
    const queue = await open(async (job) => {
      job.log('begins')
      await gate.promise
      job.log('ends\nin two lines')
      return 'done'
    })
    const begin = stage.env.now()
    const job = await queue.add('work')
    expect((await recordOf(queue, job.id)).log).toBeNull()
    await stage.env.settle()
    await stage.env.advance(5000)
    gate.release()
    await stage.drive(job.result())
    expect(logOf(await recordOf(queue, job.id))).toEqual({
      dropped: 0,
      lines: [
        { at: begin, attempt: 1, text: 'begins' },
        { at: begin + 5000, attempt: 1, text: 'ends\nin two lines' },
      ],
    })
  })

  test('are the newest 200 lines, and how many had to go', async () => {
    const { lines, dropped } = await keptOf((job) => {
      for (let n = 1; n <= 250; n += 1) job.log(`line ${n}`)
    })
    expect(lines).toHaveLength(200)
    expect([lines[0]?.text, lines.at(-1)?.text, dropped]).toEqual(['line 51', 'line 250', 50])
  })

  test('are the newest 65,536 characters', async () => {
    const { lines, dropped } = await keptOf((job) => {
      job.log('short')
      for (const letter of 'abcdef') job.log(letter.repeat(16_384))
    })
    expect(lines.map(({ text }) => text[0]).join('')).toBe('cdef')
    expect(dropped).toBe(3)
  })

  test('of a line that is too long by itself is its beginning, marked', async () => {
    const { lines, dropped } = await keptOf((job) => {
      job.log('before')
      job.log(`${'x'.repeat(65_523)}😀${'y'.repeat(100_000)}`)
    })
    expect(dropped).toBe(1)
    expect(lines).toHaveLength(1)
    const text = lines[0]?.text ?? ''
    expect(text.length).toBeLessThanOrEqual(65_536)
    // The cut went through the emoji.
    expect(text.endsWith('x\uFFFD … [cut]')).toBe(true)
    expect(text.isWellFormed()).toBe(true)
  })

  test('of a line of exactly 65,536 characters is the line', async () => {
    const { lines, dropped } = await keptOf((job) => { job.log('z'.repeat(65_536)) })
    expect([lines[0]?.text, dropped]).toEqual(['z'.repeat(65_536), 0])
  })

  test('has no NUL and no half of a character', async () => {
    const { lines } = await keptOf((job) => { job.log('a\0b\uD83Dc😀') })
    expect(lines[0]?.text).toBe('a\uFFFDb\uFFFDc😀')
  })

  test('is nothing that is not text', async () => {
    const { lines } = await keptOf((job) => {
      for (const value of [undefined, null, 7, {}, ['a'], Symbol('s')]) {
        const error = thrown(() => { job.log(value as string) })
        expect(error).toMatchObject({ code: 'invalid-option', details: { path: 'log' } })
      }
      job.log('')
    })
    expect(lines).toMatchObject([{ text: '' }])
  })

  test('is nothing that comes after the end of the attempt', async () => {
    const jobs: Job<unknown>[] = []
    const queue = await open((job) => { jobs.push(job); job.log('in time') })
    const { id, result } = await queue.add('work').then((job) => (
      { id: job.id, result: () => job.result() }))
    await stage.drive(result())
    jobs[0]?.log('too late')
    await stage.env.advance(1000)
    expect(textsOf(await recordOf(queue, id))).toEqual(['in time'])
  })
})

test('the log goes on over attempts, snoozes and new lives', async () => {
  const queue = await open((job) => {
    job.log(`attempt ${job.attempt}`)
    if (job.attempt === 1) job.snooze('1s')
    if (job.attempt === 2) throw new Error('no')
    return 'done'
  })
  const job = await queue.add('work', null, { id: 'j' })
  await stage.drive(job.result().catch(() => undefined))
  expect((await recordOf(queue, 'j')).state).toBe('failed')
  await queue.retry('j')
  expect(textsOf(await recordOf(queue, 'j'))).toEqual(['attempt 1', 'attempt 2'])
  await stage.drive(queue.job('j').result().catch(() => undefined))
  expect(logOf(await recordOf(queue, 'j')).lines.map(({ attempt, text }) => [attempt, text]))
    .toEqual([1, 2, 1, 2].map((n) => [n, `attempt ${n}`]))
})

test.each([
  ['cancel', async (queue: Queue<Work>) => { await queue.cancel('j') }],
  ['timeout', async () => { await stage.env.advance(60_000) }],
])('what an attempt logged before its %s is kept', async (_name, end) => {
  const queue = await open((job) => {
    job.log('begins')
    job.log('goes on')
    job.signal.addEventListener('abort', () => { job.log('is told') })
    return untilAborted(job)
  })
  const job = await queue.add('work', null, { id: 'j', timeout: '50s' })
  await stage.env.settle()
  await end(queue)
  await stage.drive(job.result().catch(() => undefined))
  expect(textsOf(await recordOf(queue, 'j'))).toEqual(['begins', 'goes on', 'is told'])
})

describe('a log line', () => {
  test('is no transition', async () => {
    const gate = hold()
    const events: string[] = []
    const queue = await open(async (job) => { job.log('one'); await gate.promise })
    queue.transitions$.subscribe(({ event, seq, rev }) => { events.push(`${event} ${seq} ${rev}`) })
    const job = await queue.add('work')
    await stage.env.settle()
    const record = await recordOf(queue, job.id)
    expect(record).toMatchObject({ state: 'running', rev: 2, log: { lines: [{ text: 'one' }] } })
    gate.release()
    await stage.drive(job.result())
    expect(events).toEqual(['add 1 1', 'claim 2 2', 'complete 3 3'])
    expect((await recordOf(queue, job.id)).timeline).toHaveLength(3)
  })

  test('passes at once, and then what is new each 100 ms', async () => {
    const gate = hold()
    const { store, calls } = faultyStore(stage.store)
    const queue = await open(async (job) => {
      job.log('first')
      job.log('second')
      await gate.promise
    }, store)
    const { id } = await queue.add('work')
    await stage.env.settle()
    await stage.env.advance(99)
    expect(textsOf(await recordOf(queue, id))).toEqual(['first'])
    await stage.env.advance(1)
    expect(textsOf(await recordOf(queue, id))).toEqual(['first', 'second'])
    await stage.env.advance(1000)
    expect(calls('progress')).toHaveLength(2)
    gate.release()
  })

  test('that the store has not yet joins the commit that ends the attempt', async () => {
    const { store, calls, next } = faultyStore(stage.store)
    const queue = await open((job) => { job.log('one'); job.log('two') }, store)
    next('progress', refuse, 100)
    const job = await queue.add('work')
    await stage.drive(job.result())
    expect(textsOf(await recordOf(queue, job.id))).toEqual(['one', 'two'])
    expect(calls('commit').flat()).toHaveLength(1)
  })

  test('survives a store that refuses, loses answers, and says no to a commit', async () => {
    const gate = hold()
    const { store, next } = faultyStore(stage.store)
    const queue = await open(async (job) => {
      job.log('one')
      await gate.promise
      job.log('two')
    }, store)
    next('progress', refuse, 3)
    next('progress', loseAnswer, 1)
    const job = await queue.add('work')
    await stage.env.settle()
    expect((await recordOf(queue, job.id)).log).toBeNull()
    await stage.env.advance(1000)
    expect(textsOf(await recordOf(queue, job.id))).toEqual(['one'])
    next('commit', refuse, 1)
    next('commit', loseAnswer, 1)
    gate.release()
    await stage.drive(job.result())
    expect(textsOf(await recordOf(queue, job.id))).toEqual(['one', 'two'])
    stage.takeLines()
  })

  test('is kept when a cancel comes between', async () => {
    const gate = hold()
    const queue = await open(async (job) => { job.log('one'); await gate.promise; job.log('two') })
    const job = await queue.add('work')
    await stage.env.settle()
    await job.cancel()
    gate.release()
    await stage.drive(job.result())
    expect(textsOf(await recordOf(queue, job.id))).toEqual(['one', 'two'])
  })
})

test.each([
  ['memory', memoryStore], ['lowdb', () => lowdbStore('/data/jobs.json')],
])('on %s the log is there when the store is opened again', async (name, store) => {
  const disk = new MemoryDisk()
  stage.env = new VirtualEnv({ disk })
  disk.now = stage.env.now
  const kept = store()
  const gate = hold()
  const first = await stage.open({ store: kept })
  const work = async (job: Job<unknown>): Promise<void> => {
    job.log(`attempt ${job.attempt}`)
    await gate.promise
  }
  const queue = first.queue('q', { tasks: { work } })
  await first.start()
  await queue.add('work', null, { id: 'j' })
  await stage.env.advance(300)
  // The process is stopped in the middle of the attempt: what was logged is not charged for.
  await stage.drive(first.stop({ grace: 0 }))
  gate.release()
  const again = name === 'memory' ? kept : store()
  const second = await stage.open({ store: again })
  const same = second.queue('q', { tasks: { work } })
  expect(await recordOf(same, 'j')).toMatchObject({ state: 'queued', attempt: 0 })
  expect(textsOf(await recordOf(same, 'j'))).toEqual(['attempt 1'])
  await second.start()
  await stage.drive(same.job('j').result())
  expect(textsOf(await recordOf(same, 'j'))).toEqual(['attempt 1', 'attempt 1'])
})

test('on lowdb what was stored of a running attempt survives a power cut', async () => {
  const disk = new MemoryDisk()
  const life = new Life()
  stage.env = new VirtualEnv({ disk })
  disk.now = stage.env.now
  const first = await createTroupe({
    env: life.env(stage.env, disk), store: life.store(lowdbStore('/data/jobs.json')),
  })
  const lost = first.queue('q', {
    tasks: { work: (job: Job) => { job.log('before'); return new Promise(() => undefined) } },
  })
  await first.start()
  await lost.add('work', undefined, { id: 'j' })
  await stage.env.advance(300)
  life.kill()
  const left = disk.powerCut(stage.env.random, 10_000_002)
  const second = await stage.open({
    env: new Life().env(stage.env, left), store: lowdbStore('/data/jobs.json'),
  })
  const queue = second.queue('q', { tasks: { work: (job: Job) => { job.log('after') } } })
  await second.start()
  await stage.drive(queue.job('j').result())
  expect(textsOf(await recordOf(queue, 'j'))).toEqual(['before', 'after'])
})
