import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort, Worker } from 'node:worker_threads'
import type { Env, Timer } from '../../env.ts'
import { TroupeError } from '../../errors.ts'
import type { RunningJob } from '../job.ts'
import {
  packError, SandboxError, unpackError, UnrecoverableSandboxError,
} from './errors.ts'
import type { JobFields, ThreadOutcome, ThreadReport, ThreadTask } from './protocol.ts'
import type { runModule } from './thread.ts'

/** What is used of piscina. Its own types would have to be installed for ours to compile. */
export interface PiscinaModule {
  readonly Piscina: new (options: {
    readonly filename: string
    readonly name: string
    readonly minThreads: number
    readonly maxThreads: number
    readonly idleTimeout: number
    readonly atomics: 'disabled'
    readonly recordTiming: boolean
    readonly resourceLimits?: { readonly maxOldGenerationSizeMb: number }
  }) => Piscina
}

interface Piscina {
  readonly threads: readonly Worker[]
  run(task: ThreadTask, options: { transferList: MessagePort[] }): ReturnType<typeof runModule>
  destroy(): Promise<void>
  on(event: 'error', listener: (error: unknown) => void): unknown
}

/** How long a handler has to clean up when its job may run elsewhere already. */
const leaseLostGraceMs = 2000

// Whoever loads this file as TypeScript loads that one so, too: threads inherit the loader.
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const entry = new URL(`./thread.${extension}`, import.meta.url).href
const entryName: typeof runModule.name = 'runModule'

/**
 * One thread, which runs one job at a time: a piscina of one. In a larger one a job would wait
 * forever for a thread that dies while it starts, and be rejected before its thread has ended.
 */
export class SandboxThread {
  readonly memoryMb: number | null
  /** Resolves when the thread is no more. */
  readonly exited: Promise<void>
  readonly #env: Env
  readonly #piscina: Piscina
  #worker: Worker | null = null
  #fault: unknown = null
  #exitCode = 0
  #isAlive = true
  #wasEnded = false
  #markExited = (): void => undefined

  constructor(env: Env, { Piscina }: PiscinaModule, memoryMb: number | null) {
    this.#env = env
    this.memoryMb = memoryMb
    this.exited = new Promise((resolve) => { this.#markExited = resolve })
    this.#piscina = new Piscina({
      filename: entry, name: entryName, minThreads: 0, maxThreads: 1, recordTiming: false,
      // The sandbox decides when a thread goes.
      idleTimeout: Number.POSITIVE_INFINITY,
      // Else the thread's event loop would stand still between jobs, with connections open.
      atomics: 'disabled',
      ...(memoryMb === null ? {} : { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }),
    })
    // Told of a thread that dies while it starts, or without a job; a job may wait for it.
    this.#piscina.on('error', () => { this.#giveUp() })
  }

  /** It can take another job. */
  get isAlive(): boolean {
    return this.#isAlive
  }

  /** Terminates the thread, whatever it does. */
  async end(): Promise<void> {
    this.#isAlive = false
    this.#wasEnded = true
    if (!this.#worker) this.#markExited()
    await this.#piscina.destroy()
    await this.exited
  }

  /** Runs one attempt. Settles when the handler has ended, or the thread has. */
  async run(module: string, job: RunningJob): Promise<unknown> {
    const { port1, port2 } = new MessageChannel()
    const disconnect = this.#connect(port1, job)
    let outcome: ThreadOutcome
    try {
      outcome = await this.#start({ module, job: fieldsOf(job), port: port2 })
    } catch (error) {
      throw await this.#faultOf(error, job)
    } finally {
      disconnect()
    }
    switch (outcome.type) {
      case 'completed': return outcome.result
      case 'failed': throw unpackError(outcome.error)
      case 'unloadable':
        // A module that fails once fails always in the same thread.
        await this.end()
        throw unloadable(module, unpackError(outcome.error))
    }
  }

  async #start(task: ThreadTask): Promise<ThreadOutcome> {
    const outcome = this.#piscina.run(task, { transferList: [task.port] })
    const worker = this.#piscina.threads[0]
    if (worker && !this.#worker) this.#watch(worker)
    return outcome
  }

  #watch(worker: Worker): void {
    this.#worker = worker
    worker.once('error', (error) => { this.#fault = error })
    worker.once('exit', (code) => {
      this.#exitCode = code
      this.#markExited()
      this.#giveUp()
    })
  }

  #giveUp(): void {
    this.#isAlive = false
    void this.#piscina.destroy()
  }

  /** Lets the job and its thread hear of each other; answers what ends that. */
  #connect(port: MessagePort, job: RunningJob): () => void {
    let isOver = false
    let grace: Timer | null = null
    const receive = ({ progress, lines }: ThreadReport): void => {
      if (progress !== null) job.progress(progress)
      for (const line of lines) job.log(line)
    }
    const abort = (): void => { port.postMessage(packError(job.signal.reason)) }
    const kill = (): void => { void this.end() }
    port.on('message', receive)
    port.unref()
    job.signal.addEventListener('abort', abort)
    job.onEnd(() => {
      if (isOver) return
      if (isLeaseLost(job.signal.reason)) grace = this.#env.after(leaseLostGraceMs, kill)
      else kill()
    })
    return () => {
      isOver = true
      grace?.cancel()
      job.signal.removeEventListener('abort', abort)
      // The outcome came by another way: what was reported before it may still wait here.
      for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
        receive(next.message as ThreadReport)
      }
      port.close()
    }
  }

  /** Why piscina has no outcome; waits until the thread has ended, if that is why. */
  async #faultOf(error: unknown, job: RunningJob): Promise<unknown> {
    if (this.#worker && this.#piscina.threads.includes(this.#worker)) {
      return new UnrecoverableSandboxError(
        `the input cannot be sent to a thread: ${messageOf(error)}`, { cause: error },
      )
    }
    if (!this.#worker) {
      await this.end()
      return new SandboxError(`no thread could be started: ${messageOf(error)}`, { cause: error })
    }
    await this.exited
    if (this.#wasEnded && job.signal.aborted) return job.signal.reason
    if (this.#fault === null) {
      return new SandboxError(
        `the thread exited with code ${this.#exitCode} before the handler had ended`,
      )
    }
    const cause = this.#fault
    return new SandboxError(`the thread crashed: ${messageOf(cause)}`, { cause })
  }
}

function fieldsOf(job: RunningJob): JobFields {
  const { id, queue, task, input, attempt, fence, label, meta, partition, parents } = job
  return { id, queue, task, input, attempt, fence, label, meta, partition, parents }
}

function isLeaseLost(reason: unknown): boolean {
  return reason instanceof TroupeError && reason.code === 'lease-lost'
}

function unloadable(module: string, cause: unknown): Error {
  return new UnrecoverableSandboxError(
    `the module ${module} could not be loaded: ${messageOf(cause)}`, { cause },
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
