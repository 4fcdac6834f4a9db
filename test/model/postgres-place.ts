import { Pool } from 'pg'
import type { PoolClient } from 'pg'
import { postgresStore } from 'troupe/stores/postgres'
import type { Interest, Store } from '../../src/stores/store.ts'
import { Life } from '../../src/testing/mortal.ts'
import { emptySchema } from '../support/postgres/empty-schema.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'
import type { Place, Process } from './places.ts'

/** One process's way to the server: what is under way on it can be counted, and cut. */
class Line {
  readonly pool: Pool
  #busy = 0
  readonly #clients = new Set<PoolClient>()

  constructor(url: string) {
    const pool = new Pool({ connectionString: url, max: 5 })
    this.pool = pool
    pool.on('error', () => undefined)
    pool.on('connect', (client) => {
      client.on('error', () => undefined)
      this.#clients.add(client)
    })
    pool.on('remove', (client) => { this.#clients.delete(client) })
    const connect = pool.connect.bind(pool)
    pool.connect = ((...args: Parameters<typeof connect>) => {
      // pool.query takes its clients with a callback.
      this.#busy += 1
      const [callback] = args as unknown as [((...answers: unknown[]) => void)?]
      const track = (client: PoolClient | undefined): void => {
        const release = client?.release.bind(client)
        if (!client || !release) return this.#rest()
        client.release = (error?: Error | boolean) => {
          client.release = release
          this.#rest()
          release(error)
        }
      }
      if (!callback) {
        return connect().then((client) => {
          track(client)
          return client
        }, (error: unknown) => {
          this.#rest()
          throw error
        })
      }
      connect((error, client, done) => {
        track(client)
        callback(error, client, client ? (fault?: Error) => { client.release(fault) } : done)
      })
      return undefined
    }) as typeof pool.connect
  }

  #rest(): void {
    this.#busy -= 1
  }

  get isBusy(): boolean {
    return this.#busy > 0
  }

  /** As when a process is killed. Answers which processes of the server worked for it. */
  cut(): readonly number[] {
    return [...this.#clients].map((client) => {
      const { connection, processID } = client as unknown as {
        readonly connection: { readonly stream: { destroy(): void } }; readonly processID: number
      }
      connection.stream.destroy()
      return processID
    })
  }
}

interface Session {
  readonly line: Line
  readonly store: Store
  readonly life: Life
  /** The last barrier whose notice has arrived. */
  heard: number
  watched: boolean
}

/** No moment of virtual time takes a server so long. */
const settleMs = 30_000

/** Virtual time that waits for what a real server has in hand. */
class ServerClock extends VirtualEnv {
  busy: () => Promise<boolean> = () => Promise.resolve(false)

  override async settle(): Promise<void> {
    const since = performance.now()
    do {
      if (performance.now() - since > settleMs) throw new Error(`busy for ${settleMs} ms`)
      await super.settle()
    } while (await this.busy())
  }
}

/** What the place before has left open, also when it had to be given up. */
const left: (() => Promise<unknown>)[] = []

export async function leavePlace(): Promise<void> {
  await Promise.allSettled(left.splice(0).map((close) => close()))
}

/** Several processes on one schema of a real server; each dies alone, its connections with it. */
export async function postgresPlace(url: string, schema: string, seed: number): Promise<Place> {
  await leavePlace()
  const clock = new ServerClock({ seed })
  const eyes = new Line(url)
  left.push(() => eyes.pool.end())
  await emptySchema(eyes.pool, schema)
  const sessions = new Set<Session>()
  let barrier = 0
  let quiet = 0
  /** Server processes of connections that were cut: until they notice, they hold their locks. */
  let dying: readonly number[] = []
  const pause = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve, 1) })
  clock.busy = async () => {
    const live = [...sessions].filter(({ life, watched }) => !life.dead && watched)
    if (dying.length > 0) {
      const { rows } = await eyes.pool.query<{ pid: number }>(
        'select pid from pg_stat_activity where pid = any($1::integer[])', [dying],
      )
      dying = rows.map(({ pid }) => pid)
    }
    if (dying.length > 0 || live.some(({ line }) => line.isBusy)) {
      quiet = 0
      await pause()
      return true
    }
    if (live.every(({ heard }) => heard === barrier) && quiet > 0) {
      quiet = 0
      return false
    }
    // Notices of one server arrive in the order in which they were sent: behind this one is none.
    barrier += 1
    await eyes.pool.query('select pg_notify($1, $2)', [
      `troupe_${schema}`, JSON.stringify({ from: 'test', jobs: [`barrier ${barrier}`] }),
    ])
    const deaf = (): Session[] => live.filter(({ heard, life, watched }) =>
      heard < barrier && !life.dead && watched)
    for (let ms = 0; ms < 5000 && deaf().length > 0; ms += 1) await pause()
    if (deaf().length > 0) throw new Error(`${deaf().length} of ${live.length} hear no notices`)
    quiet += 1
    return true
  }
  const start = (): Process => {
    const line = new Line(url)
    const life = new Life()
    const inner = postgresStore(line.pool, { schema, clock: 'process' })
    const session: Session = { line, life, heard: barrier, watched: false, store: inner }
    sessions.add(session)
    left.push(async () => {
      await inner.close()
      await line.pool.end()
    })
    const store = life.store(listening(inner, session))
    return { life, env: life.env(clock, clock.disk), store, plain: inner }
  }
  return {
    // What one who died has told nobody of is found by the next sweep, after 2.5 s at most.
    clock, start, store: null, patienceMs: 2600,
    cutAt: () => undefined,
    crash: (process) => {
      process.life.kill()
      for (const session of sessions) {
        if (session.life !== process.life) continue
        dying = [...dying, ...session.line.cut()]
        sessions.delete(session)
      }
      return [process]
    },
  }
}

/** The store, whose interest in jobs tells when a notice has come. */
function listening(store: Store, session: Session): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target)
      if (name === 'close') {
        return async () => {
          session.watched = false
          await target.close()
        }
      }
      if (typeof member !== 'function') return member
      if (name !== 'watch') return member.bind(target) as unknown
      return (listener: Parameters<Store['watch']>[0], interest?: Interest) => {
        session.watched = true
        return target.watch(listener, {
          has: (id) => {
            const [word, number] = id.split(' ')
            if (word === 'barrier') session.heard = Math.max(session.heard, Number(number))
            return interest?.has(id) ?? false
          },
          followed: () => interest?.followed() ?? [],
        })
      }
    },
  })
}
