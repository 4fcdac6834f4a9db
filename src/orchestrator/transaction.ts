import { invalidOption } from '../errors.ts'
import type { Store, Transaction } from '../stores/store.ts'

/** A transaction of the caller: anything with a function `query(text, values)`. */
export function parseTransaction(given: unknown, path: string): Transaction {
  const query: unknown = typeof given === 'object' && given !== null && 'query' in given
    ? given.query : undefined
  if (typeof query !== 'function') {
    throw invalidOption(path, 'an object with a function query(text, values)', given)
  }
  return given as Transaction
}

/** The error for a store that takes part in no transactions. */
export function noTransactions(path: string, given: unknown): Error {
  const expected = 'left out: only the PostgreSQL store takes part in transactions'
  return invalidOption(path, expected, given)
}

/** Takes the caller's transaction out of the options of a call; what is left is for others. */
export function splitTransaction(
  options: unknown, { capabilities }: Pick<Store, 'capabilities'>, path: string,
): { readonly transaction: Transaction | null; readonly rest: unknown } {
  if (typeof options !== 'object' || options === null || !('transaction' in options)) {
    return { transaction: null, rest: options }
  }
  const { transaction, ...rest } = options
  if (transaction === undefined) return { transaction: null, rest }
  const parsed = parseTransaction(transaction, `${path}.transaction`)
  if (!capabilities.transactionalAdd) throw noTransactions(`${path}.transaction`, transaction)
  return { transaction: parsed, rest }
}
