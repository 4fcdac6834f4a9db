import { createTroupe, memoryStore, TroupeError } from 'troupe'
import type { JobRecord, Queue, Store, Tasks, Troupe, TroupeOptions } from 'troupe'
import { afterEach, beforeEach, expect } from 'vitest'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'

/** One line that a troupe wrote to its log. */
export interface Line {
  readonly level: 'warn' | 'error'
  readonly message: string
  readonly err: unknown
}

/** Virtual time, one memory store, and the troupes that a test opens on them. */
export class Stage {
  env = new VirtualEnv()
  store: Store = memoryStore()
  #lines: Line[] = []
  #troupes: Troupe[] = []

  reset(): void {
    this.env = new VirtualEnv()
    this.store = memoryStore()
    this.#lines = []
    this.#troupes = []
  }

  /** A troupe on the stage's time and store, which is stopped when the test ends. */
  async open(options: TroupeOptions = {}): Promise<Troupe> {
    const write = (level: Line['level']) => (fields: object, message: string): void => {
      this.#lines.push({ level, message, err: 'err' in fields ? fields.err : undefined })
    }
    const troupe = await createTroupe({
      store: this.store, env: this.env, worker: `w${this.#troupes.length + 1}`,
      logger: { warn: write('warn'), error: write('error') }, ...options,
    })
    this.#troupes.push(troupe)
    return troupe
  }

  /** What was logged so far, and is not known to be expected otherwise. */
  takeLines(): Line[] {
    return this.#lines.splice(0)
  }

  /** Moves time on until `work` is done, for `limitMs` at most. */
  async drive<T>(work: Promise<T>, limitMs = 120_000): Promise<T> {
    let done = false
    const ended = (): void => { done = true }
    work.then(ended, ended)
    await this.env.settle()
    for (let spent = 0; !done && spent < limitMs; spent += 250) await this.env.advance(250)
    if (!done) throw new Error(`nothing came of it within ${limitMs} ms of virtual time`)
    return work
  }

  async close(): Promise<void> {
    await this.drive(Promise.all(this.#troupes.map((troupe) => troupe.stop({ grace: 0 }))))
    await this.env.settle()
    expect(this.env.pendingTimers, 'timers that nobody took back').toBe(0)
    expect(this.takeLines(), 'log lines that no test took').toEqual([])
  }
}

/** Call once per file or `describe`: a fresh stage for each test, and nothing left after it. */
export function useStage(): Stage {
  const stage = new Stage()
  beforeEach(() => { stage.reset() })
  afterEach(() => stage.close())
  return stage
}

/** A promise that a test settles when it likes. */
export interface Hold<T> {
  readonly promise: Promise<T>
  readonly release: (value: T) => void
  readonly fail: (error: unknown) => void
}

export function hold<T = void>(): Hold<T> {
  let release = (_value: T): void => undefined
  let fail = (_error: unknown): void => undefined
  const promise = new Promise<T>((resolve, reject) => {
    release = resolve
    fail = reject
  })
  promise.catch(() => undefined)
  return { promise, release, fail }
}

/** What `work` was refused with, which must be an error of ours. */
export async function refusal(work: Promise<unknown>): Promise<TroupeError> {
  try {
    await work
  } catch (error) {
    if (error instanceof TroupeError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

/** What `call` throws, which must be an error of ours. */
export function thrown(call: () => unknown): TroupeError {
  try {
    call()
  } catch (error) {
    if (error instanceof TroupeError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** The record of a job that must exist. */
export async function recordOf<T extends Tasks>(queue: Queue<T>, id: string): Promise<JobRecord> {
  const record = await queue.get(id)
  if (!record) throw new Error(`there is no job ${id}`)
  return record
}

/** `event` of each entry of a record's timeline. */
export function eventsOf(record: JobRecord): string[] {
  return record.timeline.map(({ event }) => event)
}

/** A handler that goes on until its signal aborts, and then rejects with the signal's reason. */
export function untilAborted(job: { readonly signal: AbortSignal }): Promise<never> {
  const { signal } = job
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => { reject(signal.reason) })
  })
}
