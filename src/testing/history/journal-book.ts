import type { CancelAnswer, Job, Json, Middleware } from '../../index.ts'
import { TroupeError, UnrecoverableError } from '../../index.ts'
import { systemEnv } from '../../env.ts'
import type { Ending } from '../handler-journal.ts'
import type { Journal, JournalLine } from './journal.ts'

type Handler<Input> = (job: Job<Input>) => unknown

/** A handler that has begun and not ended. */
export interface RunningHandler {
  readonly job: Job
  /** Epoch milliseconds. */
  readonly startedAt: number
}

/** Keeps the journal of one process, for tests whose processes are troupes of their own. */
export class JournalBook {
  readonly #process: string
  readonly #worker: string
  readonly #now: () => number
  readonly #lines: JournalLine[] = []
  readonly #running = new Map<number, RunningHandler>()
  #killed = false

  constructor(worker: string, process = worker, now: () => number = () => systemEnv.now()) {
    this.#worker = worker
    this.#process = process
    this.#now = now
  }

  get journal(): Journal {
    const { length } = this.#lines
    return {
      process: this.#process, worker: this.#worker, killed: this.#killed,
      lines: this.#lines.slice(0, length),
    }
  }

  /** From now on nothing counts that its handlers say. */
  kill(): void {
    this.#killed = true
    this.#running.clear()
  }

  write(line: JournalLine): void {
    if (!this.#killed) this.#lines.push(line)
  }

  added(...ids: string[]): void {
    for (const id of ids) this.write({ what: 'added', id })
  }

  cancel(id: string, answer: CancelAnswer): void {
    this.write({ what: 'cancel', id, answer })
  }

  /** Handlers that have begun and not ended, oldest first. */
  get running(): readonly RunningHandler[] {
    return [...this.#running.values()]
  }

  /** The handler, with a line at its start and one at its end. */
  around<Input>(handler: Handler<Input>): Handler<Input> {
    return (job) => this.#attempt(job, {}, async (hear) => handler(withProgress(job, hear)))
  }

  /** The same for all handlers of a troupe; their lines name the queue, and no progress. */
  readonly middleware: Middleware = (job, next) =>
    this.#attempt(job, { queue: job.queue }, () => next())

  async #attempt(
    job: Job, where: Pick<JournalLine, 'queue'>,
    run: (hear: (current: number) => void) => Promise<unknown>,
  ): Promise<unknown> {
    const { id, fence, attempt, signal } = job
    let reported: number | null = null
    const startedAt = this.#now()
    this.write({ ...where, what: 'start', id, fence, attempt, at: startedAt })
    this.#running.set(fence, { job, startedAt })
    const end = (ending: Ending | 'aborted', result: Json): void => {
      const aborted = signal.aborted ? codeOf(signal.reason) : null
      const at = this.#now()
      this.#running.delete(fence)
      this.write({ ...where, what: 'end', id, fence, at, ending, result, reported, aborted })
    }
    try {
      const result = await run((current) => { reported = current })
      end('complete', (result ?? null) as Json)
      return result
    } catch (error) {
      end(error === signal.reason ? 'aborted' : endingOf(error), null)
      throw error
    }
  }
}

function codeOf(reason: unknown): string {
  return reason instanceof TroupeError ? reason.code : String(reason)
}

function endingOf(error: unknown): Ending {
  if (error instanceof TroupeError && error.code === 'snoozed') return 'snooze'
  if (error instanceof TroupeError && error.code === 'limit-reached') return 'limit'
  return error instanceof UnrecoverableError ? 'fatal' : 'fail'
}

/** The job, but who listens hears `current` of each report. */
function withProgress<Input>(job: Job<Input>, hear: (current: number) => void): Job<Input> {
  return new Proxy(job, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]): unknown => {
        const answer: unknown = Reflect.apply(member, target, args)
        const report = args[0]
        if (name !== 'progress' || typeof report !== 'object' || report === null) return answer
        if ('current' in report && typeof report.current === 'number') hear(report.current)
        return answer
      }
    },
  })
}
