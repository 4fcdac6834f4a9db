import type { Json, State } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../records/job.ts'
import type { Actor, ActorLogic, Snapshot } from './actors.ts'
import type { JobRun } from './job-run.ts'
import type { RunEvent } from './run-event.ts'

/** The snapshot of a live job's actor: always the committed state. */
export type RunSnapshot = Snapshot<Json> & { readonly value: State; readonly context: JobRecord }

export type RunActor = Actor<RunLogic>

/**
 * One attempt as an XState actor: the mailbox brings its events in line, `run` decides, and the
 * snapshot moves only when the store has acknowledged the commit. Each actor has its own logic,
 * so that snapshots stay plain data.
 */
export class RunLogic implements ActorLogic<RunSnapshot, RunEvent, undefined> {
  readonly #run: JobRun

  constructor(run: JobRun) {
    this.#run = run
  }

  getInitialSnapshot(): RunSnapshot {
    return snapshotOf(this.#run.record, false)
  }

  start(
    _snapshot: RunSnapshot, { self }: { readonly self: { send(event: RunEvent): void } },
  ): void {
    this.#run.start((event) => { self.send(event) })
  }

  transition(snapshot: RunSnapshot, event: RunEvent): RunSnapshot {
    const run = this.#run
    run.receive(event)
    const moved = run.record !== snapshot.context || run.done
    return moved ? snapshotOf(run.record, run.done) : snapshot
  }

  getPersistedSnapshot(snapshot: RunSnapshot): RunSnapshot {
    return snapshot
  }
}

function snapshotOf(record: JobRecord, done: boolean): RunSnapshot {
  const value = record.state
  return done
    ? { status: 'done', output: record.result, error: undefined, value, context: record }
    : { status: 'active', output: undefined, error: undefined, value, context: record }
}
