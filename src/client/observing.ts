import type { Json, State } from '../../machines/vocabulary.ts'
import { TroupeErrorOf } from '../errors.ts'
import type { WireKeyframe } from '../gateway/protocol.ts'
import type { Live } from './live.ts'
import type { LiveFilter } from './live-filter.ts'
import type { RemoteTransition } from './remote-queue.ts'
import { RemoteStream } from './remote-stream.ts'

/** What to observe; of a list, any. What is left out lets all pass. */
export interface RemoteObserveOptions {
  readonly queue?: string | readonly string[]
  readonly job?: string | readonly string[]
  readonly task?: string | readonly string[]
  /** Transitions to these states, progress in them included. */
  readonly state?: State | readonly State[]
  readonly partition?: string | readonly string[]
  /** The job's `meta` has these properties with these values. */
  readonly meta?: Readonly<Record<string, unknown>>
  /**
   * `'now'` (default): what comes. `'start'`: from the oldest transition that the log keeps. Or the
   * `cursor` of a transition: go on right behind it.
   */
  readonly from?: string
  /**
   * Called when transitions were missed: the log no longer has them, or there were more than the
   * gateway holds for a slow client. Ask anew for what you show; the stream goes on. Without it the
   * stream ends with a `missed-transitions` error.
   */
  readonly onGap?: (why: Exclude<WireKeyframe['why'], 'opened'>) => void
}

/** Every transition once, in the order of each queue's log, through breaks of the connection. */
export function observe(
  live: Live, options: RemoteObserveOptions,
): RemoteStream<RemoteTransition> {
  const { from = 'now', onGap } = options
  const filter = toFilter(options)
  return new RemoteStream((sink) => live.listen({
    filter,
    from,
    begins: (gap) => {
      if (!gap || gap.why === 'opened') return
      if (onGap) onGap(gap.why)
      else sink.error(missed(gap.why))
    },
    transition: (transition, cursor) => { sink.next({ ...transition, cursor }) },
    error: (error) => { sink.error(error) },
    over: () => { sink.complete() },
  }))
}

function toFilter({ meta, ...options }: RemoteObserveOptions): LiveFilter {
  const { queue, job, task, state, partition } = options
  const lists = Object.entries({ queue, job, task, state, partition })
    .flatMap(([name, value]) => value === undefined ? [] : [[name, [value].flat()]])
  return {
    ...Object.fromEntries(lists) as LiveFilter,
    ...(meta === undefined ? {} : { meta: meta as { [key: string]: Json } }),
  }
}

function missed(why: string): TroupeErrorOf<'missed-transitions'> {
  return new TroupeErrorOf(
    'missed-transitions', `transitions were missed (${why}): ask anew, and observe again`, { why },
  )
}
