import type { RunningJob } from '../../../src/orchestrator/job.ts'

/** A job that nobody cancels, and that keeps nothing of what is reported. */
export function fakeJob(): RunningJob {
  const leave = (): never => { throw new Error('no handler calls this') }
  const ignore = (): void => undefined
  return {
    id: 'job', queue: 'q', task: 'work', input: null, attempt: 1, fence: 1, label: null,
    meta: null, partition: null, parents: [], trace: null, signal: new AbortController().signal,
    progress: ignore, log: ignore, throwIfCancelled: ignore, onEnd: ignore,
    snooze: leave, limitReached: leave, complete: leave,
  }
}
