import type { Job, Transaction } from 'troupe'
import { describe, expect, test } from 'vitest'
import { usePostgres } from '../support/postgres/use-postgres.ts'
import { Bank } from './bank.ts'
import type { MailQueue } from './bank.ts'

const bank = new Bank(usePostgres())

/** A door that the test opens for a handler. */
function door(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => undefined
  const passed = new Promise<void>((done) => { open = done })
  return { passed, open: () => { open() } }
}

const events = async (mails: MailQueue, id: string): Promise<unknown> =>
  (await mails.get(id))?.timeline.map(({ event }) => event)

describe('job.complete in a transaction', () => {
  test('holds together with what the handler writes', async () => {
    const [written, committed] = [door(), door()]
    const { mails } = await bank.open(async (job) => {
      job.progress(50)
      job.log('halfway')
      await bank.transaction(async (transaction) => {
        await bank.note(transaction, `sent ${job.input}`)
        await job.complete(transaction, { number: 7 })
        written.open()
        await committed.passed
      })
      return 'what counts no more'
    })
    const other = await bank.open()
    const job = await mails.add('send', 'hello')
    await written.passed
    expect((await other.mails.get(job.id))?.state).toBe('running')
    expect(await bank.notes()).toEqual([])
    committed.open()
    expect(await job.result({ timeout: '5s' })).toEqual({ number: 7 })
    expect(await other.mails.job(job.id).result({ timeout: '5s' })).toEqual({ number: 7 })
    expect(await bank.notes()).toEqual(['sent hello'])
    const record = await mails.get(job.id)
    expect(record).toMatchObject({ state: 'completed', progress: { percent: 50 }, lease: null })
    expect(record?.log?.lines.map(({ text }) => text)).toEqual(['halfway'])
    expect(await events(mails, job.id)).toEqual(['add', 'claim', 'complete'])
  })

  test('an error after the commit changes nothing', async () => {
    const { mails } = await bank.open(async (job) => {
      await bank.transaction((transaction) => job.complete(transaction, 'done'))
      throw new Error('too late')
    })
    const job = await mails.add('send', 'hello', { retries: 3 })
    expect(await job.result({ timeout: '5s' })).toBe('done')
    expect(await events(mails, job.id)).toEqual(['add', 'claim', 'complete'])
  })

  test.each([
    ['what the handler returns counts', async (): Promise<string> => 'returned', ['complete']],
    ['what the handler throws counts', async ({ attempt }: Job<string>): Promise<string> => {
      if (attempt === 1) throw new Error('not yet')
      return 'at last'
    }, ['fail', 'due', 'claim', 'complete']],
  ])('after a rollback %s', async (_, rest, last) => {
    const { mails } = await bank.open(async (job) => {
      await bank.transaction(async (transaction) => {
        await bank.note(transaction, 'never')
        await job.complete(transaction, 'never')
      }, 'rollback')
      return rest(job)
    })
    const job = await mails.add('send', 'hello', { retries: 1, backoff: 10 })
    expect(await job.result({ timeout: '9s' })).toMatch(/returned|at last/)
    expect(await events(mails, job.id)).toEqual(['add', 'claim', ...last])
    expect(await bank.notes()).toEqual([])
  })

  test('a second transaction may do what the first one could not', async () => {
    const { mails } = await bank.open(async (job) => {
      await bank.transaction((transaction) => job.complete(transaction, 'first'), 'rollback')
      await bank.transaction((transaction) => job.complete(transaction, 'second'))
    })
    expect(await (await mails.add('send', 'hello')).result({ timeout: '5s' })).toBe('second')
  })

  test('children wait for the commit, and then for nothing', async () => {
    const ends = ['rollback', 'commit']
    const { mails } = await bank.open(async (job) => {
      if (job.input === 'child') return job.parents.map(({ result }) => result)
      await bank.transaction((transaction) => job.complete(transaction, 7), ends.shift())
      if (ends.length === 1) throw new Error('rolled back')
      return null
    })
    const parent = await mails.add('send', 'parent')
    const child = await mails.add('send', 'child', { dependsOn: [parent], onParentFailure: 'wait' })
    await expect(parent.result()).rejects.toMatchObject({ code: 'job-failed' })
    expect((await mails.get(child.id))?.phase).toBe('blocked')
    await mails.retry(parent.id)
    expect(await child.result({ timeout: '5s' })).toEqual([7])
  })

  test('adds what comes next in the same transaction', async () => {
    const { mails } = await bank.open(async (job) => {
      if (job.input === 'next') return 'ran, too'
      return bank.transaction(async (transaction) => {
        const next = await mails.add('send', 'next', { id: 'next', transaction })
        await job.complete(transaction, 'first')
        return next.id
      })
    })
    expect(await (await mails.add('send', 'first')).result({ timeout: '5s' })).toBe('first')
    expect(await mails.job('next').result({ timeout: '5s' })).toBe('ran, too')
  })
})

describe('a job that may not be completed any more', () => {
  /** The handler waits at the door and then completes in a transaction. */
  function completing(
    around: (job: Job<string>, complete: () => Promise<void>) => Promise<unknown>,
  ): (job: Job<string>) => Promise<unknown> {
    return (job) => around(job, () => bank.transaction(async (transaction) => {
      await bank.note(transaction, 'never')
      await job.complete(transaction, 'never')
    }))
  }

  test('cancelled: nothing is written, and the job ends cancelled', async () => {
    const faults: unknown[] = []
    const started = door()
    const { mails } = await bank.open(completing(async ({ signal }, complete) => {
      started.open()
      await new Promise<void>((told) => { signal.addEventListener('abort', () => { told() }) })
      await complete().catch((error: unknown) => {
        faults.push(error)
        throw error
      })
    }))
    const job = await mails.add('send', 'hello')
    await started.passed
    expect(await job.cancel('enough')).toBe('cancelling')
    await expect(job.result()).rejects.toMatchObject({ code: 'job-cancelled' })
    expect(faults).toMatchObject([{ code: 'job-cancelled', details: { reason: 'enough' } }])
    expect(await bank.notes()).toEqual([])
  })

  test('taken away: nothing is written', async () => {
    const faults: unknown[] = []
    const [started, gone] = [door(), door()]
    const { mails } = await bank.open(completing(async (_job, complete) => {
      started.open()
      await gone.passed
      await complete().catch((error: unknown) => { faults.push(error) })
    }))
    const other = await bank.open()
    const job = await mails.add('send', 'hello')
    await started.passed
    expect(await other.mails.obliterate({ force: true })).toBe('obliterated')
    gone.open()
    await expect.poll(() => faults).toMatchObject([{ code: 'lease-lost' }])
    expect(await bank.notes()).toEqual([])
    expect(await mails.get(job.id)).toBeNull()
  })

  test('a handler that has ended cannot complete its job', async () => {
    const jobs: Job<string>[] = []
    const { mails } = await bank.open((job) => {
      jobs.push(job)
      return 'returned'
    })
    await (await mails.add('send', 'hello')).result()
    await expect(bank.transaction(async (transaction) => {
      await jobs[0]?.complete(transaction, 'late')
    })).rejects.toMatchObject({ code: 'lease-lost' })
  })
})

test.each([
  ['commit', 'settled', 'completed'], ['rollback', 'cancelling', 'cancelled'],
] as const)('a cancel meanwhile waits, and after a %s answers %s', async (end, answer, state) => {
  const [written, asked] = [door(), door()]
  const { mails } = await bank.open(async (job) => {
    await bank.transaction(async (transaction: Transaction) => {
      await job.complete(transaction, 'done')
      written.open()
      await asked.passed
    }, end)
    if (end === 'rollback') {
      await new Promise<void>((told) => {
        if (job.signal.aborted) told()
        job.signal.addEventListener('abort', () => { told() })
      })
    }
    job.throwIfCancelled()
  })
  const other = await bank.open()
  const job = await mails.add('send', 'hello')
  await written.passed
  const cancelled = other.mails.cancel(job.id)
  const locked = async (): Promise<number> => (await bank.pool.query(
    `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like $1`,
    [`%${bank.table.split('.')[0]}%for update%`],
  )).rows.length
  await expect.poll(locked).toBe(1)
  asked.open()
  expect(await cancelled).toBe(answer)
  await job.result({ timeout: '9s' }).catch(() => undefined)
  expect((await mails.get(job.id))?.state).toBe(state)
})

test('a transaction that goes on after complete costs nobody a lease', async () => {
  const aborted: unknown[] = []
  const end = door()
  const { mails } = await bank.open(async (job) => {
    job.signal.addEventListener('abort', () => { aborted.push(job.signal.reason) })
    if (job.input === 'other') {
      await end.passed
      return 'other'
    }
    await bank.transaction(async (transaction) => {
      await job.complete(transaction, 'held')
      await transaction.query('select pg_sleep($1)', [3.5]) // longer than the lease
    })
    end.open()
    return null
  }, { lease: '3s' })
  const [held, other] = await mails.addMany([
    { task: 'send', input: 'held' }, { task: 'send', input: 'other' },
  ])
  expect(await Promise.all([held.result({ timeout: '9s' }), other.result({ timeout: '9s' })]))
    .toEqual(['held', 'other'])
  expect(aborted).toEqual([])
  expect((await mails.get(held.id))?.attempt).toBe(1)
}, 20_000)

test('a stricter isolation fails when the job has changed, and can be tried again', async () => {
  const faults: unknown[] = []
  const { mails } = await bank.open(async (job) => {
    const client = await bank.pool.connect()
    try {
      await client.query('begin isolation level repeatable read')
      await client.query('select 1')
      const { rows: [before] } = await client.query<{ until: number }>(
        `select lease_until as until from ${bank.schema}.jobs where id = $1`, [job.id])
      const renewed = async (): Promise<unknown> => (await mails.get(job.id))?.lease?.until
      await expect.poll(renewed, { timeout: 5000 }).toBeGreaterThan(before?.until ?? Infinity)
      await job.complete(client, 'first').catch((error: unknown) => { faults.push(error) })
      await client.query('rollback')
      await client.query('begin isolation level repeatable read')
      await job.complete(client, 'second')
      await client.query('commit')
    } finally {
      client.release()
    }
  }, { lease: '2s' })
  expect(await (await mails.add('send', 'hello')).result({ timeout: '9s' })).toBe('second')
  expect(faults).toMatchObject([{ code: '40001' }])
}, 20_000)
