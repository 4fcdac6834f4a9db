import type { Transition } from '../../records/transition.ts'
import type { WireFleetOpened, WireFrame, WireQueueLine } from '../fleet-protocol.ts'
import type { Step } from './fold.ts'
import type { Source } from './source.ts'
import type { QueueTally } from './tally.ts'
import { toEvent } from './watcher.ts'
import type { Watcher } from './watcher.ts'

/** What is sent in a second of steady work, uncompressed. */
const bytesPerSecond = 2000
/** The head of an event with lines. */
const headBytes = 100

export const turnsPerSecond = 4

/** One filter and all who watch with it: everything is counted and written once for them. */
export class View {
  readonly watchers = new Set<Watcher>()
  readonly queues: readonly string[]
  readonly #tallies: readonly QueueTally[]
  readonly #source: Source
  readonly #names: ReadonlySet<string>
  readonly #pending = new Map<number, number>()
  #counts = ''
  #ages = ''
  #bytes = 0
  #frameBytes = 0
  /** Who is about to join. */
  expected = 0
  #wasBounded = false
  /** The lines as they were sent. */
  readonly #sent: string[] = []
  /** The line at which the next second goes on. */
  #nextLine = 0
  /** Resolves when it is known what there is. */
  readonly ready: Promise<void>

  constructor(tallies: readonly QueueTally[], source: Source) {
    this.#tallies = tallies
    this.#source = source
    this.queues = tallies.map(({ queue }) => queue.name)
    this.#names = new Set(this.queues)
    this.ready = source.begin()
    // Who waits for it hears of it.
    this.ready.catch(() => undefined)
  }

  move(transition: Transition, step: Step): void {
    if (this.#names.has(transition.queue)) this.#source.move(transition, step)
  }

  work(): Promise<void> {
    return this.#source.work()
  }

  /** Begins to tell somebody, with all there is. */
  join(watcher: Watcher, about: Pick<WireFleetOpened, 'at' | 'edges' | 'keptFrom' | 'hasHistory'>):
  void {
    // What others are not told yet is told to them now: the new one has it in the counts.
    this.frame(about.at, true)
    this.#wasBounded = this.#source.isBounded
    const opened: WireFleetOpened = {
      ...about, queues: this.queues, counts: this.#source.counts,
      isBounded: this.#source.isBounded, lines: this.#tallies.map((_, place) => this.#line(place)),
    }
    this.watchers.add(watcher)
    watcher.lines(toEvent('fleet.opened', opened))
    const ages = { at: about.at, ages: this.#source.ages.at(about.at) }
    watcher.send(toEvent('fleet.ages', ages))
  }

  frame(at: number, isForced = false): void {
    for (const [edge, times] of this.#source.takeEdges()) {
      this.#pending.set(edge, (this.#pending.get(edge) ?? 0) + times)
    }
    const { counts, isBounded } = this.#source
    const told = counts.join()
    const isNews = this.#pending.size > 0 || told !== this.#counts ||
      isBounded !== this.#wasBounded
    if (!isNews) return
    const frame: WireFrame = {
      at, counts, edges: [...this.#pending],
      ...(isBounded && !this.#wasBounded ? { isBounded } : {}),
    }
    const text = toEvent('fleet.frame', frame)
    // What would be too much waits for the next turn, and is told with it.
    if (!isForced && this.#bytes + text.length > bytesPerSecond) return
    this.#bytes += text.length
    this.#frameBytes = text.length
    this.#counts = told
    this.#wasBounded = isBounded
    this.#pending.clear()
    for (const watcher of this.watchers) watcher.frame(frame, text)
  }

  /** Called once a second, before the first frame of it. */
  second(at: number, count: number): void {
    this.#bytes = 0
    this.#tellAges(at)
    this.#tellLines(at)
    for (const watcher of [...this.watchers]) watcher.second(count)
  }

  close(): void {
    this.#source.close()
  }

  #tellAges(at: number): void {
    const ages = this.#source.ages.at(at)
    const isEmpty = ages.every((age) => age === null)
    if (isEmpty && this.#ages === '') return
    this.#ages = isEmpty ? '' : 'told'
    this.#send(toEvent('fleet.ages', { at, ages }))
  }

  /** As many as there is room for beside frames; the others' turn comes. */
  #tellLines(at: number): void {
    let room = bytesPerSecond - this.#bytes - turnsPerSecond * this.#frameBytes - headBytes
    const lines: WireQueueLine[] = []
    for (let looked = 0; looked < this.#tallies.length && room > 0; looked += 1) {
      const place = this.#nextLine % this.#tallies.length
      const line = this.#line(place)
      const text = JSON.stringify(line)
      if (this.#sent[place] !== text) {
        room -= text.length + 1
        if (room < 0) break
        this.#sent[place] = text
        lines.push(line)
      }
      this.#nextLine = place + 1
    }
    if (lines.length > 0) this.#send(toEvent('fleet.queues', { at, lines }))
    for (const watcher of this.watchers) {
      if (!watcher.needsLines) continue
      const all = this.#tallies.map((_, place) => this.#line(place))
      watcher.lines(toEvent('fleet.queues', { at, lines: all }))
    }
  }

  #line(place: number): WireQueueLine {
    const tally = this.#tallies[place] as QueueTally
    const own = this.#source.of(tally.queue.name)
    const line = tally.line(place)
    if (!own) return line
    // How much others have to do is not for everybody.
    return [place, own[0], own[1], 0, null, line[5], line[6]]
  }

  #send(text: string): void {
    this.#bytes += text.length
    for (const watcher of this.watchers) watcher.send(text)
  }
}
