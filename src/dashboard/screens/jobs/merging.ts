import type { WireJobLine } from '../../../gateway/protocol.ts'
import type { ListOptions } from '../../../orchestrator/filter.ts'
import { client } from '../../shell/session.ts'
import { noting } from '../noting.ts'

/** Where a queue's list stands: the page that begins at `cursor`, without its first `skip`. */
interface Stand {
  readonly cursor: string | null
  readonly skip: number
}
/** Where a page of several queues begins; a queue that is at its end is not in it. */
export type Position = ReadonlyMap<string, Stand>
export type PageStop = { readonly scanned: number; readonly createdAt: number } | null

export interface Found {
  readonly lines: readonly WireJobLine[]
  readonly next: Position
  readonly stopped: PageStop
}

/** What lines are merged by, with the sign of the order. */
export interface Merge {
  readonly of: 'createdAt' | 'runAt' | 'settledAt' | 'priority'
  readonly sign: 1 | -1
}

export const pageSize = 200

export function topOf(queues: readonly string[]): Position {
  return new Map(queues.map((queue) => [queue, { cursor: null, skip: 0 }]))
}

/** One page of all queues, merged. */
export async function findPage(begin: Position, options: ListOptions, merge: Merge):
Promise<Found> {
  const heads = await Promise.all([...begin].map(async ([queue, { cursor, skip }]) => {
    const page = await noting(client.queue(queue).list({
      ...options, limit: Math.min(1000, pageSize + skip), ...(cursor === null ? {} : { cursor }),
    }))
    return { queue, cursor, skip, page, lines: page.jobs.slice(skip), taken: 0 }
  }))
  const lines: WireJobLine[] = []
  for (;;) {
    let best: (typeof heads)[number] | null = null
    for (const head of heads) {
      const line = head.lines[head.taken]
      if (!line) continue
      const other = best?.lines[best.taken]
      if (!other || isBefore(line, other, merge)) best = head
    }
    const line = best?.lines[best.taken]
    if (!best || !line || lines.length >= pageSize) break
    lines.push(line)
    best.taken += 1
    // Behind the last line of a page there may be more that comes first.
    if (best.taken === best.lines.length && best.page.cursor !== null) break
  }
  const next = new Map(heads.flatMap((head): [string, Stand][] => {
    const { queue, cursor, skip, page, taken } = head
    if (taken < head.lines.length) return [[queue, { cursor, skip: skip + taken }]]
    return page.cursor === null ? [] : [[queue, { cursor: page.cursor, skip: 0 }]]
  }))
  const stopped = heads.find(({ page }) => page.stopped !== null)?.page.stopped ?? null
  return { lines, next, stopped }
}

function isBefore(a: WireJobLine, b: WireJobLine, { of, sign }: Merge): boolean {
  return (Number(a[of] ?? 0) - Number(b[of] ?? 0)) * sign < 0
}
