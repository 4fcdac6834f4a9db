// Compiled by `tsc`, never run: what `list` and the bulk verbs must and must not accept.
import { createTroupe } from 'troupe'
import type { Explanation, JobPage } from 'troupe'

const troupe = await createTroupe()
const queue = troupe.queue('q', { tasks: { work: () => null } })

const page: JobPage = await queue.list({
  state: ['failed'], createdAt: { from: 0, to: new Date() }, meta: { tenant: 't1' },
  sort: 'settledAt', order: 'desc', limit: 20,
})
const stopped: { readonly scanned: number; readonly createdAt: number } | null = page.stopped

// @ts-expect-error -- no such state
queue.list({ state: 'done' })
// @ts-expect-error -- no such sort
queue.list({ sort: 'id' })
// @ts-expect-error -- ids are no filter
queue.cancelMany(['a', 'b'])
// @ts-expect-error -- a moment is no span
queue.clean({ settledAt: new Date() })
// @ts-expect-error -- pages are for lists
queue.clean({ limit: 5 })
// @ts-expect-error -- only a cancel has a reason
queue.retryMany({}, { reason: 'why' })
queue.cancelMany({}, { reason: 'why', onProgress: ({ done }) => { done.toFixed() } })
queue.clean({}, { onProgress: async ({ awaited }) => { awaited.toFixed() } })
// @ts-expect-error -- nobody is awaited by a cancel
queue.cancelMany({}, { onProgress: ({ awaited }) => undefined })

const { why, until }: Explanation = await queue.explain('a')
const known: 'blocked' | 'in-line' | undefined =
  why === 'blocked' || why === 'in-line' ? why : undefined
// @ts-expect-error -- no such reason
const unknown = why === 'bored'
until?.toFixed()

const answer: 'obliterated' | 'running' = await queue.obliterate({ force: true })
