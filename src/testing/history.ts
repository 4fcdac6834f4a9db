import { checkAnswers, checkLiveness, checkSeen } from './history/answer-checks.ts'
import {
  checkClaimed, checkConcurrency, checkEndings, checkResults, checkStartedOnce,
} from './history/handler-checks.ts'
import type { History } from './history/journal.ts'
import { checkParents, checkStranded } from './history/kin-checks.ts'
import { checkPartitions, checkRate } from './history/limit-checks.ts'
import {
  checkCancels, checkChart, checkFences, checkObservers, checkReplay, checkRevs, checkSeq,
  checkSettlements, checkStaleWrites,
} from './history/log-checks.ts'

/** Every promise that a finished history can be held to. */
const checks = {
  'nothing acknowledged is lost': checkAnswers,
  'what was seen is what happened': checkSeen,
  'each life settles exactly once': checkSettlements,
  'the chart allows each step': checkChart,
  'no stale write is accepted': checkStaleWrites,
  'fences rise and never repeat': checkFences,
  'rev has no gap': checkRevs,
  'seq has no gap and no duplicate': checkSeq,
  'the log replays to the records': checkReplay,
  'every observer sees the one order': checkObservers,
  'never more handlers than concurrency': checkConcurrency,
  'the rate limit holds': checkRate,
  'the partition limit holds': checkPartitions,
  'no attempt starts after a cancel': checkCancels,
  'no child starts before its parents have ended': checkParents,
  'no child is stranded': checkStranded,
  'what starts was claimed': checkClaimed,
  'a claim starts once': checkStartedOnce,
  'log and handlers agree': checkEndings,
  'a result is that of its handler': checkResults,
  'in the end all is settled': checkLiveness,
} as const satisfies Record<string, (history: History) => void>

export type Check = keyof typeof checks
export const checkNames = Object.keys(checks) as Check[]

/** The promises that a history breaks, and how. */
export function brokenChecks(history: History): Map<Check, string> {
  const broken = new Map<Check, string>()
  for (const name of checkNames) {
    try {
      checks[name](history)
    } catch (error) {
      broken.set(name, error instanceof Error ? error.message : String(error))
    }
  }
  return broken
}

/** Proves the promises of a history; throws with the names of those that are broken. */
export function checkHistory(history: History): void {
  const broken = brokenChecks(history)
  if (broken.size === 0) return
  const lines = [...broken].map(([name, how]) => `${name}\n    ${how}`)
  throw new Error(`${broken.size} broken:\n  ${lines.join('\n  ')}`)
}
