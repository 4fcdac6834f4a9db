import { sql } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { CompiledQuery } from 'kysely'
import type { Transaction as KyselyTransaction } from 'kysely'
import type { Transaction } from 'troupe'

// These functions are printed in docs/guides/transactions.md; a test compares the two.

export function inKysely<DB>(transaction: KyselyTransaction<DB>): Transaction {
  return {
    query: (text, values) => transaction.executeQuery(CompiledQuery.raw(text, values)),
  }
}

export function inDrizzle(transaction: Pick<NodePgDatabase, 'execute'>): Transaction {
  return {
    query: (text, values) => transaction.execute(sql.join(
      text.split(/\$(\d+)/).map((part, index) =>
        (index % 2 === 0 ? sql.raw(part) : sql.param(values[Number(part) - 1]))),
    )),
  }
}
