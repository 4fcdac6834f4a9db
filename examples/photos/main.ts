import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BehaviorSubject, concatMap, filter, take } from 'rxjs'
import { createTroupe, TroupeError } from 'troupe'
import { lowdbStore } from 'troupe/stores/lowdb'
import { parseCommandLine, usage } from './command-line.ts'
import type { CommandLine } from './command-line.ts'
import { ordersFor } from './orders.ts'
import { findPhotos } from './photos.ts'
import { isSettled, listJobs, openRun } from './run.ts'
import type { Page } from './page-server.ts'
import type { Phase } from './run.ts'
import { onStop } from './signals.ts'
import { summarize } from './summary.ts'
import { missingPackage, UsageError } from './usage-error.ts'

/** The image queue of a web shop. Answers the exit code. */
async function makeThumbnails(commandLine: CommandLine): Promise<number> {
  const { folder, data, output, port, stay } = commandLine
  const photos = await findPhotos(folder)
  const { resize } = await load(import('./resize.ts'))
  const { thumbnailsIn } = await load(import('./thumbnails.ts'))
  const { openPage } = await load(import('./page-server.ts'))
  const { show } = await load(process.stdout.isTTY ? import('./bars.ts') : import('./lines.ts'))
  await mkdir(output, { recursive: true })

  let page: Page | null = null
  const troupe = await createTroupe({ store: lowdbStore(join(data, 'jobs.json')) })
  try {
    const images = troupe.queue('image_processing', {
      concurrency: 4,
      tasks: { resize },
      // Each kill of the process costs what ran a stall: be generous with people who try that,
      // but give up on a picture that brings the process down itself.
      defaults: { maxStalls: 20 },
      // The table is about the whole run: keep its jobs, however many.
      retention: { completed: 1_000_000, failed: 1_000_000 },
    })
    const folders = { uploads: join(data, 'uploads'), thumbnails: join(data, 'thumbnails') }
    const uploads = troupe.queue('uploads', {
      concurrency: 2,
      tasks: { thumbnails: thumbnailsIn(folders) },
    })
    const { jobs, found } = await openRun(images, ordersFor(photos, output))
    console.log(found)
    page = await openPage(troupe, { port, ...folders })
    console.log(`Watch the queue at ${page.url}/queues/`)
    console.log(`Drop pictures of your own at ${page.url}`)

    const phase$ = new BehaviorSubject<Phase>('running')
    const shown = show({ images, jobs, phase$ })

    // The shop changes its mind about the banner while it is being made.
    const banner = jobs.find(({ input }) => input.maxBytes !== undefined)?.handle
    banner?.record$.pipe(
      filter(({ state, progress }) => state === 'running' && progress !== null),
      take(1),
      concatMap(() => banner.cancel('another banner was chosen')),
    ).subscribe()

    await troupe.start()
    const stopped = new Promise<void>((resolve) => {
      onStop(() => {
        phase$.next('stopping')
        void Promise.all([images.drain(), uploads.drain()])
        resolve()
      })
    })
    await images.idle()
    phase$.next('ended')
    await shown

    const records = await listJobs(images)
    console.log(summarize(records))
    const left = records.filter((record) => !isSettled(record)).length
    if (left > 0) console.log(`Stopped: ${left} jobs are left, and npm start carries on with them.`)
    if (stay && left === 0) {
      console.log(`The page stays at ${page.url}. Ctrl-C ends it.`)
      await stopped
    }
    await uploads.idle()
    return records.some(({ state }) => state === 'failed') ? 1 : 0
  } finally {
    await page?.close()
    await troupe.stop()
  }
}

/** Loads a module whose packages may be missing, sharp's native part above all. */
async function load<T>(loading: Promise<T>): Promise<T> {
  try {
    return await loading
  } catch (error) {
    throw missingPackage(error)
  }
}

try {
  const commandLine = parseCommandLine(process.argv.slice(2))
  if (commandLine) process.exitCode = await makeThumbnails(commandLine)
  else console.log(usage)
} catch (error) {
  // Errors of the user, of Troupe (the file is in use) and of the system (no permission) say
  // what is wrong; any other is a fault of this program, and needs its stack.
  const speaks = error instanceof UsageError || error instanceof TroupeError ||
    (error instanceof Error && 'syscall' in error)
  console.error(speaks ? error.message : error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
