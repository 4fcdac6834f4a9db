import type { Middleware, RunningJob } from './job.ts'

type Run = (job: RunningJob) => unknown

/** Wraps what runs a task: the first of the list is the outermost. */
export function wrap(middleware: readonly Middleware[], handler: Run): Run {
  if (middleware.length === 0) return handler
  const start: Run = (job) => {
    // What is around it may have taken its time: the job may be elsewhere by now.
    job.throwIfCancelled()
    return handler(job)
  }
  return middleware.reduceRight<Run>((inner, each) => (job) => goAround(each, inner, job), start)
}

/**
 * Ends when the middleware and what is inside it have ended: a handler that went on behind its
 * attempt would run without a slot, and beside the next attempt.
 */
async function goAround(each: Middleware, inner: Run, job: RunningJob): Promise<unknown> {
  const calls: Promise<unknown>[] = []
  let over = false
  const next = (): Promise<unknown> => {
    const answer = pass(calls.length > 0 ? 'twice' : over ? 'after it had ended' : null, inner, job)
    // Nobody may be waiting for it, and that must not end the process.
    answer.catch(() => undefined)
    calls.push(answer)
    return answer
  }
  try {
    return await each(job, next)
  } finally {
    over = true
    await Promise.allSettled(calls)
  }
}

async function pass(fault: string | null, inner: Run, job: RunningJob): Promise<unknown> {
  if (fault !== null) throw new Error(`a middleware called next() ${fault}`)
  return inner(job)
}
