import { TroupeError } from '../../errors.ts'
import { toCursor } from '../../records/transition.ts'
import type { Transition } from '../../records/transition.ts'
import type { Queue } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import type { Troupe } from '../../orchestrator/troupe.ts'
import type { Counts } from '../../stores/reading.ts'
import type { Settings } from '../options.ts'
import type { WireKeyframe } from '../protocol.ts'
import type { Redactor } from '../redaction.ts'
import { toStreamTransition } from '../wire.ts'
import { CatchUp } from './catch-up.ts'
import type { Position } from './catch-up.ts'
import type { StreamClient } from './client.ts'
import { Feed, readLog } from './feed.ts'
import { Fresh } from './fresh.ts'
import { Group } from './group.ts'
import type { GroupContext } from './group.ts'
import { Identities } from './identities.ts'
import { Beat, Ends, Tick } from './pulse.ts'
import { Ring, toStreamEvent } from './ring.ts'

/** After the end of a stream that is no fault of the client. */
const retryMs = 1000

/** Serves everybody who listens, out of one subscription. */
export class Hub {
  readonly #troupe: Troupe
  readonly #settings: Settings
  readonly #redactor: Redactor
  readonly #feed: Feed
  readonly #ring = new Ring()
  readonly #identities: Identities
  readonly #catchUp: CatchUp
  readonly #clients = new Map<StreamClient, Group | null>()
  /** The group that others of its audience join. */
  readonly #shared = new Map<string, Group>()
  readonly #groups = new Set<Group>()
  readonly #counts = new Map<string, Fresh<Counts | undefined>>()
  readonly #tick: Tick<Group>
  readonly #beat: Beat
  readonly #ends: Ends
  readonly #context: GroupContext
  /** Called with each transition of a declared queue. */
  onTransition: (transition: Transition) => void = () => undefined

  constructor(troupe: Troupe, settings: Settings, redactor: Redactor) {
    this.#troupe = troupe
    this.#settings = settings
    this.#redactor = redactor
    this.#identities = new Identities((name) => this.#queue(name))
    this.#catchUp = new CatchUp(troupe, this.#ring, this.#identities, redactor)
    this.#tick = new Tick(settings.env, (group) => { group.flush() })
    this.#beat = new Beat(settings.env, () => { this.#sendBeat() })
    this.#ends = new Ends(settings.env, settings.limits.streamMs, this.#clients)
    this.#feed = new Feed(troupe, {
      begun: (queue, seq) => { this.#ring.begin(queue, seq) },
      transition: (transition) => { this.#receive(transition) },
      over: (queue, error) => { this.#lose(queue, error) },
    })
    this.#context = {
      ring: this.#ring,
      identities: this.#identities,
      wake: (group) => { this.#tick.add(group) },
      caughtUp: (group) => { this.#merge(group) },
      fellBehind: (group) => {
        for (const client of [...group.clients]) this.restart(client)
      },
      failed: (group, error) => {
        this.#report('a job of a stream could not be looked up', error)
        for (const client of [...group.clients]) client.close(retryMs)
      },
    }
  }

  get size(): number {
    return this.#clients.size
  }

  sizeOf(user: string): number {
    let size = 0
    for (const client of this.#clients.keys()) if (client.user === user) size += 1
    return size
  }

  /** Follows all declared queues from now on. */
  start(): Promise<void> {
    return this.#feed.follow(this.#troupe.queues().map(({ name }) => name))
  }

  /** Serves a client: from `position` on, or with a keyframe from now on. */
  async serve(client: StreamClient, position: Position | WireKeyframe['why']): Promise<void> {
    this.#clients.set(client, null)
    this.#beat.start()
    this.#ends.start()
    try {
      await this.start()
      if (typeof position === 'string') await this.#begin(client, position)
      else await this.#resume(client, position)
    } catch (error) {
      this.#report('a stream could not be served', error)
      client.close(retryMs)
    }
  }

  /** It was told of too much at once: it has to ask anew. */
  restart(client: StreamClient): void {
    const group = this.#clients.get(client)
    // It has gone, or begins anew already.
    if (!group) return
    this.#leave(client, group)
    this.#clients.set(client, null)
    client.forget()
    this.#begin(client, 'fell-behind').catch((error: unknown) => {
      this.#report('a stream could not go on', error)
      client.close(retryMs)
    })
  }

  /** The client has gone. */
  leave(client: StreamClient): void {
    const group = this.#clients.get(client)
    this.#clients.delete(client)
    if (group) this.#leave(client, group)
    if (this.#clients.size > 0) return
    this.#beat.stop()
    this.#ends.stop()
  }

  close(): void {
    this.#tick.close()
    this.#beat.stop()
    this.#ends.stop()
    for (const client of [...this.#clients.keys()]) client.close(retryMs)
    this.#feed.close()
  }

  /** Cuts who is still there. */
  destroy(): void {
    for (const client of [...this.#clients.keys()]) client.destroy()
  }

  #receive(transition: Transition): void {
    this.onTransition(transition)
    const json = JSON.stringify(toStreamTransition(transition, this.#redactor))
    const event = toStreamEvent(transition, json)
    if (event.from === null) this.#identities.forget(event)
    this.#ring.push(event)
    for (const group of this.#groups) group.pump()
  }

  /** Sends a keyframe, and then what comes behind it. */
  async #begin(client: StreamClient, why: WireKeyframe['why']): Promise<void> {
    const { newest } = this.#ring
    const position = new Map([...client.audience.queues].map((queue) =>
      [queue, newest.get(queue) ?? 0] as const))
    const counts = client.hasCounts ? await this.#countsOf([...position.keys()]) : {}
    client.tell('queue.keyframe', { why, counts }, toCursor(position))
    await client.drained()
    await this.#attach(client, position)
  }

  async #resume(client: StreamClient, asked: Position): Promise<void> {
    const position = new Map<string, number | null>()
    try {
      for (const queue of client.audience.queues) {
        const seq = asked.get(queue) ?? null
        position.set(queue, seq)
        // Ahead of what was heard here: the log knows whether that can be.
        const isAhead = seq !== null && seq > (this.#ring.newest.get(queue) ?? 0)
        if (isAhead) await readLog(this.#troupe, queue, seq, 1)
      }
      await this.#attach(client, position)
    } catch (error) {
      const code = error instanceof TroupeError ? error.code : null
      if (code !== 'cursor-too-old' && code !== 'invalid-cursor') throw error
      await this.#begin(client, code)
    }
  }

  async #attach(client: StreamClient, from: ReadonlyMap<string, number | null>): Promise<void> {
    const position = await this.#catchUp.run(client, new Map(from))
    if (position) this.#join(client, position)
  }

  #join(client: StreamClient, position: Position): void {
    if (!client.isOpen) return
    const group = new Group(client.audience, position, this.#context)
    group.clients.add(client)
    this.#groups.add(group)
    this.#clients.set(client, group)
    group.pump()
  }

  /** Who has come to the place of the others of the same audience goes on with them. */
  #merge(group: Group): void {
    if (group.clients.size === 0) return
    const { key } = group.audience
    const shared = this.#shared.get(key)
    if (!shared) this.#shared.set(key, group)
    if (!shared || shared === group || !group.standsWith(shared)) return
    group.flush()
    shared.flush()
    for (const client of group.clients) {
      shared.clients.add(client)
      this.#clients.set(client, shared)
    }
    group.clients.clear()
    this.#groups.delete(group)
  }

  #leave(client: StreamClient, group: Group): void {
    group.clients.delete(client)
    if (group.clients.size > 0) return
    this.#groups.delete(group)
    if (this.#shared.get(group.audience.key) === group) this.#shared.delete(group.audience.key)
  }

  #sendBeat(): void {
    this.#tick.run()
    const alone = Buffer.from(':\n\n')
    const told = new Map<Group, Uint8Array>()
    for (const group of this.#groups) told.set(group, Buffer.from(`:\nid: ${group.id}\n\n`))
    const hasNew = this.#queues().some(({ name }) => !this.#ring.newest.has(name))
    for (const [client, group] of [...this.#clients]) {
      // Who comes again hears of the queues that there are by then.
      if (hasNew && client.hearsAll) client.close(0)
      else client.beat((group && told.get(group)) ?? alone)
    }
    if (hasNew) this.start().catch((error: unknown) => { this.#report('no feed', error) })
  }

  #lose(queue: string, error: unknown): void {
    this.#ring.forget(queue)
    if (error !== null) this.#report(`the transitions of queue ${queue} cannot be read`, error)
    for (const client of [...this.#clients.keys()]) {
      if (client.audience.queues.has(queue)) client.close(retryMs)
    }
  }

  async #countsOf(names: readonly string[]): Promise<WireKeyframe['counts']> {
    const all = await Promise.all(names.map(async (name) => {
      let fresh = this.#counts.get(name)
      if (!fresh) {
        fresh = new Fresh(async () => this.#queue(name)?.counts())
        this.#counts.set(name, fresh)
      }
      return [name, await fresh.get()] as const
    }))
    return Object.fromEntries(all.filter((pair): pair is [string, Counts] => !!pair[1]))
  }

  #queue(name: string): Queue<Tasks> | undefined {
    return this.#queues().find((queue) => queue.name === name)
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
