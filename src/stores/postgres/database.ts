import type Pg from 'pg'
import type { Pool, PoolClient } from 'pg'
import { invalidOption, TroupeErrorOf } from '../../errors.ts'
import type { Env } from '../../env.ts'
import type { Transaction } from '../store.ts'
import { isLostConnection, isTransient, toStoreError } from './faults.ts'

export type Row = Readonly<Record<string, unknown>>

/** Runs one statement, and answers its rows. */
export type Run = (text: string, values: readonly unknown[]) => Promise<readonly Row[]>

export interface DatabaseOptions {
  readonly schema: string
  readonly maxConnections: number
}

/** A server that has gone silent must hold nothing up for ever. */
const queryTimeoutMs = 60_000

/** Waits between the tries of one operation: about 12 s in all. */
const retryMs = [20, 50, 100, 200, 400, 800, 1500, 2000, 3000, 4000]

/**
 * Settings of connections that are the store's own. A plan that was made while a table was empty
 * stays in use when it has grown: without sequential scans and hashes it is a good one then, too.
 */
const connectionSettings = `set enable_seqscan = off; set enable_hashjoin = off;
set enable_mergejoin = off; set jit = off`

/** Names of prepared statements, the same for the same text in the whole process. */
const statementNames = new Map<string, string>()

function nameOf(text: string): string {
  let name = statementNames.get(text)
  if (name === undefined) statementNames.set(text, name = `troupe_${statementNames.size + 1}`)
  return name
}

/** The connections of one process to one schema. */
export class Database {
  /** The schema as it is called in statements. */
  readonly schema: string
  /** The schema as the user calls it. */
  readonly name: string
  readonly pool: Pool
  readonly #own: boolean
  readonly #env: Env
  readonly #pauses = new Set<() => void>()
  #isClosing = false

  private constructor(pool: Pool, own: boolean, name: string, env: Env) {
    this.pool = pool
    this.#own = own
    this.#env = env
    this.name = name
    this.schema = `"${name}"`
  }

  static async open(
    connection: string | Pool, { schema, maxConnections }: DatabaseOptions, env: Env,
  ): Promise<Database> {
    if (typeof connection !== 'string') return new Database(connection, false, schema, env)
    const { Pool: PoolClass } = await loadPg()
    const pool = new PoolClass({
      connectionString: connection, max: maxConnections, application_name: 'troupe',
      idleTimeoutMillis: 30_000, connectionTimeoutMillis: 10_000, keepAlive: true,
      query_timeout: queryTimeoutMs,
      verify: (client, done) => {
        // The pool does not listen just now: a connection that breaks would end the process.
        const ignore = (): void => undefined
        client.on('error', ignore)
        client.query(connectionSettings).then(() => {
          client.off('error', ignore)
          done()
        }, (error: unknown) => { done(error instanceof Error ? error : new Error(String(error))) })
      },
    })
    // A connection that breaks while it is idle; whoever needs one gets another.
    pool.on('error', () => undefined)
    return new Database(pool, true, schema, env)
  }

  /** One statement by itself. */
  readonly run: Run = async (text, values) => {
    const { rows } = await this.pool.query<Row>({
      name: nameOf(text), text, values: values as unknown[],
    })
    return rows
  }

  /** All statements of `work`, or none. */
  readonly transaction = async <T>(work: (run: Run) => Promise<T>): Promise<T> => {
    const client = await this.pool.connect()
    let broken = false
    // Without a listener, a connection that breaks between two statements ends the process.
    const onError = (): void => { broken = true }
    client.on('error', onError)
    try {
      await client.query('begin')
      const answer = await work(runOn(client))
      await client.query('commit')
      return answer
    } catch (error) {
      broken ||= isLostConnection(error)
      if (!broken) await client.query('rollback').catch(() => { broken = true })
      throw error
    } finally {
      client.off('error', onError)
      client.release(broken)
    }
  }

  /**
   * Tries `work` again while the server is away or others are in the way. From the second time on
   * the first one may have taken effect, though no answer came: `work` is told. An impatient
   * caller is told at once that the server is away.
   */
  async persist<T>(
    operation: string, work: (again: boolean) => Promise<T>, patient = true,
  ): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work(attempt > 0)
      } catch (error) {
        const waitMs = retryMs[attempt]
        const hopeless = !isTransient(error) || (!patient && isLostConnection(error))
        const isOver = waitMs === undefined || hopeless || this.#isClosing
        if (!isOver) await this.#pause(Math.round(waitMs * (0.5 + this.#env.random())))
        // A close does not wait for another try.
        if (isOver || this.#isClosing) throw toStoreError(error, operation)
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#pauses.delete(end)
        timer.cancel()
        resolve()
      }
      const timer = this.#env.after(ms, end)
      this.#pauses.add(end)
    })
  }

  /** From now on, nothing is tried again. */
  giveUp(): void {
    this.#isClosing = true
    for (const end of this.#pauses) end()
  }

  /** Once only: for what must not be late, or is repeated by who asks. */
  async once<T>(operation: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw toStoreError(error, operation)
    }
  }

  async close(): Promise<void> {
    if (this.#own) await this.pool.end()
  }
}

function runOn(client: PoolClient): Run {
  return async (text, values) => {
    const { rows } = await client.query<Row>({
      name: nameOf(text), text, values: values as unknown[],
    })
    return rows
  }
}

/** Runs statements on the caller's own connection. */
export function runIn(transaction: Transaction): Run {
  return async (text, values) => {
    const answer = await transaction.query(text, values as unknown[])
    const rows = 'rows' in answer ? answer.rows : answer
    if (!Array.isArray(rows)) {
      throw invalidOption('transaction.query', 'a function that answers the rows', answer)
    }
    return rows as readonly Row[]
  }
}

export async function loadPg(): Promise<typeof Pg> {
  try {
    return (await import('pg')).default
  } catch (cause) {
    throw new TroupeErrorOf(
      'missing-package', 'postgresStore needs the package pg: npm install pg', { package: 'pg' },
      { cause },
    )
  }
}
