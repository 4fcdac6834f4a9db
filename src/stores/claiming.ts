import { resolvePolicy } from '../records/policy.ts'
import type { JobRecord } from '../records/job.ts'
import type { Lane } from './lanes.ts'
import type { QueueRows } from './queue-rows.ts'
import type { Row } from './row.ts'
import type { Rows } from './rows.ts'
import { queueSettingKey, toQueueSetting } from './settings.ts'
import type { ClaimAnswer, ClaimRequest, Limits } from './store.ts'

/** Takes the next ready jobs of a queue, under its limits. */
export function claimFrom(rows: Rows, request: ClaimRequest, now: number): ClaimAnswer {
  const setting = toQueueSetting(rows.setting(queueSettingKey(request.queue)).value)
  const queue = rows.find(request.queue)
  if (setting.paused || queue.counts.ready === 0) return { records: [], nextAt: null }
  if (setting.limitedUntil > now) {
    const tasks = [...request.tasks.keys()]
    const held = queue.lanes.next(tasks) ?? queue.lanes.heldUntil(tasks)
    return { records: [], nextAt: held === undefined ? null : setting.limitedUntil }
  }
  return new Claiming(rows, queue, request, now).run()
}

/** The moment from which the limits admit a job of a partition; Infinity: time alone will not. */
function admittedAt(
  queue: QueueRows, { rate, perPartition }: Limits, partition: string | null, now: number,
): number {
  if (isFull(queue, perPartition, partition)) return Number.POSITIVE_INFINITY
  return rate === null ? now : queue.starts.nextAt(rate, partition, now)
}

function isFull(
  queue: QueueRows, bound: Limits['perPartition'], partition: string | null,
): boolean {
  return bound !== null && queue.lanes.running(partition) >= bound
}

/** Other limits have another name. */
function nameOf({ rate, perPartition }: Limits): string {
  return rate || perPartition !== null ? JSON.stringify([rate, perPartition]) : ''
}

class Claiming {
  readonly #rows: Rows
  readonly #queue: QueueRows
  readonly #request: ClaimRequest
  readonly #now: number
  readonly #claimed: JobRecord[] = []
  readonly #excluded: Row[] = []
  #nextAt = Number.POSITIVE_INFINITY

  constructor(rows: Rows, queue: QueueRows, request: ClaimRequest, now: number) {
    this.#rows = rows
    this.#queue = queue
    this.#request = request
    this.#now = now
  }

  run(): ClaimAnswer {
    const { limit, tasks, exclude, limits } = this.#request
    const { lanes } = this.#queue
    this.#queue.bounded ||= limits.perPartition !== null
    lanes.release(this.#now, nameOf(limits))
    while (this.#claimed.length < limit) {
      const lane = lanes.next(tasks.keys())
      const row = lane?.rows.peek()
      if (!lane || !row) break
      if (exclude.has(row.record.id)) {
        lanes.remove(row)
        this.#excluded.push(row)
        continue
      }
      const at = admittedAt(this.#queue, limits, lane.partition.name, this.#now)
      if (at <= this.#now) this.#take(lane, row)
      else if (this.#isSpent(lane)) {
        this.#nextAt = at
        break
      } else lanes.hold(lane, at)
    }
    for (const row of this.#excluded) lanes.push(row)
    const nextAt = Math.min(this.#nextAt, lanes.heldUntil(tasks.keys()) ?? Infinity)
    return { records: this.#claimed, nextAt: Number.isFinite(nextAt) ? nextAt : null }
  }

  /** No lane of the queue could be admitted now. */
  #isSpent({ partition }: Lane): boolean {
    const { rate, perPartition } = this.#request.limits
    return rate !== null && !rate.perPartition && !isFull(this.#queue, perPartition, partition.name)
  }

  #take({ partition }: Lane, row: Row): void {
    const { worker, leaseMs, tasks, limits, startable = Infinity } = this.#request
    const { record } = row
    const base = tasks.get(record.task)
    if (!base) throw new Error(`no policy for task ${record.task}`)
    const moved = this.#rows.step(row, {
      type: 'claim', now: this.#now, by: worker, fence: this.#rows.nextFence(),
      lease: { worker, until: this.#now + leaseMs },
      policy: resolvePolicy(record.options, base), started: this.#claimed.length < startable,
    })
    // A ready job that cannot be claimed has outlived its ttl.
    if (!moved) {
      this.#rows.step(row, { type: 'expire', now: this.#now, by: 'sweep' })
      return
    }
    this.#claimed.push(row.record)
    this.#queue.lanes.served(partition)
    if (limits.rate !== null) this.#rows.start(record.queue, [this.#now, record.partition])
  }
}
