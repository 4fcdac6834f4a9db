import type { Explanation, Job, Queue, QueueOptions, Store, Tasks } from 'troupe'
import { describe, expect, test } from 'vitest'
import { reasons } from '../../src/orchestrator/explain.ts'
import { expectOutages } from '../support/outage-lines.ts'
import { faultyStore, refuse } from '../../src/testing/faulty-store.ts'
import { hold, refusal, untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()

const tasks = {
  work: (_job: Job<undefined>) => 'done',
  wait: (job: Job<undefined>) => untilAborted(job),
  fail: (_job: Job<undefined>) => { throw new Error('out of paper') },
}

async function open(options: Omit<QueueOptions, 'tasks'> = {}, store: Store = stage.store) {
  const troupe = await stage.open({ store })
  return { troupe, queue: troupe.queue('q', { ...options, tasks }) }
}

const reached = new Set<string>()

async function why<T extends Tasks>(queue: Queue<T>, id: string): Promise<Explanation> {
  await stage.env.settle()
  const explanation = await queue.explain(id)
  reached.add(explanation.why)
  expect(explanation.record).toEqual(await queue.get(id))
  return explanation
}

const start = '2026-01-01T00:00:00.000Z'

describe('explain says', () => {
  test('unknown, of what is not in this queue', async () => {
    const { troupe, queue } = await open()
    await troupe.queue('other').add('work' as never, undefined as never, { id: 'elsewhere' })
    for (const id of ['nobody', 'elsewhere']) {
      expect(await queue.explain(id)).toEqual({
        why: 'unknown', text: `There is no job ${id} in this queue.`, record: null, until: null,
        ahead: null, waitsFor: [], worker: null, since: null, abandoned: [],
      })
    }
    reached.add('unknown')
    expect(await refusal(queue.explain(''))).toMatchObject({ details: { path: 'id' } })
  })

  test('settled, and how it ended', async () => {
    const { troupe, queue } = await open()
    await troupe.start()
    for (const task of ['work', 'fail', 'wait'] as const) {
      await queue.add(task, undefined, { id: task })
    }
    await stage.env.advance(3000)
    await queue.cancel('wait', 'no need')
    const since = stage.env.now()
    expect(await why(queue, 'work')).toMatchObject({
      why: 'settled', since: since - 3000, text: `It completed at ${start}, by w1.`,
    })
    expect((await why(queue, 'fail')).text)
      .toBe(`It failed at ${start}, by w1 (error; Error: out of paper).`)
    expect((await why(queue, 'wait')).text).toMatch(
      /^It was cancelled at 2026-01-01T00:00:03.000Z, by api \(no need; TroupeError: the job was c/)
  })

  test('running and cancelling, where, and since when', async () => {
    const { troupe, queue } = await open()
    const gate = hold()
    const deaf = troupe.queue('deaf', { tasks: { wait: () => gate.promise } })
    await troupe.start()
    await deaf.add('wait', undefined, { id: 'a' })
    await stage.env.advance(5000)
    expect(await why(deaf, 'a')).toMatchObject({
      why: 'running', worker: 'w1', since: stage.env.now() - 5000,
      text: `It runs on w1, attempt 1, since ${start}, for 5 seconds.`,
    })
    await deaf.cancel('a', 'enough')
    expect(await why(deaf, 'a')).toMatchObject({
      why: 'cancelling', worker: 'w1', since: stage.env.now() - 5000,
      text: expect.stringMatching(/^api asked for its end \(enough\); its handler on w1 goes on/),
    })
    expect(await why(queue, 'a').catch(() => null)).toMatchObject({ why: 'unknown' })
    gate.release()
  })

  test('blocked, by whom, and what can come of it', async () => {
    const { troupe, queue } = await open()
    const names = ['a', 'b', 'c']
    for (const id of names) await queue.add('work', undefined, { id, delay: '1h' })
    await queue.add('work', undefined, { id: 'child', dependsOn: names })
    await queue.add('work', undefined, {
      id: 'patient', dependsOn: names, onParentFailure: 'wait', ttl: '1d',
    })
    expect(await why(queue, 'child')).toMatchObject({
      why: 'blocked', waitsFor: names.map((id) => ({ id, state: 'queued' })),
      text: 'It waits for 3 jobs: a (queued), b (queued), c (queued).',
    })
    await queue.cancel('a')
    await queue.remove('b')
    await queue.reschedule('c', 'now')
    await troupe.start()
    await stage.env.settle()
    const answer = await why(queue, 'patient')
    expect(answer.waitsFor)
      .toEqual([{ id: 'a', state: 'cancelled' }, { id: 'b', state: 'removed' }])
    expect(answer.text).toBe(
      'It waits for 2 jobs: a (cancelled), b (removed). By its onParentFailure \'wait\' it goes ' +
      'on waiting until what has failed is retried. What was removed comes back only when a job ' +
      'is added under the same id. It fails when it has not started at 2026-01-02T00:00:00.000Z.')
  })

  test('delayed, until when', async () => {
    const { troupe, queue } = await open()
    await queue.add('work', undefined, { id: 'a', delay: '3m' })
    const backoff = { type: 'fixed', delay: 500 } as const
    await queue.add('fail', undefined, { id: 'b', retries: 1, backoff })
    expect(await why(queue, 'a')).toMatchObject({
      why: 'delayed', until: stage.env.now() + 180_000, ahead: null,
      text: 'It is delayed until 2026-01-01T00:03:00.000Z, for 3 minutes more.',
    })
    await troupe.start()
    expect((await why(queue, 'b')).text).toBe('It is delayed until 2026-01-01T00:00:00.500Z, for ' +
      '500 ms more. Attempt 1 has ended; the next one comes then.')
  })

  test('paused and limit-reached, for all processes', async () => {
    const { troupe, queue } = await open()
    const other = await stage.open()
    await other.queue('q').pause()
    await troupe.start()
    await queue.addMany([{ task: 'work', id: 'a' }, { task: 'work', id: 'b', ttl: '1m' }])
    expect(await why(queue, 'b')).toMatchObject({
      why: 'paused', ahead: 1, text: 'The queue is paused everywhere: resume() lets it go on. It ' +
        'fails when it has not started at 2026-01-01T00:01:00.000Z.',
    })
    const limited = troupe.queue('limited', {
      tasks: { work: (job: Job<undefined>) => job.limitReached('5m') },
    })
    await limited.add('work', undefined, { id: 'l' })
    expect(await why(limited, 'l')).toMatchObject({
      why: 'limit-reached', until: stage.env.now() + 300_000, ahead: 0,
      text: 'A handler called limitReached(): nothing is claimed until 2026-01-01T00:05:00.000Z.',
    })
  })
})

describe('explain says of a ready job', () => {
  test('rate-limited, and when the next one starts', async () => {
    const { troupe, queue } = await open({ rateLimit: { max: 1, per: '1m' } })
    const never = troupe.queue('never', { tasks, rateLimit: { max: 0, per: '1s' } })
    await troupe.start()
    await queue.addMany([{ task: 'work', id: 'a' }, { task: 'work', id: 'b' }])
    await queue.add('work', undefined, { id: 'c' })
    await never.add('work', undefined, { id: 'd' })
    expect(await why(queue, 'c')).toMatchObject({
      why: 'rate-limited', until: stage.env.now() + 60_000, ahead: 1,
      text: 'The rate limit admits the next start at 2026-01-01T00:01:00.000Z; 1 job goes before ' +
        'it.',
    })
    expect(await why(never, 'd')).toMatchObject({
      why: 'rate-limited', until: null,
      text: 'The rate limit of its queue is 0: nothing is started.',
    })
  })

  test('partition-full, by how many', async () => {
    const { troupe, queue } = await open({ concurrencyPerPartition: 1 })
    await troupe.start()
    await queue.addMany(['p', undefined].flatMap((partition) => [1, 2].map((n) => ({
      task: 'wait', id: `${partition ?? 'none'}-${n}`, ...(partition ? { partition } : {}),
    }) as const)))
    expect(await why(queue, 'p-2')).toMatchObject({
      why: 'partition-full', until: null,
      text: 'Its partition p has 1 running and may have 1: one of them must end first.',
    })
    expect((await why(queue, 'none-2')).text).toMatch(/^The jobs without a partition have 1 /)
  })

  test('not-started, then in-line when somebody else works', async () => {
    const { queue } = await open()
    await queue.add('work', undefined, { id: 'a' })
    expect(await why(queue, 'a')).toMatchObject({
      why: 'not-started', text: expect.stringContaining('call await troupe.start()'),
    })
    const deaf = faultyStore(stage.store, { claim: async () => ({ records: [], nextAt: null }) })
    const worker = await stage.open({ store: deaf.store, worker: 'big' })
    worker.queue('q', { tasks })
    await worker.start()
    expect(await why(queue, 'a')).toMatchObject({
      why: 'in-line', ahead: 0, text: 'It is ready for big; no job goes before it.',
    })
  })

  test('no-worker, whether there are workers of the queue or not', async () => {
    const producer = (await stage.open()).queue<Tasks & { typo: () => void }>('q')
    await producer.add('typo', undefined, { id: 'a' })
    expect(await why(producer, 'a')).toMatchObject({
      why: 'no-worker',
      text: 'Nobody has a handler for task typo: no live worker works on this queue.',
    })
    const { troupe, queue } = await open()
    await troupe.start()
    expect((await why(queue, 'a')).text).toBe(
      'Nobody has a handler for task typo: those of this queue (w2) have no such task.')
    await troupe.stop()
    expect((await why(producer, 'a')).text).toContain('no live worker works on this queue')
  })

  test('draining, while this process lets what runs end, and after that', async () => {
    const { troupe, queue } = await open()
    await troupe.start()
    await queue.add('wait', undefined, { id: 'runs' })
    await stage.env.settle()
    const drained = queue.drain()
    await queue.add('work', undefined, { id: 'a' })
    expect(await why(queue, 'a')).toMatchObject({
      why: 'draining', text: 'This process claims nothing: drain() lets what runs end, and ' +
        'resume() takes that back.',
    })
    await queue.cancel('runs')
    await drained
    expect((await why(queue, 'a')).text).toContain('drain() has paused it here')
    const idle = faultyStore(stage.store, { claim: async () => ({ records: [], nextAt: null }) })
    const other = await stage.open({ store: idle.store })
    other.queue('q', { tasks })
    await other.start()
    expect((await why(queue, 'a')).text).toMatch(/Another worker may take it before\.$/)
  })

  test('abandoned-here and slots-full, and who holds the slots', async () => {
    const troupe = await stage.open()
    const gate = hold()
    const queue = troupe.queue('q', { concurrency: 2, tasks: { deaf: () => gate.promise } })
    await troupe.start()
    const options = { timeout: 1000, cancelGrace: 0, retries: 1, backoff: { type: 'fixed',
      delay: 0 } } as const
    await queue.add('deaf', undefined, { id: 'a', ...options })
    await stage.env.advance(1500)
    expect(await why(queue, 'a')).toMatchObject({
      why: 'abandoned-here', abandoned: ['a'],
      text: expect.stringMatching(/^Its last handler was given up and goes on here/),
    })
    await queue.add('deaf', undefined, { id: 'b' })
    await queue.add('deaf', undefined, { id: 'c' })
    expect(await why(queue, 'c')).toMatchObject({
      why: 'slots-full', ahead: 1, abandoned: ['a'],
      text: 'All 2 slots of this process are held, 1 by abandoned handlers (a); 1 job goes ' +
        'before it.',
    })
    gate.release()
  })

  test('in-line, when it is about to be claimed', async () => {
    const { store, next } = faultyStore(stage.store)
    const { troupe, queue } = await open({ concurrency: 2 }, store)
    await troupe.start()
    const claim = hold<never>()
    next('claim', () => claim.promise, 10)
    await queue.addMany([1, 2, 3].map((n) => ({ task: 'work', id: `job-${n}` }) as const))
    expect(await why(queue, 'job-3')).toMatchObject({
      why: 'in-line', ahead: 2, text: 'It is ready and about to be claimed; 2 jobs go before it.',
    })
    claim.fail(new Error('over'))
    await stage.env.settle()
    stage.takeLines()
  })

  test('in-line, and why nothing is claimed, while the store refuses writes', async () => {
    const { store, next } = faultyStore(stage.store)
    const { troupe, queue } = await open({}, store)
    await troupe.start()
    next('commit', refuse, 3)
    await queue.add('work', undefined, { id: 'first' })
    await stage.env.settle()
    await queue.add('work', undefined, { id: 'a' })
    expect(await why(queue, 'a')).toMatchObject({
      why: 'in-line', text: expect.stringMatching(/^The store refuses writes just now/),
    })
    await stage.env.advance(2000)
    expectOutages(stage.takeLines())
  })
})

test('each of its reasons was reached', () => {
  expect([...reached].sort()).toEqual([...reasons].sort())
})
