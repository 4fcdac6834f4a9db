import { batch, signal } from '@preact/signals'
import { fleetPaths, leaves } from '../../gateway/fleet-protocol.ts'
import type {
  FleetEvents, WireAges, WireFleetOpened, WireFrame, WireMoment, WireQueueLine,
} from '../../gateway/fleet-protocol.ts'
import type { ServerEvent } from '../../client/event-parser.ts'
import { every, now } from '../page-env.ts'
import { ask } from '../shell/ask.ts'
import { base } from '../shell/session.ts'
import { listen } from './server-events.ts'

/** What the fleet is filtered by; null means any. */
export interface FleetFilter {
  readonly queue: string | null
  readonly task: string | null
  readonly partition: string | null
}

/** How an edge is used. */
export interface Flow {
  readonly perSecond: number
  /** Times since the page looks, ever growing. */
  readonly taken: number
}

/** Rates are of the last 10 s, sparklines of the last minute. */
const windowMs = 10_000
const pastLength = 60

const noCounts: readonly number[] = leaves.map(() => 0)
const noFlows: ReadonlyMap<string, Flow> = new Map()

/** The fleet as it is now: what the stream says, with rates and sparklines gathered here. */
export class FleetFeed {
  readonly opened = signal<WireFleetOpened | null>(null)
  readonly at = signal(0)
  readonly counts = signal(noCounts)
  readonly ages = signal<WireAges['ages']>([])
  /** By the id of the edge. */
  readonly flows = signal(noFlows)
  /** Ids of edges that were taken at any time that is known of; null until it is known. */
  readonly everTaken = signal<ReadonlySet<string> | null>(null)
  /** By the place of the queue. */
  readonly lines = signal<ReadonlyMap<number, WireQueueLine>>(new Map())
  /** Counts of each leaf in the last minute. */
  readonly past = signal<readonly (readonly number[])[]>(leaves.map(() => []))
  /** Throughput of each queue in the last minute. */
  readonly pastOf = signal<ReadonlyMap<number, readonly number[]>>(new Map())
  readonly isBounded = signal(false)
  /** The gateway will not tell: why. */
  readonly refused = signal<Error | null>(null)
  readonly #frames: { at: number; edges: WireFrame['edges'] }[] = []
  readonly #taken = new Map<string, number>()
  #since = 0

  /** Listens until told to stop. */
  start(filter: FleetFilter): () => void {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(filter)) if (value) query.set(name, String(value))
    const search = query.size === 0 ? '' : `?${query.toString()}`
    const stop = listen(
      `${base}${fleetPaths.stream}${search}`,
      (event) => { this.#take(event) },
      (error) => { this.refused.value = error },
    )
    const stopTicks = every(1000, () => { this.#tick() })
    return () => {
      stop()
      stopTicks()
    }
  }

  /** What this page has just done to a queue, before the stream tells it. */
  notePaused(name: string, isPaused: boolean): void {
    const index = this.opened.value?.queues.indexOf(name) ?? -1
    const line = this.lines.value.get(index)
    if (!line) return
    const [queue, waiting, running, throughput, oldestAt, , limitedUntil] = line
    this.#queues([
      [queue, waiting, running, throughput, oldestAt, isPaused ? 1 : 0, limitedUntil],
    ])
  }

  #take({ name, data }: ServerEvent): void {
    const body: unknown = JSON.parse(data)
    batch(() => {
      if (name === 'fleet.opened') this.#open(body as FleetEvents['fleet.opened'])
      else if (name === 'fleet.frame') this.#frame(body as FleetEvents['fleet.frame'])
      else if (name === 'fleet.ages') this.ages.value = (body as FleetEvents['fleet.ages']).ages
      else if (name === 'fleet.queues') this.#queues((body as FleetEvents['fleet.queues']).lines)
    })
  }

  #open(opened: WireFleetOpened): void {
    const before = this.opened.value
    this.opened.value = opened
    this.at.value = opened.at
    this.counts.value = opened.counts
    this.isBounded.value = opened.isBounded
    this.lines.value = new Map(opened.lines.map((line) => [line[0], line]))
    this.#frames.length = 0
    this.#since = now()
    if (before?.queues.join() !== opened.queues.join()) this.pastOf.value = new Map()
    if (before === null) this.#tick()
    this.#flow()
    void this.#lookBack(opened)
  }

  #frame({ at, counts, edges, isBounded }: WireFrame): void {
    this.at.value = at
    this.counts.value = counts
    if (isBounded) this.isBounded.value = true
    this.#frames.push({ at: now(), edges })
    const fresh: string[] = []
    for (const [place, times] of edges) {
      const id = this.opened.value?.edges[place]
      if (id === undefined) continue
      this.#taken.set(id, (this.#taken.get(id) ?? 0) + times)
      if (this.everTaken.value?.has(id) === false) fresh.push(id)
    }
    const known = this.everTaken.value
    if (known && fresh.length > 0) this.everTaken.value = new Set([...known, ...fresh])
    this.#flow()
  }

  #queues(lines: readonly WireQueueLine[]): void {
    const all = new Map(this.lines.value)
    for (const line of lines) all.set(line[0], line)
    this.lines.value = all
  }

  /** Rates over the last 10 s, or since the stream is open. */
  #flow(): void {
    const time = now()
    while (this.#frames[0] && this.#frames[0].at < time - windowMs) this.#frames.shift()
    const seconds = Math.min(windowMs, Math.max(1000, time - this.#since)) / 1000
    const times = new Map<string, number>()
    for (const { edges } of this.#frames) {
      for (const [place, more] of edges) {
        const id = this.opened.value?.edges[place] ?? ''
        times.set(id, (times.get(id) ?? 0) + more)
      }
    }
    this.flows.value = new Map([...this.#taken].map(([id, taken]) =>
      [id, { taken, perSecond: (times.get(id) ?? 0) / seconds }]))
  }

  /** Once a second: sparklines go on, and what is over 10 s old leaves the rates. */
  #tick(): void {
    if (this.opened.value === null) return
    batch(() => {
      const counts = this.counts.value
      this.past.value = this.past.value.map((line, place) =>
        [...line.slice(1 - pastLength), counts[place] ?? 0])
      const lines = this.pastOf.value
      this.pastOf.value = new Map([...this.lines.value].map(([queue, [, , , throughput]]) =>
        [queue, [...(lines.get(queue) ?? []).slice(1 - pastLength), throughput]]))
      this.#flow()
    })
  }

  /** Which edges were taken before the page came, as far as the log goes back. */
  async #lookBack({ at, keptFrom, hasHistory, edges }: WireFleetOpened): Promise<void> {
    const seen = new Set(this.everTaken.value ?? [])
    try {
      if (hasHistory && keptFrom !== null) {
        const moment = await ask<WireMoment>(fleetPaths.at, {
          time: String(at), windowMs: String(Math.max(1, at - keptFrom)),
        })
        for (const [place] of moment.kept ? moment.edges : []) seen.add(edges[place] ?? '')
      }
    } catch {
      // Nobody knows: no edge is said to be one that was never taken.
      return
    }
    for (const id of this.#taken.keys()) seen.add(id)
    this.everTaken.value = seen
  }
}
