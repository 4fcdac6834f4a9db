import { queueSettingKey } from '../settings.ts'
import type { ClaimAnswer, ClaimRequest } from '../store.ts'
import { claimBounded, claimChanges, claimPlain, isUnlimited } from './claiming.ts'
import type { Position } from './claiming.ts'
import type { Connected } from './connected.ts'
import { ensureQueueSetting, lockSetting } from './settings.ts'

/** So often the order of claims is gone through from its beginning; milliseconds. */
const restartMs = 250

/** Which way a claim takes, and what this process knows of its queues for that. */
export class ClaimDesk {
  readonly #connected: Connected
  readonly #ready = new Set<string>()
  /** Queues with jobs in partitions, which take turns. */
  readonly #partitioned = new Set<string>()
  /** Where the last full claim of a queue ended, and when the first of them began. */
  readonly #places = new Map<string, { readonly at: Position; readonly since: number }>()

  constructor(connected: Connected) {
    this.#connected = connected
    connected.broadcast.watch((event) => {
      if (event.type === 'wake') this.#places.delete(event.queue)
    })
  }

  /** Jobs of this queue have partitions. */
  partitioned(queue: string): void {
    this.#partitioned.add(queue)
  }

  async claim(request: ClaimRequest): Promise<ClaimAnswer> {
    const { queue, tasks, limit, limits } = request
    const { run, schema, database } = this.#connected
    if (limits.perPartition !== null) this.#connected.bounded.add(queue)
    if (tasks.size === 0 || limit <= 0) return { records: [], nextAt: null }
    if (!this.#ready.has(queue)) {
      await database.once('a claim', () => ensureQueueSetting(run, schema, queue))
      this.#ready.add(queue)
    }
    if (!isUnlimited(request) || this.#partitioned.has(queue)) return this.#bounded(request)
    const now = this.#connected.now()
    const place = this.#place(queue)
    const plain = await database.once('a claim', () =>
      claimPlain(run, schema, request, now, place?.at ?? null))
    if (place && plain.records.length < limit) {
      // What lies in front of the place may be free again: the whole order, then.
      this.#places.delete(queue)
      this.#connected.publish(claimChanges(plain.records, now))
      const left = { ...request, limit: limit - plain.records.length }
      const startable = Math.max(0, (request.startable ?? limit) - plain.records.length)
      const more = await this.claim({ ...left, startable })
      return { ...more, records: [...plain.records, ...more.records] }
    }
    const since = place?.since ?? this.#connected.env.monotonic()
    if (plain.last && plain.records.length === limit) {
      this.#places.set(queue, { at: plain.last, since })
    }
    this.#connected.publish(claimChanges(plain.records, now))
    if (plain.partitioned && !plain.paused) this.#partitioned.add(queue)
    if (plain.records.length < limit) {
      if (plain.partitioned && !plain.paused && plain.limitedUntil <= now) {
        const more = await this.#bounded({ ...request, limit: limit - plain.records.length })
        return { ...more, records: [...plain.records, ...more.records] }
      }
      await this.#notePassedOver(request)
    }
    const held = plain.limitedUntil > now && await this.#hasReady(request)
    return { records: plain.records, nextAt: held ? plain.limitedUntil : null }
  }

  /**
   * While a queue is drained, claims go on where the last one ended: behind the rows of claimed
   * jobs that a vacuum has not removed yet. A job that becomes ready begins anew, and so does time.
   */
  #place(queue: string): { readonly at: Position; readonly since: number } | undefined {
    const place = this.#places.get(queue)
    if (!place || this.#connected.env.monotonic() - place.since < restartMs) return place
    this.#places.delete(queue)
    return undefined
  }

  #bounded(request: ClaimRequest): Promise<ClaimAnswer> {
    return this.#connected.database.once('a claim', () =>
      this.#connected.decide('a claim', async (work) => {
        const setting = await lockSetting(work.run, work.schema, queueSettingKey(request.queue))
        // One claim after the other: windows of a rate are measured by the one clock of all.
        work.now = await this.#connected.exactNow(work.run)
        return claimBounded(work, request, setting)
      }, false))
  }

  /** Who asks for a claim wants to know what it did not get for being there still. */
  async #notePassedOver({ queue, exclude }: ClaimRequest): Promise<void> {
    const ids = [...exclude]
    if (ids.length === 0) return
    const { run, schema, database } = this.#connected
    const rows = await database.once('a claim', () => run(
      `select id from ${schema}.jobs where id = any($1::text[]) and queue = $2
      and phase = 'ready'`, [ids, queue],
    ))
    for (const { id } of rows) exclude.has(id as string)
  }

  async #hasReady({ queue, tasks }: ClaimRequest): Promise<boolean> {
    const { run, schema, database } = this.#connected
    const rows = await database.once('a claim', () => run(
      `select 1 as one from ${schema}.jobs where queue = $1 and task = any($2::text[])
      and phase = 'ready' limit 1`, [queue, [...tasks.keys()]],
    ))
    return rows.length > 0
  }
}
