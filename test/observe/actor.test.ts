import type { Job } from 'troupe'
import { from, map } from 'rxjs'
import { toPromise, waitFor } from 'xstate'
import { describe, expect, test } from 'vitest'
import { hold, recordOf, untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()

async function open<R>(work: (job: Job) => R) {
  const troupe = await stage.open()
  const queue = troupe.queue('q', { tasks: { work } })
  return { troupe, queue }
}

describe('the actor of a job', () => {
  test('shows the committed state and record', async () => {
    const gate = hold()
    const { troupe, queue } = await open(() => gate.promise)
    const job = await queue.add('work')
    const { actor } = job
    expect(actor.getSnapshot()).toMatchObject({ status: 'active', value: null, context: null })
    await stage.env.settle()
    expect(actor.getSnapshot()).toMatchObject({
      status: 'active', value: 'queued', context: { id: job.id, rev: 1 },
    })
    await troupe.start()
    await stage.env.settle()
    expect(actor.getSnapshot()).toMatchObject({ value: 'running', context: { attempt: 1 } })
    expect(actor.getSnapshot().context).toEqual(await recordOf(queue, job.id))
    gate.release()
    await stage.env.settle()
    expect(actor.getSnapshot()).toMatchObject({ status: 'done', value: 'completed', output: null })
    expect(job.actor).toBe(actor)
  })

  test('works with waitFor and toPromise of XState', async () => {
    const gate = hold<string>()
    const { troupe, queue } = await open(() => gate.promise)
    const { actor } = await queue.add('work')
    const running = waitFor(actor, ({ value }) => value === 'running')
    const output = toPromise(actor)
    await troupe.start()
    expect((await stage.drive(running)).context?.attempt).toBe(1)
    gate.release('the result')
    expect(await stage.drive(output)).toBe('the result')
    expect(await toPromise(actor)).toBe('the result')
    expect((await waitFor(actor, ({ value }) => value === 'completed')).status).toBe('done')
  })

  test('works with from of RxJS, which gives what comes', async () => {
    const { troupe, queue } = await open(() => 1)
    const { actor } = await queue.add('work')
    await stage.env.settle()
    const seen: unknown[] = []
    from(actor).pipe(map((snapshot) => snapshot.value)).subscribe({
      next: (value) => seen.push(value), complete: () => seen.push('end'),
    })
    await troupe.start()
    await stage.env.settle()
    expect(seen).toEqual(['running', 'completed', 'completed', 'end'])
  })

  test('takes cancel, and no other event', async () => {
    const { troupe, queue } = await open(untilAborted)
    await troupe.start()
    const job = await queue.add('work')
    await stage.env.settle()
    job.actor.send({ type: 'complete' } as never)
    await stage.env.settle()
    expect((await recordOf(queue, job.id)).state).toBe('running')
    job.actor.send({ type: 'cancel', reason: 'from the actor' })
    await stage.env.settle()
    expect(job.actor.getSnapshot()).toMatchObject({ status: 'done', value: 'cancelled' })
    expect(await recordOf(queue, job.id)).toMatchObject({
      state: 'cancelled', reason: 'from the actor',
    })
  })

  test('of a cancel that is refused is logged, and the job goes on', async () => {
    const { queue } = await open(() => 1)
    const job = await queue.add('work')
    job.actor.send({ type: 'cancel', reason: 'x'.repeat(2000) })
    await stage.env.settle()
    expect(stage.takeLines()).toMatchObject([{ level: 'error', err: { code: 'invalid-option' } }])
    expect((await recordOf(queue, job.id)).state).toBe('queued')
  })

  test('is there for a job that runs elsewhere, and for one that ended long ago', async () => {
    const { troupe, queue } = await open(() => 7)
    const job = await queue.add('work')
    const elsewhere = (await stage.open()).queue('q').job(job.id)
    const output = toPromise(elsewhere.actor)
    await troupe.start()
    expect(await stage.drive(output)).toBe(7)
    const { actor } = queue.job(job.id)
    await stage.env.settle()
    expect(actor.getSnapshot()).toMatchObject({ status: 'done', value: 'completed', output: 7 })
  })

  test('of an unknown job ends with an error, and not the process', async () => {
    const { queue } = await open(() => 1)
    const { actor } = queue.job('nobody')
    const errors: unknown[] = []
    actor.subscribe({ error: (error) => errors.push(error) })
    actor.subscribe(() => undefined)
    const output = toPromise(actor)
    await expect(stage.drive(output)).rejects.toMatchObject({ code: 'unknown-job' })
    expect(errors).toEqual([expect.objectContaining({ code: 'unknown-job' })])
    expect(actor.getSnapshot()).toMatchObject({ status: 'error', value: null })
    // The subscriber that wants to hear of no error finds it in the log.
    expect(stage.takeLines()).toMatchObject([{ level: 'error', err: { code: 'unknown-job' } }])
  })

  test('of a job that is removed is done', async () => {
    const { queue } = await open(() => 1)
    const job = await queue.add('work')
    const output = toPromise(job.actor)
    await stage.env.settle()
    await queue.remove(job.id)
    await stage.drive(output)
    expect(job.actor.getSnapshot()).toMatchObject({ status: 'done', value: 'queued' })
  })

  test('of a job that has not settled ends with an error when the troupe stops', async () => {
    const { troupe, queue } = await open(() => 1)
    const job = await queue.add('work')
    const output = toPromise(job.actor)
    await stage.env.settle()
    await troupe.stop()
    await expect(output).rejects.toMatchObject({ code: 'stopped' })
    expect(job.actor.getSnapshot()).toMatchObject({ status: 'error', value: 'queued' })
  })
})

describe('the inspection', () => {
  test('sees the live actors of this process: the queue, and each running job', async () => {
    const actors: string[] = []
    const states: string[] = []
    const troupe = await stage.open({
      inspect: (event) => {
        const { id } = event.actorRef as { readonly id?: string }
        if (event.type === '@xstate.actor') actors.push(id ?? '')
        if (event.type !== '@xstate.snapshot') return
        const { value } = event.snapshot as { readonly value?: unknown }
        states.push(`${id ?? ''} ${String(value)}`)
      },
    })
    const queue = troupe.queue('images', { tasks: { work: () => 1 } })
    await queue.add('work', undefined, { id: 'waits', delay: '1d' })
    await queue.add('work', undefined, { id: 'runs' })
    await troupe.start()
    await stage.env.settle()
    expect(actors).toContain('images')
    expect(actors).toContain('runs')
    expect(actors).not.toContain('waits')
    expect(states).toContain('images accepting')
    expect(states.filter((text) => text.startsWith('runs'))).toEqual(
      expect.arrayContaining(['runs running', 'runs completed']),
    )
  })

  test('may be an observer', async () => {
    let events = 0
    const troupe = await stage.open({ inspect: { next: () => { events += 1 } } })
    const queue = troupe.queue('q', { tasks: { work: () => 1 } })
    await troupe.start()
    const before = events
    await stage.drive((await queue.add('work')).result())
    expect(events).toBeGreaterThan(before)
  })
})
