import { HandlerJournal } from '../handler-journal.ts'
import type { Run } from '../handler-journal.ts'
import { holds } from '../invariants.ts'
import { linesOf } from './journal.ts'
import type { History, Journal, LineOf } from './journal.ts'

/** A process's handlers never number more than its slots, and never work on one job twice. */
export function checkConcurrency({ journals, bounds }: History): void {
  for (const { process, lines } of journals) {
    const running = new Map<number, string>()
    for (const line of lines) {
      if (line.what === 'end') running.delete(line.fence)
      if (line.what !== 'start') continue
      const facts = { process, line, running: [...running] }
      holds(running.size < bounds.concurrency, 'a slot is free for who starts', facts)
      holds(![...running.values()].includes(line.id), 'no job runs twice in a process', facts)
      running.set(line.fence, line.id)
    }
  }
}

export function checkClaimed(history: History): void {
  const claims = new Map(history.log
    .filter(({ event }) => event === 'claim').map((entry) => [entry.fence, entry]))
  for (const { journal, line } of linesOf(history, 'start')) {
    const claim = claims.get(line.fence)
    const same = claim?.jobId === line.id && claim.attempt === line.attempt &&
      claim.by === journal.worker
    holds(same, 'a start has its claim', { process: journal.process, line, claim })
  }
}

export function checkStartedOnce(history: History): void {
  const started = new Map<number, string>()
  for (const { journal: { process }, line } of linesOf(history, 'start')) {
    const first = started.get(line.fence)
    holds(first === undefined, 'a claim starts one handler', { first, process, line })
    started.set(line.fence, process)
  }
}

/** How each handler ended, and what became of its job. */
export function checkEndings(history: History): void {
  const journal = new HandlerJournal()
  for (const each of history.journals) journal.runs.push(...runsOf(each))
  journal.check(history.log)
}

function runsOf({ worker, killed, lines }: Journal): Run[] {
  const ends = new Map(lines
    .filter((line) => line.what === 'end').map((line) => [line.fence, line]))
  return lines.filter((line) => line.what === 'start').map(({ id, fence, attempt }) => {
    const end = ends.get(fence)
    return {
      worker, id, fence, attempt, dead: killed, finish: () => undefined,
      ended: end?.ending ?? null,
      reported: end?.reported ?? null,
      aborted: end?.aborted ?? null,
    }
  })
}

/** The result of a job is what the handler returned whose claim the record carries. */
export function checkResults(history: History): void {
  const ends = new Map<number, LineOf<'end'>>(
    linesOf(history, 'end').map(({ line }) => [line.fence, line]),
  )
  for (const { id, state, fence, result } of history.records) {
    if (state !== 'completed') continue
    const end = ends.get(fence)
    const same = end?.id === id && end.ending === 'complete' &&
      JSON.stringify(end.result) === JSON.stringify(result)
    holds(same, 'a result is that of its handler', { id, fence, result, end })
  }
}
