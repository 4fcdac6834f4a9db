import type { Log } from './log.ts'
import type { QueueRows } from './queue-rows.ts'
import type { Start } from './starts.ts'

/** The end of a queue: what it had up to this insert number, and to this number of its log. */
export interface Erasure {
  readonly order: number
  readonly seq: number
}

/** The queues that one group of operations erases; what comes behind that in the group stays. */
export class Erasures {
  readonly byQueue = new Map<string, Erasure>()
  /** How many of the group's starts came before. */
  readonly #outdated = new Map<string, number>()

  add({ name, log }: QueueRows, order: number, started: number): void {
    this.byQueue.set(name, { order, seq: log.newest })
    this.#outdated.set(name, started)
  }

  /** What is left of `started` starts, the newest of a queue. */
  startsOf({ name, starts }: QueueRows, started: number): readonly Start[] {
    return starts.list(started - (this.#outdated.get(name) ?? 0))
  }
}

/** The log goes on behind its last number, so that no cursor means two things. */
export function forgetLog(log: Log, { seq }: Erasure): void {
  if (log.newest < seq) log.startAt(seq)
  else log.trim(log.newest - seq, Number.NEGATIVE_INFINITY)
}
