import type { Client } from 'pg'
import type { Env, Timer } from '../../env.ts'
import { loadPg } from './database.ts'
import type { Database } from './database.ts'

/** What one process tells the others; it is only a hint, and may be lost. */
export interface Notice {
  /** Who sends it. */
  readonly from: string
  /** Queues in which jobs may be claimable. */
  readonly wake?: readonly string[]
  /** Queues in which something was committed. */
  readonly queues?: readonly string[]
  /** Jobs whose handlers, or followers, must hear of it. */
  readonly jobs?: readonly string[]
  /** Settings that were written. */
  readonly settings?: readonly string[]
}

/** Notices of so many milliseconds travel in one, but for the first few, which go at once. */
const pauseMs = 20
const atOnce = 4
/** A notification takes 8,000 bytes. */
const payloadLimit = 7900
/** Ids have at most 128 characters; those of the library have 20. */
const namesInOne = 50
const reconnectMs = [100, 500, 1000, 2000, 5000]

/** The one name for all processes of a schema. */
export function channelOf(schema: string): string {
  return `troupe_${schema}`
}

/** Gathers what is to be told, and sends it in few notifications, never in a user's transaction. */
export class Notifier {
  readonly #database: Database
  readonly #env: Env
  readonly #from: string
  readonly #channel: string
  readonly #wake = new Set<string>()
  readonly #queues = new Set<string>()
  readonly #settings = new Set<string>()
  readonly #jobs = new Set<string>()
  #timer: Timer | null = null
  #sent = 0
  #closed = false

  constructor(database: Database, env: Env, from: string, channel: string) {
    this.#database = database
    this.#env = env
    this.#from = from
    this.#channel = channel
  }

  tell({ wake = [], queues = [], jobs = [], settings = [] }: Omit<Notice, 'from'>): void {
    if (this.#closed) return
    for (const queue of wake) this.#wake.add(queue)
    for (const queue of queues) this.#queues.add(queue)
    for (const key of settings) this.#settings.add(key)
    for (const id of jobs) this.#jobs.add(id)
    if (this.#sent >= atOnce) return
    this.#sent += 1
    void this.#send()
    this.#timer ??= this.#env.after(pauseMs, () => { this.#again() })
  }

  /** Resolves when what was gathered is told, too. */
  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = null
    if (!this.#isEmpty) await this.#send()
  }

  get #isEmpty(): boolean {
    return this.#wake.size + this.#queues.size + this.#settings.size + this.#jobs.size === 0
  }

  #again(): void {
    this.#timer = null
    this.#sent = 0
    if (this.#isEmpty) return
    this.#sent = 1
    void this.#send()
    this.#timer = this.#env.after(pauseMs, () => { this.#again() })
  }

  /** Never fails: who misses it polls. */
  async #send(): Promise<void> {
    const jobs = [...this.#jobs]
    const notices: Omit<Notice, 'from'>[] = [
      { wake: [...this.#wake] }, { queues: [...this.#queues] }, { settings: [...this.#settings] },
    ].flatMap((notice) => (Object.values(notice).flat().length === 0 ? [] : [notice]))
    for (const set of [this.#wake, this.#queues, this.#settings, this.#jobs]) set.clear()
    while (jobs.length > 0) notices.push({ jobs: jobs.splice(0, namesInOne) })
    const together = JSON.stringify({ from: this.#from, ...Object.assign({}, ...notices) })
    const payloads = notices.filter(({ jobs: ids }) => ids).length < 2 && fits(together)
      ? [together] : notices.map((notice) => JSON.stringify({ from: this.#from, ...notice }))
    // It need not wait for the disk, either.
    await this.#database.run(
      `select set_config('synchronous_commit', 'off', true), pg_notify($1, payload)
      from unnest($2::text[]) as payload`,
      [this.#channel, payloads.filter(fits)],
    ).catch(() => undefined)
  }
}

function fits(payload: string): boolean {
  return Buffer.byteLength(payload) <= payloadLimit
}

export interface ListenerContext {
  readonly connection: () => ConstructorParameters<typeof Client>[0]
  readonly env: Env
  readonly channel: string
  heard(notice: Notice): void
  /** The connection stands again after it was away: notices may have been missed. */
  missed(): void
  report(message: string): void
}

/** The one LISTEN connection of a process. It comes back by itself. */
export class Listener {
  readonly #context: ListenerContext
  #client: Client | null = null
  #timer: Timer | null = null
  #attempt = 0
  #closed = false

  constructor(context: ListenerContext) {
    this.#context = context
  }

  get isUp(): boolean {
    return this.#client !== null
  }

  /** Resolves when it listens; a server that cannot be reached is tried again by itself. */
  async open(): Promise<void> {
    const { connection, channel } = this.#context
    const { Client: ClientClass } = await loadPg()
    const client = new ClientClass(connection())
    let ended = false
    const end = (): void => {
      if (ended) return
      ended = true
      if (this.#client === client) this.#client = null
      client.end().catch(() => undefined)
      this.#reconnect()
    }
    client.on('error', end)
    client.on('end', end)
    client.on('notification', ({ payload }) => { this.#hear(payload) })
    try {
      await client.connect()
      await client.query(`listen "${channel}"`)
    } catch {
      end()
      return
    }
    if (this.#closed) {
      await client.end().catch(() => undefined)
      return
    }
    this.#client = client
    if (this.#attempt > 0) this.#context.missed()
    this.#attempt = 0
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    const client = this.#client
    this.#client = null
    await client?.end().catch(() => undefined)
  }

  #hear(payload: string | undefined): void {
    let notice: unknown
    try {
      notice = JSON.parse(payload ?? '')
    } catch {
      return
    }
    if (typeof notice === 'object' && notice !== null && 'from' in notice) {
      this.#context.heard(notice as Notice)
    }
  }

  #reconnect(): void {
    if (this.#closed || this.#timer) return
    const { env } = this.#context
    const waitMs = reconnectMs[Math.min(this.#attempt, reconnectMs.length - 1)] ?? 5000
    if (this.#attempt === 0) this.#context.report('the connection for notifications is down')
    this.#attempt += 1
    this.#timer = env.after(Math.round(waitMs * (0.5 + env.random())), () => {
      this.#timer = null
      this.open().catch(() => undefined)
    })
  }
}
