import type { Json, State } from '../../machines/vocabulary.ts'
import type { WireTransition } from '../gateway/protocol.ts'
import { toJsonText } from './plain-json.ts'
import type { Query } from './transport.ts'

/** What of the log somebody wants to hear; a field that is left out lets all pass. */
export interface LiveFilter {
  readonly queue?: readonly string[]
  readonly job?: readonly string[]
  readonly task?: readonly string[]
  readonly state?: readonly State[]
  readonly partition?: readonly string[]
  readonly meta?: { readonly [key: string]: Json }
}

/** The fields that a transition itself can be held against. */
const fields = ['queue', 'job', 'task', 'state'] as const
type Field = (typeof fields)[number]

/** Job ids by name make a long address: with more of them, whole queues are listened to. */
const mostJobs = 100
const longestIds = 6000

/** Lets pass what any of the filters lets pass, and perhaps more. */
export function union(filters: readonly LiveFilter[]): LiveFilter {
  const merged: { [K in Field]?: readonly string[] } = {}
  for (const field of fields) {
    const lists = filters.map((filter) => filter[field])
    if (lists.every((list) => list !== undefined)) merged[field] = [...new Set(lists.flat())]
  }
  const { job: jobs, ...rest } = merged as LiveFilter
  const short = jobs && jobs.length <= mostJobs &&
    jobs.reduce((sum, id) => sum + encodeURIComponent(id).length + 5, 0) <= longestIds
  return short ? { ...rest, job: jobs } : rest
}

/** `wide` lets everything pass that `narrow` does. */
export function covers(wide: LiveFilter, narrow: LiveFilter): boolean {
  return fields.every((field) => {
    const [all, some] = [wide[field] as readonly string[] | undefined, narrow[field]]
    return all === undefined || (some?.every((value) => all.includes(value)) ?? false)
  })
}

export function matches(filter: LiveFilter, { queue, jobId, task, to }: WireTransition): boolean {
  return (filter.queue?.includes(queue) ?? true) && (filter.job?.includes(jobId) ?? true) &&
    (filter.task?.includes(task) ?? true) &&
    (filter.state === undefined || (to !== null && filter.state.includes(to)))
}

/** The gateway must be asked: a transition does not carry what these are about. */
export function needsOwnStream({ partition, meta }: LiveFilter): boolean {
  return partition !== undefined || meta !== undefined
}

export function toQuery({ meta = {}, partition = [], ...lists }: LiveFilter): Query {
  // A comma parts names. One that has a comma cannot be asked for: more comes, and stays here.
  const sent = Object.entries(lists).filter(([, values]: [string, readonly string[]]) =>
    !values.some((value) => value.includes(',')))
  return [...sent, ['partition', partition] as const].flatMap(
    ([name, values]: readonly [string, readonly string[]]) =>
      values.map((value) => [name, value] as const),
  ).concat(metaQuery(meta))
}

/** `meta.<key>=<JSON>`. */
export function metaQuery(meta: Readonly<Record<string, unknown>>): Query {
  return Object.entries(meta).map(([key, value]) => [`meta.${key}`, toJsonText(value)])
}
