import { TroupeError } from 'troupe'
import type { Store, StoreEvent } from '../../src/stores/store.ts'
import type { Chance } from './chance.ts'
import type { NodeClock } from './node-clock.ts'
import { epoch } from './scheduler.ts'
import type { Scheduler } from './scheduler.ts'

/** What happens to one call. */
export type Mishap =
  | { readonly type: 'late'; readonly ms: number }
  | { readonly type: 'refused' }
  /** It takes effect, and the caller hears of a failure. */
  | { readonly type: 'answer lost' }
  /** It takes effect, and once more so much later. */
  | { readonly type: 'repeated'; readonly ms: number }

/** A call that hears nothing is given up after so long. */
const silenceMs = 15_000
const local: ReadonlySet<PropertyKey> = new Set(['watch', 'tail', 'wake'])

/** The way between one process and a store that many share. */
export class Link {
  readonly store: Store
  readonly #scheduler: Scheduler
  readonly #clock: NodeClock
  readonly #chance: Chance
  readonly #mishaps: { readonly method: string | null; readonly mishap: Mishap }[] = []
  readonly #listeners = new Set<(event: StoreEvent) => void>()
  #cut: 'refusing' | 'silent' | null = null
  /** What waits for the end of the cut. */
  #parked: (() => void)[] = []
  #heldNews: (() => void)[] = []
  #newsAt = 0
  /** Events that the call which is being made has caused. */
  #during: StoreEvent[] | null = null
  #offset = 0
  #last = 0
  /** Until then something that was delayed may still arrive. */
  busyUntil = 0

  constructor(scheduler: Scheduler, clock: NodeClock, chance: Chance, session: Store) {
    this.#scheduler = scheduler
    this.#clock = clock
    this.#chance = chance
    this.store = this.#wrap(session)
    session.watch((event) => {
      if (this.#during) this.#during.push(event)
      else this.#news(() => { this.#tell([event]) })
    }, {
      has: (id) => this.#interests.some((interest) => interest.has(id)),
      followed: () => this.#interests.flatMap((interest) => [...interest.followed()]),
    })
  }

  readonly #interests: NonNullable<Parameters<Store['watch']>[1]>[] = []

  /** The next call of the method, or of any method, has this mishap. */
  plan(method: string | null, mishap: Mishap): void {
    this.#mishaps.push({ method, mishap })
  }

  cut(how: 'refusing' | 'silent'): void {
    this.#cut = how
  }

  heal(): void {
    this.#cut = null
    for (const go of this.#parked.splice(0)) go()
    for (const tell of this.#heldNews.splice(0)) this.#news(tell)
  }

  /** The process is no more: what it had asked for and was not heard never will be. */
  end(): void {
    this.#parked = []
    this.#heldNews = []
  }

  /** No mishap is left to come. */
  calm(): void {
    this.#mishaps.length = 0
    this.heal()
  }

  #wrap(session: Store): Store {
    const own: Partial<Store> = {
      watch: (listener, interest) => {
        this.#listeners.add(listener)
        if (interest) this.#interests.push(interest)
        return () => { this.#listeners.delete(listener) }
      },
      tail: async (listener) => {
        await this.#wait(this.#latency())
        return session.tail((entries) => { this.#news(() => { listener(entries) }) })
      },
      open: async (context) => {
        await this.#call('open', () => session.open(context))
        this.#measure(this.#clock.monotonic())
        return { now: this.#storeNow }
      },
      sweep: async (request) => {
        const answer = await this.#call('sweep', () => session.sweep(request))
        // As PostgreSQL's does: whoever was to be told of ready jobs may have missed it.
        for (const queue of request.retention.keys()) this.#tell([{ type: 'wake', queue }])
        return answer
      },
      renew: async (beat) => {
        const before = this.#clock.monotonic()
        const answer = await this.#call('renew', () => session.renew(beat))
        this.#measure(before)
        return answer
      },
    }
    return new Proxy(session, {
      get: (target, name) => {
        const source = name in own ? own : target
        const member: unknown = Reflect.get(source, name, source)
        if (source === own || typeof member !== 'function' || local.has(name)) return member
        return (...args: unknown[]): unknown =>
          this.#call(String(name), () => Reflect.apply(member, target, args) as Promise<unknown>)
      },
    })
  }

  /** The store's clock, as the process measures it by a round trip. */
  #measure(before: number): void {
    const after = this.#clock.monotonic()
    this.#offset = epoch + this.#scheduler.now - (before + after) / 2
  }

  #storeNow = (): number => {
    const now = Math.floor(this.#clock.monotonic() + this.#offset)
    if (now < this.#last && this.#last - now < 1000) return this.#last
    return this.#last = now
  }

  #latency(): number {
    return this.#chance.next() * (this.#chance.happens(0.05) ? 40 : 2)
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#scheduler.at(this.#scheduler.now + ms, this.#clock.gate(resolve))
    })
  }

  #take(method: string): Mishap | null {
    const index = this.#mishaps.findIndex((each) =>
      each.method === null || each.method === method)
    return index < 0 ? null : this.#mishaps.splice(index, 1)[0]?.mishap ?? null
  }

  #call<T>(method: string, call: () => Promise<T>): Promise<T> {
    const mishap = this.#take(method)
    const delay = this.#latency() + (mishap?.type === 'late' ? mishap.ms : 0)
    return new Promise<T>((resolve, reject) => {
      let over = false
      const answer = (settle: () => void): void => {
        const at = this.#scheduler.now + this.#latency()
        this.#scheduler.at(at, this.#clock.gate(() => {
          if (over) return
          over = true
          settle()
        }))
      }
      const refuse = (why: string): void => { answer(() => { reject(failure(method, why)) }) }
      const arrive = (): void => {
        if (this.#cut === 'refusing') return refuse('the store cannot be reached')
        if (this.#cut === 'silent') {
          this.#parked.push(arrive)
          const at = this.#scheduler.now + silenceMs
          this.#scheduler.at(at, () => { if (!over) refuse('the store does not answer') })
          return
        }
        this.#effect(method, mishap, call, { resolve, reject, answer, refuse })
      }
      this.busyUntil = Math.max(this.busyUntil, this.#scheduler.now + delay)
      this.#scheduler.at(this.#scheduler.now + delay, arrive)
    })
  }

  #effect<T>(method: string, mishap: Mishap | null, call: () => Promise<T>, caller: {
    readonly resolve: (value: T) => void
    readonly reject: (error: unknown) => void
    readonly answer: (settle: () => void) => void
    readonly refuse: (why: string) => void
  }): void {
    this.#scheduler.trace.add(method)
    if (mishap?.type === 'refused') return caller.refuse('refused')
    const heard: StoreEvent[] = []
    this.#during = heard
    const called = call()
    this.#during = null
    called.then((value) => {
      if (mishap?.type === 'repeated') this.#repeat(method, mishap.ms, call)
      if (mishap?.type === 'answer lost') return caller.refuse('the answer was lost')
      // What was committed through a session is told before its call is answered.
      caller.answer(() => {
        this.#tell(heard)
        caller.resolve(value)
      })
    }, (error: unknown) => {
      caller.answer(() => { caller.reject(error) })
    })
  }

  /** Only what has taken effect is repeated. */
  #repeat(method: string, ms: number, call: () => Promise<unknown>): void {
    this.busyUntil = Math.max(this.busyUntil, this.#scheduler.now + ms)
    this.#scheduler.at(this.#scheduler.now + ms, () => {
      this.#scheduler.trace.add(`${method} again`)
      call().catch(() => undefined)
    })
  }

  #tell(events: readonly StoreEvent[]): void {
    for (const event of events) for (const listener of this.#listeners) listener(event)
  }

  /** News travel in their order; those that a cut holds up come after it. */
  #news(tell: () => void): void {
    if (this.#cut) {
      this.#heldNews.push(tell)
      return
    }
    this.#newsAt = Math.max(this.#newsAt, this.#scheduler.now + this.#latency())
    this.#scheduler.at(this.#newsAt, this.#clock.gate(tell))
  }
}

function failure(operation: string, why: string): Error {
  return new TroupeError('store-failed', `${operation}: ${why}`, { operation })
}
