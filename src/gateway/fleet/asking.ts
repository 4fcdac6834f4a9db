import type { Queue } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import { invalidOption } from '../../errors.ts'
import { parseName } from '../../records/options.ts'
import { allow, findQueue, queuesOf } from '../call.ts'
import type { Call } from '../call.ts'
import { listOf, single, toNumber } from '../query.ts'
import { Refusal } from '../refusal.ts'
import type { Asked } from './watcher.ts'

/** One that is not there, or not the user's, is refused; without any, all that are. */
export function queuesAsked(call: Call): readonly Queue<Tasks>[] {
  const { visitor, request } = call
  const names = listOf(request.query, 'queue')
  if (names === null) return queuesOf(call).filter(({ name }) => visitor.may('read', name))
  return names.map((name) => {
    const queue = findQueue(call, name)
    allow(visitor, 'read', queue.name)
    return queue
  })
}

export function filterAsked(call: Call): Asked {
  const { query } = call.request
  const partitions = query.has('partition')
    ? [...new Set(query.getAll('partition').map((value) => parseName(value, 'partition')))] : null
  return {
    queues: query.has('queue') ? queuesAsked(call).map(({ name }) => name) : null,
    tasks: tasksAsked(query), partitions: partitions && few(partitions, 'partition'),
  }
}

/** Null means any. */
export function tasksAsked(query: URLSearchParams): readonly string[] | null {
  const tasks = listOf(query, 'task')
  return tasks && few(tasks.map((value) => parseName(value, 'task')), 'task')
}

function few(names: readonly string[], name: string): readonly string[] {
  if (names.length > 10) throw invalidOption(name, 'at most 10 of them', names.length)
  return names
}

export function numberAsked(
  query: URLSearchParams, name: string, fallback: number, lowest: number, highest: number,
): number {
  const text = single(query, name)
  const value = text === undefined ? fallback : toNumber(text, name)
  if (value >= lowest && value <= highest) return value
  throw invalidOption(name, `from ${lowest} to ${highest}`, value)
}

/** Milliseconds since the epoch; at most 8.64e15, as a Date has it. */
export function timeAsked(query: URLSearchParams, name: string, fallback: number): number {
  return numberAsked(query, name, fallback, 0, 8_640_000_000_000_000)
}

export function spanAsked(query: URLSearchParams, now: number): {
  readonly from: number
  readonly to: number
} {
  const to = timeAsked(query, 'to', now)
  const from = timeAsked(query, 'from', 0)
  if (from >= to) throw invalidOption('from', 'before to', from)
  return { from, to }
}

/** Counts of the past are those of all jobs: nobody who may see but some gets them. */
export function refuseScoped({ visitor }: Call): void {
  if (!visitor.bounds) return
  throw new Refusal(
    'forbidden', 'the past of a queue is that of all its jobs, and you may see but some of them',
    { action: 'read' },
  )
}
