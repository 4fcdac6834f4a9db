import { Observable } from 'rxjs'
import type { Queue, Tasks, Transition, Troupe } from 'troupe'
import { expect, test } from 'vitest'
import type { Sink } from '../../src/gateway/exchange.ts'
import { leaves } from '../../src/gateway/fleet-protocol.ts'
import type { WireFrame } from '../../src/gateway/fleet-protocol.ts'
import { Fleet } from '../../src/gateway/fleet/fleet.ts'
import { Watcher } from '../../src/gateway/fleet/watcher.ts'
import { Visitor } from '../../src/gateway/grant.ts'
import { parseGatewayOptions } from '../../src/gateway/options.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'

/** A source of as many transitions as a test likes, of jobs that go round the whole chart. */
class Mill {
  readonly env = new VirtualEnv()
  readonly queues: Queue<Tasks>[] = []
  readonly #listeners = new Set<{ queue: string; next: (transition: Transition) => void }>()
  #seq = 0
  readonly counts: Record<string, number> = { queued: 0 }

  constructor(queues: number, before: number) {
    for (const leaf of leaves) this.counts[leaf] = before
    for (let n = 0; n < queues; n += 1) {
      this.queues.push({
        name: `queue-${n}-of-a-rather-long-name`,
        counts: async () => this.counts,
        list: async () => ({ jobs: [], cursor: null, stopped: null }),
        status: async () => ({ paused: n % 2 === 0, limitedUntil: this.env.now() + 1000 }),
      } as unknown as Queue<Tasks>)
    }
  }

  get troupe(): Troupe {
    return {
      queues: () => this.queues,
      observe: ({ queue = '', onLive }: { queue?: string; onLive?: (cursor: string) => void }) =>
        new Observable<Transition>((subscriber) => {
          const listener = {
            queue, next: (transition: Transition) => { subscriber.next(transition) },
          }
          this.#listeners.add(listener)
          onLive?.(`${queue}:0`)
          return () => { this.#listeners.delete(listener) }
        }),
    } as unknown as Troupe
  }

  /** One transition, of one queue after the other. */
  turn(): void {
    this.#seq += 1
    const { name } = this.queues[this.#seq % this.queues.length] as Queue<Tasks>
    const [event, from, to, phase] = steps[this.#seq % steps.length] as typeof steps[number]
    const transition = {
      seq: this.#seq, at: this.env.now(), queue: name, jobId: `job-${this.#seq % 50_000}`,
      rev: this.#seq, task: 'work', event, from, to, phase, cursor: '',
    } as unknown as Transition
    for (const { queue, next } of this.#listeners) if (queue === name) next(transition)
  }

  watch(fleet: Fleet, sink: Sink, query: { readonly tasks?: readonly string[] } = {}): void {
    const asked = { queues: null, tasks: query.tasks ?? null, partitions: null }
    const watcher = new Watcher(new Visitor({ user: 'ada' }, false), asked, sink, 0, () => {
      fleet.leave(watcher)
    })
    void fleet.serve(watcher)
  }
}

const steps = [
  ['add', null, 'queued', 'ready'], ['add', null, 'queued', 'delayed'],
  ['add', null, 'queued', 'blocked'], ['due', 'queued', 'queued', 'ready'],
  ['unblock', 'queued', 'queued', 'ready'], ['unblock', 'queued', 'queued', 'delayed'],
  ['claim', 'queued', 'running', null], ['progress', 'running', 'running', null],
  ['fail', 'running', 'queued', 'delayed'], ['snooze', 'running', 'queued', 'delayed'],
  ['stall', 'running', 'queued', 'ready'], ['complete', 'running', 'completed', null],
  ['fail', 'running', 'failed', null], ['cancel', 'running', 'cancelling', null],
  ['abandon', 'cancelling', 'cancelled', null], ['complete', 'cancelling', 'completed', null],
  ['progress', 'cancelling', 'cancelling', null], ['cancel', 'queued', 'cancelled', null],
  ['expire', 'queued', 'failed', null], ['retry', 'failed', 'queued', 'ready'],
  ['reschedule', 'queued', 'queued', 'delayed'], ['countParents', 'queued', 'queued', 'blocked'],
] as const

class Scale implements Sink {
  readonly #env: VirtualEnv
  readonly seen: { readonly at: number; readonly text: string }[] = []
  isFull = false
  onDrain = (): void => undefined
  onClose = (): void => undefined

  constructor(env: VirtualEnv) {
    this.#env = env
  }

  write(bytes: Uint8Array): boolean {
    this.seen.push({ at: this.#env.monotonic(), text: Buffer.from(bytes).toString() })
    return !this.isFull
  }

  end(): void { this.onClose() }
  destroy(): void { this.onClose() }

  /** The most bytes of any second from `after` on. */
  busiestSecond(after: number): number {
    const later = this.seen.filter(({ at }) => at > after)
    return Math.max(...later.map(({ at }) => later.reduce((sum, each) =>
      sum + (each.at > at - 1000 && each.at <= at ? Buffer.byteLength(each.text) : 0), 0)))
  }

  frames(): WireFrame[] {
    return this.seen.filter(({ text }) => text.startsWith('event: fleet.frame'))
      .map(({ text }) => JSON.parse(text.slice(text.indexOf('data: ') + 6)) as WireFrame)
  }
}

function count(frames: readonly WireFrame[]): number {
  return frames.reduce((sum, { edges }) => edges.reduce((all, [, times]) => all + times, sum), 0)
}

async function run(mill: Mill, seconds: number): Promise<void> {
  for (let turn = 0; turn < seconds * 10; turn += 1) {
    for (let n = 0; n < 500; n += 1) mill.turn()
    await mill.env.advance(100)
  }
}

test.each([[1, {}], [1000, {}], [1000, { tasks: ['work'] }]])(
  '%d queues and 5,000 transitions a second on all edges: at most 2 KB a second %o',
  async (queues, asked) => {
    const mill = new Mill(queues, 1_000_000)
    const fleet = new Fleet(mill.troupe, parseGatewayOptions({ env: mill.env }))
    const scale = new Scale(mill.env)
    mill.watch(fleet, scale, asked)
    await mill.env.settle()
    const opened = mill.env.monotonic()
    expect(scale.seen[0]?.text.startsWith('event: fleet.opened')).toBe(true)
    await run(mill, 12)
    expect(scale.busiestSecond(opened)).toBeLessThanOrEqual(2048)
    // Steady: nothing is lost, and nothing waits for long.
    const frames = scale.frames()
    expect(frames.length).toBeGreaterThanOrEqual(3 * 12)
    expect(frames.length).toBeLessThanOrEqual(4 * 12 + 1)
    expect(count(frames)).toBeGreaterThanOrEqual(12 * 5000 - 2500)
    fleet.close()
    expect(mill.env.pendingTimers).toBe(0)
  },
)

test('who reads slowly is told in one frame what they were spared', async () => {
  const mill = new Mill(1, 0)
  const fleet = new Fleet(mill.troupe, parseGatewayOptions({ env: mill.env }))
  const [fast, slow] = [new Scale(mill.env), new Scale(mill.env)]
  mill.watch(fleet, fast)
  mill.watch(fleet, slow)
  await mill.env.settle()
  await run(mill, 1)
  slow.isFull = true
  await run(mill, 3)
  const held = slow.seen.length
  await run(mill, 3)
  expect(slow.seen.length).toBe(held)
  slow.isFull = false
  slow.onDrain()
  await run(mill, 1)
  await mill.env.advance(1000)
  expect(count(slow.frames())).toBe(count(fast.frames()))
  expect(slow.frames().at(-1)?.counts).toEqual(fast.frames().at(-1)?.counts)
  slow.isFull = true
  mill.turn()
  await mill.env.advance(70_000)
  expect(fleet.size, 'who reads nothing for a minute is cut').toBe(1)
  fleet.close()
  expect(fleet.size).toBe(0)
})

test('what the store counts otherwise is put right', async () => {
  const mill = new Mill(1, 100)
  const fleet = new Fleet(mill.troupe, parseGatewayOptions({ env: mill.env }))
  const scale = new Scale(mill.env)
  mill.watch(fleet, scale)
  await mill.env.settle()
  // Retention removes jobs and tells nobody.
  mill.counts['completed'] = 40
  await mill.env.advance(35_000)
  expect(scale.frames().at(-1)?.counts).toEqual([100, 100, 100, 100, 100, 40, 100, 100])
  fleet.close()
})
