import { createTroupe, iterate } from 'troupe'
import type { Job, JobHandle, Transaction, Transition } from 'troupe'
import { describe, expect, test } from 'vitest'
import { usePostgres } from '../support/postgres/use-postgres.ts'
import { Bank, deafEnv } from './bank.ts'
import type { MailQueue } from './bank.ts'

const bank = new Bank(usePostgres())

const echo = ({ input }: Job<string>): string => `sent ${input}`

describe('a job that is added in a transaction', () => {
  test('is there when it commits, and for nobody before', async () => {
    const { mails } = await bank.open(echo)
    const other = await bank.open()
    const job = await bank.transaction(async (transaction) => {
      await bank.note(transaction, 'order 1')
      const added = await mails.add('send', 'hello', { transaction })
      expect(added.created).toBe(true)
      expect(await mails.get(added.id)).toBeNull()
      await expect(added.result()).rejects.toMatchObject({ code: 'unknown-job' })
      expect(await other.mails.get(added.id)).toBeNull()
      expect((await other.mails.counts()).queued).toBe(0)
      expect((await other.mails.list()).jobs).toEqual([])
      expect(await bank.notes()).toEqual([])
      return added
    })
    expect(await bank.notes()).toEqual(['order 1'])
    expect(await job.result({ timeout: '5s' })).toBe('sent hello')
    expect((await other.mails.get(job.id))?.timeline.map(({ event }) => event))
      .toEqual(['add', 'claim', 'complete'])
  })

  test('was never there when it is rolled back', async () => {
    const lines: string[] = []
    const write = (...line: unknown[]): void => { lines.push(JSON.stringify(line)) }
    const logger = { info: write, warn: write, error: write }
    const { troupe, mails } = await bank.open(echo, { logger })
    let plain: JobHandle<unknown> | null = null
    const gone = await bank.transaction(async (transaction) => {
      await bank.note(transaction, 'order 1')
      plain = await mails.add('send', 'hello', { transaction })
      return mails.add('send', 'hello', { id: 'mail-1', transaction })
    }, 'rollback')
    gone.wake()
    await expect(gone.result({ timeout: '5s' })).rejects.toMatchObject({ code: 'unknown-job' })
    const told = (id: string): string[] => lines.filter((line) => line.includes(id))
    expect([...told('mail-1'), ...told((plain as JobHandle<unknown> | null)?.id ?? '')]).toEqual([])
    const again = await mails.add('send', 'again', { id: 'mail-1' })
    expect(again.created).toBe(true)
    expect(await again.result()).toBe('sent again')
    expect(await bank.notes()).toEqual([])
    const seen: string[] = []
    for await (const { seq, event } of iterate(troupe.observe({ queue: 'mails', from: 'start' }))) {
      seen.push(`${seq} ${event}`)
      if (event === 'complete') break
    }
    expect(seen).toEqual(['1 add', '2 claim', '3 complete'])
  })

  test('starts at once after wake(), also in another process', async () => {
    const worker = await bank.open(echo, { env: deafEnv })
    await (await worker.mails.add('send', 'first')).result()
    const { mails } = await bank.open(null, { env: deafEnv })
    const job = await bank.transaction((transaction) =>
      mails.add('send', 'hello', { transaction }))
    expect((await mails.get(job.id))?.state).toBe('queued')
    job.wake()
    expect(await job.result({ timeout: '900ms' })).toBe('sent hello')
  })

  test('is found within 5 s when nobody says so', async () => {
    await bank.open(echo)
    const { mails } = await bank.open()
    const job = await bank.transaction((transaction) =>
      mails.add('send', 'hello', { transaction }))
    expect(await job.result({ timeout: '5s' })).toBe('sent hello')
  })

  test('several at once, and a graph', async () => {
    const { troupe, mails } = await bank.open(echo)
    const [one, two, flow] = await bank.transaction(async (transaction) => [
      ...await mails.addMany(
        [{ task: 'send', input: 'a' }, { task: 'pack', input: 'b' }], { transaction },
      ),
      await troupe.flow(
        { first: mails.spec('send', 'c'), second: mails.spec('pack', 'd') },
        { second: ['first'] }, { transaction },
      ),
    ] as const)
    one.wake()
    expect(await Promise.all([one.result(), two.result(), flow.second.result()]))
      .toEqual(['sent a', 'sent b', 'sent d'])
    await bank.transaction((transaction) =>
      troupe.flow({ last: mails.spec('send', 'e') }, {}, { transaction }), 'rollback')
    expect((await mails.counts()).completed).toBe(4)
  })

  test('takes its numbers in the log when it commits, and keeps nobody else waiting', async () => {
    const { troupe, mails } = await bank.open(echo)
    const told: Transition[] = []
    troupe.observe({ from: 'start' }).subscribe((transition) => { told.push(transition) })
    const late = await bank.transaction(async (transaction) => {
      const added = await mails.add('send', 'late', { transaction })
      await (await mails.add('send', 'early')).result()
      await expect.poll(() => told.map(({ event }) => event)).toEqual(['add', 'claim', 'complete'])
      return added
    })
    late.wake()
    await late.result()
    await expect.poll(() => told.map(({ seq, event }) => `${seq} ${event}`)).toEqual([
      '1 add', '2 claim', '3 complete', '4 add', '5 claim', '6 complete',
    ])
    expect(told[3]?.jobId).toBe(late.id)
  })
})

describe('a refusal leaves the transaction as it was', () => {
  const circle = { id: 'a', dependsOn: ['b'] }
  test.each<[string, (mails: MailQueue, options: object) => Promise<unknown>]>([
    ['id-in-use', (mails, options) => mails.add('pack', 'x', { id: 'taken', ...options })],
    ['unknown-parent', (mails, options) =>
      mails.add('send', 'x', { dependsOn: ['no'], ...options })],
    ['dependency-cycle', (mails, options) => mails.addMany([
      { task: 'send', input: 'a', ...circle },
      { task: 'send', input: 'b', id: 'b', dependsOn: ['a'] },
    ], options)],
    ['queue-full', (mails, options) => mails.addMany([
      { task: 'send', input: 'a' }, { task: 'send', input: 'b' }, { task: 'send', input: 'c' },
    ], options)],
    ['invalid-option', (mails, options) => mails.add('send', 'x', { priority: NaN, ...options })],
  ])('%s', async (code, add) => {
    const { mails } = await bank.open(null, { maxQueued: 3 })
    await mails.add('send', 'first', { id: 'taken' })
    const kept = await bank.transaction(async (transaction) => {
      await bank.note(transaction, 'before')
      await expect(add(mails, { transaction })).rejects.toMatchObject({ code })
      await bank.note(transaction, 'after')
      return mails.add('send', 'second', { transaction })
    })
    expect(await bank.notes()).toEqual(['after', 'before'])
    expect((await mails.get(kept.id))?.input).toBe('second')
    expect((await mails.counts()).queued).toBe(2)
  })

  test('of something that runs no statements, and on a store without transactions', async () => {
    const { mails } = await bank.open()
    const transaction = { query: 'select' } as never
    await expect(mails.add('send', 'x', { transaction })).rejects
      .toMatchObject({ code: 'invalid-option', details: { path: 'options.transaction' } })
    const deaf = { query: async () => ({ rows: null }) } as never
    await expect(mails.add('send', 'x', { id: 'a', transaction: deaf })).rejects
      .toMatchObject({ code: 'invalid-option', details: { path: 'transaction.query' } })
    const memory = await createTroupe()
    const queue = memory.queue<{ send: typeof echo }>('mails')
    const real = { query: async () => [] }
    await expect(queue.add('send', 'x', { transaction: real })).rejects
      .toMatchObject({ code: 'invalid-option', message: expect.stringMatching(/PostgreSQL/) })
    await memory.stop()
  })
})

test('an end that finds its row held waits for that row alone', async () => {
  const ends: (() => void)[] = []
  const { mails } = await bank.open(({ input }) =>
    new Promise((end) => { ends.push(() => { end(input) }) }))
  const [held, short, free] = await mails.addMany([
    { task: 'send', input: 'held' },
    { task: 'send', input: 'short' },
    { task: 'send', input: 'free' },
  ])
  await expect.poll(() => ends.length, { timeout: 5000 }).toBe(3)
  const hold = (transaction: Transaction, { id }: JobHandle<unknown>): PromiseLike<unknown> =>
    transaction.query(`select from ${bank.schema}.jobs where id = $1 for update`, [id])
  await bank.transaction(async (long) => {
    await hold(long, held)
    await bank.transaction(async (transaction) => {
      await hold(transaction, short)
      for (const end of ends) end()
      expect(await free.result({ timeout: '5s' })).toBe('free')
    })
    expect(await short.result({ timeout: '5s' })).toBe('short')
  })
  expect(await held.result({ timeout: '5s' })).toBe('held')
}, 30_000)

test('a transaction that stays open costs no worker its leases, nor others their end', async () => {
  const aborted: unknown[] = []
  const ends: (() => void)[] = []
  const { mails } = await bank.open(({ input, signal }) => {
    signal.addEventListener('abort', () => { aborted.push(signal.reason) })
    return new Promise((end) => { ends.push(() => { end(input) }) })
  }, { lease: '3s' })
  const [held, other] = await mails.addMany([
    { task: 'send', input: 'held' }, { task: 'send', input: 'other' },
  ])
  await expect.poll(() => ends.length, { timeout: 5000 }).toBe(2)
  const child = await bank.transaction(async (transaction) => {
    const added = await mails.add('send', 'child', { dependsOn: [held], transaction })
    await bank.pool.query('select pg_sleep(3.5)') // longer than the lease
    for (const end of ends) end()
    expect(await other.result({ timeout: '5s' })).toBe('other')
    return added
  })
  expect(await held.result({ timeout: '5s' })).toBe('held')
  await expect.poll(() => ends.length, { timeout: 5000 }).toBe(3)
  ends[2]?.()
  expect(await child.result({ timeout: '5s' })).toBe('child')
  expect(aborted).toEqual([])
}, 30_000)
