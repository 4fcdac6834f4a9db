import type { Env, Timer } from '../../env.ts'
import { TroupeErrorOf } from '../../errors.ts'
import type { RunningJob } from '../job.ts'
import { SandboxThread } from './host.ts'
import type { PiscinaModule } from './host.ts'

/** How long a thread waits for another job before it goes. */
const idleMs = 10_000
const closeMs = 2000

interface IdleThread {
  readonly thread: SandboxThread
  readonly timer: Timer
}

/**
 * The threads of one process that run the handlers of module tasks. A thread is started when a job
 * needs one and none is idle, so there are never more than handlers may run at once.
 */
export class Sandbox {
  readonly #env: Env
  readonly #import: () => Promise<PiscinaModule>
  #piscina: Promise<PiscinaModule> | null = null
  #isNeeded = false
  #isClosed = false
  readonly #threads = new Set<SandboxThread>()
  /** The one that was used last is the last. */
  #idle: readonly IdleThread[] = []

  constructor(env: Env, importPiscina: () => Promise<PiscinaModule> = () => import('piscina')) {
    this.#env = env
    this.#import = importPiscina
  }

  /** What runs a task whose handler is the default export of `module`, a file: URL. */
  handler(module: string, memoryMb: number | null): (job: RunningJob) => Promise<unknown> {
    this.#isNeeded = true
    return (job) => this.#run(module, memoryMb, job)
  }

  /** Throws `missing-package` when a task needs piscina and it is not installed. */
  async prepare(): Promise<void> {
    if (this.#isNeeded) await this.#load()
  }

  /**
   * Terminates all threads; resolves when they are no more, or after two seconds: native code that
   * blocks its thread cannot be ended.
   */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const { timer } of this.#idle) timer.cancel()
    this.#idle = []
    const ended = Promise.all([...this.#threads].map((thread) => thread.end()))
    await new Promise<void>((resolve) => {
      const late = this.#env.after(closeMs, resolve)
      void ended.finally(() => {
        late.cancel()
        resolve()
      })
    })
  }

  async #run(module: string, memoryMb: number | null, job: RunningJob): Promise<unknown> {
    const piscina = await this.#load()
    this.#assertWanted(job)
    const thread = this.#takeIdle(memoryMb) ?? await this.#startThread(piscina, memoryMb, job)
    try {
      return await thread.run(module, job)
    } finally {
      this.#release(thread)
    }
  }

  #takeIdle(memoryMb: number | null): SandboxThread | null {
    const found = this.#idle.findLast(({ thread }) =>
      thread.isAlive && thread.memoryMb === memoryMb)
    if (!found) return null
    this.#forget(found)
    return found.thread
  }

  /** An idle thread with other limits makes room: it would be one too many. */
  async #startThread(
    piscina: PiscinaModule, memoryMb: number | null, job: RunningJob,
  ): Promise<SandboxThread> {
    const [oldest] = this.#idle
    if (oldest) {
      this.#forget(oldest)
      await oldest.thread.end()
    }
    this.#assertWanted(job)
    const thread = new SandboxThread(this.#env, piscina, memoryMb)
    this.#threads.add(thread)
    void thread.exited.then(() => {
      this.#threads.delete(thread)
      const idle = this.#idle.find((each) => each.thread === thread)
      if (idle) this.#forget(idle)
    })
    return thread
  }

  /** After each wait: nobody may want the job any more, and nobody would end its thread. */
  #assertWanted(job: RunningJob): void {
    job.throwIfCancelled()
    if (!this.#isClosed) return
    throw new TroupeErrorOf('stopped', 'run: the troupe was stopped', { operation: 'run' })
  }

  #release(thread: SandboxThread): void {
    if (!thread.isAlive || this.#isClosed) return
    const timer = this.#env.after(idleMs, () => {
      this.#forget(idle)
      void thread.end()
    })
    const idle = { thread, timer }
    this.#idle = [...this.#idle, idle]
  }

  #forget(idle: IdleThread): void {
    idle.timer.cancel()
    this.#idle = this.#idle.filter((each) => each !== idle)
  }

  #load(): Promise<PiscinaModule> {
    this.#piscina ??= this.#import().catch((cause: unknown) => {
      this.#piscina = null
      throw new TroupeErrorOf(
        'missing-package', 'a task with a module needs the package piscina: npm install piscina',
        { package: 'piscina' }, { cause },
      )
    })
    return this.#piscina
  }
}
