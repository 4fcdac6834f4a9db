import { invalidOption, TroupeError, TroupeErrorOf } from '../errors.ts'
import { unknownParent } from '../records/graph-errors.ts'
import { toJson } from '../records/json.ts'
import type { NewJob } from '../records/job.ts'
import { addOptionNames, parseName, toNewJob } from '../records/options.ts'
import type { InsertAnswer, Store, Transaction } from '../stores/store.ts'
import { parseWith } from './attempt.ts'
import { Handle } from './handle.ts'
import type { HandleContext } from './handle.ts'
import type { QueueSettings } from './workshop.ts'
import { checkNames } from './tasks.ts'

/** What adding needs of the troupe. */
export interface AddingContext {
  readonly store: Store
  readonly handles: HandleContext
  readonly id: () => string
  readonly by: string
  /** The bounds of all queues that have one. */
  maxQueued(): ReadonlyMap<string, number> | undefined
  /** The present trace, if there is one. */
  trace(): string | null
  /** Throws `stopped` when the troupe does not take the operation any more. */
  assertOpen(operation: string): void
}

/** Checks new jobs of one queue at the door, and stores them. */
export class Adding {
  readonly #settings: QueueSettings
  readonly #context: AddingContext

  constructor(settings: QueueSettings, context: AddingContext) {
    this.#settings = settings
    this.#context = context
  }

  /** `inputPath` and `optionsPath` are how errors call them. */
  async check(
    task: unknown, input: unknown, options: unknown, prefix: string, path: string,
  ): Promise<NewJob> {
    const { tasks, name: queue, resultLimit } = this.#settings
    const name = parseName(task, `${prefix}task`)
    const definition = tasks.get(name)
    if (tasks.size > 0 && !definition) throw unknownTask(queue, name, [...tasks.keys()], prefix)
    const json = input === undefined ? null : toJson(input, `${prefix}input`, resultLimit)
    if (definition?.schema) await parseWith(definition.schema, input, `${prefix}input`)
    const { id, by } = this.#context
    const trace = this.#context.trace()
    return toNewJob({ id, queue, task: name, input: json, by, trace }, options, path)
  }

  /** The jobs of `addMany`. */
  async checkMany(specs: unknown): Promise<readonly NewJob[]> {
    if (!Array.isArray(specs)) throw invalidOption('jobs', 'an array', specs)
    const checked: NewJob[] = []
    for (const [index, spec] of (specs as readonly unknown[]).entries()) {
      const path = `jobs[${index}]`
      if (typeof spec !== 'object' || spec === null) throw invalidOption(path, 'an object', spec)
      checkNames(spec, ['task', 'input', ...addOptionNames], path)
      const { task, input, ...options } = spec as { task: unknown; input?: unknown }
      checked.push(await this.check(task, input, options, `${path}.`, path))
    }
    return checked
  }

  insert(
    jobs: readonly NewJob[], operation: 'add' | 'addMany', transaction: Transaction | null,
  ): Promise<readonly Handle<unknown>[]> {
    const nameOf = (index: number): string => (operation === 'add' ? 'options' : `jobs[${index}]`)
    return insertJobs(this.#context, jobs, operation, nameOf, transaction)
  }
}

/**
 * Stores checked jobs, of one queue or of several, all or none. `nameOf` is what the caller calls
 * the job at an index.
 */
export async function insertJobs(
  context: AddingContext, jobs: readonly NewJob[], operation: string,
  nameOf: (index: number) => string, transaction: Transaction | null = null,
): Promise<readonly Handle<unknown>[]> {
  // A schema may have taken its time.
  context.assertOpen(operation)
  for (const [index, { dedupe, dependsOn }] of jobs.entries()) {
    // The one that waits already would go on waiting for its own parents.
    if (dedupe?.mode !== 'debounce' || dependsOn.length === 0) continue
    const path = `${nameOf(index)}.dedupe.mode`
    throw invalidOption(path, "another than 'debounce' behind other jobs", 'debounce')
  }
  const maxQueued = context.maxQueued()
  try {
    const answers = await context.store.insert(jobs, {
      ...(maxQueued ? { maxQueued } : {}), ...(transaction ? { transaction } : {}),
    })
    return answers.map((answer) => toHandle(answer, context.handles))
  } catch (error) {
    throw inWordsOfTheCaller(error, nameOf)
  }
}

/** A store names a job by its place in the call. */
function inWordsOfTheCaller(error: unknown, nameOf: (index: number) => string): unknown {
  if (!(error instanceof TroupeError)) return error
  const rename = (text: string): string =>
    text.replace(/^jobs\[(\d+)\]/, (_, index) => nameOf(Number(index)))
  if (error.code === 'unknown-parent') {
    return unknownParent(rename(error.details.path), error.details.id)
  }
  if (error.code !== 'id-in-use') return error
  return new TroupeErrorOf('id-in-use', rename(error.message), error.details)
}

/** The handle that `add` answers with. */
function toHandle(
  { record, created }: InsertAnswer, context: HandleContext,
): Handle<unknown> {
  return new Handle(record.id, record.queue, created ? null : record.state, context)
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
