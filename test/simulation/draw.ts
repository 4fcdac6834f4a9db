import { Chance } from './chance.ts'
import { drawLast, drawLater, drawSchedules, drawScratch } from './draw-more.ts'
import type { Mishap } from './link.ts'
import type { Act, Command, Fault, JobPlan, Plan, Step, Word } from './plan.ts'

interface Size {
  readonly jobs: number
  readonly nodes: number
  readonly faults: number
  readonly lastMs: number
}

function sizeOf(chance: Chance): Size {
  const most = chance.next()
  const bound = most < 0.65 ? { jobs: 12, nodes: 3, faults: 8, lastMs: 4000 }
    : most < 0.95 ? { jobs: 40, nodes: 4, faults: 20, lastMs: 8000 }
      : { jobs: 200, nodes: 5, faults: 50, lastMs: 15_000 }
  return {
    jobs: chance.between(1, bound.jobs), nodes: chance.between(1, bound.nodes),
    faults: chance.between(0, bound.faults), lastMs: chance.between(1000, bound.lastMs),
  }
}

/** The simulation of a seed: everything in it follows from this number. */
export function drawPlan(seed: number, only?: Plan['store']): Plan {
  const chance = new Chance(seed)
  const drawn = chance.happens(0.65) ? 'memory' : 'lowdb'
  const store = only ?? drawn
  const size = sizeOf(chance)
  const leaseMs = chance.pick([1000, 2000, 2000, 5000])
  const rates = Array.from({ length: size.nodes }, () => 0.95 + chance.next() / 10)
  const drawer = new Drawer(chance, size, leaseMs)
  const commands = drawer.commands()
  const faults = Array.from({ length: size.faults }, (): Step => ({
    ...store === 'memory' ? drawer.fault() : drawer.diskFault(),
    at: chance.between(0, size.lastMs),
  }))
  const steps = [
    ...commands, ...faults, ...drawer.ends(), ...drawer.lateCancels(),
    ...drawSchedules(chance.of('schedules'), size), ...drawScratch(chance.of('scratch'), size),
    ...drawLater(chance.of('later'), size),
    ...store === 'memory' ? drawLast(chance.of('last'), size) : [],
  ].sort((a, b) => a.at - b.at)
  const bounds = chance.of('bounds')
  return {
    seed, store, rates, leaseMs, steps,
    clients: size.nodes > 1 && chance.happens(0.25) ? [size.nodes - 1] : [],
    concurrency: chance.between(1, 4),
    rate: chance.happens(0.25)
      ? { max: chance.between(1, 8), per: chance.pick([50, 200, 1000]) } : null,
    perPartition: chance.happens(0.25) ? chance.between(1, 2) : null,
    maxQueued: bounds.happens(0.2) ? bounds.between(1, 8) : null,
    pruned: chance.happens(0.15),
    faultsEndAt: size.lastMs + chance.between(0, 2000),
  }
}

const simpleActs = [
  'complete', 'complete', 'complete', 'fail', 'fail', 'fatal', 'snooze', 'report', 'report',
  'hang', 'hang', 'deaf', 'throw', 'throw nothing', 'unfit', 'limit', 'crash',
] as const

class Drawer {
  readonly #chance: Chance
  readonly #size: Size
  readonly #leaseMs: number
  readonly #ids: string[] = []
  readonly #addedAt = new Map<string, number>()

  constructor(chance: Chance, size: Size, leaseMs: number) {
    this.#chance = chance
    this.#size = size
    this.#leaseMs = leaseMs
  }

  get #node(): number {
    return this.#chance.between(0, this.#size.nodes - 1)
  }

  #act(): Act {
    const chance = this.#chance
    const kind = chance.next()
    const end = chance.pick(['complete', 'complete', 'complete', 'fail', 'snooze'] as const)
    if (kind < 0.25) return { act: 'slow', end, ms: chance.between(1, 600) }
    if (kind < 0.28) return { act: 'slow', end, ms: chance.between(1000, 2 * this.#leaseMs) }
    if (kind < 0.31) return { act: 'block', ms: chance.between(10, 2 * this.#leaseMs) }
    const act = chance.pick(simpleActs)
    // One in a few is enough: the death of a process is the end of much.
    if (act === 'crash' && !chance.happens(0.3)) return { act: 'complete' }
    return { act }
  }

  #options(): JobPlan['options'] {
    const chance = this.#chance
    const some = <T>(probability: number, value: () => T): T | undefined =>
      (chance.happens(probability) ? value() : undefined)
    const options = {
      priority: some(0.3, () => chance.pick([1, 5, 9])),
      delay: some(0.2, () => chance.pick([0, 5, 300, 1500])),
      retries: some(0.5, () => chance.between(0, 3)),
      timeout: some(0.25, () => chance.pick([30, 200, 1500])),
      ttl: some(0.15, () => chance.pick([20, 500, 3000])),
      maxStalls: some(0.4, () => chance.between(0, 3)),
      partition: some(0.4, () => chance.pick(['x', 'y'])),
      onParentFailure: some(0.3, () => chance.pick(['fail', 'run', 'wait'] as const)),
      dedupe: some(0.1, () => ({
        key: chance.pick(['k', 'l']),
        ...chance.pick([
          { mode: 'simple' }, { mode: 'supersede' },
          { mode: 'throttle', window: 400 }, { mode: 'debounce', window: 300 },
        ] as const),
      })),
    }
    const given = Object.entries(options).filter(([, value]) => value !== undefined)
    return Object.fromEntries(given)
  }

  #job(known: readonly string[]): JobPlan {
    const chance = this.#chance
    const again = known.length > 0 && chance.happens(0.04)
    const id = again ? chance.pick(known) : `j${this.#ids.length + 1}`
    const parents = known.length > 0 && chance.happens(0.2)
      ? Array.from({ length: chance.between(1, 3) }, () => chance.pick(known)) : []
    if (!again) this.#ids.push(id)
    const { delay, ...rest } = this.#options()
    // Such a key says by itself when the job runs.
    const options = rest.dedupe?.mode === 'debounce' || delay === undefined
      ? rest : { ...rest, delay }
    return {
      id, options,
      acts: Array.from({ length: chance.between(1, 3) }, () => this.#act()),
      // A key can only be had by who waits for nobody.
      parents: options.dedupe || again ? [] : [...new Set(parents)],
    }
  }

  commands(): Step[] {
    const chance = this.#chance
    const adds: Step[] = []
    while (this.#ids.length < this.#size.jobs) {
      const known = [...this.#ids]
      const left = this.#size.jobs - this.#ids.length
      const isFlow = left >= 4 && chance.happens(0.08)
      const count = isFlow ? 4 : chance.happens(0.7) ? 1 : chance.between(1, Math.min(left, 20))
      const jobs = Array.from({ length: count }, () => this.#job(isFlow ? [] : known))
      const at = chance.between(0, this.#size.lastMs)
      for (const { id } of jobs) this.#addedAt.set(id, at)
      adds.push({ type: isFlow ? 'flow' : 'add', node: this.#node, jobs, at })
    }
    const others = Math.ceil(this.#size.jobs * 0.8)
    const rest = Array.from({ length: chance.between(0, others) }, (): Step => {
      const command = this.#command()
      return { ...command, at: this.#timeOf(command) }
    })
    const again = rest.flatMap((step): Step[] => (step.type === 'cancel' && chance.happens(0.3)
      ? [{ ...step, type: 'retry', at: step.at + chance.between(10, 800) }] : []))
    return [...adds, ...rest, ...again]
  }

  /** Most of what is done to a job is done soon after it was added. */
  #timeOf(command: Command): number {
    const chance = this.#chance
    const added = 'id' in command ? this.#addedAt.get(command.id) : undefined
    return added === undefined || chance.happens(0.3)
      ? chance.between(0, this.#size.lastMs) : added + chance.between(0, 1200)
  }

  /** A process that drains, or stops, while its handlers run and others pause the queue. */
  ends(): Step[] {
    const chance = this.#chance
    if (!chance.happens(0.35)) return []
    const node = this.#node
    const at = chance.happens(0.25)
      ? chance.between(-100, -90) : chance.between(0, this.#size.lastMs)
    const near = (): number => at + chance.between(5, 200)
    const jobs = ['e1', 'e2', 'e3', 'e4'].map((id) => this.#slowJob(id, 'complete'))
    const steps: Step[] = [
      { type: 'add', node, jobs, at: at - 60 },
      { type: 'drain', node, at: chance.happens(0.5) ? at : near() },
      { type: 'pause', node: this.#node, at: near() },
      { type: 'resume', node: chance.happens(0.5) ? node : this.#node, at: near() },
      { type: 'stop', node, at: chance.happens(0.5) ? at : near(), graceMs: 1000, backMs: 500 },
    ]
    return chance.happens(0.6) ? steps : steps.slice(0, -1)
  }

  /** A job that is cancelled while it runs, and ends as it likes, and one that waits for it. */
  lateCancels(): Step[] {
    const chance = this.#chance
    if (!chance.happens(0.35)) return []
    const at = chance.between(0, this.#size.lastMs)
    const end = chance.pick(['snooze', 'limit', 'fail', 'complete'] as const)
    const job = chance.happens(0.3)
      ? { ...this.#slowJob('c1', end), acts: [{ act: 'report' } as const] }
      : this.#slowJob('c1', end)
    const child = { ...this.#slowJob('c2', 'complete'), parents: ['c1'] }
    return [
      { type: 'add', node: this.#node, jobs: [job, child], at },
      { type: 'reschedule', node: this.#node, id: 'c2', ms: 30, at: at + chance.between(5, 90) },
      { type: 'cancel', node: this.#node, id: 'c1', at: at + chance.between(5, 90) },
      { type: 'retry', node: this.#node, id: 'c1', at: at + chance.between(200, 2000) },
    ]
  }

  #slowJob(id: string, end: Word): JobPlan {
    const ms = this.#chance.between(100, 800)
    return { id, options: {}, parents: [], acts: [{ act: 'slow', end, ms }] }
  }

  #command(): Command {
    const chance = this.#chance
    const node = this.#node
    const id = chance.pick(this.#ids)
    const kind = chance.next()
    if (kind < 0.25) return { type: 'cancel', node, id }
    if (kind < 0.4) return { type: 'retry', node, id }
    if (kind < 0.46) return { type: 'remove', node, id }
    if (kind < 0.54) return { type: 'reschedule', node, id, ms: chance.pick([0, 0, 50, 2000]) }
    if (kind < 0.6) return { type: 'wait for', node, id }
    if (kind < 0.66) return { type: 'pause', node }
    if (kind < 0.76) return { type: 'resume', node }
    if (kind < 0.79) return { type: 'drain', node }
    if (kind < 0.8) return { type: 'clean', node }
    if (kind < 0.81) return { type: 'cancel many', node }
    if (kind < 0.83) return { type: 'retry many', node }
    if (kind < 0.86) return { type: 'join', node }
    const how = chance.pick(['complete', 'complete', 'fail', 'snooze'] as const)
    return { type: 'finish', which: chance.between(0, 9), how }
  }

  fault(): Fault {
    const chance = this.#chance
    const node = this.#node
    const kind = chance.next()
    const backMs = chance.happens(0.8) ? chance.between(0, 3000) : null
    if (kind < 0.6) return { type: 'call', node, ...this.#mishap() }
    if (kind < 0.7) return { type: 'crash', node, backMs }
    if (kind < 0.76) {
      return { type: 'stop', node, backMs, graceMs: chance.pick([0, 100, 1000]) }
    }
    if (kind < 0.86) {
      return { type: 'freeze', node, ms: chance.between(10, 2 * this.#leaseMs) }
    }
    if (kind < 0.95) {
      const how = chance.pick(['refusing', 'silent'] as const)
      return { type: 'cut', node, how, ms: chance.between(50, 2 * this.#leaseMs) }
    }
    return { type: 'clock jump', node, ms: chance.between(-60_000, 60_000) }
  }

  #mishap(): { method: string | null; mishap: Mishap } {
    const chance = this.#chance
    const method = chance.pick([
      'insert', 'claim', 'claim', 'commit', 'commit', 'commit', 'apply', 'renew', 'sweep',
      'progress', 'casSetting', 'getSetting', 'readLog', 'get', null,
    ])
    const ms = chance.between(1, chance.happens(0.8) ? 300 : 2 * this.#leaseMs)
    const mishap = chance.pick<Mishap>([
      { type: 'late', ms }, { type: 'refused' }, { type: 'answer lost' }, { type: 'repeated', ms },
    ])
    return { method, mishap }
  }

  diskFault(): Fault {
    const chance = this.#chance
    const node = this.#node
    const kind = chance.next()
    const backMs = chance.happens(0.8) ? chance.between(0, 3000) : null
    const change = chance.between(1, 30)
    if (kind < 0.35) return { type: 'power cut', change }
    if (kind < 0.45) return { type: 'crash', node, backMs }
    if (kind < 0.55) {
      return { type: 'stop', node, backMs, graceMs: chance.pick([0, 100, 1000]) }
    }
    if (kind < 0.85) {
      const code = chance.pick(['EIO', 'EIO', 'ENOSPC'])
      return { type: 'disk error', change, code, part: chance.pick([0, 0, 7, 40]) }
    }
    if (kind < 0.92) {
      return { type: 'freeze', node, ms: chance.between(10, 2 * this.#leaseMs) }
    }
    return { type: 'lying sync', change }
  }
}
