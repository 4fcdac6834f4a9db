import type { Progress, State } from '../../machines/vocabulary.ts'
import type { WireJob, WireTransition } from '../gateway/protocol.ts'
import type { Live } from './live.ts'
import { isSettled, unknownJob } from './outcome.ts'

/** Why nothing more comes of a job. */
export type FollowEnd = 'settled' | 'removed'

/** Who wants to know of a job what; each part may be left out. */
export interface JobSink {
  record?(record: WireJob): void
  state?(state: State): void
  progress?(progress: Progress): void
  /** `closed`: the client was, before the job had settled. */
  end(why: FollowEnd | 'closed'): void
  error(error: unknown): void
}

export interface FollowContext {
  readonly live: Live
  /** Tries for ever, until the signal aborts; null when there is no such job. */
  fetch(queue: string, id: string, signal: AbortSignal): Promise<WireJob | null>
}

/**
 * Follows one job for all who want to know of it: it listens first and asks then, so that no change
 * in between is lost. States and progress come from the stream at once, records by asking anew
 * after each change of state.
 */
export class JobFollower {
  readonly #context: FollowContext
  readonly #queue: string
  readonly #id: string
  readonly #sinks = new Set<JobSink>()
  readonly #abort = new AbortController()
  readonly #stop: () => void
  readonly #onEnd: () => void
  #record: WireJob | null = null
  #state: State | null = null
  #progress: Progress | null = null
  #rev = 0
  /** Transitions that came before the first record. */
  #held: WireTransition[] = []
  #asking = false
  #askAgain = false
  #ended = false

  constructor(context: FollowContext, queue: string, id: string, onEnd: () => void) {
    this.#context = context
    this.#queue = queue
    this.#id = id
    this.#onEnd = onEnd
    this.#stop = context.live.listen({
      filter: { queue: [queue], job: [id] },
      from: null,
      begins: (gap) => {
        // Behind a gap the job may be another one, in another store.
        if (gap) this.#rev = 0
        this.#ask()
      },
      transition: (transition) => { this.#take(transition) },
      error: (error) => { this.#end((sink) => { sink.error(error) }) },
      over: () => { this.#end((sink) => { sink.end('closed') }) },
    })
  }

  /** Tells what is known, then what comes. Answers how to stop. */
  join(sink: JobSink): () => void {
    this.#sinks.add(sink)
    if (this.#state) sink.state?.(this.#state)
    if (this.#progress) sink.progress?.(this.#progress)
    if (this.#record && this.#sinks.has(sink)) sink.record?.(this.#record)
    return () => {
      if (this.#sinks.delete(sink) && this.#sinks.size === 0) this.#end(() => undefined)
    }
  }

  #take(transition: WireTransition): void {
    if (!this.#record) {
      this.#held.push(transition)
      return
    }
    const { rev, to, event, progress } = transition
    if (rev <= this.#rev) return
    const isNext = rev === this.#record.rev + 1
    this.#rev = rev
    if (to === null) {
      this.#end((sink) => { sink.end('removed') })
      return
    }
    this.#tell(to, progress)
    if (event === 'progress' && isNext && !this.#asking) {
      this.#setRecord({ ...this.#record, rev, progress })
    } else this.#ask()
  }

  #tell(state: State, progress: Progress | null): void {
    if (state !== this.#state) {
      this.#state = state
      for (const sink of [...this.#sinks]) sink.state?.(state)
    }
    if (progress !== null && !same(progress, this.#progress)) {
      this.#progress = progress
      for (const sink of [...this.#sinks]) sink.progress?.(progress)
    }
  }

  #setRecord(record: WireJob): void {
    this.#record = record
    for (const sink of [...this.#sinks]) sink.record?.(record)
  }

  #ask(): void {
    if (this.#asking || this.#ended) {
      this.#askAgain = true
      return
    }
    this.#asking = true
    this.#askAgain = false
    this.#context.fetch(this.#queue, this.#id, this.#abort.signal).then((record) => {
      this.#asking = false
      this.#answer(record)
    }, (error: unknown) => { this.#end((sink) => { sink.error(error) }) })
  }

  #answer(record: WireJob | null): void {
    if (this.#ended) return
    if (!record) {
      this.#gone()
      return
    }
    if (record.rev >= this.#rev) {
      this.#rev = record.rev
      this.#tell(record.state, record.progress)
      this.#setRecord(record)
      if (isSettled(record.state)) {
        this.#end((sink) => { sink.end('settled') })
        return
      }
    }
    const held = this.#held
    this.#held = []
    for (const transition of held) this.#take(transition)
    if (this.#askAgain) this.#ask()
  }

  /** A job that settled may be pruned before it is asked for. */
  #gone(): void {
    const wasKnown = this.#record !== null || this.#held.length > 0
    this.#end((sink) => {
      if (wasKnown) sink.end('removed')
      else sink.error(unknownJob(this.#queue, this.#id))
    })
  }

  #end(last: (sink: JobSink) => void): void {
    if (this.#ended) return
    this.#ended = true
    this.#stop()
    this.#abort.abort()
    this.#onEnd()
    const sinks = [...this.#sinks]
    this.#sinks.clear()
    for (const sink of sinks) last(sink)
  }
}

function same(a: Progress, b: Progress | null): boolean {
  return b !== null && a.current === b.current && a.total === b.total && a.message === b.message
}
