import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { createTroupe, memoryStore } from 'troupe'
import type { Job, Queue, Store, Tasks, Troupe } from 'troupe'
import { build } from 'vite'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { dashboardPages } from '../../src/gateway/dashboard-pages.ts'
import { createGateway } from '../../src/gateway/gateway.ts'
import type { Gateway, GatewayOptions } from '../../src/gateway/gateway.ts'

const config = fileURLToPath(new URL('../../src/dashboard/vite.config.ts', import.meta.url))

const tasks = {
  resize: () => ({ ok: true }),
  fail: (job: Job<{ text: string }>): never => { throw new Error(job.input.text) },
  hang: (job: Job) => new Promise<void>((_resolve, reject) => {
    job.signal.addEventListener('abort', () => { reject(job.signal.reason as Error) })
  }),
}

/** A troupe on a memory store, behind a gateway that serves the dashboard as it is now. */
export class Theatre {
  troupe = undefined as unknown as Troupe
  /** Tests replace one of its methods to let it fail. */
  store = undefined as unknown as Store
  images = undefined as unknown as Queue<typeof tasks>
  mail = undefined as unknown as Queue<typeof tasks>
  url = ''
  /** Where the built page is. */
  folder = ''
  #gateway: Gateway | null = null
  #options: GatewayOptions = {}
  #port = 0

  async build(): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), 'troupe-dashboard-'))
    // As it is published: Vite goes by what the test runner has set otherwise.
    const before = process.env['NODE_ENV']
    process.env['NODE_ENV'] = 'production'
    await build({
      configFile: config, logLevel: 'error', build: { outDir: this.folder, emptyOutDir: true },
    })
    process.env['NODE_ENV'] = before
  }

  async discard(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }

  async open(): Promise<void> {
    this.store = memoryStore()
    this.troupe = await createTroupe({ store: this.store, worker: 'stage', logger: silent })
    this.images = this.troupe.queue('images', { concurrency: 4, tasks })
    this.mail = this.troupe.queue('mail', { concurrency: 2, tasks })
  }

  queue(name: string): Queue<Tasks> {
    return this.troupe.queue(name, { tasks })
  }

  /** The address of the dashboard. */
  async raise(options: GatewayOptions = {}): Promise<string> {
    this.#options = options
    this.#gateway = createGateway(this.troupe, {
      logger: silent,
      pages: dashboardPages(undefined, [pathToFileURL(`${this.folder}/`)]),
      ...options,
    })
    const listening = await this.#gateway.listen({ port: this.#port })
    this.#port = listening.port
    this.url = listening.url
    return `${this.url}/`
  }

  /** The gateway goes; `raise` brings it back on the same port. */
  async drop(): Promise<void> {
    await this.#gateway?.close()
    this.#gateway = null
  }

  async raiseAgain(): Promise<void> {
    await this.raise(this.#options)
  }

  async close(): Promise<void> {
    await this.drop()
    this.#port = 0
    await this.troupe.stop({ grace: 0 })
  }

  /** Bytes of what the page loads, as a server with gzip sends them. */
  async gzipSize(): Promise<number> {
    const names = await readdir(this.folder, { recursive: true })
    const files = names.filter((name) => /\.\w+$/.test(name))
    const all = await Promise.all(files.map((name) => readFile(join(this.folder, name))))
    return all.reduce((sum, file) => sum + gzipSync(file).length, 0)
  }
}

const silent = { warn: () => undefined, error: () => undefined }

export function useTheatre(): Theatre {
  const theatre = new Theatre()
  beforeAll(() => theatre.build(), 60_000)
  beforeEach(() => theatre.open())
  afterEach(() => theatre.close())
  afterAll(() => theatre.discard())
  return theatre
}
