import type { Job, Logger, TransitionLine } from 'troupe'
import type { Stage } from './stage.ts'

/** One line of a logger that is no warning. */
type JournalLine = TransitionLine & { readonly level: string; readonly message: string }

/** A logger that keeps its lines. */
function journal() {
  const lines: JournalLine[] = []
  const write = (level: string) => (fields: object, message: string): void => {
    lines.push({ ...fields as TransitionLine, level, message })
  }
  const logger: Logger = {
    debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error'),
  }
  /** Word, wait and run of the lines so far, or of those of one job. */
  const times = (id?: string): unknown[][] => lines
    .filter(({ jobId }) => id === undefined || jobId === id)
    .map(({ message, waitMs, runMs }) => [message.replace('queue.job.', ''), waitMs, runMs])
  const words = (id?: string): unknown[] => times(id).map(([word]) => word)
  return { lines, logger, times, words }
}

export type Work = (job: Job<unknown>) => unknown

/** A queue `q` with one slot and a task `work`, and what its troupe logs. */
export async function openWithJournal(stage: Stage, work: Work = () => 'done', start = true) {
  const log = journal()
  const troupe = await stage.open({ logger: log.logger })
  const queue = troupe.queue('q', { concurrency: 1, tasks: { work } })
  if (start) await troupe.start()
  return { ...log, troupe, queue }
}
