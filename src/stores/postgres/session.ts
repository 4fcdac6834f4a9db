import type { Pool } from 'pg'
import { isJsonEqual } from '../../records/json.ts'
import { Broadcast } from '../broadcast.ts'
import { queueSettingKey, schedulesKey } from '../settings.ts'
import type {
  Beat, Capabilities, InsertAnswer, InsertOptions,
  Request, RequestAnswer, Store, StoreContext, StoreSession,
} from '../store.ts'
import { insertJobs, insertWithin } from './adding.ts'
import { applyRequests, obliterate } from './applying.ts'
import { readWorkers, releaseStrays, renewLeases, renewLocked } from './beating.ts'
import { ClaimDesk } from './claim-desk.ts'
import { commitAll, commitHeld } from './committing.ts'
import { closed, Connected } from './connected.ts'
import { runIn } from './database.ts'
import { examine } from './doctor.ts'
import { listJobs } from './listing.ts'
import { readJobs } from './loading.ts'
import { numberEntries, readNumbered } from './log.ts'
import { storeProgress } from './progress.ts'
import { countJobs, explainJob } from './reading.ts'
import { casSetting, readSetting } from './settings.ts'
import type { PostgresOptions } from './options.ts'
import { restorePart } from './restoring.ts'
import { Sweeping } from './sweep.ts'
import { Work } from './work.ts'

/** What is asked of a store that closes is waited for so long, so that others are told of it. */
const closingMs = 1000

/** The store of one process. Each verb is in a file of its own; here they meet. */
export class PostgresStore implements Store {
  readonly name = 'postgres'
  readonly capabilities: Capabilities = {
    durable: true, multiProcess: true, push: true, transactionalAdd: true,
  }
  readonly #connection: string | Pool
  readonly #options: Required<PostgresOptions>
  readonly #broadcast = new Broadcast()
  #connected: Connected | null = null
  readonly #underWay = new Set<Promise<unknown>>()
  #waitsForRows = false
  #desk: ClaimDesk | null = null
  #sweeping: Sweeping | null = null

  constructor(connection: string | Pool, options: Required<PostgresOptions>) {
    this.#connection = connection
    this.#options = options
  }

  async open(context: StoreContext): Promise<StoreSession> {
    if (this.#connected) throw new Error('a postgresStore serves one troupe: make another one')
    const connected = await Connected.open(
      this.#connection, this.#options, context, this.#broadcast,
    )
    this.#connected = connected
    this.#desk = new ClaimDesk(connected)
    this.#sweeping = new Sweeping(connected)
    return { now: connected.now }
  }

  async close(): Promise<void> {
    const connected = this.#connected
    this.#connected = null
    if (!connected) return
    connected.database.giveUp()
    if (this.#underWay.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = connected.env.after(closingMs, resolve)
        void Promise.allSettled(this.#underWay).then(() => {
          timer.cancel()
          resolve()
        })
      })
    }
    await connected.close()
  }

  /** A close waits for it, a little. */
  #attend<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work)
    return work.finally(() => { this.#underWay.delete(work) })
  }

  #open(operation: string): Connected {
    if (!this.#connected) throw closed(operation)
    return this.#connected
  }

  insert: Store['insert'] = (jobs, options) => this.#attend(this.#insert(jobs, options))

  async #insert(
    jobs: Parameters<Store['insert']>[0], options: InsertOptions = {},
  ): Promise<readonly InsertAnswer[]> {
    const connected = this.#open('insert')
    const partitioned = jobs.filter(({ partition }) => partition !== null)
    for (const { queue } of partitioned) this.#desk?.partitioned(queue)
    if (options.transaction) return insertWithin(connected, jobs, options, options.transaction)
    const answers = await insertJobs(connected, jobs, options)
    const { setting } = options
    if (setting && (answers.length > 0 || jobs.length === 0)) {
      connected.publishSetting(setting.key, setting.value)
    }
    return answers
  }

  claim: Store['claim'] = async (request) => {
    this.#open('claim')
    return this.#desk?.claim(request) ?? { records: [], nextAt: null }
  }

  commit: Store['commit'] = async (commits, { transaction } = {}) => {
    const connected = this.#open('commit')
    if (commits.length === 0) return []
    if (!transaction) return commitAll(connected, commits)
    const work = new Work(runIn(transaction), connected.schema, connected.now())
    const answers = await commitHeld(work, commits)
    await work.flush()
    return answers.map((answer) => answer ?? { outcome: 'lost' })
  }

  renew: Store['renew'] = async (beat) => {
    const connected = this.#open('renew')
    const { run, schema, database } = connected
    const { lost, cancelling, strays, locked } = await database.once('a heartbeat', () =>
      renewLeases(run, schema, beat, connected.now()))
    await connected.measure().catch(() => undefined)
    if (locked.length > 0) this.#renewWhenFree(connected, locked, beat.leaseMs)
    if (cancelling.length > 0) {
      this.#broadcast.emit([{
        type: 'moved',
        jobs: cancelling.map((record) => ({ id: record.id, queue: record.queue, record })),
      }])
    }
    if (strays.length > 0) {
      await connected.decide('a heartbeat', (work) => releaseStrays(work, strays, beat.worker))
    }
    return { lost }
  }

  /** One row at a time: transactions of users may be long, and none must hold up another's row. */
  #renewWhenFree(connected: Connected, locked: Beat['held'], leaseMs: number): void {
    if (this.#waitsForRows) return
    this.#waitsForRows = true
    const renew = async (): Promise<void> => {
      for (const held of locked) {
        await connected.decide(
          'a heartbeat', (work) => renewLocked(work, held, leaseMs, connected.now), false,
        )
      }
    }
    // What fails here is tried again by the next beat.
    renew().catch(() => undefined)
      .finally(() => { this.#waitsForRows = false })
  }

  apply: Store['apply'] = (requests) => this.#attend(this.#apply(requests))

  async #apply(requests: readonly Request[]): Promise<readonly RequestAnswer[]> {
    const connected = this.#open('apply')
    if (requests.length === 0) return []
    const answers: RequestAnswer[] = []
    // What comes behind the end of a queue in the same call is of its next life.
    for (let index = 0; index < requests.length;) {
      const request = requests[index] as Request
      if (request.type === 'obliterate') {
        answers.push(await this.#obliterate(connected, request))
        index += 1
        continue
      }
      const next = requests.findIndex(({ type }, at) => at > index && type === 'obliterate')
      const batch = requests.slice(index, next === -1 ? undefined : next)
        .flatMap((each) => (each.type === 'obliterate' ? [] : [each]))
      answers.push(...await connected.decide('a request', async (work, again) => {
        const given = await applyRequests(work, batch)
        return again ? given.map((answer, at) => asFirst(answer, batch[at] as Request)) : given
      }))
      index += batch.length
    }
    return answers
  }

  async #obliterate(
    connected: Connected, request: Extract<Request, { readonly type: 'obliterate' }>,
  ): Promise<RequestAnswer> {
    const { queue } = request
    const keys = [queueSettingKey(queue), schedulesKey(queue)]
    const before = await Promise.all(keys.map((key) => this.getSetting(key)))
    const answer = await connected.decide(
      'a request', (work) => obliterate(work, connected.database, request),
    )
    if (answer.outcome === 'moved') {
      for (const [index, key] of keys.entries()) {
        if (before[index]?.value !== null) connected.publishSetting(key, null)
      }
    }
    return answer
  }

  sweep: Store['sweep'] = async (request) => {
    this.#open('sweep')
    return this.#sweeping?.sweep(request) ?? { more: false, nextAt: null }
  }

  restore: Store['restore'] = (part) => restorePart(this.#open('restore'), part)

  get: Store['get'] = (ids) => this.#read('a read', async ({ run, schema }) => {
    const found = await readJobs(run, schema, ids)
    return ids.map((id) => found.get(id)?.record)
  })

  list: Store['list'] = (query) => this.#read('a list', ({ run, schema, env }) =>
    listJobs(run, schema, query, () => env.monotonic()))

  explain: Store['explain'] = (queue, id, limits) => this.#read('a read', (connected) =>
    explainJob(connected.run, connected.schema, queue, id, limits, connected.now()))

  workers: Store['workers'] = () => this.#read('a read', (connected) =>
    readWorkers(connected.run, connected.schema, connected.now()))

  counts: Store['counts'] = (queue) => this.#read('a count', ({ run, schema }) =>
    countJobs(run, schema, queue))

  readLog: Store['readLog'] = (queue, after, limit) =>
    this.#read('a read of the log', async ({ database, run, schema }) => {
      while (await numberEntries(database)) { /* until nothing is left */ }
      return readNumbered(run, schema, queue, after, limit)
    })

  getSetting: Store['getSetting'] = (key) => this.#read('a read', ({ run, schema }) =>
    readSetting(run, schema, key))

  casSetting: Store['casSetting'] = async (key, version, value) => {
    const connected = this.#open('casSetting')
    const { run, schema, database } = connected
    const written = await database.persist('a setting', async (again) => {
      if (await casSetting(run, schema, key, version, value)) return true
      const present = again ? await readSetting(run, schema, key) : null
      return present?.version === version + 1 && isJsonEqual(present.value, value)
    })
    if (written) connected.publishSetting(key, value)
    return written
  }

  progress: Store['progress'] = async (updates) => {
    const connected = this.#open('progress')
    if (updates.length === 0) return []
    return connected.decide('progress', (work) => storeProgress(work, updates), false)
  }

  watch: Store['watch'] = (listener, interest) => {
    const stop = this.#broadcast.watch(listener)
    const leave = interest && this.#connected?.news.join(interest)
    return () => {
      stop()
      leave?.()
    }
  }

  tail: Store['tail'] = (listener) => this.#read('a tail', ({ tail }) => tail.listen(listener))

  wake(queue: string): void {
    this.#connected?.wake(queue)
  }

  doctor = (): ReturnType<NonNullable<Store['doctor']>> =>
    this.#read('a diagnosis', (connected) => examine(connected))

  async #read<T>(operation: string, read: (connected: Connected) => Promise<T>): Promise<T> {
    const connected = this.#open(operation)
    return connected.database.persist(operation, () => read(connected))
  }
}

/** The answer of a first try that was lost, from what a second one finds. */
function asFirst(answer: RequestAnswer, request: Request): RequestAnswer {
  const state = answer.record?.state
  const done = answer.outcome === 'ignored'
    ? (request.type === 'cancel' && (state === 'cancelling' || state === 'cancelled')) ||
      (request.type === 'retry' && state === 'queued')
    : answer.outcome === 'unknown' && request.type === 'remove'
  return done ? { ...answer, outcome: 'moved' } : answer
}
