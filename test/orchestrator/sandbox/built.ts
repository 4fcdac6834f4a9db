import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Worker } from 'node:worker_threads'
import type * as troupe from 'troupe'
import type {
  Env, JobHandle, JobRecord, Queue, Tasks, Troupe, TroupeOptions,
} from 'troupe'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { systemEnv } from '../../../src/env.ts'

const root = resolve(import.meta.dirname, '../../..')
const folder = join(root, '.cache', `sandbox-${process.pid}`)

type Package = typeof troupe

/** What a test leaves to the tool that it opens troupes with. */
export interface Built {
  /** Where the package was built to: threads take what is published, and no TypeScript. */
  readonly folder: string
  /** The threads that live now. */
  readonly threads: ReadonlySet<Worker>
  /** How many threads were started since the test began. */
  readonly started: () => number
  /** How many lived at once since then. */
  readonly most: () => number
  /** A troupe of the built package, which is stopped when the test ends. */
  open(options?: TroupeOptions): Promise<Troupe>
  readonly task: Package['task']
  /** Resolves when no thread lives any more. */
  threadsGone(): Promise<void>
}

/** The URL of a module in this folder. */
export function fixture(name: string): URL {
  return pathToFileURL(join(import.meta.dirname, name))
}

/** Resolves when the handler has told that it runs, `percent` being at least this. */
export function reported(job: JobHandle<unknown>, percent = 0): Promise<void> {
  return new Promise((done, failed) => {
    job.progress$.subscribe({
      next: (progress) => { if (progress && (progress.percent ?? 0) >= percent) done() },
      complete: () => { failed(new Error('the job ended without a report')) },
    })
  })
}

/** Resolves when the job was claimed: its thread may just be starting. */
export function running(job: JobHandle<unknown>): Promise<void> {
  return new Promise((done) => {
    job.state$.subscribe((state) => { if (state !== 'queued') done() })
  })
}

/** The record of a job when it has settled, however. */
export async function settled<T extends Tasks>(queue: Queue<T>, id: string): Promise<JobRecord> {
  await queue.job(id).result().catch(() => undefined)
  const record = await queue.get(id)
  if (!record) throw new Error(`there is no job ${id}`)
  return record
}

/** The real machine; a timer can be fired before its time, by the delay that it was set with. */
export function handTimed(): { env: Env; fire: (delayMs: number) => void } {
  const set: { readonly delayMs: number; readonly action: () => void }[] = []
  const env: Env = {
    ...systemEnv,
    after: (delayMs, action) => {
      set.push({ delayMs, action })
      return systemEnv.after(delayMs, action)
    },
  }
  const fire = (delayMs: number): void => {
    const latest = set.findLast((timer) => timer.delayMs === delayMs)
    if (!latest) throw new Error(`no timer was set to ${delayMs} ms`)
    latest.action()
  }
  return { env, fire }
}

/** Call once per file: builds the package, and sees that no test leaves a thread behind. */
export function useBuilt(): Built {
  const threads = new Set<Worker>()
  const waiting = new Set<() => void>()
  const troupes: Troupe[] = []
  let product: Package | null = null
  let started = 0
  let most = 0
  const hear = (worker: Worker): void => {
    started += 1
    threads.add(worker)
    most = Math.max(most, threads.size)
    worker.once('exit', () => {
      threads.delete(worker)
      if (threads.size === 0) for (const done of waiting) done()
    })
  }
  const load = (): Package => {
    if (!product) throw new Error('the package is not built yet')
    return product
  }
  beforeAll(async () => {
    build()
    product = await import(pathToFileURL(join(folder, 'src/index.js')).href) as Package
    process.on('worker', hear)
  }, 120_000)
  beforeEach(() => {
    started = 0
    most = 0
  })
  afterEach(async () => {
    await Promise.all(troupes.splice(0).map((each) => each.stop({ grace: 0 })))
    expect(threads.size, 'threads after stop').toBe(0)
  }, 30_000)
  afterAll(() => {
    process.off('worker', hear)
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    folder, threads,
    started: () => started,
    most: () => most,
    get task() { return load().task },
    async open(options) {
      const opened = await load().createTroupe(options)
      troupes.push(opened)
      return opened
    },
    threadsGone: () => new Promise((done) => {
      if (threads.size === 0) done()
      else waiting.add(done)
    }),
  }
}

function build(): void {
  execFileSync(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json'),
    // Whether it compiles is for `npm run typecheck` to say.
    '--noCheck', '--outDir', folder, '--incremental', 'false', '--tsBuildInfoFile', 'null',
    '--declaration', 'false', '--declarationMap', 'false',
  ])
}
