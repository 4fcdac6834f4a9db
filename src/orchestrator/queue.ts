import type { Observable } from 'rxjs'
import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { invalidOption, TroupeErrorOf } from '../errors.ts'
import type { Phase, State } from '../../machines/vocabulary.ts'
import { phases, states } from '../../machines/vocabulary.ts'
import { toJson } from '../records/json.ts'
import { isSettled } from '../records/job.ts'
import type { JobRecord, NewJob } from '../records/job.ts'
import { addOptionNames, integer, parseName, parseTime, toNewJob } from '../records/options.ts'
import type { AddOptions } from '../records/options.ts'
import type { Transition } from '../records/transition.ts'
import { isPausedSetting, queueSettingKey } from '../stores/store.ts'
import type { Counts, Request, RequestAnswer, Store } from '../stores/store.ts'
import { parseWith } from './attempt.ts'
import { Handle } from './handle.ts'
import type { CancelAnswer, HandleContext, JobHandle } from './handle.ts'
import type { QueueActor } from './queue-actor.ts'
import { checkNames } from './tasks.ts'
import type { InputOf, JsonSafe, ResultOf, Tasks } from './tasks.ts'

/** One job of `addMany`: the task, its input, and the options of `add`. */
export type JobSpec<T extends Tasks> = {
  [K in keyof T & string]: AddOptions & { readonly task: K } & InputField<InputOf<T[K]>>
}[keyof T & string]
type InputField<Input> = undefined extends Input
  ? { readonly input?: JsonSafe<Input> }
  : { readonly input: JsonSafe<Input> }

type AddArguments<Input> = undefined extends Input
  ? [input?: JsonSafe<Input>, options?: AddOptions]
  : [input: JsonSafe<Input>, options?: AddOptions]

export interface ListFilter {
  readonly state?: State | readonly State[]
  readonly phase?: Phase
  readonly task?: string
  /** Jobs on a page, 1 to 1,000. Default 100. */
  readonly limit?: number
  /** The `cursor` of the page before. */
  readonly cursor?: string
}

export interface JobPage {
  /** In the order in which they were added. */
  readonly jobs: readonly JobRecord[]
  /** For the next page; null on the last one. */
  readonly cursor: string | null
}

/** A named stream of jobs. `T` maps its tasks to their handlers. */
export interface Queue<T extends Tasks> {
  readonly name: string
  /** Every transition of this queue from now on, in the order of its log. */
  readonly transitions$: Observable<Transition>
  /** Stores a job; resolves when it is stored, as durably as the store can. */
  add<K extends keyof T & string>(
    task: K, ...rest: AddArguments<InputOf<T[K]>>
  ): Promise<JobHandle<ResultOf<T[K]>>>
  /** Stores all jobs or none. A fault names the index of its job. */
  addMany<const S extends readonly JobSpec<T>[]>(
    jobs: S,
  ): Promise<{ -readonly [I in keyof S]: JobHandle<ResultOf<T[S[I]['task']]>> }>
  /** A handle on any job of this queue; nothing is read before it is used. */
  job<Result = unknown>(id: string): JobHandle<Result>
  /** The record now, or null when there is none. */
  get(id: string): Promise<JobRecord | null>
  list(filter?: ListFilter): Promise<JobPage>
  counts(): Promise<Counts>
  /** Asks for the end of a job, wherever it runs. */
  cancel(id: string, reason?: string): Promise<CancelAnswer>
  /** Gives a failed or cancelled job a new life. */
  retry(id: string): Promise<'retried' | 'not-failed' | 'unknown'>
  /** Takes a job that is not running out of the store. */
  remove(id: string): Promise<'removed' | 'live' | 'unknown'>
  /** Moves a queued job: to a time (epoch ms or Date), by a duration (`'10s'`), or to `'now'`. */
  reschedule(
    id: string, when: number | Date | 'now' | Extract<Duration, string>,
  ): Promise<'rescheduled' | 'not-queued' | 'unknown'>
  /** Durable and for every process: once it has answered no job is claimed. What runs goes on. */
  pause(): Promise<'paused' | 'already-paused'>
  /** Takes back `pause`, and a `drain` of this process. */
  resume(): Promise<'resumed' | 'not-paused'>
  /** This process: claims no more, resolves when what runs here has ended; stays paused here. */
  drain(): Promise<void>
  /** Resolves when nothing runs here and nothing can be claimed now. Throws `not-started`. */
  idle(): Promise<void>
}

export interface QueueContext {
  readonly store: Store
  readonly handles: HandleContext
  readonly id: () => string
  readonly by: string
  /** Throws `stopped` when the troupe does not take the operation any more. */
  assertOpen(operation: string): void
  isStarted(): boolean
  transitions(queue: string): Observable<Transition>
}

/** The public face of a queue. */
export class QueueOfTroupe implements Queue<Tasks> {
  readonly name: string
  readonly #actor: QueueActor
  readonly #context: QueueContext

  constructor(actor: QueueActor, context: QueueContext) {
    this.name = actor.settings.name
    this.#actor = actor
    this.#context = context
  }

  get transitions$(): Observable<Transition> {
    return this.#context.transitions(this.name)
  }

  async add(task: string, input?: unknown, options?: AddOptions): Promise<JobHandle<never>> {
    this.#context.assertOpen('add')
    const job = await this.#check(task, input, options, '', 'options')
    const [handle] = await this.#insert([job], 'add')
    return handle as JobHandle<unknown> as JobHandle<never>
  }

  async addMany<const S extends readonly JobSpec<Tasks>[]>(
    jobs: S,
  ): Promise<{ -readonly [I in keyof S]: JobHandle<never> }> {
    this.#context.assertOpen('addMany')
    if (!Array.isArray(jobs)) throw invalidOption('jobs', 'an array', jobs)
    const checked: NewJob[] = []
    for (const [index, spec] of (jobs as readonly unknown[]).entries()) {
      const path = `jobs[${index}]`
      if (typeof spec !== 'object' || spec === null) throw invalidOption(path, 'an object', spec)
      checkNames(spec, ['task', 'input', ...addOptionNames], path)
      const { task, input, ...options } = spec as { task: unknown; input?: unknown }
      checked.push(await this.#check(task, input, options, `${path}.`, path))
    }
    const handles = await this.#insert(checked, 'addMany')
    return handles as unknown as { -readonly [I in keyof S]: JobHandle<never> }
  }

  job<Result>(id: string): JobHandle<Result> {
    return new Handle(parseName(id, 'id'), this.name, true, this.#context.handles)
  }

  async get(id: string): Promise<JobRecord | null> {
    this.#context.assertOpen('get')
    const [record] = await this.#context.store.get([parseName(id, 'id')])
    return record?.queue === this.name ? record : null
  }

  async list(filter: ListFilter = {}): Promise<JobPage> {
    this.#context.assertOpen('list')
    checkNames(filter, ['state', 'phase', 'task', 'limit', 'cursor'], 'filter')
    const { state, phase = null, task = null, limit = 100, cursor = null } = filter
    const wanted = state === undefined ? null : [state].flat()
    for (const name of wanted ?? []) {
      if (!states.includes(name)) throw invalidOption('filter.state', states.join(', '), name)
    }
    if (phase !== null && !phases.includes(phase)) {
      throw invalidOption('filter.phase', phases.join(', '), phase)
    }
    const { records, cursor: next } = await this.#context.store.list({
      queue: this.name, states: wanted, phase, task, cursor,
      limit: integer(limit, 'filter.limit', 1, 1000),
    })
    return { jobs: records, cursor: next }
  }

  async counts(): Promise<Counts> {
    this.#context.assertOpen('counts')
    const counts = await this.#context.store.counts(this.name)
    return counts.get(this.name) as Counts
  }

  cancel(id: string, reason?: string): Promise<CancelAnswer> {
    return this.#context.handles.cancel(this.name, id, reason)
  }

  async retry(id: string): Promise<'retried' | 'not-failed' | 'unknown'> {
    const { outcome } = await this.#apply('retry', { type: 'retry', ...this.#address(id) })
    return outcome === 'moved' ? 'retried' : outcome === 'ignored' ? 'not-failed' : 'unknown'
  }

  async remove(id: string): Promise<'removed' | 'live' | 'unknown'> {
    const { outcome } = await this.#apply('remove', { type: 'remove', ...this.#address(id) })
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

  async pause(): Promise<'paused' | 'already-paused'> {
    this.#context.assertOpen('pause')
    return (await this.#setPaused(true)) ? 'paused' : 'already-paused'
  }

  async resume(): Promise<'resumed' | 'not-paused'> {
    this.#context.assertOpen('resume')
    const drained = !this.#actor.isAccepting && this.#context.isStarted()
    const changed = await this.#setPaused(false)
    this.#actor.setPaused(false)
    return changed || drained ? 'resumed' : 'not-paused'
  }

  async drain(): Promise<void> {
    await this.#actor.drain()
  }

  async idle(): Promise<void> {
    if (!this.#context.isStarted()) {
      throw new TroupeErrorOf(
        'not-started', 'idle() waits for running jobs; call await troupe.start() first',
        { operation: 'idle' },
      )
    }
    await this.#actor.idle()
  }

  #address(id: string): { readonly id: string; readonly queue: string; readonly by: string } {
    return { id: parseName(id, 'id'), queue: this.name, by: this.#context.by }
  }

  async #apply(operation: string, request: Request): Promise<RequestAnswer> {
    this.#context.assertOpen(operation)
    const [answer] = await this.#context.store.apply([request])
    return answer ?? { outcome: 'unknown', record: null }
  }

  async #setPaused(paused: boolean): Promise<boolean> {
    const { store } = this.#context
    const key = queueSettingKey(this.name)
    for (;;) {
      const { value, version } = await store.getSetting(key)
      if (isPausedSetting(value) === paused) return false
      const rest = typeof value === 'object' && value !== null ? value : {}
      if (await store.casSetting(key, version, { ...rest, paused })) return true
    }
  }

  async #check(
    task: unknown, input: unknown, options: unknown, prefix: string, path: string,
  ): Promise<NewJob> {
    const { tasks, name: queue, resultLimit } = this.#actor.settings
    const name = parseName(task, `${prefix}task`)
    const definition = tasks.get(name)
    if (tasks.size > 0 && !definition) throw unknownTask(queue, name, [...tasks.keys()], prefix)
    const json = input === undefined ? null : toJson(input, `${prefix}input`, resultLimit)
    if (definition?.schema) await parseWith(definition.schema, input, `${prefix}input`)
    const { id, by } = this.#context
    return toNewJob({ id, queue, task: name, input: json, by }, options, path)
  }

  async #insert(jobs: readonly NewJob[], operation: string): Promise<readonly Handle<unknown>[]> {
    // A schema may have taken its time.
    this.#context.assertOpen(operation)
    const answers = await this.#context.store.insert(jobs)
    return answers.map(({ record, created }) =>
      new Handle(record.id, this.name, created, this.#context.handles))
  }
}

/** What `cancel` answers, from what the store answered. */
export function toCancelAnswer({ outcome, record }: RequestAnswer): CancelAnswer {
  if (outcome === 'unknown' || !record) return 'unknown'
  if (record.state === 'cancelling') return 'cancelling'
  if (outcome === 'moved') return 'cancelled'
  return isSettled(record) ? 'settled' : 'unknown'
}

function unknownTask(
  queue: string, task: string, known: readonly string[], prefix: string,
): TroupeErrorOf<'unknown-task'> {
  return new TroupeErrorOf(
    'unknown-task',
    `${prefix}task: queue ${queue} has no task ${JSON.stringify(task)}; known: ${known.join(', ')}`,
    { queue, task, known },
  )
}
