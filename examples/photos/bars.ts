import { color, isUnicodeSupported, Listr } from 'listr2'
import { combineLatest, lastValueFrom, map, startWith, takeWhile, tap } from 'rxjs'
import type { Observable } from 'rxjs'
import type { Progress, State } from 'troupe'
import { isSettled, nameOf } from './run.ts'
import type { Phase, PhotoJob, Scene } from './run.ts'

/** A line of the screen: the jobs of one photo or, when those are too many, of one width. */
interface Row {
  readonly name: string
  readonly jobs: readonly PhotoJob[]
}

/** A job as the screen has it. */
interface JobNow {
  readonly width: number
  readonly state: State
  readonly progress: Progress | null
}

/** For terminals: a bar for each photo, fed by the state and the progress of its jobs. */
export async function show({ jobs, phase$ }: Scene): Promise<void> {
  const rows = toRows(jobs, (process.stdout.rows || 24) - 4)
  const nameWidth = Math.max(...rows.map(({ name }) => name.length))
  const list = new Listr(rows.map(({ name, jobs }) => ({
    title: name,
    task: async (_context, task) => {
      const row$ = combineLatest([combineLatest(jobs.map(follow)), phase$]).pipe(
        takeWhile(([now, phase]) => phase !== 'ended' && !now.every(isSettled), true),
        tap(([now, phase]) => { task.title = draw(name.padEnd(nameWidth), now, phase) }),
      )
      const [now] = await lastValueFrom(row$)
      if (now.some(({ state }) => state === 'failed')) throw new Error(`${name}: failed`)
      if (now.some(({ state }) => state !== 'completed')) task.skip()
    },
  })), {
    concurrent: true,
    exitOnError: false,
    registerSignalListeners: false,
    rendererOptions: {
      formatOutput: 'truncate', showSkipMessage: false, showErrorMessage: false,
    },
  })
  await list.run()
}

function toRows(jobs: readonly PhotoJob[], most: number): Row[] {
  const byPhoto = groupBy(jobs, ({ input }) => nameOf(input))
  return byPhoto.length <= most ? byPhoto : groupBy(jobs, ({ input }) => `${input.width} px`)
}

function groupBy(jobs: readonly PhotoJob[], keyOf: (job: PhotoJob) => string): Row[] {
  const rows = new Map<string, PhotoJob[]>()
  for (const job of jobs) rows.set(keyOf(job), [...rows.get(keyOf(job)) ?? [], job])
  return [...rows].map(([name, jobs]) => ({ name, jobs }))
}

function follow({ input, handle }: PhotoJob): Observable<JobNow> {
  return combineLatest([handle.state$, handle.progress$.pipe(startWith(null))]).pipe(
    map(([state, progress]) => ({ width: input.width, state, progress })),
  )
}

const [full, empty] = isUnicodeSupported() ? ['█', '░'] : ['#', '-']

function draw(name: string, jobs: readonly JobNow[], phase: Phase): string {
  const done = jobs.filter(isSettled).length
  const fraction = jobs.reduce((sum, job) => sum + fractionOf(job), 0) / jobs.length
  const size = Math.max(8, Math.min(30, process.stdout.columns - name.length - 32))
  const filled = Math.round(fraction * size)
  const bar = color.cyan(full.repeat(filled)) + color.dim(empty.repeat(size - filled))
  return `${name} ${bar} ${done}/${jobs.length} ${tell(jobs, phase)}`
}

function fractionOf(job: JobNow): number {
  if (isSettled(job)) return 1
  const { current = 1, total = 3 } = job.state === 'queued' ? {} : job.progress ?? {}
  // The step that was reported is under way, not done.
  return total ? (current - 1) / total : 0
}

function tell(jobs: readonly JobNow[], phase: Phase): string {
  const live = jobs.filter(({ state }) => state === 'running' || state === 'cancelling')
  if (live.length > 0) {
    return live.map(({ width, state, progress }) =>
      `${width} ${state === 'running' ? progress?.message ?? 'start' : state}`).join(', ')
  }
  const odd = (['failed', 'cancelled'] as const)
    .map((state) => ({ state, count: jobs.filter((job) => job.state === state).length }))
    .filter(({ count }) => count > 0)
    .map(({ state, count }) => count === jobs.length ? state : `${count} ${state}`)
  if (odd.length > 0) return odd.join(', ')
  return phase !== 'running' && !jobs.every(isSettled) ? 'stays stored' : ''
}
