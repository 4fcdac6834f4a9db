import { filter, map, merge, takeUntil } from 'rxjs'
import type { Transition } from 'troupe'
import { nameOf } from './run.ts'
import type { Scene } from './run.ts'

/** For pipes and logs: a line for each step and for each change of state. */
export async function show({ images, jobs, phase$ }: Scene): Promise<void> {
  const nameWidth = Math.max(...jobs.map(({ input }) => nameOf(input).length))
  const titles = new Map(jobs.map(({ handle, input }) => [
    handle.id, `${nameOf(input).padEnd(nameWidth)}  ${String(input.width).padStart(4)} px`,
  ]))
  const news$ = images.transitions$.pipe(
    map((transition) => ({ title: titles.get(transition.jobId), what: tell(transition) })),
    filter(({ title, what }) => title !== undefined && what !== null),
    map(({ title, what }) => `${title}  ${what}`),
  )
  const stop$ = phase$.pipe(
    filter((phase) => phase === 'stopping'),
    map(() => 'Stopping: what runs may end, the rest stays stored.'),
  )
  const end$ = phase$.pipe(filter((phase) => phase === 'ended'))
  await merge(news$, stop$).pipe(takeUntil(end$)).forEach((line) => { console.log(line) })
}

function tell({ event, from, to, attempt, progress, reason, error }: Transition): string | null {
  if (event === 'progress') return progress?.message ?? null
  if (event === 'claim') return attempt === 1 ? null : `attempt ${attempt}`
  if (to === null || to === from) return null
  const why = error && to === 'failed' ? error.message : to === 'completed' ? null : reason
  return why === null ? to : `${to}: ${why}`
}
