import type { Queue } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import type { Troupe } from '../../orchestrator/troupe.ts'
import type { Transition } from '../../records/transition.ts'
import { leaves } from '../fleet-protocol.ts'
import type { WireChartEdge } from '../fleet-protocol.ts'
import type { Phase } from '../protocol.ts'
import { readLog } from '../streams/feed.ts'
import { Bins } from './bins.ts'
import { edgesByMove, Fold, toldPhase } from './fold.ts'
import { Marks } from './marks.ts'
import type { Mark } from './marks.ts'
import { absolute, isGone, toFolded } from './told.ts'
import type { Told } from './told.ts'

/** One queue at a moment. */
export interface Past {
  readonly counts: readonly number[]
  /** How often each edge was taken so far. */
  readonly edges: readonly number[]
  readonly previous: number | null
  readonly next: number | null
}

const minuteMs = 60_000
/** A keyframe that spares reading fewer entries is not worth its place; more are never read. */
const fewest = 64
const most = 2000
/** Remembered phases. */
const toldLimit = 100_000
const pageSize = 500
/** Entries in which a few of one edge are looked for. */
const searchedLimit = 10_000

/**
 * What the log of one queue says of its past. Keyframes are made from the log, one for a minute
 * in which much happened, when somebody asks; and anew when the log was trimmed past them.
 * With `tasks` it is the past of jobs of these tasks. Nobody counts them: of what the log does not
 * tell, as many are taken to have been there as explain what happens later.
 */
export class QueueHistory {
  readonly #troupe: Troupe
  readonly #queue: Queue<Tasks>
  readonly #edges: readonly WireChartEdge[]
  readonly #byMove: ReadonlyMap<string, number>
  readonly #tasks: ReadonlySet<string> | null
  /** How low each leaf fell: below nothing, when jobs were there before. */
  #lowest = leaves.map(() => 0)
  #fold: Fold
  #marks = new Marks()
  #told = new Map<number, Phase>()
  #bins = new Bins()
  /** Behind which entry the fold stands. */
  #seq: number | null = null
  #at = 0
  /** The oldest entry of the log; seq 1 means that it tells all. */
  #oldest: Pick<Transition, 'seq' | 'at'> | null = null
  /** What was there before the first entry that was folded, in each leaf. */
  #base: readonly number[] | null = null
  #present: readonly number[] = leaves.map(() => 0)
  #refreshing: Promise<void> | null = null

  constructor(
    troupe: Troupe, queue: Queue<Tasks>, edges: readonly WireChartEdge[],
    tasks: readonly string[] | null = null,
  ) {
    this.#troupe = troupe
    this.#queue = queue
    this.#edges = edges
    this.#tasks = tasks && new Set(tasks)
    this.#byMove = edgesByMove(edges)
    this.#fold = this.#begin()
  }

  get name(): string {
    return this.#queue.name
  }

  /** The oldest moment that the log tells of; null when it tells all, or nothing. */
  get trimmedAt(): number | null {
    return this.#oldest && this.#oldest.seq > 1 ? this.#oldest.at : null
  }

  /** The first entry's time; null without any. */
  get begin(): number | null {
    return this.#oldest?.at ?? null
  }

  /** Reads what the log has more than before. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => { this.#refreshing = null })
    return this.#refreshing
  }

  /** The queue after all that happened until `time`. */
  async at(time: number): Promise<Past> {
    const mark = this.#marks.before(time)
    const fold = this.#foldFrom(mark)
    let previous = mark?.at ?? null
    let next: number | null = null
    let passed = 0
    for await (const told of this.#readFrom(mark)) {
      const { at } = told.transition
      const isOne = this.#isOne(told.transition)
      if (at > time) {
        next = at
        passed += 1
        // A step that finds none of these tasks so soon ends at some other's transition.
        if (isOne || passed >= most) break
      } else if (isOne) {
        fold.apply(toFolded(told))
        if (at < time) previous = at
      }
    }
    return { counts: this.#absolute(fold.counts), edges: fold.edges, previous, next }
  }

  /** What happened from `from` on, and until `to`. */
  async *between(from: number, to: number): AsyncGenerator<Told> {
    for await (const told of this.#readFrom(this.#marks.before(from - 1))) {
      if (told.transition.at > to) return
      if (told.transition.at >= from) yield told
    }
  }

  /**
   * The newest transitions for which `isWanted` says so, the newest first, and when the oldest was
   * that was looked at; null when all were. `until`: as it was at that moment.
   */
  async latest(
    isWanted: (transition: Transition) => boolean, limit: number, until = Infinity,
  ): Promise<{ readonly found: readonly Transition[]; readonly stoppedAt: number | null }> {
    const found: Transition[] = []
    let end = this.#marks.after(until)?.seq ?? this.#seq ?? 0
    const floor = Math.max((this.#oldest?.seq ?? 1) - 1, end - searchedLimit)
    let at: number | null = null
    while (found.length < limit && end > floor) {
      const start = Math.max(floor, end - pageSize)
      const part = await readLog(this.#troupe, this.name, start, end - start)
      found.push(...part.transitions.filter((transition) =>
        transition.at <= until && isWanted(transition)).reverse())
      at = part.transitions[0]?.at ?? at
      end = start
    }
    const isAll = end <= (this.#oldest?.seq ?? 1) - 1
    return { found: found.slice(0, limit), stoppedAt: isAll && found.length <= limit ? null : at }
  }

  sum(from: number, stepMs: number, into: readonly { completed: number; failed: number }[]): void {
    this.#bins.sum(from, stepMs, into)
  }

  #begin(): Fold {
    this.#marks = new Marks()
    this.#told = new Map()
    this.#bins = new Bins()
    this.#seq = null
    this.#at = 0
    this.#base = null
    this.#lowest = leaves.map(() => 0)
    return new Fold(this.#edges, null, this.#byMove)
  }

  async #refresh(): Promise<void> {
    const { transitions: [oldest] } = await readLog(this.#troupe, this.name, null, 1)
    if (oldest && this.#oldest && oldest.seq !== this.#oldest.seq) await this.#trim()
    else this.#oldest = oldest ?? null
    await this.#catchUp()
    if (this.#tasks) {
      this.#base = this.#lowest.map((count) => -count)
      return
    }
    for (let round = 0; round < 3; round += 1) {
      const before = this.#seq
      const counts = await this.#queue.counts()
      await this.#catchUp()
      this.#present = leaves.map((leaf) => counts[leaf])
      const isClean = this.#seq === before
      // On a busy queue it may be out by the few transitions that came while it was counted.
      if (isClean || !this.#base) {
        this.#base = this.#present.map((count, place) => count - (this.#fold.counts[place] ?? 0))
      }
      if (isClean) return
    }
  }

  async #catchUp(): Promise<void> {
    for (;;) {
      const part = await readLog(this.#troupe, this.name, this.#seq, pageSize).catch((error) => {
        if (!isGone(error)) throw error
        return null
      })
      if (!part) {
        this.#fold = this.#begin()
        continue
      }
      for (const transition of part.transitions) this.#take(transition)
      this.#seq = part.seq
      if (part.transitions.length < pageSize) return
    }
  }

  #take(transition: Transition): void {
    const { seq, at } = transition
    const last = this.#marks.last
    const since = seq - (last?.seq ?? this.#oldest?.seq ?? seq)
    const isNextMinute = Math.floor(at / minuteMs) > Math.floor(this.#at / minuteMs)
    if (since >= most || (isNextMinute && since >= fewest)) this.#mark(seq - 1)
    this.#at = Math.max(this.#at, at)
    if (!this.#isOne(transition)) return
    const step = this.#fold.apply(transition)
    this.#lower(step.from)
    const left = toldPhase(transition, step)
    if (left !== undefined && this.#told.size < toldLimit) this.#told.set(seq, left)
    if (step.to !== step.from) {
      const leaf = leaves[step.to]
      this.#bins.add(at, leaf === 'completed' ? 1 : 0, leaf === 'failed' ? 1 : 0)
    }
  }

  #isOne({ task }: Transition): boolean {
    return this.#tasks === null || this.#tasks.has(task)
  }

  #lower(place: number): void {
    this.#lowest[place] = Math.min(this.#lowest[place] ?? 0, this.#fold.counts[place] ?? 0)
  }

  #mark(seq: number): void {
    const { counts, edges } = this.#fold
    this.#marks.add({ seq, at: this.#at, counts: [...counts], edges: [...edges] })
  }

  /**
   * The log begins later than it did. What it told until then is worked out backwards, from the
   * first keyframe that is left; without any it is read anew.
   */
  async #trim(): Promise<void> {
    const head = new Fold(this.#edges, null, this.#byMove)
    let oldest: Transition | null = null
    let first: Mark | undefined
    for await (const told of this.#readFrom(null)) {
      const { transition } = told
      if (!oldest) {
        oldest = transition
        first = this.#marks.from(transition.seq - 1)
      }
      if (!first || transition.seq > first.seq) break
      if (this.#isOne(transition)) head.apply(toFolded(told))
    }
    this.#oldest = oldest
    if (!oldest || !first) {
      this.#fold = this.#begin()
      return
    }
    const { seq, at } = oldest
    const minus = (all: readonly number[], some: readonly number[]): number[] =>
      all.map((count, place) => count - (some[place] ?? 0))
    this.#marks.beginWith({
      seq: seq - 1, at: at - 1,
      counts: minus(first.counts, head.counts), edges: minus(first.edges, head.edges),
    })
    for (const told of this.#told.keys()) {
      if (told >= seq) break
      this.#told.delete(told)
    }
    this.#bins.forgetBefore(at)
  }

  #foldFrom(mark: Mark | null): Fold {
    return new Fold(this.#edges, mark && { ...mark, waiting: [] }, this.#byMove)
  }

  async *#readFrom(mark: Mark | null): AsyncGenerator<Told> {
    let seq = mark?.seq ?? null
    for (;;) {
      const part = await readLog(this.#troupe, this.name, seq, pageSize)
      for (const transition of part.transitions) {
        yield { transition, left: this.#told.get(transition.seq) }
      }
      if (part.transitions.length < pageSize) return
      ;({ seq } = part)
    }
  }

  #absolute(counts: readonly number[]): number[] {
    return absolute(counts, this.#base ?? [], this.#present, this.#oldest?.seq === 1)
  }
}
