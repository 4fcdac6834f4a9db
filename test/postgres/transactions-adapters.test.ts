import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { drizzle } from 'drizzle-orm/node-postgres'
import { Kysely, PostgresDialect } from 'kysely'
import type { Transaction } from 'troupe'
import { describe, expect, test } from 'vitest'
import { usePostgres } from '../support/postgres/use-postgres.ts'
import { inDrizzle, inKysely } from './adapters.ts'
import { Bank } from './bank.ts'

const bank = new Bank(usePostgres())

/** Throws to roll back, as all of these want it. */
type Transact = <T>(work: (transaction: Transaction) => Promise<T>) => Promise<T>

const kysely: Transact = async (work) => {
  const db = new Kysely<object>({ dialect: new PostgresDialect({ pool: bank.pool }) })
  return db.transaction().execute((transaction) => work(inKysely(transaction)))
}

const withDrizzle: Transact = async (work) =>
  drizzle(bank.pool).transaction((transaction) => work(inDrizzle(transaction)))

const plain: Transact = (work) => bank.transaction((transaction) => work(transaction))

describe.each([
  ['pg', plain], ['Kysely', kysely], ['Drizzle', withDrizzle],
])('with %s', (_, transact) => {
  test('a job exists if, and only if, the transaction commits', async () => {
    const { mails } = await bank.open(({ input }) => `sent ${input}`)
    await expect(transact(async (transaction) => {
      await bank.note(transaction, 'never')
      await mails.add('send', 'never', { id: 'never', transaction })
      throw new Error('roll back')
    })).rejects.toThrow('roll back')
    expect([await mails.get('never'), await bank.notes()]).toEqual([null, []])
    const job = await transact(async (transaction) => {
      await bank.note(transaction, 'order 1')
      const added = await mails.add('send', 'hello', { transaction })
      expect(await mails.get(added.id)).toBeNull()
      return added
    })
    job.wake()
    expect(await job.result({ timeout: '5s' })).toBe('sent hello')
    expect(await bank.notes()).toEqual(['order 1'])
  })

  test('ids, keys, parents, and a refusal between them', async () => {
    const { mails } = await bank.open(({ input, parents }) =>
      [...parents.map(({ result }) => result), input].join(' '))
    const other = await mails.add('pack', 'elsewhere', { id: 'taken' })
    const dedupe = { key: 'k', mode: 'simple' } as const
    const meta = { $1: '$2', 'a ? b': [':c'] }
    const last = await transact(async (transaction) => {
      const first = await mails.add('send', 'a', { id: 'first', dedupe, transaction })
      const same = await mails.add('send', 'b', { dedupe, transaction })
      expect([first.created, same.created, same.id]).toEqual([true, false, 'first'])
      await expect(mails.add('send', 'c', { id: 'taken', transaction })).rejects
        .toMatchObject({ code: 'id-in-use' })
      const options = { dependsOn: [first, other], partition: 'ann', priority: 1, meta }
      return mails.add('send', 'd', { ...options, transaction })
    })
    last.wake()
    expect(await last.result({ timeout: '5s' })).toBe('a elsewhere d')
    expect((await mails.get(last.id))?.meta).toEqual(meta)
  })

  test('the end of a job holds together with what its handler writes', async () => {
    const { mails } = await bank.open(async (job) => {
      await transact(async (transaction) => {
        await bank.note(transaction, 'never')
        await job.complete(transaction, 'never')
        throw new Error('roll back')
      }).catch(() => undefined)
      if (job.input !== 'parent') return 'returned'
      await transact(async (transaction) => {
        await bank.note(transaction, 'written')
        await job.complete(transaction, { text: '$1 and ? and :name' })
      })
      return 'what counts no more'
    })
    const parent = await mails.add('send', 'parent')
    const child = await mails.add('send', 'child', { dependsOn: [parent] })
    expect(await parent.result({ timeout: '5s' })).toEqual({ text: '$1 and ? and :name' })
    expect(await child.result({ timeout: '5s' })).toBe('returned')
    expect(await bank.notes()).toEqual(['written'])
  })
})

test('the guide prints these very adapters', () => {
  const root = resolve(import.meta.dirname, '../..')
  const source = readFileSync(resolve(import.meta.dirname, 'adapters.ts'), 'utf8')
  const guide = readFileSync(resolve(root, 'docs/guides/transactions.md'), 'utf8')
  const functions = [...source.matchAll(/^export (function .*?^\})$/gms)].map(([, text]) => text)
  expect(functions).toHaveLength(2)
  for (const text of functions) expect(guide).toContain(text)
})
