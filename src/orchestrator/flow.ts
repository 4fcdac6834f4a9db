import { invalidOption, TroupeError } from '../errors.ts'
import type { NewJob } from '../records/job.ts'
import { parentsLimit } from '../records/options.ts'
import { cycleError } from '../records/graph-errors.ts'
import type { Transaction } from '../stores/store.ts'
import { insertJobs } from './adding.ts'
import type { Adding, AddingContext } from './adding.ts'
import type { JobHandle } from './handle.ts'

declare const resultType: unique symbol
/** A job that `queue.spec` describes and `troupe.flow` adds. */
export interface JobSpec<out Result = unknown> {
  readonly queue: string
  readonly task: string
  readonly [resultType]?: Result
}

/** The jobs of a flow, by keys of your choice. */
export type Flow = Readonly<Record<string, JobSpec>>

/** Which jobs each job comes after, at most 1,000 each. */
export type After<G extends Flow> = {
  readonly [K in keyof G]?: readonly (string extends keyof G ? string : Exclude<keyof G, K>)[]
}

export type FlowHandles<G extends Flow> = {
  readonly [K in keyof G]: JobHandle<G[K] extends JobSpec<infer Result> ? Result : never>
}

export class CheckedSpec implements JobSpec {
  readonly queue: string
  readonly task: string
  readonly #input: unknown
  readonly #options: unknown
  readonly #adding: Adding

  constructor(queue: string, task: string, input: unknown, options: unknown, adding: Adding) {
    this.queue = queue
    this.task = task
    this.#input = input
    this.#options = options
    this.#adding = adding
  }

  /** The job, or the error of `add`; `path` is how errors call this one. */
  check(path: string): Promise<NewJob> {
    return this.#adding.check(this.task, this.#input, this.#options, `${path}.`, `${path}.options`)
  }
}

/** Adds a whole graph in one atomic write. */
export async function addFlow<const G extends Flow>(
  context: AddingContext, specs: G, after: After<G>, transaction: Transaction | null,
): Promise<FlowHandles<G>> {
  const keys = Object.keys(checkedObject(specs, 'jobs'))
  const edges = Object.entries(checkedObject(after, 'after'))
  for (const [key] of edges) {
    if (!keys.includes(key)) throw invalidOption(`after.${key}`, `one of ${keys.join(', ')}`, key)
  }
  const jobs = new Map<string, NewJob>()
  for (const key of keys) jobs.set(key, await checkSpec(specs[key], `jobs.${key}`))
  for (const [key, parents] of edges) {
    const job = jobs.get(key)
    if (job && parents !== undefined) jobs.set(key, link(key, job, parents, jobs))
  }
  try {
    const handles = await insertJobs(
      context, [...jobs.values()], 'flow', (index) => `jobs.${keys[index] ?? index}`,
      transaction,
    )
    return Object.fromEntries(keys.map((key, index) => [key, handles[index]])) as
      unknown as FlowHandles<G>
  } catch (error) {
    throw inWordsOfTheFlow(error, jobs)
  }
}

function checkedObject(given: unknown, path: string): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidOption(path, 'an object by the keys of the jobs', given)
  }
  return given as Record<string, unknown>
}

function checkSpec(spec: unknown, path: string): Promise<NewJob> {
  if (!(spec instanceof CheckedSpec)) throw invalidOption(path, 'made by queue.spec()', spec)
  return spec.check(path)
}

function link(
  key: string, job: NewJob, parents: unknown, jobs: ReadonlyMap<string, NewJob>,
): NewJob {
  if (!Array.isArray(parents)) throw invalidOption(`after.${key}`, 'an array of keys', parents)
  const keys = [...new Set(parents as readonly unknown[])]
  const ids = keys.map((parent, index) => {
    const found = typeof parent === 'string' ? jobs.get(parent) : undefined
    if (found) return found.id
    const known = [...jobs.keys()].join(', ')
    throw invalidOption(`after.${key}[${index}]`, `one of ${known}`, parent)
  })
  // An id that `dependsOn` names as well has its key from here.
  const others = job.dependsOn.filter((id) => !ids.includes(id))
  if (others.length + ids.length > parentsLimit) {
    const expected = `at most ${parentsLimit} parents, those of dependsOn included`
    throw invalidOption(`after.${key}`, expected, others.length + ids.length)
  }
  return {
    ...job,
    dependsOn: [...others, ...ids],
    parentKeys: [...others.map(() => null), ...keys as readonly string[]],
  }
}

/** The store speaks of ids, which the caller of a flow has never seen. */
function inWordsOfTheFlow(error: unknown, jobs: ReadonlyMap<string, NewJob>): unknown {
  if (!(error instanceof TroupeError) || error.code !== 'dependency-cycle') return error
  const keys = new Map([...jobs].map(([key, { id }]) => [id, key]))
  return cycleError(error.details.cycle.map((id) => keys.get(id) ?? id))
}
