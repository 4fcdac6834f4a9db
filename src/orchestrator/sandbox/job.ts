import { receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { Duration } from '../../duration.ts'
import { systemEnv } from '../../env.ts'
import { invalidOption } from '../../errors.ts'
import { toProgress } from '../../records/progress.ts'
import type { ProgressInput } from '../../records/progress.ts'
import type { Transaction } from '../../stores/store.ts'
import type { Job, Parent } from '../job.ts'
import { limitReached, snooze } from '../leaving.ts'
import { unpackError } from './errors.ts'
import type { PackedError } from './errors.ts'
import type { ThreadTask } from './protocol.ts'
import { ThreadReports } from './reports.ts'

/** The `job` that a handler gets in a thread. */
export class ThreadJob implements Job {
  readonly id: string
  readonly queue: string
  readonly task: string
  readonly input: unknown
  readonly attempt: number
  readonly fence: number
  readonly label: string | null
  readonly meta: unknown
  readonly partition: string | null
  readonly parents: readonly Parent[]
  readonly #port: MessagePort
  readonly #reports: ThreadReports
  readonly #controller = new AbortController()

  constructor({ job, port }: ThreadTask) {
    this.id = job.id
    this.queue = job.queue
    this.task = job.task
    this.input = job.input
    this.attempt = job.attempt
    this.fence = job.fence
    this.label = job.label
    this.meta = job.meta
    this.partition = job.partition
    this.parents = job.parents
    this.#port = port
    this.#reports = new ThreadReports(systemEnv, (report) => { port.postMessage(report) })
    port.on('message', (reason: PackedError) => { this.#abort(reason) })
  }

  get signal(): AbortSignal {
    this.#look()
    return this.#controller.signal
  }

  progress(report: ProgressInput): void {
    toProgress(report)
    this.#reports.report(report)
  }

  log(line: string): void {
    if (typeof line !== 'string') throw invalidOption('log', 'text', line)
    this.#reports.addLine(line)
  }

  throwIfCancelled(): void {
    this.signal.throwIfAborted()
  }

  snooze(wait: Duration): never {
    snooze(wait)
  }

  limitReached(wait: Duration): never {
    limitReached(wait)
  }

  complete(transaction: Transaction): Promise<never> {
    const wanted = 'left out: a handler in a thread has no connection that the job could use'
    return Promise.reject(invalidOption('transaction', wanted, transaction))
  }

  /** From now on reports go nowhere. */
  end(): void {
    this.#reports.close()
  }

  /** Work without an `await` keeps the thread's event loop from hearing of the abort. */
  #look(): void {
    const news = receiveMessageOnPort(this.#port) as { readonly message: PackedError } | undefined
    if (news) this.#abort(news.message)
  }

  #abort(reason: PackedError): void {
    this.#controller.abort(unpackError(reason))
  }
}
