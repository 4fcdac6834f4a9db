import { lastValueFrom } from 'rxjs'
import { TroupeError } from '../errors.ts'
import type { JobPage } from '../orchestrator/filter.ts'
import type { Logger } from '../orchestrator/logger.ts'
import type { Queue, Spec } from '../orchestrator/queue.ts'
import type { Tasks } from '../orchestrator/tasks.ts'
import { createTroupe } from '../orchestrator/troupe.ts'
import type { Troupe } from '../orchestrator/troupe.ts'
import { isSettled } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import type { Store } from '../stores/store.ts'
import type {
  Fleet, FleetQueue, FleetSchedules, JobLine, JobLines, JobView,
} from './fleet.ts'

/** Whom records and transitions name for what is done from the command line. */
const cliName = 'cli'

/** The queues of a store that this process opens itself. Nothing is claimed or run. */
export async function openStoreFleet(store: Store, name: string, logger: Logger): Promise<Fleet> {
  const troupe = await createTroupe({ store, logger, worker: cliName })
  return new StoreFleet(troupe, store, name)
}

class StoreFleet implements Fleet {
  readonly name: string
  readonly isShared: boolean
  readonly #troupe: Troupe
  readonly store: Store

  constructor(troupe: Troupe, store: Store, name: string) {
    this.#troupe = troupe
    this.store = store
    this.name = name
    this.isShared = store.capabilities.multiProcess
  }

  async names(): Promise<readonly string[]> {
    const [counts, workers] = await Promise.all([this.store.counts(null), this.store.workers()])
    const declared = workers.flatMap(({ queues }) => queues.map(({ name }) => name))
    return [...new Set([...counts.keys(), ...declared])].sort()
  }

  queue(name: string): FleetQueue {
    this.#troupe.queue(name)
    const queue = this.#troupe.queues({ by: cliName }).find((each) => each.name === name)
    if (!queue) throw new Error(`the queue ${name} was declared and is not there`)
    return untyped(queue)
  }

  async queueOf(id: string): Promise<FleetQueue | null> {
    const [record] = await this.store.get([id])
    return record ? this.queue(record.queue) : null
  }

  async settled(queue: string, id: string): Promise<JobView | null> {
    const { record$ } = this.#troupe.queue(queue).job(id)
    return lastValueFrom(record$).then((last) => (isSettled(last) ? last : null), (error) => {
      if (error instanceof TroupeError && error.code === 'unknown-job') return null
      throw error
    })
  }

  workers: Fleet['workers'] = () => this.#troupe.workers()
  doctor: Fleet['doctor'] = () => this.#troupe.doctor()
  close: Fleet['close'] = () => this.#troupe.stop()

  transitions: Fleet['transitions'] = (queue, listener) => {
    const seen = this.#troupe.observe(queue === null ? {} : { queue })
    const subscription = seen.subscribe(listener)
    return () => { subscription.unsubscribe() }
  }
}

/** Tasks of a queue that is not known at compile time take any input: its owner checks them. */
function untyped(queue: Queue<Tasks>): FleetQueue {
  return {
    name: queue.name,
    schedules: queue.schedules as unknown as FleetSchedules,
    add: (task, input, options) => queue.add(task, input, options),
    addMany: (jobs) => queue.addMany(jobs as unknown as readonly Spec<Tasks>[]),
    get: async (id) => toView(await queue.get(id)),
    list: async (options) => toLines(await queue.list(options)),
    counts: () => queue.counts(),
    status: () => queue.status(),
    explain: async (id) => {
      const { record: _, ...explanation } = await queue.explain(id)
      return explanation
    },
    cancel: (id, reason) => queue.cancel(id, reason),
    retry: (id) => queue.retry(id),
    remove: (id) => queue.remove(id),
    reschedule: (id, when) => queue.reschedule(id, when),
    cancelMany: (filter, options) => queue.cancelMany(filter, options),
    retryMany: (filter, options) => queue.retryMany(filter, options),
    clean: (filter, options) => queue.clean(filter, options),
    pause: () => queue.pause(),
    resume: () => queue.resume(),
  }
}

/** What a gateway shows of a job, and no more. */
function toView(record: JobRecord | null): JobView | null {
  if (!record) return null
  const { operation: _, trace: _1, releases: _2, options: _3, parentKeys: _4, ...view } = record
  return view
}

function toLines({ jobs, ...page }: JobPage): JobLines {
  return { ...page, jobs: jobs.map(toLine) }
}

function toLine(record: JobRecord): JobLine {
  const {
    operation: _, trace: _1, releases: _2, options: _3, parentKeys: _4,
    input: _5, result: _6, log: _7, timeline: _8, error, ...line
  } = record
  if (!error) return { ...line, error: null }
  const { name, message, code } = error
  return { ...line, error: { name, message, ...(code !== undefined && { code }) } }
}
