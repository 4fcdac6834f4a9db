import type { Observable } from 'rxjs'
import type { JobHandle, JobRecord, Queue } from 'troupe'
import type { Order } from './orders.ts'
import type { resize, ResizeInput, Thumbnail } from './resize.ts'

export type Images = Queue<{ resize: typeof resize }>

/** A job of the run, as it is followed. */
export interface PhotoJob {
  readonly input: ResizeInput
  readonly handle: JobHandle<Thumbnail>
}

/** Stopping: no more jobs are started. */
export type Phase = 'running' | 'stopping' | 'ended'

/** What a view gets to show. */
export interface Scene {
  readonly images: Images
  readonly jobs: readonly PhotoJob[]
  readonly phase$: Observable<Phase>
}

/**
 * Carries on with a run that was interrupted, or begins a new one. The jobs of a finished run stay
 * in the store until then. `found` says to people what there was.
 */
export async function openRun(
  images: Images, orders: readonly Order[],
): Promise<{ readonly jobs: readonly PhotoJob[]; readonly found: string }> {
  const before = await listJobs(images)
  const left = before.filter((job) => !isSettled(job))
  if (left.length === 0) await Promise.all(before.map(({ id }) => images.remove(id)))
  await images.addMany(orders)
  const jobs = (await listJobs(images)).map((record) =>
    ({ input: inputOf(record), handle: images.job<Thumbnail>(record.id) }))
  return { jobs, found: describe(before, left, jobs) }
}

function describe(
  before: readonly JobRecord[], left: readonly JobRecord[], jobs: readonly PhotoJob[],
): string {
  if (before.length === 0) return `First run: ${jobs.length} jobs.`
  if (left.length === 0) return `The last run is finished. New run: ${jobs.length} jobs.`
  // When the store was opened, it gave back what the dead process had been running.
  const died = left.filter(({ timeline }) => timeline.at(-1)?.event === 'stall').length
  const running = died === 0 ? '' : `, ${died} were running when the process died`
  return `Carrying on: ${left.length} of ${before.length} jobs were left${running}.`
}

/** All jobs of the run, in the order in which they were added. */
export async function listJobs(images: Images): Promise<JobRecord[]> {
  let page = await images.list({ limit: 1000 })
  const jobs = [...page.jobs]
  while (page.cursor !== null) {
    page = await images.list({ limit: 1000, cursor: page.cursor })
    jobs.push(...page.jobs)
  }
  return jobs
}

export function isSettled({ state }: Pick<JobRecord, 'state'>): boolean {
  return state === 'completed' || state === 'failed' || state === 'cancelled'
}

/** What was given to `add`: records hold plain JSON. */
export function inputOf({ input }: JobRecord): ResizeInput {
  return input as unknown as ResizeInput
}

export function resultOf({ result }: JobRecord): Thumbnail | null {
  return result as unknown as Thumbnail | null
}

/** The name of the photo, short enough for a screen. */
export function nameOf({ photo }: ResizeInput): string {
  return photo.length <= 30 ? photo : `${photo.slice(0, 20)}…${photo.slice(-9)}`
}
