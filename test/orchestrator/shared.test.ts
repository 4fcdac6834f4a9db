import type { Job, Transition } from 'troupe'
import { expect, test } from 'vitest'
import { answerAfter, faultyStore } from '../../src/testing/faulty-store.ts'
import { SharedStore } from '../support/shared-store.ts'
import { eventsOf, hold, recordOf, untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()

/** A worker and a client, each with a session of its own on one store. */
async function open<R>(work: (job: Job) => R, concurrency = 2) {
  const shared = new SharedStore(stage.env)
  const lines: string[][] = [[], []]
  const logger = (index: number) => ({
    info: (_fields: object, message: string) => { lines[index]?.push(message) },
    warn: () => undefined,
    error: (_fields: object, message: string) => { throw new Error(message) },
  })
  const worker = await stage.open({ store: shared.session(), logger: logger(0) })
  const client = await stage.open({ store: shared.session(), logger: logger(1) })
  const working = worker.queue('q', { concurrency, tasks: { work } })
  const asking = client.queue<{ work: (job: Job) => R }>('q')
  await worker.start()
  await stage.env.settle()
  return { shared, worker, client, working, asking, lines }
}

test('a job of another process is followed to its end', async () => {
  const gate = hold<string>()
  const { asking } = await open(() => gate.promise)
  const job = await asking.add('work')
  const states: string[] = []
  job.state$.subscribe((state) => states.push(state))
  await stage.env.settle()
  expect(states).toEqual(['queued', 'running'])
  gate.release('done')
  expect(await stage.drive(job.result())).toBe('done')
  expect(states).toEqual(['queued', 'running', 'completed'])
})

test('a cancel from another process reaches the handler, without the help of time', async () => {
  const reasons: unknown[] = []
  const { asking, working } = await open(async (job) => {
    job.signal.addEventListener('abort', () => { reasons.push(job.signal.reason) })
    return untilAborted(job)
  })
  const { id } = await asking.add('work')
  await stage.env.settle()
  expect(await asking.cancel(id, 'enough')).toBe('cancelling')
  await stage.env.settle()
  expect(reasons).toMatchObject([{ code: 'job-cancelled', details: { reason: 'enough' } }])
  expect((await recordOf(working, id)).state).toBe('cancelled')
})

test('a job that was removed by force elsewhere is aborted here', async () => {
  const reasons: unknown[] = []
  const { asking, working } = await open(async (job) => {
    job.signal.addEventListener('abort', () => { reasons.push(job.signal.reason) })
    return untilAborted(job).catch(() => 'late')
  })
  await asking.add('work')
  await stage.env.settle()
  expect(await asking.obliterate({ force: true })).toBe('obliterated')
  await stage.env.settle()
  expect(reasons).toMatchObject([{ code: 'lease-lost' }])
  expect(await working.counts()).toMatchObject({ running: 0, completed: 0 })
})

test('each transition is told once in the fleet, by the process that has written it', async () => {
  const { asking, lines } = await open(() => 'done')
  const job = await asking.add('work')
  job.state$.subscribe()
  await stage.drive(job.result())
  expect(lines).toEqual([
    ['queue.job.claimed', 'queue.job.completed'], ['queue.job.added'],
  ])
})

test('all observers of a log hear the numbers, those of every process, in order', async () => {
  const { worker, client, working, asking } = await open(() => 'done')
  const heard: Transition[][] = [[], [], [], []]
  const streams = [
    worker.observe(), client.observe({ from: 'start' }), working.transitions$, asking.transitions$,
  ]
  streams.forEach((stream, index) => stream.subscribe((each) => heard[index]?.push(each)))
  // What comes right behind the subscription is told, though the tail begins a turn later.
  const job = await asking.add('work')
  await stage.drive(job.result())
  await stage.env.settle()
  const words = ['1 add', '2 claim', '3 complete']
  for (const each of heard) expect(each.map(({ seq, event }) => `${seq} ${event}`)).toEqual(words)
  const [cursor] = (heard[3] ?? []).map((each) => each.cursor)
  const rest: number[] = []
  client.observe({ from: cursor ?? '', queue: 'q' }).subscribe(({ seq }) => rest.push(seq))
  await stage.env.settle()
  expect(rest).toEqual([2, 3])
})

test('a cancel that comes before the answer to the claim: the handler does not start', async () => {
  const shared = new SharedStore(stage.env)
  const gate = hold()
  const faulty = faultyStore(shared.session())
  const worker = await stage.open({ store: faulty.store })
  const client = await stage.open({ store: shared.session() })
  let runs = 0
  const working = worker.queue('q', { tasks: { work: () => { runs += 1 } } })
  const asking = client.queue<{ work: () => void }>('q')
  await worker.start()
  await stage.env.settle()
  faulty.next('claim', answerAfter(gate.promise))
  await asking.add('work', undefined, { id: 'job' })
  // It is followed, or its session would hear nothing of what others do to it.
  working.job('job').state$.subscribe()
  await stage.env.settle()
  expect(await asking.cancel('job')).toBe('cancelling')
  await stage.env.settle()
  gate.release()
  await stage.env.settle()
  expect(await recordOf(asking, 'job')).toMatchObject({ state: 'cancelled', attempt: 1 })
  expect(runs).toBe(0)
})

test('an idle worker asks once for a job, and not again when it has ended', async () => {
  const { shared, asking, working } = await open(() => 'done')
  const claims: number[] = []
  const claim = shared.inner.claim.bind(shared.inner)
  shared.inner.claim = (request) => {
    claims.push(request.limit)
    return claim(request)
  }
  for (let round = 0; round < 3; round += 1) {
    await stage.drive((await asking.add('work')).result())
    await stage.env.settle()
  }
  expect(claims).toHaveLength(3)
  const { id } = await asking.add('work', undefined, { retries: 1, backoff: 0 })
  await stage.drive(asking.job(id).result())
  expect(eventsOf(await recordOf(working, id))).toEqual(['add', 'claim', 'complete'])
})
