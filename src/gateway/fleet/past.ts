import type { Queue } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import type { Troupe } from '../../orchestrator/troupe.ts'
import type { Transition } from '../../records/transition.ts'
import { leaves } from '../fleet-protocol.ts'
import type { WireChartEdge, WireExportHead, WireMoment, WireSeries } from '../fleet-protocol.ts'
import { QueueHistory } from './history.ts'
import type { Told } from './told.ts'

/** Queues that are read at a time. */
const atOnce = 8
/** Histories of some tasks of a queue that are remembered. */
const byTaskLimit = 64
/** What was read so lately is good enough for what lies before it. */
const freshMs = 2000

interface Kept {
  readonly history: QueueHistory
  /** By the gateway's clock. */
  refreshedAt: number
}

/** The past of all queues, as far as their logs keep it. */
export class FleetPast {
  readonly #troupe: Troupe
  readonly #edges: readonly WireChartEdge[]
  readonly #now: () => number
  readonly #kept = new Map<string, Kept>()
  /** Of queues and tasks, the one that was asked for last behind the others. */
  readonly #byTask = new Map<string, Kept>()

  constructor(troupe: Troupe, edges: readonly WireChartEdge[], now: () => number) {
    this.#troupe = troupe
    this.#edges = edges
    this.#now = now
  }

  /** `tasks`: only their jobs; null means any. */
  async at(
    queues: readonly Queue<Tasks>[], time: number, windowMs: number,
    tasks: readonly string[] | null = null,
  ): Promise<WireMoment> {
    const histories = await this.#refresh(queues, time, tasks)
    const from = keptFrom(histories)
    if (from === null || !isKept(histories, time)) return { kept: false, time, keptFrom: from }
    const moments = await inTurns(histories, async (history) =>
      [await history.at(time), await history.at(time - windowMs)] as const)
    const counts = leaves.map((_, place) =>
      moments.reduce((sum, [now]) => sum + (now.counts[place] ?? 0), 0))
    const edges = this.#edges.map((_, edge) => [edge, moments.reduce((sum, [now, before]) =>
      sum + (now.edges[edge] ?? 0) - (before.edges[edge] ?? 0), 0)] as const)
    const next = moments.flatMap(([now]) => now.next ?? [])
    const previous = moments.flatMap(([now]) => now.previous ?? [])
    return {
      kept: true, time, windowMs, counts, edges: edges.filter(([, times]) => times > 0),
      next: next.length === 0 ? null : Math.min(...next),
      previous: previous.length === 0 ? null : Math.max(...previous),
    }
  }

  async series(
    queues: readonly Queue<Tasks>[], from: number, to: number, points: number,
    tasks: readonly string[] | null = null,
  ): Promise<WireSeries> {
    const histories = await this.#refresh(queues, to, tasks)
    const stepMs = Math.max(1, Math.ceil((to - from) / points))
    const spans = Array.from(
      { length: Math.max(1, Math.ceil((to - from) / stepMs)) }, () => ({ completed: 0, failed: 0 }),
    )
    for (const history of histories) history.sum(from, stepMs, spans)
    const begin = keptFrom(histories)
    const isTold = (place: number): boolean =>
      begin !== null && isKept(histories, from + place * stepMs + stepMs - 1)
    return {
      from, to, stepMs, keptFrom: begin,
      completed: spans.map(({ completed }, place) => (isTold(place) ? completed : null)),
      failed: spans.map(({ failed }, place) => (isTold(place) ? failed : null)),
    }
  }

  /** The oldest moment that can be shown; null: nothing is kept. */
  async keptFrom(queues: readonly Queue<Tasks>[]): Promise<number | null> {
    return keptFrom(await this.#refresh(queues, 0))
  }

  /** What an export begins with; what the log keeps no more is not in it. */
  async head(
    queues: readonly Queue<Tasks>[], from: number, to: number,
  ): Promise<WireExportHead> {
    const histories = await this.#refresh(queues, to)
    const begin = Math.max(from, ...histories.flatMap(({ trimmedAt }) => trimmedAt ?? []))
    const before = await inTurns(histories, (history) => history.at(begin - 1))
    return {
      export: 'troupe-fleet', version: 1, from: begin, to,
      counts: leaves.map((_, place) =>
        before.reduce((sum, { counts }) => sum + (counts[place] ?? 0), 0)),
    }
  }

  /** By time, and in the order of each queue's log. */
  async *between(
    queues: readonly Queue<Tasks>[], from: number, to: number,
  ): AsyncGenerator<Told> {
    const histories = queues.map((queue) => this.#of(queue).history)
    const readers = histories.map((history) => history.between(from, to))
    const heads = await Promise.all(readers.map((reader) => reader.next()))
    for (;;) {
      let first = -1
      let at = Infinity
      for (const [place, head] of heads.entries()) {
        if (head.done || head.value.transition.at >= at) continue
        first = place
        ;({ at } = head.value.transition)
      }
      const head = heads[first]
      const reader = readers[first]
      if (!reader || !head || head.done) return
      yield head.value
      heads[first] = await reader.next()
    }
  }

  /**
   * The newest transitions of all these queues that are wanted, the newest first; those until a
   * moment, when one is given.
   */
  async latest(
    queues: readonly Queue<Tasks>[], isWanted: (transition: Transition) => boolean, limit: number,
    until = Infinity,
  ): Promise<{ readonly found: readonly Transition[]; readonly stoppedAt: number | null }> {
    const histories = await this.#refresh(queues, until)
    const parts = await inTurns(histories, (history) => history.latest(isWanted, limit, until))
    const found = parts.flatMap((part) => part.found).sort((a, b) => b.at - a.at)
    const stopped = parts.flatMap(({ stoppedAt }) => stoppedAt ?? [])
    return {
      found: found.slice(0, limit),
      stoppedAt: stopped.length === 0 ? null : Math.max(...stopped),
    }
  }

  #of(queue: Queue<Tasks>, tasks: readonly string[] | null = null): Kept {
    const known = tasks ? this.#byTask : this.#kept
    const key = tasks ? JSON.stringify([queue.name, ...tasks]) : queue.name
    const kept = known.get(key) ?? {
      history: new QueueHistory(this.#troupe, queue, this.#edges, tasks), refreshedAt: -Infinity,
    }
    known.delete(key)
    known.set(key, kept)
    const [oldest] = this.#byTask.keys()
    if (this.#byTask.size > byTaskLimit && oldest !== undefined) this.#byTask.delete(oldest)
    return kept
  }

  async #refresh(
    queues: readonly Queue<Tasks>[], until: number, tasks: readonly string[] | null = null,
  ): Promise<readonly QueueHistory[]> {
    const now = this.#now()
    return inTurns(queues, async (queue) => {
      const kept = this.#of(queue, tasks)
      const isFresh = now - kept.refreshedAt < freshMs && until < kept.refreshedAt
      if (!isFresh) {
        await kept.history.refresh()
        kept.refreshedAt = now
      }
      return kept.history
    })
  }
}

/** What one queue's log has lost is lost of all of them together. */
function keptFrom(histories: readonly QueueHistory[]): number | null {
  const trimmed = histories.flatMap(({ trimmedAt }) => trimmedAt ?? [])
  if (trimmed.length > 0) return Math.max(...trimmed)
  const begun = histories.flatMap(({ begin }) => begin ?? [])
  return begun.length === 0 ? null : Math.min(...begun)
}

function isKept(histories: readonly QueueHistory[], time: number): boolean {
  return histories.every(({ trimmedAt }) => trimmedAt === null || time >= trimmedAt)
}

async function inTurns<T, R>(
  items: readonly T[], work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const done: R[] = []
  for (let start = 0; start < items.length; start += atOnce) {
    done.push(...await Promise.all(items.slice(start, start + atOnce).map(work)))
  }
  return done
}
