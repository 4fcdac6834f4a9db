import type {
  BulkVerb, Counts, JobAction, WireAnswer, WireBulk, WireBulkAnswer, WireExplanation, WireHandle,
  WireJob, WirePage, WireQueue,
} from '../gateway/protocol.ts'
import { paths } from '../gateway/protocol.ts'
import type {
  BulkAnswer, BulkOptions, CancelManyOptions, CleanAnswer,
} from '../orchestrator/bulk.ts'
import type { JobFilterOptions, ListOptions } from '../orchestrator/filter.ts'
import type { JobSpec } from '../orchestrator/flow.ts'
import type { CancelAnswer } from '../orchestrator/handle.ts'
import type { Spec } from '../orchestrator/queue.ts'
import type { Tasks } from '../orchestrator/tasks.ts'
import type { AddOptions } from '../records/options.ts'
import { Adding, RemoteSpec } from './adding.ts'
import { runBulk } from './line-reader.ts'
import { orNull } from './failure.ts'
import { RemoteHandle } from './remote-job.ts'
import type { RemoteJobContext, RemoteJobHandle } from './remote-job.ts'
import type { RemoteQueue, RemoteTransition } from './remote-queue.ts'
import type { RemoteStream } from './remote-stream.ts'
import { SchedulesFace } from './schedules-face.ts'
import type { Call, Transport } from './transport.ts'
import { toFields, toListQuery, toWireFilter } from './wire-options.ts'

/** What all queues of a client share. */
export interface QueueContext extends RemoteJobContext {
  readonly transport: Transport
  transitions(queue: string): RemoteStream<RemoteTransition>
}

/** A queue's verbs as requests. */
export class RemoteQueueFace implements RemoteQueue<Tasks> {
  readonly name: string
  readonly schedules: SchedulesFace
  readonly #context: QueueContext
  readonly #transport: Transport
  readonly #adding: Adding

  constructor(name: string, context: QueueContext) {
    this.name = name
    this.#context = context
    this.#transport = context.transport
    this.#adding = new Adding(context.transport)
    this.schedules = new SchedulesFace(name, context.transport, (wire) => this.#handle(wire))
  }

  get transitions$(): RemoteStream<RemoteTransition> {
    return this.#context.transitions(this.name)
  }

  async add(
    task: string, input?: unknown, options?: AddOptions,
  ): Promise<RemoteJobHandle<never>> {
    return this.#handle(await this.#adding.add(this.name, this.#adding.pack(task, input, options)))
  }

  spec(task: string, input?: unknown, options?: AddOptions): JobSpec<never> {
    return new RemoteSpec(this.name, this.#adding.pack(task, input, options))
  }

  async addMany<const S extends readonly Spec<Tasks>[]>(
    jobs: S,
  ): Promise<{ -readonly [I in keyof S]: RemoteJobHandle<never> }> {
    const parcels = jobs.map(({ task, input, ...options }: Spec<Tasks>) =>
      this.#adding.pack(task, input, options))
    const handles = await this.#adding.addMany(this.name, parcels)
    return handles.map((wire) => this.#handle(wire)) as
      unknown as { -readonly [I in keyof S]: RemoteJobHandle<never> }
  }

  job<Result = unknown>(id: string): RemoteJobHandle<Result> {
    return this.#handle<Result>({ id, queue: this.name, created: true, foundIn: null })
  }

  get(id: string): Promise<WireJob | null> {
    return orNull(this.#transport.get<WireJob>(paths.job(this.name, id)), 'unknown-job')
  }

  list(options: ListOptions = {}): Promise<WirePage> {
    return this.#transport.get(paths.jobs(this.name), toListQuery(options))
  }

  async counts(): Promise<Counts> {
    return (await this.status()).counts
  }

  status(): Promise<WireQueue> {
    return this.#transport.get(paths.queue(this.name))
  }

  explain(id: string): Promise<WireExplanation> {
    return this.#transport.get(paths.explain(this.name, id))
  }

  cancel(id: string, reason?: string): Promise<CancelAnswer> {
    return this.#context.cancel(this.name, id, reason)
  }

  retry(id: string): Promise<'retried' | 'not-failed' | 'unknown'> {
    return this.#act(id, 'retry', 'never')
  }

  remove(id: string): Promise<'removed' | 'live' | 'unknown'> {
    return this.#act(id, 'remove', 'never')
  }

  reschedule(
    id: string, when: number | string | Date,
  ): Promise<'rescheduled' | 'not-queued' | 'unknown'> {
    return this.#act(id, 'reschedule', 'some', toFields({ when }))
  }

  cancelMany(filter?: JobFilterOptions, options?: CancelManyOptions): Promise<BulkAnswer> {
    return this.#bulk('cancel-many', filter, options)
  }

  retryMany(filter?: JobFilterOptions, options?: BulkOptions): Promise<BulkAnswer> {
    return this.#bulk('retry-many', filter, options)
  }

  clean(filter?: JobFilterOptions, options?: BulkOptions<CleanAnswer>): Promise<CleanAnswer> {
    return this.#bulk('clean', filter, options)
  }

  pause(): Promise<'paused' | 'already-paused'> {
    return this.#word(paths.control(this.name, 'pause'), {}, 'some')
  }

  resume(): Promise<'resumed' | 'not-paused'> {
    return this.#word(paths.control(this.name, 'resume'), {}, 'some')
  }

  #act<Word extends string>(
    id: string, action: JobAction, again: Call['again'], body: object = {},
  ): Promise<Word> {
    return this.#word(paths.act(this.name, id, action), body, again)
  }

  async #word<Word extends string>(
    path: string, body: object, again: Call['again'],
  ): Promise<Word> {
    return (await this.#transport.post<WireAnswer<Word>>(path, body, again)).answer
  }

  async #bulk<Answer extends BulkAnswer>(
    verb: BulkVerb, filter: JobFilterOptions = {},
    { onProgress, ...options }: WireBulk & Pick<BulkOptions<Answer>, 'onProgress'> = {},
  ): Promise<Answer> {
    const toAnswer = ({ over: _over, ...figures }: WireBulkAnswer): Answer =>
      figures as unknown as Answer
    const body = { filter: toWireFilter(filter), ...options }
    return toAnswer(await runBulk(this.#transport, paths.bulk(this.name, verb), body,
      (batch) => onProgress?.(toAnswer(batch))))
  }

  #handle<Result>(wire: WireHandle): RemoteHandle<Result> {
    return new RemoteHandle<Result>(wire, this.#context)
  }
}
