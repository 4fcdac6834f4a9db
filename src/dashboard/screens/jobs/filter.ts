import { phases, states } from '../../../../machines/vocabulary.ts'
import type { Phase, State } from '../../../../machines/vocabulary.ts'
import type { JobFilterOptions, ListOptions, TimeSpan } from '../../../orchestrator/filter.ts'

/** What the address of the Jobs screen says. */
export interface JobsView {
  readonly queue: string | null
  readonly states: readonly State[]
  readonly phase: Phase | null
  readonly task: string | null
  readonly partition: string | null
  /** As it was typed: words to look for, and `meta.key=value`. */
  readonly text: string
  readonly time: string | null
  readonly order: OrderName
}

/** Spans that go back from now: `added 1 h`. */
const spans: Readonly<Record<string, number>> = {
  '15 min': 900_000, '1 h': 3_600_000, '24 h': 86_400_000, '7 d': 604_800_000,
}
export const times: readonly string[] = ['added', 'settled'].flatMap((event) =>
  Object.keys(spans).map((span) => `${event} ${span}`))

export const orders = {
  newest: { sort: 'createdAt', order: 'desc', of: 'createdAt' },
  oldest: { sort: 'createdAt', order: 'asc', of: 'createdAt' },
  'due first': { sort: 'runAt', order: 'asc', of: 'runAt' },
  'settled last': { sort: 'settledAt', order: 'desc', of: 'settledAt' },
  'priority': { sort: 'priority', order: 'asc', of: 'priority' },
} as const
export type OrderName = keyof typeof orders

export function viewOf(query: URLSearchParams): JobsView {
  const named = (query.get('state') ?? '').split(',')
  const phase = phases.find((name) => name === query.get('phase') || named.includes(name)) ?? null
  const order = query.get('order') ?? ''
  return {
    queue: query.get('queue'),
    states: states.filter((name) => named.includes(name)),
    phase,
    task: query.get('task'),
    partition: query.get('partition'),
    text: query.get('text') ?? '',
    time: query.get('time'),
    order: order in orders ? order as OrderName : 'newest',
  }
}

/** The same view in another order, or refreshed, has the same key but for `order`. */
export function keyOf(view: JobsView): string {
  return JSON.stringify(view)
}

/** Nothing but queue, state and phase: then counts tell the total. */
export function isCounted({ task, partition, text, time }: JobsView): boolean {
  return task === null && partition === null && text.trim() === '' && time === null
}

export function isFiltered(view: JobsView): boolean {
  return !isCounted(view) || view.states.length > 0 || view.phase !== null || view.queue !== null
}

/** The filter of `list` and of the verbs on many. `now` makes `1 h` a moment. */
export function filterOf(view: JobsView, now: number): JobFilterOptions {
  const { states: wanted, phase, task, partition } = view
  const { text, meta } = parseText(view.text)
  const span = spanOf(view.time, now)
  return {
    ...(wanted.length === 0 ? {} : { state: wanted }),
    ...(phase === null ? {} : { phase }),
    ...(task === null ? {} : { task }),
    ...(partition === null ? {} : { partition }),
    ...(text === '' ? {} : { text: text.slice(0, 256) }),
    ...(Object.keys(meta).length === 0 ? {} : { meta }),
    ...span,
  }
}

export function listOf(view: JobsView, now: number): ListOptions {
  const filter = filterOf(view, now)
  const { sort, order } = orders[filter.text === undefined ? view.order : 'newest']
  return { ...filter, sort, order }
}

/** `meta.plan=pro resize` is a filter by meta and a text. Values are JSON, or text if none. */
export function parseText(typed: string): {
  readonly text: string
  readonly meta: Readonly<Record<string, unknown>>
} {
  const meta = new Map<string, unknown>()
  const text = typed.replaceAll(
    /(?:^|\s)meta\.([^\s=]+)\s*=\s*("(?:[^"\\]|\\.)*"|\S+)/g,
    (_all, key: string, value: string) => {
      meta.set(key, parseValue(value))
      return ' '
    },
  )
  return { text: text.replaceAll(/\s+/g, ' ').trim(), meta: Object.fromEntries(meta) }
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

/** `added 1 h`, or `added 1700000000000-1700000060000` from elsewhere in the dashboard. */
function spanOf(
  time: string | null, now: number,
): Pick<JobFilterOptions, 'createdAt' | 'settledAt'> {
  const [, event, rest = ''] = /^(added|settled) (.+)$/.exec(time ?? '') ?? []
  if (event === undefined) return {}
  const back = spans[rest]
  const [, from, to] = /^(\d{10,15})-(\d{10,15})$/.exec(rest) ?? []
  const range: TimeSpan | null = back !== undefined ? { from: now - back }
    : from !== undefined ? { from: Number(from), to: Number(to) } : null
  if (range === null) return {}
  return event === 'added' ? { createdAt: range } : { settledAt: range }
}
