import { TroupeError, TroupeErrorOf } from '../../errors.ts'
import type { Broadcast } from '../broadcast.ts'
import type { Group, Touch } from '../group.ts'
import type { Rows } from '../rows.ts'
import { GroupEncoder } from './record-codec.ts'

/** Where groups go. */
export interface GroupSink {
  /** Asked before a group is made; a rejection refuses all operations that wait. */
  prepare(): Promise<void> | undefined
  /** Resolves when the group is durable; after a rejection nothing of it must be found again. */
  write(encode: (number: number) => Buffer, touches: readonly Touch[]): Promise<void>
  /** Called between groups. */
  written(): Promise<void> | undefined
}

interface Waiting {
  readonly name: string
  readonly run: () => unknown
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
  /** Writes nothing that must last: waits for the end of the group instead of taking part. */
  readonly aside: boolean
  answer: unknown
  failed: boolean
}

const groupOperations = 5000
const groupText = 1024 * 1024

/**
 * Runs operations one after the other and makes what they changed durable in groups: one write
 * for all that came while the last one was on its way. Nobody sees a change before it is durable.
 */
export class GroupCommit {
  readonly #rows: Rows
  readonly #broadcast: Broadcast
  readonly #sink: GroupSink
  readonly #soon: (action: () => void) => void
  readonly #encoder = new GroupEncoder()
  #queue: Waiting[] = []
  #working: Promise<void> | null = null
  #dirty = false

  constructor(
    rows: Rows, broadcast: Broadcast, sink: GroupSink, soon: (action: () => void) => void,
  ) {
    this.#rows = rows
    this.#broadcast = broadcast
    this.#sink = sink
    this.#soon = soon
  }

  /** Runs an operation that may change rows; answers when its changes are durable. */
  run<T>(name: string, operation: () => T): Promise<T> {
    return this.#push(name, operation, false)
  }

  /** Runs an operation that only reads, or writes what need not last. */
  read<T>(name: string, operation: () => T): Promise<T> {
    if (this.#dirty || this.#queue.length > 0) return this.#push(name, operation, true)
    return new Promise<T>((resolve) => { resolve(operation()) })
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    while (this.#working) await this.#working
  }

  #push<T>(name: string, run: () => T, aside: boolean): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({
        name, run, aside, reject, resolve: resolve as Waiting['resolve'],
        answer: undefined, failed: false,
      })
      this.#working ??= this.#work()
    })
  }

  async #work(): Promise<void> {
    await this.#turn()
    while (this.#queue.length > 0) {
      await this.#group()
      // Who was answered plans what comes next in one turn and asks for it in the next one: the
      // outcomes of a turn and the claims that replace them shall share a group.
      await this.#turn()
      await this.#turn()
    }
    this.#working = null
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => { this.#soon(resolve) })
  }

  async #group(): Promise<void> {
    try {
      const ready = this.#sink.prepare()
      if (ready) await ready
    } catch (error) {
      const refused = this.#queue
      this.#queue = []
      for (const waiting of refused) {
        if (!waiting.aside) fail(waiting, error)
      }
      this.#finish(refused)
      return
    }
    const batch = this.#evaluate()
    const group = this.#rows.take()
    if (group && await this.#write(group, batch)) this.#broadcast.emit(group.events)
    this.#finish(batch)
    const after = this.#sink.written()
    if (after) await after
  }

  async #write(group: Group, batch: readonly Waiting[]): Promise<boolean> {
    this.#dirty = true
    try {
      await this.#sink.write((number) => this.#encoder.finish(number, group), this.#rows.touches)
      this.#rows.accept()
      return true
    } catch (error) {
      this.#rollback()
      for (const waiting of batch) {
        if (!waiting.aside) fail(waiting, error)
      }
      return false
    } finally {
      this.#dirty = false
    }
  }

  /** Runs what waits, until the group is full, and answers what it took from the queue. */
  #evaluate(): Waiting[] {
    const queue = this.#queue
    let end = 0
    while (end < queue.length && end < groupOperations && this.#encoder.size < groupText) {
      const waiting = queue[end] as Waiting
      end += 1
      if (waiting.aside || waiting.failed) continue
      const before = this.#rows.touches.length
      try {
        waiting.answer = waiting.run()
        this.#encoder.take(this.#rows.touches)
      } catch (error) {
        waiting.answer = error
        waiting.failed = true
        if (this.#rows.touches.length === before) continue
        // It left something half done: begin again, without it.
        this.#rollback()
        end = 0
      }
    }
    this.#queue = end === queue.length ? [] : queue.slice(end)
    return end === queue.length ? queue : queue.slice(0, end)
  }

  #rollback(): void {
    this.#encoder.reset()
    this.#rows.rollback()
    this.#rows.sortSettled()
  }

  /** Answers all; those that only read run now, when nothing is dirty. */
  #finish(batch: readonly Waiting[]): void {
    for (const waiting of batch) {
      if (waiting.aside) {
        try {
          waiting.resolve(waiting.run())
        } catch (error) {
          waiting.reject(error)
        }
      } else if (waiting.failed) waiting.reject(waiting.answer)
      else waiting.resolve(waiting.answer)
    }
  }
}

function fail(waiting: Waiting, cause: unknown): void {
  waiting.failed = true
  waiting.answer = toStoreError(waiting.name, cause)
}

/** The error for an operation that the disk or the lock refused. */
export function toStoreError(operation: string, cause: unknown): Error {
  if (cause instanceof TroupeError) return cause
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new TroupeErrorOf(
    'store-failed', `the store could not ${operation}: ${reason}`, { operation }, { cause },
  )
}
