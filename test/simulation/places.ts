import type { Store } from 'troupe'
import { lowdbStore } from 'troupe/stores/lowdb'
import { systemEnv } from '../../src/env.ts'
import type { Disk, Env } from '../../src/env.ts'
import type { LogEntry } from '../../src/records/transition.ts'
import type { StoreContext } from '../../src/stores/store.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { Life } from '../../src/testing/mortal.ts'
import { SharedStore } from '../support/shared-store.ts'
import type { Chance } from './chance.ts'
import { Link } from './link.ts'
import { NodeClock } from './node-clock.ts'
import type { Scheduler } from './scheduler.ts'

/** What one troupe has of the world. */
export interface Body {
  readonly life: Life
  readonly clock: NodeClock
  readonly env: Env
  readonly store: Store
  /** Null where the store is in the same process. */
  readonly link: Link | null
}

/** Where the jobs of a simulation live. */
export interface Place {
  body(name: string, rate: number): Body
  /** The jobs as they are, for the eyes of the test, as one sees them who has the store open. */
  plain(body: Body | undefined): Store | null
  /** The process is no more. Answers all that died with it. */
  crash(body: Body): readonly Body[]
  /** A body that has stopped is done with the store. */
  left(body: Body): void
  /** The last entry of each job that was taken out with its queue, from before the end. */
  readonly tombstones: LogEntry[]
}

function bury(store: Store, tombstones: LogEntry[]): void {
  store.watch((event) => {
    const changes = event.type === 'changes' ? event.changes : []
    tombstones.push(...changes.flatMap(({ entry }) => (entry.to === null ? [entry] : [])))
  })
}

const noDisk = new MemoryDisk()

/** Several processes, each with a clock and a way of its own, and one store that outlives them. */
export class SharedPlace implements Place {
  readonly tombstones: LogEntry[] = []
  readonly #shared: SharedStore
  readonly #scheduler: Scheduler
  readonly #chance: Chance
  readonly #sessions = new Map<Body, Store>()
  /** The store's own. */
  readonly #env: Env

  constructor(scheduler: Scheduler, chance: Chance) {
    this.#scheduler = scheduler
    this.#chance = chance
    const clock = new NodeClock(scheduler, chance.of('store'), 'store', 1)
    this.#env = new Life().env(clock, noDisk)
    this.#shared = new SharedStore(this.#env)
    bury(this.#shared.inner, this.tombstones)
  }

  plain(): Store {
    return this.#shared.inner
  }

  body(name: string, rate: number): Body {
    const life = new Life()
    const clock = new NodeClock(this.#scheduler, this.#chance.of(`clock of ${name}`), name, rate)
    const session = this.#shared.session()
    const ofStore = Object.assign(Object.create(session) as Store, {
      open: (context: StoreContext) => session.open({ ...context, env: this.#env }),
    })
    const chance = this.#chance.of(`way of ${name}`)
    const link = new Link(this.#scheduler, clock, chance, ofStore)
    const body = { life, clock, link, env: life.env(clock, noDisk), store: life.store(link.store) }
    this.#sessions.set(body, session)
    return body
  }

  crash(body: Body): readonly Body[] {
    body.life.kill()
    body.link?.end()
    this.left(body)
    return [body]
  }

  left(body: Body): void {
    void this.#sessions.get(body)?.close()
    this.#sessions.delete(body)
  }
}

const sizes = { checkpointBytes: 6000, segmentBytes: 4000 }
const path = '/data/jobs.json'

/** What is about to go wrong with the disk. */
export type DiskFault =
  | { readonly type: 'power cut' }
  | { readonly type: 'disk error'; readonly code: string; readonly part: number }
  | { readonly type: 'lying sync' }

let prepared: Promise<void> | null = null

/** The package is loaded by the event loop of the real world, which no simulation waits for. */
export function prepareLowdb(): Promise<void> {
  prepared ??= (async () => {
    const store = lowdbStore(path)
    await store.open({ env: { ...systemEnv, disk: new MemoryDisk() }, report: () => undefined })
    await store.close()
  })()
  return prepared
}

/** One process that holds a file, with several troupes in it. */
export class FilePlace implements Place {
  /** The power went, or the process was killed, by what was planned for the disk. */
  died: (bodies: readonly Body[]) => void = () => undefined
  /** A sync has lied since the last time that the power went. */
  lied = false
  /** A lock whose content was lost looks like that of somebody else, for a while. */
  mayBeLocked = false
  /** A power cut came after a lie: what was acknowledged may be lost. */
  mayHaveLost = false
  readonly tombstones: LogEntry[] = []
  readonly happened: (type: DiskFault['type']) => void
  readonly #scheduler: Scheduler
  readonly #chance: Chance
  readonly #planned = new Map<number, DiskFault>()
  #disk: MemoryDisk
  #clock: NodeClock
  #pid = 10_000_001
  #processes = 0
  #bodies: Body[] = []
  /** Troupes of the process that have stopped: what they asked for may still be on its way. */
  readonly #stopped: Body[] = []
  readonly #plains = new Map<Body, Store>()

  constructor(
    scheduler: Scheduler, chance: Chance, happened: (type: DiskFault['type']) => void,
  ) {
    this.#scheduler = scheduler
    this.#chance = chance
    this.happened = happened
    this.#clock = this.#newClock()
    this.#disk = this.#watched(new MemoryDisk(this.#pid))
  }

  plain(body: Body | undefined): Store | null {
    return (body && this.#plains.get(body)) ?? null
  }

  #newClock(): NodeClock {
    const name = `p${this.#processes += 1}`
    return new NodeClock(this.#scheduler, this.#chance.of(name), name, 1)
  }

  #watched(disk: MemoryDisk): MemoryDisk {
    disk.now = this.#clock.now
    disk.before = ({ index, operation }) => {
      const fault = this.#planned.get(index)
      if (!fault || disk !== this.#disk) return undefined
      if (fault.type === 'lying sync' && operation !== 'datasync') {
        this.plan(1, fault)
        return undefined
      }
      this.#planned.delete(index)
      this.happened(fault.type)
      if (fault.type === 'power cut') {
        this.died(this.#end('power'))
        return undefined
      }
      if (fault.type === 'lying sync') this.lied = true
      return fault.type === 'lying sync' ? { code: 'EIO', lies: true } : fault
    }
    return disk
  }

  /** The nth change of the disk from now has this fault. */
  plan(change: number, fault: DiskFault): void {
    const index = this.#disk.changes + change
    if (this.#planned.has(index)) this.plan(change + 1, fault)
    else this.#planned.set(index, fault)
  }

  calm(): void {
    this.#planned.clear()
  }

  body(): Body {
    const life = new Life()
    const clock = this.#clock
    const plain = lowdbStore(path, sizes)
    bury(plain, this.tombstones)
    const env = life.env(clock, this.#slow)
    const body = { life, clock, env, store: life.store(plain), link: null }
    this.#bodies.push(body)
    this.#plains.set(body, plain)
    return body
  }

  /** The disk of the process: each operation takes its time. All troupes have the same one. */
  get #slow(): Disk {
    return slowed.get(this.#disk) ?? this.#slowDown(this.#disk)
  }

  #slowDown(disk: MemoryDisk): Disk {
    const chance = this.#chance.of(`disk ${this.#pid}`)
    const clock = this.#clock
    const wait = (): Promise<void> => new Promise((resolve) => {
      const at = this.#scheduler.now + chance.next() * (chance.happens(0.05) ? 20 : 1)
      // What a dead process has begun is not done any more.
      this.#scheduler.at(at, clock.gate(() => { if (disk === this.#disk) resolve() }))
    })
    const slow = <T extends object>(target: T): T => new Proxy(target, {
      get: (_target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        return async (...args: unknown[]): Promise<unknown> => {
          await wait()
          const answer: unknown = await Reflect.apply(member, target, args)
          return name === 'open' ? slow(answer as object) : answer
        }
      },
    })
    const door = slow<Disk>(disk)
    slowed.set(disk, door)
    return door
  }

  crash(): readonly Body[] {
    return this.#end('kill')
  }

  /** The process ends: a kill leaves what it had written, a power cut what it had synced. */
  #end(how: 'kill' | 'power'): readonly Body[] {
    const pid = this.#pid += 1
    const old = this.#disk
    this.#planned.clear()
    this.#clock = this.#newClock()
    this.#disk = this.#watched(
      how === 'kill' ? old.crashed(pid) : old.powerCut(this.#chance.next, pid),
    )
    if (how === 'power' && this.lied) this.mayHaveLost = this.mayBeLocked = true
    if (how === 'power') this.lied = false
    const dead = this.#bodies
    this.#bodies = []
    this.#plains.clear()
    for (const { life } of [...dead, ...this.#stopped.splice(0)]) life.kill()
    return dead
  }

  left(body: Body): void {
    this.#stopped.push(body)
    this.#bodies = this.#bodies.filter((each) => each !== body)
    this.#plains.delete(body)
  }
}

/** One door for each disk: who opens the same file through it shares the file. */
const slowed = new WeakMap<MemoryDisk, Disk>()
