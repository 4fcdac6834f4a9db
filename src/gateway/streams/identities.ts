import type { Queue } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import type { Identity } from './filter.ts'
import type { StreamEvent } from './ring.ts'

const remembered = 20_000

/** Partition and meta of jobs, looked up once; of more than it remembers, the oldest go. */
export class Identities {
  readonly #queueOf: (name: string) => Queue<Tasks> | undefined
  readonly #known = new Map<string, Identity | null>()
  /** What is being looked up; taken out when the answer may be of a job that is no more. */
  readonly #loading = new Map<string, symbol>()

  constructor(queueOf: (name: string) => Queue<Tasks> | undefined) {
    this.#queueOf = queueOf
  }

  /** Undefined when it has to be loaded first; null when there is no such job any more. */
  of(event: StreamEvent): Identity | null | undefined {
    const known = this.#known.get(keyOf(event))
    // The id may have been given again: what came before is of another job.
    return known && event.at < known.createdAt ? null : known
  }

  /** Rejects when the store cannot read. */
  async load(events: readonly StreamEvent[]): Promise<void> {
    const missing = new Map<string, StreamEvent>()
    for (const event of events) {
      const key = keyOf(event)
      if (!this.#known.has(key)) missing.set(key, event)
    }
    await Promise.all([...missing].map(async ([key, { queue, jobId }]) => {
      const mark = Symbol(key)
      this.#loading.set(key, mark)
      const record = await this.#queueOf(queue)?.get(jobId)
      // Another look has begun since, or the id was given again: that one knows better.
      if (this.#loading.get(key) !== mark) return
      this.#loading.delete(key)
      this.#known.set(key, record
        ? { partition: record.partition, meta: record.meta, createdAt: record.createdAt } : null)
    }))
    for (const key of this.#known.keys()) {
      if (this.#known.size <= remembered) break
      this.#known.delete(key)
    }
  }

  /** A job is added: what was known of that id is not true any more. */
  forget(event: StreamEvent): void {
    const key = keyOf(event)
    this.#known.delete(key)
    this.#loading.delete(key)
  }
}

function keyOf({ queue, jobId }: StreamEvent): string {
  return `${queue}\n${jobId}`
}
