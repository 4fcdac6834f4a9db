import pg from 'pg'
import { createTroupe } from 'troupe'
import type { Job, Queue, Transaction, Troupe, TroupeOptions } from 'troupe'
import { postgresStore } from 'troupe/stores/postgres'
import { afterEach, beforeEach } from 'vitest'
import { systemEnv } from '../../src/env.ts'
import type { Env } from '../../src/env.ts'
import type { TestPostgres } from '../support/postgres/use-postgres.ts'

type Work = (job: Job<string>) => unknown
export type MailQueue = Queue<{ readonly send: Work; readonly pack: Work }>

/** Timers from one second on never come: nothing is found by polling. */
export const deafEnv: Env = {
  ...systemEnv,
  after: (ms, action) =>
    (ms < 1000 ? systemEnv.after(ms, action) : { cancel: () => undefined }),
}

/** A table of the user's own, and processes on one schema; all is gone after each test. */
export class Bank {
  readonly #postgres: TestPostgres
  #pool: pg.Pool | null = null
  #schema = ''
  #troupes: Troupe[] = []

  constructor(postgres: TestPostgres) {
    this.#postgres = postgres
    beforeEach(async () => {
      this.#schema = postgres.newSchema()
      this.#pool = new pg.Pool({ connectionString: postgres.url, max: 6 })
      // `end()` does not wait until its connections are gone: the end of a database cuts them.
      this.#pool.on('error', () => undefined)
      await this.#pool.query(`create schema ${this.#schema}`)
      await this.#pool.query(`create table ${this.table} (note text not null)`)
    })
    afterEach(async () => {
      await Promise.all(this.#troupes.splice(0).map((troupe) => troupe.stop({ grace: 0 })))
      await this.#pool?.end()
    })
  }

  get pool(): pg.Pool {
    if (!this.#pool) throw new Error('the bank is closed')
    return this.#pool
  }

  get schema(): string {
    return this.#schema
  }

  /** The user's own table. */
  get table(): string {
    return `${this.#schema}.notes`
  }

  /** A process; with `send` it works, else it only adds and watches. */
  async open(
    send: Work | null = null, options: TroupeOptions & { readonly maxQueued?: number } = {},
  ): Promise<{ readonly troupe: Troupe; readonly mails: MailQueue }> {
    const { maxQueued, ...rest } = options
    const store = postgresStore(this.#postgres.url, { schema: this.#schema })
    const troupe = await createTroupe({ store, ...rest })
    this.#troupes.push(troupe)
    const bound = maxQueued === undefined ? {} : { maxQueued }
    const mails: MailQueue = send
      ? troupe.queue('mails', { tasks: { send, pack: send }, concurrency: 5, ...bound })
      : troupe.queue<{ send: Work; pack: Work }>('mails', bound)
    if (send) await troupe.start()
    return { troupe, mails }
  }

  /** Runs `work` in a transaction of the user's; rolls back when it throws, or says so. */
  async transaction<T>(
    work: (transaction: Transaction, client: pg.PoolClient) => Promise<T>, end = 'commit',
  ): Promise<T> {
    const client = await this.pool.connect()
    try {
      await client.query('begin')
      const answer = await work(client, client)
      await client.query(end)
      return answer
    } catch (error) {
      await client.query('rollback')
      throw error
    } finally {
      client.release()
    }
  }

  note(transaction: Transaction, text: string): PromiseLike<unknown> {
    return transaction.query(`insert into ${this.table} values ($1)`, [text])
  }

  async notes(): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ note: string }>(
      `select note from ${this.table} order by note`,
    )
    return rows.map(({ note }) => note)
  }
}
