import { createActor } from 'xstate'
import type { ActorLogic, ActorRef, Snapshot } from 'xstate'
import type { State } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../records/job.ts'
import { TroupeErrorOf } from '../errors.ts'
import type { JobAddress, JobStreams } from './job-streams.ts'
import { safeObserver, toObserver } from './safe-observable.ts'
import type { ReportError } from './safe-observable.ts'

/** What a job's actor shows: always the committed state. */
export type JobSnapshot = Snapshot<unknown> & {
  /** The chart's state; null until the record was read. */
  readonly value: State | null
  readonly context: JobRecord | null
}

/** The only event that a job's actor takes. */
export type JobActorEvent = { readonly type: 'cancel'; readonly reason?: string }

/** An XState actor that stands for a job: for `from`, `waitFor`, `toPromise`, `subscribe`. */
export type JobActorRef = ActorRef<JobSnapshot, JobActorEvent>

type Followed = { readonly type: 'troupe.record'; readonly record: JobRecord }
type Ended = { readonly type: 'troupe.end' }
type Fault = { readonly type: 'troupe.error'; readonly error: unknown }
type FollowEvent = JobActorEvent | Followed | Ended | Fault

interface FollowInput extends JobAddress {
  readonly streams: JobStreams
  readonly cancel: (reason: string | undefined) => void
  readonly report: ReportError
}

/** Follows the commits of a job, wherever it runs; it decides nothing. */
class FollowLogic implements ActorLogic<JobSnapshot, FollowEvent, undefined> {
  readonly #input: FollowInput

  constructor(input: FollowInput) {
    this.#input = input
  }

  getInitialSnapshot(): JobSnapshot {
    return { status: 'active', output: undefined, error: undefined, value: null, context: null }
  }

  start(
    _snapshot: JobSnapshot, { self }: { readonly self: { send(event: FollowEvent): void } },
  ): void {
    this.#input.streams.follow(this.#input, {
      next: (record) => { self.send({ type: 'troupe.record', record }) },
      end: (why) => {
        if (why !== 'stopped') self.send({ type: 'troupe.end' })
        else self.send({ type: 'troupe.error', error: stoppedError(this.#input.id) })
      },
      error: (error) => { self.send({ type: 'troupe.error', error }) },
    })
  }

  transition(snapshot: JobSnapshot, event: FollowEvent): JobSnapshot {
    switch (event.type) {
      case 'cancel':
        this.#input.cancel(event.reason)
        return snapshot
      case 'troupe.record':
        return { ...snapshot, value: event.record.state, context: event.record }
      case 'troupe.end':
        return { ...snapshot, status: 'done', output: snapshot.context?.result, error: undefined }
      case 'troupe.error':
        return { ...snapshot, status: 'error', output: undefined, error: event.error }
      default:
        // From a caller without types.
        return snapshot
    }
  }

  getPersistedSnapshot(snapshot: JobSnapshot): JobSnapshot {
    return snapshot
  }
}

/** A started actor that follows one job. */
export function createJobActor(input: FollowInput): JobActorRef {
  const actor = createActor(new FollowLogic(input), { id: input.id })
  const subscribe = actor.subscribe.bind(actor)
  // XState throws at the process what an observer throws, and an error that nobody listens to: an
  // unknown job is no reason for that.
  subscribe({ error: () => undefined })
  actor.subscribe = (
    first: Parameters<typeof toObserver<JobSnapshot>>[0] = null,
    error?: ((error: unknown) => void) | null, complete?: (() => void) | null,
  ) => subscribe(safeObserver(toObserver(first, error, complete), input.report))
  actor.start()
  return actor
}

function stoppedError(id: string): TroupeErrorOf<'stopped'> {
  return new TroupeErrorOf(
    'stopped', `the troupe was stopped before job ${id} settled`, { operation: 'actor' },
  )
}
