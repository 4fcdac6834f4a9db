import type { Pool } from 'pg'
import type { Env, Timer } from '../../env.ts'
import { TroupeErrorOf } from '../../errors.ts'
import type { Broadcast } from '../broadcast.ts'
import type { Change, StoreContext, StoreEvent } from '../store.ts'
import { DatabaseClock } from './clock.ts'
import { Database } from './database.ts'
import type { Run } from './database.ts'
import { migrate } from './migrations.ts'
import { News, eventsOf, readyQueues, urgentJobs } from './news.ts'
import { channelOf, Listener, Notifier } from './notifications.ts'
import type { Notice } from './notifications.ts'
import type { PostgresOptions } from './options.ts'
import { readSetting } from './settings.ts'
import { Tail } from './tail.ts'
import { Work } from './work.ts'

/** Without notices, those who wait for news look so often; milliseconds. */
const lookMs = 1000
/** So long after the start, a notice to oneself must have come back. */
const probeMs = 3000

/** One process that is connected: who it tells, whom it hears, and whose clock it goes by. */
export class Connected {
  readonly database: Database
  readonly env: Env
  readonly clock: DatabaseClock
  readonly tail: Tail
  readonly news: News
  readonly broadcast: Broadcast
  /** Queues whose claims are bounded by partition: an end may free a place. */
  readonly bounded = new Set<string>()
  readonly #notifier: Notifier
  readonly #listener: Listener
  readonly #report: (message: string) => void
  readonly #ownClock: boolean
  readonly #name: string
  #heardItself = false
  #openedAt = 0
  #saidDeaf = false
  #looking: Timer | null = null

  private constructor(
    database: Database, context: StoreContext, broadcast: Broadcast, ownClock: boolean,
  ) {
    const { env } = context
    const report = (message: string): void => { context.report(message, 'warn') }
    this.database = database
    this.env = env
    this.broadcast = broadcast
    this.clock = new DatabaseClock(env)
    this.tail = new Tail(database)
    this.news = new News(database, (jobs) => { broadcast.emit([{ type: 'moved', jobs }]) })
    this.#report = report
    this.#ownClock = ownClock
    this.#name = env.id()
    const { pool } = database
    const channel = channelOf(database.name)
    this.#notifier = new Notifier(database, env, this.#name, channel)
    this.#listener = new Listener({
      env, channel, report,
      connection: () => ({
        // The pool hides its password from who copies its options.
        ...pool.options, password: pool.options.password, application_name: 'troupe listener',
      }),
      heard: (notice) => { this.#hear(notice) },
      missed: () => {
        report('the connection for notifications stands again')
        this.#tellItself().catch(() => undefined)
        this.lookAround()
      },
    })
  }

  static async open(
    connection: string | Pool, options: Required<PostgresOptions>, context: StoreContext,
    broadcast: Broadcast,
  ): Promise<Connected> {
    const { env } = context
    const database = await Database.open(connection, options, env)
    try {
      await database.once('open', async () => { await migrate(database, options.migrate) })
      const connected = new Connected(database, context, broadcast, options.clock === 'process')
      await connected.#start()
      return connected
    } catch (error) {
      await database.close().catch(() => undefined)
      throw error
    }
  }

  async #start(): Promise<void> {
    await this.measure()
    await this.#listener.open()
    this.#openedAt = this.env.monotonic()
    await this.#tellItself()
    this.#lookLater()
  }

  /** Whoever hears itself hears the others, too. */
  async #tellItself(): Promise<void> {
    const notice = JSON.stringify({ from: this.#name })
    await this.run('select pg_notify($1, $2)', [channelOf(this.database.name), notice])
  }

  /** A process that works on nothing has no sweeps: it looks by itself when nobody tells it. */
  #lookLater(): void {
    this.#looking = this.env.after(Math.round(lookMs * (1 + this.env.random() / 5)), () => {
      if (!this.isPushed) this.lookAround()
      this.#lookLater()
    })
  }

  async close(): Promise<void> {
    this.#looking?.cancel()
    await this.#notifier.close()
    await this.tail.close()
    await this.#listener.close()
    await this.database.close()
  }

  now = (): number => (this.#ownClock ? this.env.now() : this.clock.now())

  /** The database's own word for it, and not a guess. */
  async exactNow(run: Run): Promise<number> {
    return this.#ownClock ? this.env.now() : this.clock.read(run)
  }

  async measure(): Promise<void> {
    if (!this.#ownClock) await this.clock.measure(this.database.run)
  }

  /** Notices arrive: behind a pooler of transactions they do not. */
  get isPushed(): boolean {
    return this.#heardItself && this.#listener.isUp
  }

  get run(): Run {
    return this.database.run
  }

  get schema(): string {
    return this.database.schema
  }

  /**
   * Runs one transaction of decisions, and tells of them when it has committed. `patient`: a
   * server that is away is waited for.
   */
  async decide<T>(
    operation: string, decision: (work: Work, again: boolean) => Promise<T>, patient = true,
  ): Promise<T> {
    const { answer, work } = await this.database.persist(operation, (again) =>
      this.database.transaction(async (run) => {
        const begun = new Work(run, this.schema, this.now())
        const decided = await decision(begun, again)
        await begun.flush()
        return { answer: decided, work: begun }
      }), patient)
    this.publish(work.changes)
    const woken = readyQueues(work.changes)
    for (const queue of work.hidden) if (!woken.includes(queue)) this.wake(queue)
    if (work.leavesUnjudged) this.broadcast.emit([{ type: 'timer', at: 0 }])
    return answer
  }

  /** Tells everybody what was committed here. */
  publish(changes: readonly Change[]): void {
    if (changes.length === 0) return
    const queues = [...new Set(changes.map(({ entry }) => entry.queue))]
    const freed = queues.filter((queue) => this.bounded.has(queue) &&
      changes.some(({ entry, record }) => entry.queue === queue && !record?.lease))
    const wake = [...new Set([...readyQueues(changes), ...freed])]
    this.#notifier.tell({ queues, wake, jobs: urgentJobs(changes) })
    const events: StoreEvent[] = [...eventsOf(changes)]
    for (const queue of freed) {
      if (!readyQueues(changes).includes(queue)) events.push({ type: 'wake', queue })
    }
    this.broadcast.emit(events)
    this.tail.kick()
  }

  /** A setting was written here. */
  publishSetting(key: string, value: Extract<StoreEvent, { type: 'setting' }>['value']): void {
    this.#notifier.tell({ settings: [key] })
    this.broadcast.emit([{ type: 'setting', key, value }])
  }

  wake(queue: string): void {
    this.#notifier.tell({ queues: [queue], wake: [queue] })
    this.broadcast.emit([{ type: 'wake', queue }])
    this.tail.kick()
    this.news.lookAtFollowed()
  }

  /** Notices may have been missed: looks at all that others could have told. */
  lookAround(): void {
    this.news.lookAtFollowed()
    this.tail.kick()
    const waited = this.env.monotonic() - this.#openedAt
    if (this.#heardItself || this.#saidDeaf || waited < probeMs) return
    this.#saidDeaf = true
    this.#report(
      'notifications of PostgreSQL do not arrive here, as behind a pooler of transactions: ' +
        'this process polls, and hears of others within about a second',
    )
  }

  #hear({ from, wake = [], queues = [], jobs = [], settings = [] }: Notice): void {
    if (from === this.#name) {
      this.#heardItself = true
      return
    }
    for (const queue of wake) this.broadcast.emit([{ type: 'wake', queue }])
    if (jobs.length > 0) this.news.look(jobs).catch(() => undefined)
    if (queues.length > 0) {
      this.news.lookAtFollowed()
      this.tail.kick()
    }
    for (const key of settings) {
      readSetting(this.run, this.schema, key).then(({ value }) => {
        this.broadcast.emit([{ type: 'setting', key, value }])
      }, () => undefined)
    }
  }
}

export function closed(operation: string): TroupeErrorOf<'stopped'> {
  return new TroupeErrorOf('stopped', `${operation}: the store is closed`, { operation })
}
