import { isSettled } from '../../records/job.ts'
import { holds } from '../invariants.ts'
import { heldByWish } from '../kinship.ts'
import { byJob, linesOf } from './journal.ts'
import type { History } from './journal.ts'

/** What was answered is in the log, whatever has happened since. */
export function checkAnswers(history: History): void {
  const jobs = byJob(history.log)
  const logged = (id: string, event: string, to: string): boolean =>
    jobs.get(id)?.some((entry) => entry.event === event && entry.to === to) === true
  for (const { line } of linesOf(history, 'added')) {
    holds(logged(line.id, 'add', 'queued'), 'no acknowledged add is lost', line)
  }
  for (const { line } of linesOf(history, 'retried')) {
    holds(logged(line.id, 'retry', 'queued'), 'no acknowledged retry is lost', line)
  }
  for (const { line } of linesOf(history, 'cancel')) {
    if (line.answer !== 'cancelled' && line.answer !== 'cancelling') continue
    const asked = logged(line.id, 'cancel', line.answer)
    holds(asked, 'no acknowledged cancel is lost', { line, entries: jobs.get(line.id) })
  }
}

/** Who has waited for a job was told how it ended. */
export function checkSeen(history: History): void {
  const jobs = byJob(history.log)
  const records = new Map(history.records.map((record) => [record.id, record]))
  for (const { line } of linesOf(history, 'seen')) {
    const entries = jobs.get(line.id) ?? []
    const ended = entries.some(({ to }) => to === line.state)
    holds(ended, 'a job ended as was seen', { line, entries })
    const record = records.get(line.id)
    // Who was removed and added again is another job of the same name.
    const again = entries.filter(({ event }) => event === 'add').length > 1
    if (line.state !== 'completed' || !record || again) continue
    const same = JSON.stringify(record.result) === JSON.stringify(line.result)
    holds(same, 'the result that was seen is the one', { line, result: record.result })
  }
}

/** In the end nothing is left to do but what waits by its own wish. */
export function checkLiveness({ records }: History): void {
  const held = heldByWish(records)
  const left = records.filter((record) => !isSettled(record) && !held.has(record.id))
  holds(left.length === 0, 'all is settled', {
    count: left.length, first: left.slice(0, 3),
  })
}
