import { invalidOption } from '../errors.ts'
import type { Troupe } from '../orchestrator/troupe.ts'
import type { JobRecord } from '../records/job.ts'
import type { Transition } from '../records/transition.ts'

const kept = [
  'queue', 'task', 'state', 'phase', 'attempt', 'fence', 'rev', 'reason', 'progress', 'error',
] as const

/** The fields of a record that its log tells. */
export type JobFacts = Pick<JobRecord, (typeof kept)[number]>

/**
 * The log of a troupe's store, or of one queue, from the oldest kept transition to the newest:
 * each as a line of JSON. Rejects with what `observe` reports.
 */
export function recordLog(
  troupe: Pick<Troupe, 'observe'>, options: { readonly queue?: string } = {},
): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const lines: string[] = []
    let live = false
    const subscription = troupe.observe({
      ...options, from: 'start',
      onLive: () => {
        live = true
        resolve(lines)
        queueMicrotask(() => { subscription.unsubscribe() })
      },
    }).subscribe({
      next: (transition) => { if (!live) lines.push(JSON.stringify(transition)) },
      error: reject,
    })
  })
}

/**
 * What the jobs are by a recorded log, by id: the same fields that `factsOf` takes from a record.
 * Who was removed is not in it. Throws `invalid-option` for a line that is no transition, and for
 * one that does not follow from those before it.
 */
export function replayLog(lines: Iterable<string>): Map<string, JobFacts> {
  const jobs = new Map<string, JobFacts>()
  let index = 0
  for (const line of lines) {
    const transition = parse(line, `lines[${index}]`)
    const before = jobs.get(transition.jobId)
    if (before && transition.event !== 'add') check(before, transition, `lines[${index}]`)
    if (transition.to === null) jobs.delete(transition.jobId)
    else jobs.set(transition.jobId, factsOf({ ...transition, state: transition.to }))
    index += 1
  }
  return jobs
}

/** The fields of a record that its log tells, to compare with those of `replayLog`. */
export function factsOf(record: JobFacts): JobFacts {
  return Object.fromEntries(kept.map((key) => [key, record[key]])) as unknown as JobFacts
}

function parse(line: string, path: string): Transition {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw invalidOption(path, 'a line of JSON', line)
  }
  const isTransition = typeof value === 'object' && value !== null &&
    'jobId' in value && 'rev' in value && 'event' in value && 'to' in value
  if (!isTransition) throw invalidOption(path, 'a transition', value)
  return value as Transition
}

function check(before: JobFacts, { jobId, rev, from }: Transition, path: string): void {
  if (before.rev + 1 !== rev) {
    throw invalidOption(path, `transition ${before.rev + 1} of job ${jobId}`, rev)
  }
  if (before.state !== from) {
    throw invalidOption(path, `a transition of job ${jobId} from ${before.state}`, from)
  }
}
