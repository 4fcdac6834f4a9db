import { states } from '../../machines/vocabulary.ts'
import type { Json } from '../../machines/vocabulary.ts'
import { invalidOption } from '../errors.ts'
import { isJsonEqual } from '../records/json.ts'
import { oneOf, parseName, unknownOption } from '../records/options.ts'
import type { ListOptions } from '../orchestrator/filter.ts'
import { listParameters, streamFilters } from './protocol.ts'
import type { StreamFilter } from './protocol.ts'

const metaPrefix = 'meta.'

/** Refuses parameters that nothing knows: a slip of the pen would let everything pass. */
export function checkParameters(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) {
    const isMeta = name.startsWith(metaPrefix) && name.length > metaPrefix.length
    if (!known.includes(name) && !(isMeta && known.includes('meta.'))) {
      throw unknownOption(name, known)
    }
  }
}

/** One value: the same name twice is a mistake. */
export function single(query: URLSearchParams, name: string): string | undefined {
  const all = query.getAll(name)
  if (all.length > 1) throw invalidOption(name, 'given once', `${all.length} times`)
  return all[0]
}

/** The options of `list` in a query; the library checks their values. */
export function toListOptions(query: URLSearchParams): ListOptions {
  checkParameters(query, [...listParameters, 'meta.'])
  const text = (name: string): object => {
    const value = single(query, name)
    return value === undefined ? {} : { [name]: value }
  }
  const number = (name: string, as: string): object => {
    const value = single(query, name)
    return value === undefined ? {} : { [as]: toNumber(value, name) }
  }
  const span = (name: string): object => {
    const both = { ...number(`${name}From`, 'from'), ...number(`${name}To`, 'to') }
    return Object.keys(both).length === 0 ? {} : { [`${name}At`]: both }
  }
  const state = listOf(query, 'state')
  const meta = toMeta(query)
  return {
    ...(state ? { state } : {}), ...text('phase'), ...text('task'), ...text('partition'),
    ...text('text'), ...span('created'), ...span('settled'), ...text('sort'), ...text('order'),
    ...number('limit', 'limit'), ...text('cursor'), ...(meta ? { meta } : {}),
  } as ListOptions
}

export function toNumber(text: string, path: string): number {
  if (!/^-?\d{1,16}$/.test(text)) throw invalidOption(path, 'a whole number', text)
  return Number(text)
}

/** The filter of a stream in its query. */
export function toStreamFilter(query: URLSearchParams): StreamFilter {
  checkParameters(query, [...streamFilters, 'from', 'meta.'])
  const names = (name: string): readonly string[] | null =>
    listOf(query, name)?.map((value) => parseName(value, name)) ?? null
  return {
    queue: names('queue'),
    job: names('job'),
    task: names('task'),
    state: listOf(query, 'state')?.map((value) => oneOf(states, value, 'state')) ?? null,
    partition: query.has('partition')
      ? query.getAll('partition').map((value) => parseName(value, 'partition')) : null,
    meta: toMeta(query),
  }
}

/** `a,b`, or the name twice. */
export function listOf(query: URLSearchParams, name: string): readonly string[] | null {
  if (!query.has(name)) return null
  return [...new Set(query.getAll(name).flatMap((value) => value.split(',')))]
}

/** `meta.plan=pro`, `meta.level=3`, `meta.name="3"`: JSON, or text if it is none. */
function toMeta(query: URLSearchParams): { readonly [key: string]: Json } | null {
  const found = new Map<string, Json>()
  for (const [name, text] of query) {
    if (!name.startsWith(metaPrefix)) continue
    const key = name.slice(metaPrefix.length)
    const value = toJsonOrText(text)
    const before = found.get(key)
    if (before !== undefined && !isJsonEqual(before, value)) {
      throw invalidOption(name, 'given once', 'two values')
    }
    found.set(key, value)
  }
  return found.size === 0 ? null : Object.fromEntries(found)
}

function toJsonOrText(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}
