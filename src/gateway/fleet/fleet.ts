import type { Timer } from '../../env.ts'
import type { Queue } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import type { Troupe } from '../../orchestrator/troupe.ts'
import type { Transition } from '../../records/transition.ts'
import type { Settings } from '../options.ts'
import { Feed } from '../streams/feed.ts'
import { fleetCharts } from './chart.ts'
import { ChosenSource } from './chosen.ts'
import { edgesByMove } from './fold.ts'
import { FleetPast } from './past.ts'
import { WholeSource } from './source.ts'
import { QueueTally } from './tally.ts'
import { turnsPerSecond, View } from './view.ts'
import type { Watcher } from './watcher.ts'

const { edges } = fleetCharts.job
const edgeIds = edges.map(({ id }) => id)
const turnMs = 1000 / turnsPerSecond
/** After the last one has gone: a page that is loaded again finds everything counted. */
const lingerMs = 10_000
const retryMs = 1000
/** Of each second, what may go into questions to the store. */
const askingMs = 50
/** For more queues the oldest moment is not looked up when a stream opens. */
const keptQueues = 50

interface Followed {
  readonly tally: QueueTally
  readonly ready: Promise<void>
}

/** All jobs at once: counted from one subscription a queue, while somebody watches. */
export class Fleet {
  readonly past: FleetPast
  readonly #troupe: Troupe
  readonly #settings: Settings
  readonly #feed: Feed
  readonly #byMove = edgesByMove(edges)
  readonly #tallies = new Map<string, Followed>()
  readonly #views = new Map<string, View>()
  readonly #watchers = new Map<Watcher, View | null>()
  #timer: Timer | null = null
  #turn = 0
  #idleTurns = 0
  #asked = 0
  #isAsking = false
  #isClosed = false

  constructor(troupe: Troupe, settings: Settings) {
    this.#troupe = troupe
    this.#settings = settings
    this.past = new FleetPast(troupe, edges, () => settings.env.now())
    this.#feed = new Feed(troupe, {
      begun: () => undefined,
      transition: (transition) => { this.#receive(transition) },
      over: (queue, error) => { this.#lose(queue, error) },
    })
  }

  get size(): number {
    return this.#watchers.size
  }

  sizeOf(user: string): number {
    return [...this.#watchers.keys()].filter(({ visitor }) => visitor.name === user).length
  }

  /** Never rejects: what goes wrong is logged, and ends the stream. */
  async serve(watcher: Watcher): Promise<void> {
    this.#watchers.set(watcher, this.#watchers.get(watcher) ?? null)
    try {
      await this.#show(watcher)
      this.#arm()
    } catch (error) {
      this.#report('the fleet could not be counted', error)
      watcher.close(retryMs)
    }
  }

  leave(watcher: Watcher): void {
    const view = this.#watchers.get(watcher)
    this.#watchers.delete(watcher)
    if (!view) return
    view.watchers.delete(watcher)
    this.#drop(view)
  }

  close(): void {
    this.#isClosed = true
    for (const watcher of [...this.#watchers.keys()]) watcher.close(retryMs)
    this.#stop()
  }

  async #show(watcher: Watcher): Promise<void> {
    const { visitor, asked } = watcher
    const names = (asked.queues ?? this.#queues().map(({ name }) => name))
      .filter((name) => visitor.may('read', name))
    const [tallies, keptFrom] = await Promise.all([
      this.#tally(names), this.#keptFrom(watcher, names),
    ])
    const key = JSON.stringify([names, asked.tasks, asked.partitions, visitor.bounds])
    let view = this.#views.get(key)
    if (!view) {
      view = this.#open(tallies, watcher)
      this.#views.set(key, view)
    }
    view.expected += 1
    try {
      await view.ready
    } finally {
      view.expected -= 1
      if (!watcher.isOpen || this.#isClosed) this.#drop(view)
    }
    if (!watcher.isOpen || this.#isClosed) return
    this.leave(watcher)
    this.#watchers.set(watcher, view)
    view.join(watcher, {
      at: this.#settings.env.now(), edges: edgeIds, keptFrom,
      hasHistory: visitor.bounds === null,
    })
  }

  /** A view that nobody sees is none. */
  #drop(view: View): void {
    if (view.watchers.size > 0 || view.expected > 0) return
    view.close()
    for (const [key, each] of this.#views) if (each === view) this.#views.delete(key)
  }

  #open(tallies: readonly QueueTally[], { asked, visitor }: Watcher): View {
    const { tasks, partitions } = asked
    const { bounds } = visitor
    if (tasks === null && partitions === null && bounds === null) {
      return new View(tallies, new WholeSource(tallies))
    }
    const queues = new Map(tallies.map(({ queue }) => [queue.name, queue] as const))
    const source = new ChosenSource(queues, { tasks, partitions, bounds }, this.#settings.env)
    return new View(tallies, source)
  }

  async #keptFrom({ visitor }: Watcher, names: readonly string[]): Promise<number | null> {
    if (visitor.bounds || names.length > keptQueues) return null
    return this.past.keptFrom(this.#queues().filter(({ name }) => names.includes(name)))
  }

  /** Follows and counts queues that nobody has watched so far. */
  async #tally(names: readonly string[]): Promise<readonly QueueTally[]> {
    await this.#feed.follow(names)
    const known = new Map(this.#queues().map((queue) => [queue.name, queue] as const))
    const found = names.flatMap((name) => {
      const queue = known.get(name)
      if (!queue) return []
      let entry = this.#tallies.get(name)
      if (!entry) {
        const tally = new QueueTally(queue, this.#settings.env, edges, this.#byMove)
        entry = { tally, ready: tally.begin().then(() => tally.look()) }
        entry.ready.catch(() => { this.#tallies.delete(name) })
        this.#tallies.set(name, entry)
      }
      return [entry]
    })
    await Promise.all(found.map(({ ready }) => ready))
    return found.map(({ tally }) => tally)
  }

  #receive(transition: Transition): void {
    const step = this.#tallies.get(transition.queue)?.tally.apply(transition)
    if (step) for (const view of this.#views.values()) view.move(transition, step)
  }

  #arm(): void {
    if (this.#timer || this.#isClosed) return
    this.#timer = this.#settings.env.after(turnMs, () => {
      this.#timer = null
      this.#idleTurns = this.#watchers.size === 0 ? this.#idleTurns + 1 : 0
      if (this.#idleTurns * turnMs >= lingerMs) {
        this.#stop()
        return
      }
      this.#arm()
      this.#take()
    })
  }

  /** One turn of four in a second. */
  #take(): void {
    this.#turn += 1
    const at = this.#settings.env.now()
    const isSecond = this.#turn % turnsPerSecond === 0
    if (isSecond) this.#look()
    for (const view of this.#views.values()) {
      if (isSecond) view.second(at, this.#turn / turnsPerSecond)
      view.frame(at)
      view.work().catch((error: unknown) => {
        this.#report('jobs of the fleet could not be read', error)
      })
    }
  }

  /** Called once a second. */
  #look(): void {
    const { env, limits } = this.#settings
    for (const { tally } of this.#tallies.values()) tally.nextSecond()
    const names = this.#queues().map(({ name }) => name)
    const hasNew = names.some((name) => !this.#tallies.has(name))
    for (const [watcher, view] of [...this.#watchers]) {
      // Who comes again is looked at again.
      if (watcher.openedAt < env.monotonic() - limits.streamMs) watcher.close(0)
      else if (hasNew && view && this.#lacks(watcher, view, names)) void this.serve(watcher)
    }
    this.#ask().catch((error: unknown) => {
      this.#report('queues of the fleet could not be looked at', error)
    })
  }

  #lacks({ visitor, asked }: Watcher, view: View, names: readonly string[]): boolean {
    return asked.queues === null &&
      names.some((name) => !view.queues.includes(name) && visitor.may('read', name))
  }

  /** Looks at one queue after the other while there is time; the next second goes on. */
  async #ask(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      const { env } = this.#settings
      const until = env.monotonic() + askingMs
      const tallies = [...this.#tallies.values()].map(({ tally }) => tally)
      for (let done = 0; done < tallies.length && env.monotonic() < until; done += 1) {
        this.#asked = (this.#asked + 1) % tallies.length
        const tally = tallies[this.#asked]
        if (this.#isClosed || this.#watchers.size === 0) return
        if (tally?.needsCount) await tally.count()
        await tally?.look()
      }
    } finally {
      this.#isAsking = false
    }
  }

  #lose(queue: string, error: unknown): void {
    this.#tallies.delete(queue)
    if (error !== null) this.#report(`the transitions of queue ${queue} cannot be read`, error)
    for (const [watcher, view] of [...this.#watchers]) {
      if (view?.queues.includes(queue)) watcher.close(retryMs)
    }
  }

  #stop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#idleTurns = 0
    this.#feed.close()
    this.#tallies.clear()
    for (const view of this.#views.values()) view.close()
    this.#views.clear()
  }

  /** None when the troupe has stopped. */
  #queues(): readonly Queue<Tasks>[] {
    try {
      return this.#troupe.queues()
    } catch {
      return []
    }
  }

  #report(message: string, error: unknown): void {
    this.#settings.logger.error({ err: error }, message)
  }
}
