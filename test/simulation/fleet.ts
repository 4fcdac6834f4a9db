import type { Transition, TroupeOptions } from 'troupe'
import type { Journal } from '../../src/testing/history/journal.ts'
import type { LogEntry } from '../../src/records/transition.ts'
import { Chance } from './chance.ts'
import type { Coverage } from './coverage.ts'
import type { Held } from './handlers.ts'
import { Node, queueName } from './node.ts'
import type { Cluster } from './node.ts'
import { FilePlace, SharedPlace } from './places.ts'
import type { Place } from './places.ts'
import type { Act, Plan } from './plan.ts'
import type { Scheduler } from './scheduler.ts'

/** When a process died that may have been at work, by the true clock. */
export interface Death {
  readonly worker: string
  readonly at: number
}

/** The nodes of a simulation: those that live, and what is left of the others. */
export class Fleet implements Cluster {
  readonly plan: Plan
  readonly held = new Set<Held>()
  readonly told: Transition[][] = []
  readonly place: Place
  readonly nodes: Node[] = []
  readonly gone: Node[] = []
  readonly deaths: Death[] = []
  /** Errors that nobody should ever see. */
  readonly faults: { readonly what: string; readonly error: unknown }[] = []
  ending = false
  /** Nobody comes back any more. */
  closed = false
  readonly inspect: NonNullable<TroupeOptions['inspect']> | null
  readonly #scheduler: Scheduler
  readonly #coverage: Coverage
  #names = 0
  /** Of processes whose acknowledged work a lying disk may have lost. */
  #forgotten: readonly Journal[] | null = null

  constructor(plan: Plan, scheduler: Scheduler, coverage: Coverage) {
    this.plan = plan
    this.#scheduler = scheduler
    this.#coverage = coverage
    // Observed actors are slow ones.
    this.inspect = plan.seed % 2 === 0 ? this.#inspector() : null
    const chance = new Chance(plan.seed).of('the world')
    if (plan.store === 'memory') this.place = new SharedPlace(scheduler, chance)
    else {
      const place = new FilePlace(scheduler, chance, (type) => { coverage.fault(type) })
      place.died = (bodies) => { this.#buried(bodies, 500) }
      this.place = place
    }
  }

  isEnding = (): boolean => this.ending
  trueNow = (): number => this.#scheduler.now
  mayBeLocked = (): boolean => this.place instanceof FilePlace && this.place.mayBeLocked
  acted = (act: Act['act']): void => { this.#coverage.act(act) }
  fault = (what: string, error: unknown): void => { this.faults.push({ what, error }) }

  #inspector(): NonNullable<TroupeOptions['inspect']> {
    const states = new WeakMap<object, string>()
    return (inspected) => {
      if (inspected.type !== '@xstate.snapshot') return
      const { snapshot, event, actorRef } = inspected
      if (!('id' in actorRef) || actorRef.id !== queueName) return
      const now = String('value' in snapshot ? snapshot.value : '')
      const before = states.get(actorRef)
      states.set(actorRef, now)
      if (before !== undefined) this.#coverage.queueMoved(before, event.type, now)
    }
  }

  node(slot: number): Node | undefined {
    return this.nodes.find((node) => node.slot === slot % this.plan.rates.length)
  }

  /** Begins a process in a slot, unless one is there. */
  join(slot: number): void {
    if (this.closed || this.nodes.some((node) => node.slot === slot)) return
    const name = `w${this.#names += 1}`
    const node = new Node(
      name, slot, this.place.body(name, this.plan.rates[slot] ?? 1), this,
    )
    this.nodes.push(node)
    node.open().catch((error: unknown) => { this.fault(`open of ${name}`, error) })
  }

  crash(node: Node, backMs: number | null = 300): void {
    if (!node.alive) return
    this.#buried(this.place.crash(node.body), backMs)
  }

  #buried(bodies: readonly object[], backMs: number | null): void {
    for (const node of this.nodes.filter(({ body }) => bodies.includes(body))) {
      node.kill()
      this.deaths.push({ worker: node.name, at: this.#scheduler.now })
      this.#leave(node)
      if (backMs !== null) this.#comeBack(node.slot, backMs)
    }
  }

  #comeBack(slot: number, ms: number): void {
    this.#scheduler.at(this.#scheduler.now + ms, () => { this.join(slot) })
  }

  #leave(node: Node): void {
    this.nodes.splice(this.nodes.indexOf(node), 1)
    this.gone.push(node)
  }

  async stop(node: Node, graceMs: number, backMs: number | null = null): Promise<void> {
    await node.stop(graceMs)
    if (!this.nodes.includes(node)) return
    this.#leave(node)
    this.place.left(node.body)
    if (backMs !== null) this.#comeBack(node.slot, backMs)
  }

  /** Somebody is frozen, or something that was asked for has not arrived for long. */
  get isBusy(): boolean {
    const late = this.#scheduler.now + 100
    return this.nodes.some(({ body }) => body.clock.isFrozen) ||
      [...this.gone, ...this.nodes].some(({ body }) => (body.link?.busyUntil ?? 0) > late)
  }

  /** A lying disk has taken back what it had promised: what was said of that does not count. */
  forget(log: readonly LogEntry[]): void {
    // A fence that was lost may be given again.
    const claims = new Map(log
      .filter(({ event }) => event === 'claim').map(({ fence, by }) => [fence, by]))
    const kept = (journal: Journal): Journal => ({
      ...journal,
      lines: journal.lines.filter((line) =>
        'fence' in line && claims.get(line.fence) === journal.worker),
    })
    const known = [...this.#forgotten ?? [], ...this.gone.splice(0).map(({ book }) => book.journal)]
    this.#forgotten = known.map(kept)
    this.told.length = 0
    for (const node of this.nodes) this.told.push(node.replayed)
  }

  get journals(): readonly Journal[] {
    const all = [...this.gone, ...this.nodes]
    return [...this.#forgotten ?? [], ...all.map(({ book }) => book.journal)]
  }
}
