import type { Json } from '../../machines/vocabulary.ts'
import { invalidOption, TroupeErrorOf } from '../errors.ts'
import { unknownParent } from '../records/graph-errors.ts'
import { isJsonEqual } from '../records/json.ts'
import { addOptionNames, unknownOption } from '../records/options.ts'
import type { JobFilterOptions } from '../orchestrator/filter.ts'
import type { Queue } from '../orchestrator/queue.ts'
import type { Tasks } from '../orchestrator/tasks.ts'
import type { Bounds, Visitor } from './grant.ts'
import { Refusal } from './refusal.ts'
import { fingerprint } from './secrets.ts'

type Options = { readonly [name: string]: unknown }

/**
 * The options of an add as they are stored: with the user's scope stamped on, and keys of `dedupe`
 * that are the scope's own, or an add could replace or cancel a job of somebody else.
 */
export function stamp(bounds: Bounds | null, given: unknown, path: string): Options {
  if (given === undefined) return stampAll(bounds, {}, path)
  if (!isObject(given)) throw invalidOption(path, 'an object', given)
  for (const name of Object.keys(given)) {
    // Not left to the library: it takes more, and in a batch they stand beside task and input.
    if (!(addOptionNames as readonly string[]).includes(name)) {
      throw unknownOption(`${path}.${name}`, addOptionNames)
    }
  }
  return stampAll(bounds, given, path)
}

function stampAll(bounds: Bounds | null, given: Options, path: string): Options {
  if (!bounds) return given
  const { partition, meta, dedupe } = given
  return {
    ...given,
    ...(bounds.partition === null
      ? {} : { partition: stampPartition(bounds.partition, partition, path) }),
    ...(bounds.meta === null ? {} : { meta: stampMeta(bounds.meta, meta, path) }),
    ...(dedupe === undefined ? {} : { dedupe: stampDedupe(bounds, dedupe) }),
  }
}

function stampPartition(own: string, given: unknown, path: string): string {
  if (given === undefined || given === own) return own
  throw outside(`${path}.partition`)
}

function stampMeta(own: { readonly [key: string]: Json }, given: unknown, path: string): Options {
  if (given === undefined) return own
  if (!isObject(given)) throw invalidOption(`${path}.meta`, 'an object', given)
  for (const [key, value] of Object.entries(own)) {
    if (Object.hasOwn(given, key) && !isJsonEqual(given[key] as Json, value)) {
      throw outside(`${path}.meta.${key}`)
    }
  }
  return { ...given, ...own }
}

/** What is no key is left for the library to refuse. */
function stampDedupe(bounds: Bounds, given: unknown): unknown {
  if (!isObject(given) || typeof given['key'] !== 'string' || given['key'] === '') return given
  return { ...given, key: `${keyPrefix(bounds)}${given['key']}` }
}

function keyPrefix(bounds: Bounds): string {
  return `${fingerprint(JSON.stringify([bounds.partition, bounds.meta]))}:`
}

/** A key of `dedupe` as the user of the scope knows it. */
export function ownKey(bounds: Bounds | null, key: string): string {
  if (!bounds) return key
  const prefix = keyPrefix(bounds)
  return key.startsWith(prefix) ? key.slice(prefix.length) : key
}

function outside(path: string): Refusal {
  return new Refusal('forbidden', `${path} is none that you may use`, { path })
}

/**
 * An id of the user's choice may be that of a job which they must not know of: they are not told
 * what it is, and it is not looked at as the job that is there already.
 */
export async function checkId(
  visitor: Visitor, queue: Queue<Tasks>, task: string, { id }: Options,
): Promise<void> {
  if (!visitor.bounds || typeof id !== 'string') return
  const record = await queue.get(id)
  if (record && !visitor.sees(record)) throw idTaken(id, queue.name, task)
}

/** An `id-in-use` of the library says of which queue and task; not to everybody. */
export function idTaken(id: string, queue: string, task: string): TroupeErrorOf<'id-in-use'> {
  return new TroupeErrorOf(
    'id-in-use', `the id ${JSON.stringify(id)} belongs to another job`, { id, queue, task },
  )
}

/** Parents must be jobs that the user could read: their results are told to the child. */
export async function checkParents(
  visitor: Visitor, declared: readonly Queue<Tasks>[], options: Options, path: string,
): Promise<void> {
  const readable = declared.filter(({ name }) => visitor.may('read', name))
  const { dependsOn } = options
  const readsAll = !visitor.bounds && readable.length === declared.length
  if (readsAll || !Array.isArray(dependsOn)) return
  for (const [index, parent] of dependsOn.entries()) {
    const id: unknown = isObject(parent) ? parent['id'] : parent
    if (typeof id !== 'string') continue
    const found = await Promise.all(readable.map((queue) => queue.get(id)))
    if (!found.some((record) => record && visitor.sees(record))) {
      throw unknownParent(`${path}.dependsOn[${index}]`, id)
    }
  }
}

/** The filter within the scope; null when nothing can be in both. */
export function narrow(
  bounds: Bounds | null, filter: JobFilterOptions,
): JobFilterOptions | null {
  if (!bounds) return filter
  const { partition, meta } = bounds
  if (partition !== null && (filter.partition ?? partition) !== partition) return null
  const wanted = (filter.meta ?? {}) as { readonly [key: string]: Json }
  for (const [key, value] of Object.entries(meta ?? {})) {
    if (Object.hasOwn(wanted, key) && !isJsonEqual(wanted[key] as Json, value)) return null
  }
  return {
    ...filter,
    ...(partition === null ? {} : { partition }),
    ...(meta === null ? {} : { meta: { ...wanted, ...meta } }),
  }
}

export function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
