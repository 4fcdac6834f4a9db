import type { Pool } from 'pg'
import { invalidOption } from '../../errors.ts'
import type { Store } from '../store.ts'
import type { PostgresOptions } from './options.ts'
import { PostgresStore } from './session.ts'

export type { PostgresOptions } from './options.ts'

/**
 * Keeps everything in PostgreSQL 14 or later, for many processes on many machines. Needs the
 * package `pg`. `connection` is a URL, or a `Pool` of `pg` that stays the caller's own.
 *
 * `open` rejects with `store-failed` (the server cannot be reached, or the schema is of a version
 * that this code cannot work with) or `missing-package`. Operations that meet a lost connection, a
 * restart, a failover or a deadlock are tried again for about 12 seconds, then reject with
 * `store-failed`; what ends an attempt is tried until it is stored.
 */
export function postgresStore(connection: string | Pool, options: PostgresOptions = {}): Store {
  const { schema = 'troupe', migrate = true, maxConnections = 10, clock = 'database' } = options
  const isPool = typeof connection === 'object' &&
    typeof (connection as Partial<Pool> | null)?.connect === 'function'
  if (!isPool && (typeof connection !== 'string' || !/^postgres(ql)?:\/\//.test(connection))) {
    // What was given may hold a password.
    throw invalidOption('connection', 'a URL postgres://… or a Pool of pg', typeof connection)
  }
  if (typeof schema !== 'string' || !/^[a-z_][a-z0-9_]{0,49}$/.test(schema)) {
    throw invalidOption('schema', 'a name of at most 50 lower-case letters, digits and _', schema)
  }
  if (!Number.isInteger(maxConnections) || maxConnections < 2 || maxConnections > 1000) {
    throw invalidOption('maxConnections', 'a whole number from 2 to 1000', maxConnections)
  }
  if (clock !== 'database' && clock !== 'process') {
    throw invalidOption('clock', `'database' or 'process'`, clock)
  }
  return new PostgresStore(connection, { schema, migrate, maxConnections, clock })
}
