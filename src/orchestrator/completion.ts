import type { Env } from '../env.ts'
import { TroupeError, TroupeErrorOf } from '../errors.ts'
import type { JobEvent } from '../../machines/job-events.ts'
import type { Json, Progress } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../records/job.ts'
import { ignored, step } from '../records/step.ts'
import type { Change, Store, Transaction } from '../stores/store.ts'
import { leaseLost } from './interruption.ts'
import type { Outage } from './outage.ts'

/** The store was refused an answer: another look after so long. */
const retryMs = 500
const kind = 'a look at a completed job'

export interface CompletionContext {
  readonly env: Env
  readonly store: Pick<Store, 'commit' | 'get'>
  readonly outage: Outage
  readonly worker: string
  readonly now: () => number
  readonly newOperation: () => string
}

/**
 * The end of a job in a transaction of the handler's own. Whether that has committed, only the
 * record tells, once the handler has ended.
 */
export class Completion {
  readonly #context: CompletionContext
  /** What each try would have made of the job, by the id of its operation. */
  readonly #tries = new Map<string, Change>()

  constructor(context: CompletionContext) {
    this.#context = context
  }

  /** The job may be completed already, without this process having seen it. */
  get isOpen(): boolean {
    return this.#tries.size > 0
  }

  /** The record is as one of the tries has made it. */
  has({ operation }: JobRecord): boolean {
    return operation !== null && this.#tries.has(operation)
  }

  /**
   * Completes the job as far as the transaction is concerned. `record` is as the run knows it;
   * `adopt` takes what the store says instead.
   */
  async complete(
    transaction: Transaction, result: Json,
    run: {
      record(): JobRecord
      readonly progress: Progress | null
      adopt(record: JobRecord): void
    },
  ): Promise<void> {
    const { store, worker, now, newOperation } = this.#context
    const { id, fence } = run.record()
    for (;;) {
      const record = run.record()
      if (record.state === 'cancelling') {
        const { reason } = record
        throw new TroupeErrorOf('job-cancelled', 'the job was cancelled', { id, reason })
      }
      const operation = newOperation()
      const event: JobEvent = {
        type: 'complete', now: now(), by: worker, progress: run.progress, result,
      }
      const moved = step(record, event, operation)
      if (moved === ignored || record.fence !== fence) throw leaseLost(id)
      this.#tries.set(operation, { entry: moved.transition, record: moved.record })
      const commit = { fence, rev: record.rev, ...moved }
      const [answer] = await store.commit([commit], { transaction })
      if (answer?.outcome === 'ok') return
      // Nothing was written.
      this.#tries.delete(operation)
      if (answer?.outcome !== 'conflict') throw leaseLost(id)
      run.adopt(answer.record)
      if (run.record().rev === record.rev) throw outOfDate()
    }
  }

  /** What has become of the job: what was committed by a try, or the record as it is. */
  async review(id: string): Promise<{
    readonly change: Change | null
    readonly record: JobRecord | null
  }> {
    const { env, store, outage } = this.#context
    for (;;) {
      try {
        const [record] = await store.get([id])
        outage.answered(kind)
        const change = this.#tries.get(record?.operation ?? '') ?? null
        this.#tries.clear()
        return { change, record: record ?? null }
      } catch (error) {
        if (error instanceof TroupeError && error.code === 'stopped') {
          return { change: null, record: null }
        }
        outage.refused(kind, 'the store refused a read; trying again', error)
        await new Promise<void>((resolve) => { env.after(retryMs, resolve) })
      }
    }
  }
}

function outOfDate(): TroupeErrorOf<'store-failed'> {
  return new TroupeErrorOf(
    'store-failed', 'the transaction does not see the job as it is now: begin it later',
    { operation: 'complete' },
  )
}
