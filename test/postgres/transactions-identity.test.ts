import type { JobHandle } from 'troupe'
import { describe, expect, test } from 'vitest'
import { useOwnDatabase } from '../support/postgres/own-database.ts'
import { usePostgres } from '../support/postgres/use-postgres.ts'
import { Bank } from './bank.ts'

const postgres = usePostgres()
const bank = new Bank({ ...postgres, ...useOwnDatabase(postgres.url) })

/** Processes that wait for a lock of this test's. */
async function waiting(): Promise<number> {
  const { rows } = await bank.pool.query(
    `select 1 from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'troupe'
    and (query like '%' || $1 || '%' or wait_event = 'advisory')`, [bank.schema],
  )
  return rows.length
}

describe('ids, keys and parents in a transaction', () => {
  test.each([
    ['id', (id: string): object => ({ id })],
    ['key', (key: string): object => ({ dedupe: { key, mode: 'simple' } })],
  ])('one %s is one job, whoever comes first', async (_, name) => {
    const { mails } = await bank.open()
    const other = await bank.open()
    const race = async (end: string): Promise<JobHandle<unknown>> => {
      let later: Promise<JobHandle<unknown>> | null = null
      const options = name(`mail-${end}`)
      await bank.transaction(async (transaction) => {
        const first = await mails.add('send', 'mine', { ...options, transaction })
        const second = await mails.add('send', 'also mine', { ...options, transaction })
        expect([first.created, second.created]).toEqual([true, false])
        later = other.mails.add('send', 'theirs', options)
        await expect.poll(waiting).toBe(1)
      }, end)
      if (!later) throw new Error('nobody came')
      return later
    }
    const found = await race('commit')
    expect([found.created, (await mails.get(found.id))?.input]).toEqual([false, 'mine'])
    const made = await race('rollback')
    expect([made.created, (await mails.get(made.id))?.input]).toEqual([true, 'theirs'])
  })

  test('an id that another transaction has just taken', async () => {
    const { mails } = await bank.open()
    const bothAdd = async (end: string): Promise<boolean> => {
      let second: Promise<JobHandle<unknown>> | null = null
      const id = `mail-${end}`
      await bank.transaction(async (transaction) => {
        await mails.add('send', 'first', { id, transaction })
        second = bank.transaction(async (other) => {
          await bank.note(other, `before ${end}`)
          const added = await mails.add('send', 'second', { id, transaction: other })
          await bank.note(other, `after ${end}`)
          return added
        })
        await expect.poll(inserting).toBe(1)
      }, end)
      if (!second) throw new Error('nobody came')
      return (await (second as Promise<JobHandle<unknown>>)).created
    }
    const inserting = async (): Promise<number> => (await bank.pool.query(
      `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like $1`,
      [`%insert into%${bank.schema}%`],
    )).rows.length
    expect(await bothAdd('commit')).toBe(false)
    expect(await bothAdd('rollback')).toBe(true)
    expect(await bank.notes()).toEqual([
      'after commit', 'after rollback', 'before commit', 'before rollback',
    ])
  })

  test.each([
    ['after one that waits', [], ['parent']],
    ['before one that waits', ['parent'], []],
    ['after another such', ['parent'], ['parent']],
  ])('an id is one job when a parent has failed, %s', async (_, mine, theirs) => {
    const { mails } = await bank.open()
    const other = await bank.open()
    await (await mails.add('send', 'x', { id: 'parent' })).cancel()
    let later: Promise<JobHandle<unknown> | null> = Promise.resolve(null)
    await bank.transaction(async (transaction) => {
      await mails.add('send', 'mine', { id: 'child', dependsOn: mine, transaction })
      later = other.mails.add('send', 'theirs', { id: 'child', dependsOn: theirs })
      await expect.poll(waiting).toBe(1)
    })
    expect((await later)?.created).toBe(false)
    expect((await mails.list()).jobs.map(({ id, input }) => [id, input]))
      .toEqual([['parent', 'x'], ['child', 'mine']])
  })

  test('a key of dedupe', async () => {
    const { mails } = await bank.open()
    const dedupe = { key: 'k', mode: 'debounce', window: '1h' } as const
    const simple = { key: 's', mode: 'simple' } as const
    const waits = await mails.add('send', 'draft', { dedupe })
    const more = (input: string, end: string): Promise<JobHandle<unknown>> =>
      bank.transaction(async (transaction) => {
        expect((await mails.add('send', input, { dedupe, transaction })).id).toBe(waits.id)
        const first = await mails.add('send', input, { dedupe: simple, transaction })
        const second = await mails.add('send', input, { dedupe: simple, transaction })
        expect([first.created, second.created]).toEqual([true, false])
        return first
      }, end)
    await more('never', 'rollback')
    expect((await mails.get(waits.id))?.input).toBe('draft')
    expect((await mails.counts()).queued).toBe(1)
    const first = await more('final', 'commit')
    expect((await mails.get(waits.id))?.input).toBe('final')
    expect((await mails.add('send', 'x', { dedupe: simple })).id).toBe(first.id)
  })

  test('a job that supersedes another cancels it when the transaction commits', async () => {
    let aborted = 0
    const { mails } = await bank.open(({ input, signal }) => (input === 'new' ? 'sent new' :
      new Promise((_done, failed) => {
        signal.addEventListener('abort', () => {
          aborted += 1
          failed(signal.reason)
        })
      })), { lease: '2s' }) // the beat tells its worker, at a third of it
    const dedupe = { key: 'k', mode: 'supersede' } as const
    const old = await mails.add('send', 'old', { dedupe })
    const state = async (): Promise<unknown> => (await mails.get(old.id))?.state
    await expect.poll(state).toBe('running')
    await bank.transaction((transaction) =>
      mails.add('send', 'never', { dedupe, transaction }), 'rollback')
    expect([await state(), aborted]).toEqual(['running', 0])
    const next = await bank.transaction((transaction) =>
      mails.add('send', 'new', { dedupe, transaction }))
    next.wake()
    expect(await next.result({ timeout: '15s' })).toBe('sent new')
    expect([await state(), aborted]).toEqual(['cancelled', 1])
  }, 30_000)

  test('a parent that ends while the transaction is open strands nobody', async () => {
    const ends: (() => void)[] = []
    const { mails } = await bank.open(({ input }) =>
      (input === 'parent' ? new Promise<void>((end) => { ends.push(end) }) : 'child ran'))
    const parent = await mails.add('send', 'parent')
    await expect.poll(() => ends.length).toBe(1)
    const child = await bank.transaction(async (transaction) => {
      const added = await mails.add('send', 'child', { dependsOn: [parent], transaction })
      ends[0]?.()
      // By then, the end of the parent has found its row held.
      expect(await (await mails.add('send', 'later')).result({ timeout: '5s' })).toBe('child ran')
      expect(await mails.get(parent.id)).toMatchObject({ state: 'running' })
      return added
    })
    child.wake()
    expect(await child.result({ timeout: '5s' })).toBe('child ran')
  })

  test('the end of a queue waits for a transaction that holds one of its jobs', async () => {
    const { mails } = await bank.open()
    const id = (await mails.add('send', 'x', { id: 'mail' })).id
    let end = Promise.resolve('nobody came')
    await bank.transaction(async (transaction) => {
      expect((await mails.add('send', 'again', { id, transaction })).created).toBe(false)
      end = mails.obliterate({ force: true })
      await expect.poll(waiting).toBe(1)
      // Longer than the server's deadlock_timeout: of two that wait, the later one would be ended.
      await bank.pool.query('select pg_sleep(1.2)')
      await mails.add('send', 'more', { transaction })
    })
    expect(await end).toBe('obliterated')
    expect(await mails.counts()).toMatchObject({ queued: 0 })
  })

  test('parents and children of one transaction', async () => {
    const { mails } = await bank.open(({ input, parents }) =>
      [...parents.map(({ result }) => result), input].join(' '))
    const child = await bank.transaction(async (transaction) => {
      const parent = await mails.add('send', 'one', { transaction })
      return mails.add('send', 'two', { dependsOn: [parent], transaction })
    })
    child.wake()
    expect(await child.result({ timeout: '5s' })).toBe('one two')
  })
})
