import { isJsonEqual } from '../../records/json.ts'
import type { Retention, StoreEvent, SweepAnswer, SweepRequest } from '../store.ts'
import { forgetWorkers } from './beating.ts'
import type { Connected } from './connected.ts'
import { numberEntries, trimLog } from './log.ts'
import { readSetting } from './settings.ts'
import { prune, readPulse, sweepJobs } from './sweeping.ts'
import type { Pulse } from './sweeping.ts'

/**
 * Retention of a queue is looked at so often, and sooner after a change that was made here, or when
 * something is known to be due.
 */
const retentionMs = 60_000
/** And what dead workers left behind so often. */
const tidyMs = 600_000

/** What the sweeps of one process remember from one to the next. */
export class Sweeping {
  readonly #connected: Connected
  /** When the retention of a queue is looked at again, as long as it is the same. */
  readonly #retainAt = new Map<string, {
    readonly at: number
    /** When something falls due, as far as was known then. */
    readonly nextAt: number
    readonly keep: Retention
  }>()
  #tidyAt = 0
  /** Versions of settings that this process has told of. */
  readonly #versions = new Map<string, number>()

  constructor(connected: Connected) {
    this.#connected = connected
    connected.broadcast.watch((event) => { this.#noteSettled(event) })
  }

  async sweep(request: SweepRequest): Promise<SweepAnswer> {
    const { database, run, schema } = this.#connected
    const queues = [...request.retention.keys()]
    const pulse = await database.once('a sweep', () => readPulse(run, schema, queues))
    await this.#noteSettings(pulse.settings)
    const now = this.#connected.now()
    const due = [pulse.delayed, pulse.expiring, pulse.lease].some((at) => at !== null && at <= now)
    let moved = 0
    if (due || pulse.unjudged) {
      moved = await this.#connected.decide(
        'a sweep', (work) => sweepJobs(work, pulse, request), false,
      )
    }
    if (pulse.unnumbered || moved > 0) await this.#number()
    const { pruned, nextAt } = await this.#retain(request, moved, now)
    if (now >= this.#tidyAt) {
      this.#tidyAt = now + tidyMs
      await database.once('a sweep', () => forgetWorkers(run, schema, now))
    }
    for (const queue of pulse.ready) this.#connected.broadcast.emit([{ type: 'wake', queue }])
    this.#connected.lookAround()
    const latest = due || pulse.unjudged
      ? await database.once('a sweep', () => readPulse(run, schema, [])) : pulse
    const more = moved + pruned >= request.limit || latest.unjudged
    return { more, nextAt: earliest(latest, nextAt) }
  }

  #number(): Promise<void> {
    const { database } = this.#connected
    return database.once('a sweep', async () => {
      while (await numberEntries(database)) { /* until nothing is left */ }
    })
  }

  async #retain(
    { retention, limit }: SweepRequest, moved: number, now: number,
  ): Promise<{ readonly pruned: number; readonly nextAt: number | null }> {
    const { database, schema } = this.#connected
    let pruned = 0
    let nextAt = Infinity
    for (const [queue, keep] of retention) {
      const known = this.#retainAt.get(queue)
      if (known && known.at > now && isJsonEqual({ ...known.keep }, { ...keep })) {
        nextAt = Math.min(nextAt, known.nextAt)
        continue
      }
      await database.once('a sweep', async () => {
        await database.transaction(async (run) => {
          const work = { run, schema, now }
          const left = Math.max(0, limit - moved - pruned)
          const { count, nextAt: next } = await prune(work, queue, keep, left)
          pruned += count
          const trimAt = await trimLog(run, schema, queue, keep, now)
          const soonest = Math.min(next ?? Infinity, trimAt ?? Infinity)
          nextAt = Math.min(nextAt, soonest)
          // A child that has gone may let its parent go.
          const at = Math.min(soonest, now + retentionMs)
          if (count === 0) this.#retainAt.set(queue, { at, nextAt: soonest, keep })
        })
      })
    }
    return { pruned, nextAt: Number.isFinite(nextAt) ? nextAt : null }
  }

  /** Tells of settings that others have written; notices of them may have been missed. */
  async #noteSettings(settings: Pulse['settings']): Promise<void> {
    const { database, run, schema, broadcast } = this.#connected
    for (const [key, version] of Object.entries(settings)) {
      if ((this.#versions.get(key) ?? 0) >= version) continue
      const present = await database.once('a sweep', () => readSetting(run, schema, key))
      this.#versions.set(key, present.version)
      broadcast.emit([{ type: 'setting', key, value: present.value }])
    }
  }

  #noteSettled(event: StoreEvent): void {
    if (event.type !== 'changes') return
    for (const { entry, record } of event.changes) {
      const known = this.#retainAt.get(entry.queue)
      // Nothing is pruned before its time; until then there is nothing to look for.
      const at = (record?.settledAt ?? entry.at) + (known?.keep.minAgeMs ?? 0)
      if (known && at < known.at) this.#retainAt.set(entry.queue, { ...known, at, nextAt: at })
      // Its parents may be of any queue.
      if (record?.state === 'completed' && record.dependsOn.length > 0) this.#retainAt.clear()
    }
  }
}

function earliest({ delayed, expiring, lease }: Pulse, retention: number | null): number | null {
  const times = [delayed, expiring, lease, retention].filter((at) => at !== null)
  return times.length === 0 ? null : Math.min(...times)
}
