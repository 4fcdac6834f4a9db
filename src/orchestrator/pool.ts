import { createActor } from './actors.ts'
import type { Actor, ActorLogic, AnyActorRef, DoneActorEvent, Snapshot } from './actors.ts'
import { RunLogic } from './job-actor.ts'
import type { RunActor } from './job-actor.ts'
import type { JobRecord } from '../records/job.ts'
import type { JobRun } from './job-run.ts'
import type { RunEvent } from './run-event.ts'

/** Hears of the ending of each job actor. */
class PoolLogic implements ActorLogic<Snapshot<undefined>, DoneActorEvent, undefined> {
  readonly #ended: (id: string) => void

  constructor(ended: (id: string) => void) {
    this.#ended = ended
  }

  getInitialSnapshot(): Snapshot<undefined> {
    return { status: 'active', output: undefined, error: undefined }
  }

  transition(snapshot: Snapshot<undefined>, event: DoneActorEvent): Snapshot<undefined> {
    if (event.type.startsWith('xstate.done.actor.')) this.#ended(event.actorId)
    return snapshot
  }

  getPersistedSnapshot(snapshot: Snapshot<undefined>): Snapshot<undefined> {
    return snapshot
  }
}

/**
 * The live job actors of one queue, in a map beside the snapshots: as `children` of a machine each
 * would cost more with every sibling. Slots are held by handlers, not by jobs: an abandoned handler
 * keeps its slot until it really ends.
 */
export class Pool {
  readonly #actor: Actor<PoolLogic>
  readonly #live = new Map<string, { readonly run: JobRun; readonly actor: RunActor }>()
  readonly #abandoned = new Map<string, JobRun>()
  readonly #runEnded: () => void
  #handlers = 0

  /** `runEnded` is called when a job is committed to its end, or lost. */
  constructor(parent: AnyActorRef, runEnded: () => void) {
    this.#runEnded = runEnded
    this.#actor = createActor(new PoolLogic((id) => { this.#ended(id) }), { id: 'pool', parent })
    this.#actor.start()
  }

  /** Handlers that are running, abandoned ones counted. */
  get handlers(): number {
    return this.#handlers
  }

  /** Jobs that are not committed to their end yet. */
  get size(): number {
    return this.#live.size
  }

  /** Ids of jobs whose abandoned handler still runs here: never start them beside it. */
  get abandoned(): ReadonlyMap<string, JobRun> {
    return this.#abandoned
  }

  /** A job that is not committed to its end yet. */
  has(id: string): boolean {
    return this.#live.has(id)
  }

  /** Jobs that are not committed to their end yet. */
  ids(): Iterable<string> {
    return this.#live.keys()
  }

  get(id: string): JobRun | undefined {
    return this.#live.get(id)?.run
  }

  runs(): JobRun[] {
    return [...this.#live.values()].map(({ run }) => run)
  }

  start(run: JobRun): void {
    this.#handlers += 1
    const { id } = run.record
    // One actor system for all: a system of its own costs each job more than its life.
    const actor = createActor(new RunLogic(run), { id, parent: this.#actor })
    this.#live.set(id, { run, actor })
    actor.start()
  }

  send(id: string, event: RunEvent): void {
    this.#live.get(id)?.actor.send(event)
  }

  /** The store says that a job is now so. Answers whether the job is live here. */
  changed(id: string, record: JobRecord | null): boolean {
    const live = this.#live.get(id)
    if (!live) return false
    if (!record || record.rev > live.run.record.rev) live.actor.send({ type: 'changed', record })
    return true
  }

  sendAll(event: RunEvent): void {
    for (const { actor } of [...this.#live.values()]) actor.send(event)
  }

  /** Frees its slot; answers whether the job had moved on without it. */
  handlerEnded(run: JobRun): boolean {
    this.#handlers -= 1
    const { id } = run.record
    return this.#abandoned.get(id) === run && this.#abandoned.delete(id)
  }

  #ended(id: string): void {
    const run = this.#live.get(id)?.run
    if (!run) return
    this.#live.delete(id)
    if (run.abandoned) this.#abandoned.set(id, run)
    this.#runEnded()
  }
}
