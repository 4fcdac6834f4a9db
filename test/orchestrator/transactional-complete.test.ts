import { memoryStore } from 'troupe'
import type { Job, Queue, Transaction, Troupe } from 'troupe'
import { describe, expect, test } from 'vitest'
import { faultyStore, loseAnswer, refuse } from '../../src/testing/faulty-store.ts'
import { expectOutages } from '../support/outage-lines.ts'
import { SharedStore, transaction } from '../support/shared-store.ts'
import type { TestTransaction } from '../support/shared-store.ts'
import { eventsOf, hold, recordOf, refusal, untilAborted, useStage } from '../support/stage.ts'

const stage = useStage()

type Work = { readonly work: (job: Job<unknown>) => unknown }

/** A worker and a client, each with a session of its own on one store. */
async function open(work: Work['work'] = () => 'done') {
  const shared = new SharedStore(stage.env)
  const faulty = faultyStore(shared.session())
  const worker = await stage.open({ store: faulty.store })
  const client = await stage.open({ store: shared.session() })
  const working = worker.queue('q', { tasks: { work } })
  await worker.start()
  await stage.env.settle()
  return { shared, faulty, working, asking: client.queue<Work>('q') }
}

/** A job whose handler completes it in transactions of the test's, and then does `rest`. */
async function completing(
  act: (job: Job<unknown>, tx: () => TestTransaction) => Promise<unknown>,
) {
  const transactions: TestTransaction[] = []
  const seen: Job<unknown>[] = []
  const scene = await open(async (job) => {
    seen.push(job)
    return act(job, () => {
      const tx = transaction()
      transactions.push(tx)
      return tx
    })
  })
  await scene.asking.add('work', 1, { id: 'job', retries: 2, backoff: 0 })
  return { ...scene, transactions, seen }
}

describe('a job that its handler completes in a transaction', () => {
  test('is completed when that commits, with that result, once', async () => {
    const { asking, faulty } = await completing(async (job, tx) => {
      job.log('a line')
      job.progress(50)
      const own = tx()
      await job.complete(own, { paid: true })
      await own.commit()
      return 'something else'
    })
    expect(await stage.drive(asking.job('job').result())).toEqual({ paid: true })
    const record = await recordOf(asking, 'job')
    expect(eventsOf(record)).toEqual(['add', 'claim', 'complete'])
    expect(record.progress).toMatchObject({ percent: 50 })
    expect(record.log?.lines).toMatchObject([{ text: 'a line' }])
    expect(faulty.calls('commit')).toHaveLength(1)
  })

  test('is told of to those who follow it here, and to log and telemetry', async () => {
    const shared = new SharedStore(stage.env)
    const words: string[] = []
    const ignore = (): void => undefined
    const troupe: Troupe = await stage.open({
      store: shared.session(),
      logger: { info: (_line, word) => { words.push(word) }, warn: ignore, error: ignore },
    })
    const queue: Queue<Work> = troupe.queue('q', { tasks: { work: async (job) => {
      const tx = transaction()
      await job.complete(tx, 'in it')
      await tx.commit()
    } } })
    await troupe.start()
    const job = await queue.add('work', 1)
    const states: string[] = []
    job.state$.subscribe((state) => states.push(state))
    await stage.env.settle()
    expect(states.at(-1)).toBe('completed')
    expect(words).toEqual(['queue.job.added', 'queue.job.claimed', 'queue.job.completed'])
    await stage.drive(queue.idle())
  })

  test('counts as its handler ended when that was rolled back', async () => {
    const { asking, seen } = await completing(async (job, tx) => {
      const own = tx()
      await job.complete(own, 'in it')
      own.rollback()
      if (job.attempt === 1) throw new Error('once')
      return 'returned'
    })
    expect(await stage.drive(asking.job('job').result())).toBe('returned')
    expect(eventsOf(await recordOf(asking, 'job')))
      .toEqual(['add', 'claim', 'fail', 'due', 'claim', 'complete'])
    expect(seen).toHaveLength(2)
  })

  test('is over when that has committed, whatever the handler does then', async () => {
    const { asking, seen } = await completing(async (job, tx) => {
      const own = tx()
      await job.complete(own, 'in it')
      await own.commit()
      throw new Error('late')
    })
    expect(await stage.drive(asking.job('job').result())).toBe('in it')
    await stage.env.advance(10_000)
    expect(seen).toHaveLength(1)
    expect(await recordOf(asking, 'job')).toMatchObject({ state: 'completed', error: null })
  })

  test('can be completed in another transaction when the first was rolled back', async () => {
    const { asking } = await completing(async (job, tx) => {
      const first = tx()
      await job.complete(first, 'first')
      first.rollback()
      const second = tx()
      await job.complete(second, 'second')
      await second.commit()
    })
    expect(await stage.drive(asking.job('job').result())).toBe('second')
  })

  test('cannot be completed in another transaction when the first has committed', async () => {
    const { asking } = await completing(async (job, tx) => {
      const first = tx()
      await job.complete(first, 'first')
      await first.commit()
      // The answer to that commit was lost, say, and all is tried again.
      await job.complete(tx(), 'second')
    })
    expect(await stage.drive(asking.job('job').result())).toBe('first')
    expect(eventsOf(await recordOf(asking, 'job'))).toEqual(['add', 'claim', 'complete'])
  })

  test('is not completed after a cancel', async () => {
    const gate = hold()
    const errors: unknown[] = []
    const { asking } = await completing(async (job, tx) => {
      await gate.promise
      await job.complete(tx(), 'late').catch((error: unknown) => {
        errors.push(error)
        throw error
      })
    })
    await stage.env.settle()
    await asking.cancel('job', 'enough')
    await stage.env.settle()
    gate.release()
    await stage.env.settle()
    expect(errors).toMatchObject([{ code: 'job-cancelled', details: { reason: 'enough' } }])
    expect(await recordOf(asking, 'job')).toMatchObject({ state: 'cancelled', result: null })
  })

  test('meets the cancel that its process has not heard of', async () => {
    const errors: unknown[] = []
    const { asking, shared } = await completing(async (job, tx) => {
      await shared.inner.apply([
        { type: 'cancel', id: 'job', queue: 'q', by: 'ann', reason: 'enough' },
      ])
      await job.complete(tx(), 'late').catch((error: unknown) => {
        errors.push(error)
        throw error
      })
    })
    await stage.env.settle()
    expect(errors).toMatchObject([{ code: 'job-cancelled' }])
    expect(await recordOf(asking, 'job')).toMatchObject({ state: 'cancelled' })
  })

  test('is not completed without the lease', async () => {
    const errors: unknown[] = []
    const { asking } = await completing(async (job, tx) => {
      if (job.attempt > 1) return 'second'
      stage.env.freeze(60_000)
      return job.complete(tx(), 'stale').catch((error: unknown) => {
        errors.push(error)
        throw error
      })
    })
    await stage.env.advance(5000)
    expect(errors).toMatchObject([{ code: 'lease-lost' }])
    expect(await stage.drive(asking.job('job').result())).toBe('second')
  })

  test('is not completed once more by a handler that has ended', async () => {
    const { asking, seen } = await completing(async () => 'ended')
    await stage.drive(asking.job('job').result())
    expect(await refusal(Promise.resolve(seen[0]?.complete(transaction(), 1))))
      .toMatchObject({ code: 'lease-lost' })
  })

  test('goes on without an abort while its handler cleans up for long', async () => {
    const gate = hold()
    const { asking, seen, shared, working } = await completing(async (job, tx) => {
      const own = tx()
      await job.complete(own, 'in it')
      await own.commit()
      await Promise.race([gate.promise, untilAborted(job)])
    })
    const states: string[] = []
    working.job('job').state$.subscribe((state) => { states.push(state) })
    await stage.env.settle()
    asking.job('job').wake()
    await stage.env.settle()
    expect(states.at(-1)).toBe('completed')
    // Beats say that it is not held any more, and followers have seen its end.
    await stage.env.advance(25_000)
    expect(seen[0]?.signal.aborted).toBe(false)
    expect((await recordOf(asking, 'job')).state).toBe('completed')
    gate.release()
    await stage.env.settle()
    const [counts] = [...(await shared.inner.counts('q')).values()]
    expect(counts).toMatchObject({ completed: 1, running: 0 })
  })

  test('is looked up until the store answers', async () => {
    const { asking, faulty } = await completing(async (job, tx) => {
      const own = tx()
      await job.complete(own, 'in it')
      await own.commit()
      faulty.next('get', refuse, 3)
    })
    await stage.env.settle()
    await stage.env.advance(2000)
    expect((await recordOf(asking, 'job')).result).toBe('in it')
    expectOutages(stage.takeLines())
  })

  test('whose try was refused ends as its handler does', async () => {
    const { asking } = await completing(async (job, tx) => {
      if (job.attempt > 1) return 'second'
      await job.complete(tx(), 'in it')
      return 'never'
    })
    expect(await stage.drive(asking.job('job').result())).toBe('never')
  })

  test('is refused a result that is no JSON, and what is no transaction', async () => {
    const errors: unknown[] = []
    const { asking } = await completing(async (job, tx) => {
      for (const [own, result] of [[tx(), { at: new Date(0) }], [{}, 1]] as const) {
        await job.complete(own as Transaction, result).catch((error: unknown) => errors.push(error))
      }
      return 'returned'
    })
    expect(await stage.drive(asking.job('job').result())).toBe('returned')
    expect(errors).toMatchObject([{ code: 'invalid-input' }, { code: 'invalid-option' }])
  })

  test('is refused by a store that takes part in none', async () => {
    const troupe = await stage.open({ store: memoryStore() })
    const queue: Queue<Work> = troupe.queue('q', { tasks: { work: async (job) => {
      const error = await refusal(job.complete(transaction(), 1))
      return error.code
    } } })
    await troupe.start()
    expect(await stage.drive((await queue.add('work', 1)).result())).toBe('invalid-option')
  })
})

test('a commit in a transaction whose answer was lost is looked up as well', async () => {
  const { asking, faulty } = await completing(async (job, tx) => {
    const own = tx()
    faulty.next('commit', loseAnswer)
    await job.complete(own, 'in it').catch(() => undefined)
    await own.commit()
    throw new Error('the handler knows no better')
  })
  expect(await stage.drive(asking.job('job').result())).toBe('in it')
})
