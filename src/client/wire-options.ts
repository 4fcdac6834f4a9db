import type { Json, State } from '../../machines/vocabulary.ts'
import { invalidOption } from '../errors.ts'
import type { WireAdd } from '../gateway/protocol.ts'
import type { JobFilterOptions, ListOptions, TimeSpan } from '../orchestrator/filter.ts'
import { metaQuery } from './live-filter.ts'
import type { Query } from './transport.ts'

type Fields = { readonly [name: string]: Json }

/** What `add` sends: dates as epoch milliseconds, handles as ids. */
export function toWireAdd(
  task: string, input: unknown, options: object, defaultId: string,
): WireAdd {
  const { dependsOn, ...rest } = toFields(options)
  const parents: unknown = dependsOn
  const ids = Array.isArray(parents) ? { dependsOn: parents.map(toId) } : { dependsOn }
  const all = { ...rest, ...(parents === undefined ? {} : ids), id: rest['id'] ?? defaultId }
  return { task, ...(input === undefined ? {} : { input: input as Json }), options: all as Fields }
}

function toId(parent: unknown): unknown {
  return typeof parent === 'object' && parent !== null && 'id' in parent ? parent.id : parent
}

/** Options as they are sent: dates as epoch milliseconds. What else is no JSON is refused later. */
export function toFields(given: object): Fields {
  return Object.fromEntries(Object.entries(given).map(([name, value]: [string, unknown]) =>
    [name, value instanceof Date ? value.getTime() : value])) as Fields
}

/** The filter of a bulk verb. A variable that was never set must not make it match everything. */
export function toWireFilter(filter: JobFilterOptions): Fields {
  for (const [name, value] of Object.entries(filter)) {
    if (value === undefined) throw invalidOption(`filter.${name}`, 'a value, or left out', value)
  }
  const { createdAt, settledAt } = filter
  return {
    ...filter as Fields,
    ...(createdAt ? { createdAt: toFields(createdAt) } : {}),
    ...(settledAt ? { settledAt: toFields(settledAt) } : {}),
  }
}

/** The query of `list`. */
export function toListQuery(options: ListOptions): Query {
  const { state, meta = {}, createdAt, settledAt, ...rest } =
    toWireFilter(options) as ListOptions
  const texts = Object.entries(rest as Readonly<Record<string, string | number>>)
  const states: readonly State[] = state === undefined ? [] : [state].flat()
  return [
    ...texts.map(([name, value]) => [name, String(value)] as const),
    ...states.map((name) => ['state', name] as const),
    ...spanQuery('created', createdAt), ...spanQuery('settled', settledAt),
    ...metaQuery(meta),
  ]
}

function spanQuery(name: string, { from, to }: TimeSpan = {}): Query {
  return [[`${name}From`, from] as const, [`${name}To`, to] as const].flatMap(([key, time]) =>
    time === undefined ? [] : [[key, String(Number(time))] as const])
}
