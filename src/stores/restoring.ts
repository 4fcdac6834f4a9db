import { idInUse } from './insertion.ts'
import { isOther, judgeLog, toRetold } from './restoration.ts'
import type { Restoration, RestoreAnswer, RestoredLog } from './restoration.ts'
import type { Rows } from './rows.ts'

/** Takes a part in, or throws before anything was written. */
export function restoreInto(rows: Rows, { queue, jobs, log }: Restoration): RestoreAnswer {
  for (const [index, job] of jobs.entries()) {
    const other = rows.byId.get(job.id)?.record
    if (other && isOther(job, other)) throw idInUse(job.id, index, other)
  }
  const created = jobs.map((job) => {
    if (rows.byId.has(job.id)) return false
    rows.receive(job)
    return true
  })
  if (created.includes(true)) rows.queue(queue).sortSettled()
  return { created, logged: log !== null && retellIn(rows, queue, log) }
}

function retellIn(rows: Rows, queue: string, log: RestoredLog): boolean {
  const { behind, entries } = log
  const verdict = judgeLog(log, rows.find(queue).log.read(behind, entries.length))
  if (verdict !== 'free') return verdict === 'there'
  for (const entry of entries) rows.retell(toRetold(entry))
  return true
}
