import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How `pg_ctl stop` and `restart` end a server: `immediate` is a crash of it. */
export type StopMode = 'fast' | 'immediate'

/** What the process that holds a server is asked for. */
export type Wish = { readonly number: number } & (
  | { readonly verb: 'create' | 'start' | 'end' }
  | { readonly verb: 'stop'; readonly mode: StopMode }
)

export interface Reply {
  readonly number: number
  readonly fault: string | null
}

type Verb = Wish extends infer W ? W extends Wish ? Omit<W, 'number'> : never : never

const root = resolve(import.meta.dirname, '../../..')
const cache = join(root, '.cache')
const prefix = 'postgres-'

/** A PostgreSQL server from the binaries of a package, with the settings of a fresh install. */
export class EmbeddedServer {
  readonly url: string
  readonly port: number
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (fault: string | null) => void>()
  #number = 0
  #closed: Promise<void> | null = null

  private constructor(child: ChildProcess, port: number) {
    this.port = port
    this.url = `postgres://postgres:password@127.0.0.1:${port}/postgres`
    this.#child = child
    child.on('message', ({ number, fault }: Reply) => { this.#answered(number, fault) })
    child.on('exit', () => {
      for (const number of this.#waiting.keys()) this.#answered(number, 'its process has ended')
    })
    child.unref()
    child.channel?.unref()
  }

  /** Makes a server on a free port and starts it. */
  static async start(): Promise<EmbeddedServer> {
    removeLeftovers()
    mkdirSync(cache, { recursive: true })
    const folder = mkdtempSync(join(cache, `${prefix}${process.pid}-`))
    chmodSync(folder, 0o755) // as root the server runs as somebody else, who has to get there
    const port = await freePort()
    const script = fileURLToPath(new URL('embedded-process.ts', import.meta.url))
    // In a group of its own: Ctrl-C ends the tests, and then this ends the server.
    const child = fork(script, [folder, String(port)], {
      execArgv: ['--import', 'tsx'], cwd: root, detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const server = new EmbeddedServer(child, port)
    try {
      await server.#ask({ verb: 'create' })
      await server.start()
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  start(): Promise<void> {
    return this.#ask({ verb: 'start' })
  }

  stop(mode: StopMode): Promise<void> {
    return this.#ask({ verb: 'stop', mode })
  }

  async restart(mode: StopMode): Promise<void> {
    await this.stop(mode)
    await this.start()
  }

  /** Ends the server, and removes its data. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    await this.#ask({ verb: 'end' })
    const gone = new Promise((done) => { this.#child.once('exit', done) })
    this.#child.ref()
    this.#child.disconnect()
    await gone
  }

  async #ask(verb: Verb): Promise<void> {
    const number = this.#number += 1
    this.#child.channel?.ref()
    const fault = await new Promise<string | null>((answered) => {
      this.#waiting.set(number, answered)
      this.#child.send({ ...verb, number }, (error) => {
        if (error) this.#answered(number, String(error))
      })
    })
    if (this.#waiting.size === 0) this.#child.channel?.unref()
    if (fault !== null) throw new Error(`PostgreSQL, ${verb.verb}: ${fault}`)
  }

  #answered(number: number, fault: string | null): void {
    this.#waiting.get(number)?.(fault)
    this.#waiting.delete(number)
  }
}

/** A port that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer()
    server.once('error', failed)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address !== null && typeof address === 'object') done(address.port)
        else failed(new Error('no port'))
      })
    })
  })
}

/** Data of runs whose processes were all killed at once, server and holder among them. */
function removeLeftovers(): void {
  for (const name of listCache()) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid)) || isServed(name)) continue
    rmSync(join(cache, name), { recursive: true, force: true })
  }
}

function listCache(): string[] {
  try {
    return readdirSync(cache)
  } catch {
    return [] // a folder that nobody has made yet
  }
}

/** Its holder may be about to end it. */
function isServed(name: string): boolean {
  try {
    const file = readFileSync(join(cache, name, 'data', 'postmaster.pid'), 'utf8')
    return isAlive(Number(file.split('\n')[0]))
  } catch {
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
