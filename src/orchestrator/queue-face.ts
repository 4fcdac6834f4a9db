import type { Observable } from 'rxjs'
import { settledStates } from '../../machines/vocabulary.ts'
import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { invalidOption, TroupeErrorOf } from '../errors.ts'
import type { JobRecord } from '../records/job.ts'
import { parseName, parseTime } from '../records/options.ts'
import type { AddOptions } from '../records/options.ts'
import type { Transition } from '../records/transition.ts'
import type { Counts } from '../stores/reading.ts'
import { queueSettingKey, toQueueSetting } from '../stores/settings.ts'
import type { Request, RequestAnswer } from '../stores/store.ts'
import { Adding } from './adding.ts'
import type { AddingContext } from './adding.ts'
import { applyToAll, checkBulkOptions } from './bulk.ts'
import type {
  BulkAnswer, BulkOptions, BulkWork, CancelManyOptions, CleanAnswer,
} from './bulk.ts'
import { explain } from './explain.ts'
import type { Explanation } from './explain.ts'
import { parseFilter, parseList } from './filter.ts'
import type { JobFilterOptions, JobPage, ListOptions } from './filter.ts'
import { CheckedSpec } from './flow.ts'
import type { JobSpec } from './flow.ts'
import { Handle } from './handle.ts'
import type { CancelAnswer, JobHandle } from './handle.ts'
import type { Queue, QueueStatus, Spec, WithTransaction } from './queue.ts'
import type { QueueActor } from './queue-actor.ts'
import { SchedulesOfQueue } from './schedules/face.ts'
import { changeQueueSetting } from './queue-setting.ts'
import { checkNames } from './tasks.ts'
import type { Tasks } from './tasks.ts'
import { splitTransaction } from './transaction.ts'

/** What the face of a queue needs of its troupe. */
export interface QueueContext extends AddingContext {
  readonly now: () => number
  isStarted(): boolean
  transitions(queue: string): Observable<Transition>
}

/** The public face of a queue. */
export class QueueFace implements Queue<Tasks> {
  readonly name: string
  readonly schedules: SchedulesOfQueue
  readonly #actor: QueueActor
  readonly #context: QueueContext
  readonly #adding: Adding

  constructor(actor: QueueActor, context: QueueContext) {
    this.name = actor.settings.name
    this.#actor = actor
    this.#context = context
    this.#adding = new Adding(actor.settings, context)
    this.schedules = new SchedulesOfQueue(this.name, this.#adding, context)
  }

  get transitions$(): Observable<Transition> {
    return this.#context.transitions(this.name)
  }

  async add(
    task: string, input?: unknown, options?: AddOptions & WithTransaction,
  ): Promise<JobHandle<never>> {
    this.#context.assertOpen('add')
    const { transaction, rest } = splitTransaction(options, this.#context.store, 'options')
    const job = await this.#adding.check(task, input, rest, '', 'options')
    const [handle] = await this.#adding.insert([job], 'add', transaction)
    return handle as JobHandle<unknown> as JobHandle<never>
  }

  async addMany<const S extends readonly Spec<Tasks>[]>(
    jobs: S, options: WithTransaction = {},
  ): Promise<{ -readonly [I in keyof S]: JobHandle<never> }> {
    this.#context.assertOpen('addMany')
    if (typeof options !== 'object') throw invalidOption('options', 'an object', options)
    checkNames(options, ['transaction'], 'options')
    const { transaction } = splitTransaction(options, this.#context.store, 'options')
    const checked = await this.#adding.checkMany(jobs)
    const handles = await this.#adding.insert(checked, 'addMany', transaction)
    return handles as unknown as { -readonly [I in keyof S]: JobHandle<never> }
  }

  spec(task: string, input?: unknown, options?: AddOptions): JobSpec<never> {
    return new CheckedSpec(this.name, task, input, options, this.#adding) as JobSpec as
      JobSpec<never>
  }

  job<Result>(id: string): JobHandle<Result> {
    return new Handle(parseName(id, 'id'), this.name, null, this.#context.handles)
  }

  async get(id: string): Promise<JobRecord | null> {
    this.#context.assertOpen('get')
    const [record] = await this.#context.store.get([parseName(id, 'id')])
    return record?.queue === this.name ? record : null
  }

  async list(options: ListOptions = {}): Promise<JobPage> {
    this.#context.assertOpen('list')
    const { records, cursor, stopped } =
      await this.#context.store.list(parseList(this.name, options))
    return { jobs: records, cursor, stopped }
  }

  async counts(): Promise<Counts> {
    this.#context.assertOpen('counts')
    const counts = await this.#context.store.counts(this.name)
    return counts.get(this.name) as Counts
  }

  async status(): Promise<QueueStatus> {
    this.#context.assertOpen('status')
    const { settings, pool, state } = this.#actor
    const { tasks, concurrency, limits, maxQueued } = settings
    const { value } = await this.#context.store.getSetting(queueSettingKey(this.name))
    const { paused, limitedUntil } = toQueueSetting(value)
    return {
      paused, limitedUntil: limitedUntil > this.#context.now() ? limitedUntil : null,
      rateLimit: limits.rate, concurrencyPerPartition: limits.perPartition, maxQueued,
      tasks: [...tasks.keys()], concurrency, running: pool.handlers, state,
    }
  }

  async explain(id: string): Promise<Explanation> {
    this.#context.assertOpen('explain')
    const { store, now } = this.#context
    const { limits, tasks, concurrency } = this.#actor.settings
    const [facts, workers] = await Promise.all([
      store.explain(this.name, parseName(id, 'id'), limits), store.workers(),
    ])
    const { pool, state, intake } = this.#actor
    return explain(id, facts, workers, {
      started: this.#context.isStarted(), tasks, state, freeSlots: intake.slots, concurrency,
      limits, now: now(), handlers: pool.handlers, abandoned: [...pool.abandoned.keys()],
    })
  }

  cancel(id: string, reason?: string): Promise<CancelAnswer> {
    return this.#context.handles.cancel(this.name, id, reason)
  }

  async retry(id: string): Promise<'retried' | 'not-failed' | 'unknown'> {
    const { outcome } = await this.#apply('retry', { type: 'retry', ...this.#address(id) })
    return outcome === 'moved' ? 'retried' : outcome === 'ignored' ? 'not-failed' : 'unknown'
  }

  async remove(id: string): Promise<'removed' | 'live' | 'unknown'> {
    const { outcome } = await this.#apply('remove', {
      type: 'remove', spareAwaited: false, ...this.#address(id),
    })
    return outcome === 'moved' ? 'removed' : outcome === 'ignored' ? 'live' : 'unknown'
  }

  async reschedule(
    id: string, when: number | Date | 'now' | Extract<Duration, string>,
  ): Promise<'rescheduled' | 'not-queued' | 'unknown'> {
    const moment = typeof when === 'string'
      ? { runAt: null, delayMs: when === 'now' ? 0 : parseDuration(when, 'when') }
      : { runAt: parseTime(when, 'when'), delayMs: null }
    const request: Request = { type: 'reschedule', ...moment, ...this.#address(id) }
    const { outcome } = await this.#apply('reschedule', request)
    return outcome === 'moved' ? 'rescheduled' : outcome === 'ignored' ? 'not-queued' : 'unknown'
  }

  async cancelMany(
    filter: JobFilterOptions = {}, options: CancelManyOptions = {},
  ): Promise<BulkAnswer> {
    checkBulkOptions(options, ['reason'])
    const reason = options.reason === undefined
      ? null : parseName(options.reason, 'options.reason', 1024)
    return this.#applyToAll('cancelMany', {
      filter: parseFilter(this.name, filter),
      defaultStates: ['queued', 'running', 'cancelling'],
      oldestFirst: false,
      toRequest: (id) => ({ type: 'cancel', reason, ...this.#address(id) }),
      toAnswer: ({ matched, done }) => ({ matched, done }),
    }, options)
  }

  async retryMany(filter: JobFilterOptions = {}, options: BulkOptions = {}): Promise<BulkAnswer> {
    checkBulkOptions(options)
    return this.#applyToAll('retryMany', {
      filter: parseFilter(this.name, filter),
      defaultStates: ['failed', 'cancelled'],
      oldestFirst: true,
      toRequest: (id) => ({ type: 'retry', ...this.#address(id) }),
      toAnswer: ({ matched, done }) => ({ matched, done }),
    }, options)
  }

  async clean(
    filter: JobFilterOptions = {}, options: BulkOptions<CleanAnswer> = {},
  ): Promise<CleanAnswer> {
    checkBulkOptions(options)
    return this.#applyToAll('clean', {
      filter: parseFilter(this.name, filter),
      defaultStates: settledStates,
      oldestFirst: false,
      toRequest: (id) => ({ type: 'remove', spareAwaited: true, ...this.#address(id) }),
      toAnswer: (figures) => figures,
    }, options)
  }

  async obliterate(
    options: { readonly force?: boolean } = {},
  ): Promise<'obliterated' | 'running'> {
    if (typeof options !== 'object' || options === null) {
      throw invalidOption('options', 'an object', options)
    }
    checkNames(options, ['force'], 'options')
    const { force = false } = options
    if (typeof force !== 'boolean') throw invalidOption('options.force', 'true or false', force)
    const request = { type: 'obliterate', queue: this.name, by: this.#context.by, force } as const
    const { outcome } = await this.#apply('obliterate', request)
    return outcome === 'moved' ? 'obliterated' : 'running'
  }

  async pause(): Promise<'paused' | 'already-paused'> {
    this.#context.assertOpen('pause')
    const { store } = this.#context
    const changed = await changeQueueSetting(store, this.name, (setting) =>
      (setting.paused ? null : { ...setting, paused: true }))
    return changed ? 'paused' : 'already-paused'
  }

  async resume(): Promise<'resumed' | 'not-paused'> {
    this.#context.assertOpen('resume')
    const drained = !this.#actor.isAccepting && this.#context.isStarted()
    const changed = await changeQueueSetting(this.#context.store, this.name, (setting) =>
      (setting.paused || setting.limitedUntil > this.#context.now()
        ? { paused: false, limitedUntil: 0 } : null))
    this.#actor.setPaused(false)
    return changed || drained ? 'resumed' : 'not-paused'
  }

  async drain(): Promise<void> {
    this.#assertStarted('drain')
    await this.#actor.drain()
  }

  async idle(): Promise<void> {
    this.#assertStarted('idle')
    await this.#actor.idle()
  }

  #assertStarted(operation: string): void {
    if (this.#context.isStarted()) return
    throw new TroupeErrorOf(
      'not-started', `${operation}() waits for running jobs; call await troupe.start() first`,
      { operation },
    )
  }

  #applyToAll<Answer extends BulkAnswer>(
    operation: string, work: BulkWork<Answer>, options: BulkOptions<Answer>,
  ): Promise<Answer> {
    const { store, handles } = this.#context
    const assertOpen = (): void => { this.#context.assertOpen(operation) }
    assertOpen()
    const soon = (action: () => void): void => { handles.env.soon(action) }
    return applyToAll({ store, soon, assertOpen }, work, options)
  }

  #address(id: string): { readonly id: string; readonly queue: string; readonly by: string } {
    return { id: parseName(id, 'id'), queue: this.name, by: this.#context.by }
  }

  async #apply(operation: string, request: Request): Promise<RequestAnswer> {
    this.#context.assertOpen(operation)
    const [answer] = await this.#context.store.apply([request])
    return answer ?? { outcome: 'unknown', record: null }
  }
}
