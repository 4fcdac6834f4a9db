import type { Job, Queue } from 'troupe'
import { describe, expect, test } from 'vitest'
import { SharedStore, transaction } from '../support/shared-store.ts'
import { recordOf, refusal, useStage } from '../support/stage.ts'

const stage = useStage()

type Work = { readonly work: (job: Job<unknown>) => unknown }

/** A worker and a client, each with a session of its own on one store. */
async function open(work: Work['work'] = () => 'done') {
  const shared = new SharedStore(stage.env)
  const worker = await stage.open({ store: shared.session() })
  const client = await stage.open({ store: shared.session() })
  worker.queue('q', { tasks: { work } })
  await worker.start()
  await stage.env.settle()
  return { shared, client, asking: client.queue<Work>('q') }
}

describe('a job that is added in a transaction', () => {
  test('exists when that commits; wake starts it at once', async () => {
    const { asking, shared } = await open()
    const tx = transaction()
    const job = await asking.add('work', { a: 1 }, { id: 'job', priority: 2, transaction: tx })
    expect(job).toMatchObject({ id: 'job', created: true })
    await stage.env.advance(5000)
    expect(await asking.get('job')).toBeNull()
    await tx.commit()
    await stage.env.settle()
    expect(await recordOf(asking, 'job')).toMatchObject({ state: 'queued', input: { a: 1 } })
    job.wake()
    await stage.env.settle()
    const record = await recordOf(asking, 'job')
    expect(record).toMatchObject({ state: 'completed', priority: 2 })
    expect(JSON.stringify(record)).not.toContain('transaction')
    expect((await shared.inner.readLog('q', 0, 10)).entries).toHaveLength(3)
  })

  test('and those of addMany and of a flow, do not exist when it is rolled back', async () => {
    const { asking, client } = await open()
    const tx = transaction()
    await asking.add('work', 1, { transaction: tx })
    await asking.addMany(
      [{ task: 'work', input: 2 }, { task: 'work', input: 3 }], { transaction: tx })
    await client.flow(
      { a: asking.spec('work', 4), b: asking.spec('work', 5) }, { b: ['a'] }, { transaction: tx },
    )
    tx.rollback()
    await tx.commit()
    await stage.env.advance(5000)
    expect(await asking.list()).toMatchObject({ jobs: [] })
  })

  test('and those of addMany and of a flow, exist when it commits', async () => {
    const { asking, client } = await open()
    const tx = transaction()
    const handles = [
      await asking.add('work', 1, { transaction: tx }),
      ...await asking.addMany(
        [{ task: 'work', input: 2 }, { task: 'work', input: 3 }], { transaction: tx }),
      ...Object.values(await client.flow(
        { a: asking.spec('work', 4), b: asking.spec('work', 5) }, { b: ['a'] }, { transaction: tx },
      )),
    ]
    await tx.commit()
    handles[0]?.wake()
    expect(await stage.drive(Promise.all(handles.map((each) => each.result()))))
      .toEqual(['done', 'done', 'done', 'done', 'done'])
  })

  test.each([
    ['nothing', null], ['no object', 5], ['no query', { execute: () => undefined }],
  ])('is refused with %s for a transaction', async (_what, given) => {
    const { asking } = await open()
    const options = { transaction: given as never }
    const expected = { code: 'invalid-option', details: { path: 'options.transaction' } }
    expect(await refusal(asking.add('work', 1, options))).toMatchObject(expected)
    expect(await refusal(asking.addMany([], options))).toMatchObject(expected)
  })

  test('is refused by a store that takes part in none, and nothing is stored', async () => {
    const queue: Queue<Work> = (await stage.open()).queue('q', { tasks: { work: () => 1 } })
    const error = await refusal(queue.add('work', 1, { transaction: transaction() }))
    expect(error).toMatchObject({
      code: 'invalid-option', details: { path: 'options.transaction' },
      message: expect.stringContaining('PostgreSQL'),
    })
    expect(await queue.add('work', 1, { transaction: undefined as never })).toMatchObject({
      created: true,
    })
    expect(await queue.counts()).toMatchObject({ queued: 1 })
  })

  test('knows its transaction in no other call', async () => {
    const { asking, client } = await open()
    const wrong = { transaction: transaction() } as object
    const flow = client.flow({ a: asking.spec('work', 1, wrong) })
    expect(await refusal(flow)).toMatchObject({ code: 'invalid-option' })
    expect(await refusal(asking.addMany([{ task: 'work', input: 1, ...wrong }])))
      .toMatchObject({ code: 'invalid-option', details: { path: 'jobs[0].transaction' } })
  })
})
