import type { Job, Transition } from 'troupe'
import { map, tap } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { faultyStore, waitFor } from '../../src/testing/faulty-store.ts'
import { hold, recordOf, useStage } from '../support/stage.ts'

const stage = useStage()

const word = ({ seq, event, jobId }: Transition): string => `${seq} ${event} ${jobId}`

async function open() {
  const troupe = await stage.open()
  const queue = troupe.queue('q', {
    concurrency: 2, tasks: { work: (job: Job) => job.input ?? null },
  })
  return { troupe, queue }
}

describe('all observers see the same order', () => {
  test('of a queue: the order of its log, without gap', async () => {
    const { troupe, queue } = await open()
    const seen: Transition[] = []
    queue.transitions$.subscribe((transition) => seen.push(transition))
    await troupe.start()
    for (let n = 0; n < 10; n += 1) await queue.add('work', n)
    await stage.drive(queue.idle())
    expect(seen.map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1))
    const { entries } = await stage.store.readLog('q', 0, 100)
    const { cursor: _some, ...last } = entries.at(-1) ?? { cursor: '' }
    expect(seen.at(-1)).toMatchObject(last)
    expect(seen.map(word)).toEqual(entries.map((entry) => word(entry)))
  })

  test('even when one adds and cancels inside its callback', async () => {
    const { queue } = await open()
    const first: string[] = []
    const second: string[] = []
    const third: string[] = []
    const pending: Promise<unknown>[] = []
    queue.transitions$.subscribe((transition) => {
      first.push(word(transition))
      if (transition.event !== 'add' || transition.jobId.length > 3) return
      pending.push(queue.add('work', null, { id: `${transition.jobId}+` }))
      pending.push(queue.cancel(transition.jobId))
    })
    queue.transitions$.subscribe((transition) => { second.push(word(transition)) })
    queue.transitions$.pipe(map(word)).subscribe((text) => { third.push(text) })
    await queue.addMany([{ task: 'work', id: 'a' }, { task: 'work', id: 'b' }])
    await stage.env.settle()
    await Promise.all(pending)
    expect(first).toHaveLength(14)
    expect(second).toEqual(first)
    expect(third).toEqual(first)
    expect(first.map((text) => Number(text.split(' ')[0])))
      .toEqual(Array.from({ length: 14 }, (_, n) => n + 1))
  })

  test('also the streams of jobs and the replays, among each other', async () => {
    const { troupe, queue } = await open()
    const seen: string[] = []
    const job = await queue.add('work', null, { id: 'a' })
    troupe.observe({ from: 'start' }).subscribe(({ seq }) => {
      if (seq === 1) void queue.reschedule('a', '1s')
      seen.push(`observe ${seq}`)
    })
    job.record$.subscribe(({ rev }) => {
      seen.push(`record ${rev}`)
      if (rev === 2) void job.cancel()
    })
    await stage.env.settle()
    const only = (name: string): string[] => seen.filter((text) => text.startsWith(name))
    expect(only('observe')).toEqual(['observe 1', 'observe 2', 'observe 3'])
    expect(only('record').at(-1)).toBe('record 3')
  })

  test('a job is seen in its transitions before whoever added it goes on', async () => {
    const { queue } = await open()
    const seen: string[] = []
    queue.transitions$.subscribe(({ jobId }) => { seen.push(jobId) })
    const { id } = await queue.add('work')
    expect(seen).toEqual([id])
  })
})

describe('a throwing observer', () => {
  test('disturbs nobody, goes on, and is logged', async () => {
    const { troupe, queue } = await open()
    const problem = new Error('bad observer')
    const fail = (): never => { throw problem }
    const good: number[] = []
    let calls = 0
    queue.transitions$.subscribe(() => {
      calls += 1
      fail()
    })
    queue.transitions$.subscribe(({ seq }) => good.push(seq))
    await troupe.start()
    const job = await queue.add('work', 7)
    expect(await stage.drive(job.result())).toBe(7)
    expect(good).toEqual([1, 2, 3])
    expect(calls).toBe(3)
    const lines = stage.takeLines()
    expect(lines).toHaveLength(3)
    expect(lines.every(({ level, err }) => level === 'error' && err === problem)).toBe(true)
  })

  test.each([
    ['in next, behind pipe(map)', 'next'],
    ['in complete', 'complete'],
    ['in a projection', 'projection'],
  ])('%s', async (_name, where) => {
    const { troupe, queue } = await open()
    const fail = (): never => { throw new Error('bad observer') }
    const job = await queue.add('work', 7)
    const stream = job.record$.pipe(map(({ state }) => where === 'projection' ? fail() : state))
    stream.subscribe(where === 'complete' ? { complete: fail } : { next: fail })
    troupe.observe({ from: 'start' }).pipe(tap(where === 'next' ? fail : () => undefined))
      .subscribe()
    const result = job.result()
    await troupe.start()
    expect(await stage.drive(result)).toBe(7)
    expect((await recordOf(queue, job.id)).state).toBe('completed')
    const lines = stage.takeLines()
    expect(lines.length).toBeGreaterThan(0)
    for (const { err } of lines) expect(err).toMatchObject({ message: 'bad observer' })
  })

  test('in its error callback', async () => {
    const { queue } = await open()
    queue.job('nobody').record$.subscribe({ error: () => { throw new Error('worse') } })
    await stage.env.settle()
    expect(stage.takeLines()).toMatchObject([{ err: { message: 'worse' } }])
  })

  test('of a job\'s actor', async () => {
    const { troupe, queue } = await open()
    const job = await queue.add('work', 7)
    job.actor.subscribe(() => { throw new Error('bad observer') })
    await troupe.start()
    expect(await stage.drive(job.result())).toBe(7)
    expect(stage.takeLines().length).toBeGreaterThan(0)
  })

  test('of the inspection', async () => {
    const troupe = await stage.open({ inspect: () => { throw new Error('bad inspector') } })
    const queue = troupe.queue('q', { tasks: { work: () => 'fine' } })
    await troupe.start()
    expect(await stage.drive((await queue.add('work')).result())).toBe('fine')
    await troupe.stop()
    const lines = stage.takeLines()
    expect(lines.length).toBeGreaterThan(0)
    for (const { err } of lines) expect(err).toMatchObject({ message: 'bad inspector' })
  })
})

test('nobody sees a state before it is committed', async () => {
  const gate = hold()
  const seen: string[] = []
  const { store, next } = faultyStore(stage.store)
  const troupe = await stage.open({
    store,
    inspect: (event) => {
      if (event.type !== '@xstate.snapshot') return
      const { value } = event.snapshot as { value?: unknown }
      seen.push(`inspect ${String(value)}`)
    },
  })
  const queue = troupe.queue('q', { tasks: { work: () => 'done' } })
  const job = await queue.add('work')
  let ended = false
  job.state$.subscribe((state) => seen.push(`state ${state}`))
  job.actor.subscribe(({ value }) => seen.push(`actor ${value ?? ''}`))
  queue.transitions$.subscribe(({ to }) => seen.push(`transition ${to ?? ''}`))
  const result = job.result().then(() => { ended = true })
  next('commit', waitFor(gate.promise))
  await troupe.start()
  await stage.env.advance(5000)
  expect(seen.filter((text) => text.includes('running')).length).toBeGreaterThanOrEqual(3)
  expect(seen.filter((text) => text.includes('completed'))).toEqual([])
  expect(ended).toBe(false)
  expect((await recordOf(queue, job.id)).state).toBe('running')
  gate.release()
  await stage.drive(result)
  const after = seen.filter((text) => text.includes('completed'))
  expect(after).toEqual(expect.arrayContaining([
    'inspect completed', 'state completed', 'actor completed', 'transition completed',
  ]))
})
