import { createTroupe, TroupeError, UnrecoverableError } from '../../index.ts'
import type { Job, Queue, Troupe } from '../../index.ts'
import type { LogEntry } from '../../records/transition.ts'
import type { Ending, HandlerJournal, Run } from '../handler-journal.ts'
import { perPartition, rate } from './limits.ts'
import type { Process } from './places.ts'

export const concurrency = 2
export const queueName = 'images'

/** What the handler of an attempt does. */
export type Plan =
  | 'complete' | 'fail' | 'fatal' | 'snooze'
  /** Until it is told how to end, or its signal aborts. */
  | 'hang' | 'report'
  /** Until it is told how to end, whatever its signal says. */
  | 'deaf'

export interface Input {
  /** One for each attempt; those behind the last one hang. */
  readonly plans: readonly Plan[]
}

type Handler = (job: Job<Input>) => Promise<string>
export type ModelQueue = Queue<{ readonly work: Handler; readonly chore: Handler }>

/** What one observer was told. */
export interface Told {
  readonly name: string
  readonly entries: LogEntry[]
  readonly fromStart: boolean
}

/** One troupe of the model, its observers and its handlers. */
export class Worker {
  readonly name: string
  readonly process: Process
  readonly troupe: Troupe
  readonly queue: ModelQueue
  readonly told: Told[] = []
  /** Claims no more until it is resumed; null when the test cannot know. */
  drained: boolean | null = false
  /** Faults that the troupe reported or that an observer met. */
  readonly faults: unknown[] = []

  private constructor(
    name: string, process: Process, troupe: Troupe, journal: HandlerJournal, faults: unknown[],
  ) {
    this.name = name
    this.process = process
    this.troupe = troupe
    this.faults = faults
    const handler = (job: Job<Input>): Promise<string> => work(name, journal, job)
    this.queue = troupe.queue(queueName, {
      concurrency,
      rateLimit: rate,
      concurrencyPerPartition: perPartition,
      tasks: { work: handler, chore: handler },
      defaults: { backoff: { type: 'fixed', delay: 60, jitter: 0.5 }, cancelGrace: 50 },
      retention: { completed: 3, failed: 3, minAge: 1000 },
    })
    this.#observe()
  }

  static async open(name: string, process: Process, journal: HandlerJournal): Promise<Worker> {
    const faults: unknown[] = []
    const fault = (fields: object, message: string): void => { faults.push({ message, ...fields }) }
    const troupe = await createTroupe({
      store: process.store, env: process.env, worker: name,
      logger: { warn: fault, error: fault },
    })
    const worker = new Worker(name, process, troupe, journal, faults)
    await troupe.start()
    return worker
  }

  #observe(): void {
    const transitions: Told = { name: 'transitions$', entries: [], fromStart: false }
    const replayed: Told = { name: 'observe', entries: [], fromStart: true }
    const late: Told = { name: 'transitions$ behind one that acts', entries: [], fromStart: false }
    this.told.push(transitions, replayed, late)
    this.queue.transitions$.subscribe((entry) => {
      transitions.entries.push({ ...entry })
      // This observer cancels some jobs as soon as it hears that they run.
      if (entry.event === 'claim' && entry.jobId.startsWith('cursed')) {
        this.queue.cancel(entry.jobId).catch((error: unknown) => {
          // It may hear of the claim of another while its own process stops.
          if (!(error instanceof TroupeError && error.code === 'stopped')) this.faults.push(error)
        })
      }
    })
    this.troupe.observe({ queue: queueName, from: 'start' }).subscribe({
      next: (entry) => { replayed.entries.push({ ...entry }) },
      error: (error: unknown) => { this.faults.push(error) },
    })
    this.queue.transitions$.subscribe((entry) => { late.entries.push({ ...entry }) })
  }
}

function work(worker: string, journal: HandlerJournal, job: Job<Input>): Promise<string> {
  const plan = job.input.plans[job.attempt - 1] ?? 'hang'
  const run: Run = {
    worker, id: job.id, fence: job.fence, attempt: job.attempt,
    ended: null, reported: null, aborted: null, dead: false, finish: () => undefined,
  }
  journal.begin(run, concurrency)
  job.signal.addEventListener('abort', () => {
    run.aborted = (job.signal.reason as { readonly code: string }).code
  })
  const end = (ending: Ending): string => {
    run.ended = ending
    if (ending === 'fail') throw new Error('boom')
    if (ending === 'fatal') throw new UnrecoverableError('fatal')
    if (ending === 'snooze') job.snooze(40)
    return `${job.id}#${job.fence}`
  }
  if (plan === 'report') {
    for (const current of [1, 2, 3]) {
      job.progress({ current })
      run.reported = current
    }
  }
  if (plan !== 'hang' && plan !== 'report' && plan !== 'deaf') return later(() => end(plan))
  return new Promise<Ending>((resolve, reject) => {
    run.finish = resolve
    if (plan === 'deaf') return
    job.signal.addEventListener('abort', () => {
      run.ended ??= 'aborted'
      reject(job.signal.reason as Error)
    })
  }).then((ending) => end(ending))
}

async function later<T>(act: () => T): Promise<T> {
  await Promise.resolve()
  return act()
}
