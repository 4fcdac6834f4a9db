import { TroupeErrorOf, show } from '../../errors.ts'
import { toJson } from '../../records/json.ts'
import { packError, packUnrecoverable } from './errors.ts'
import { ThreadJob } from './job.ts'
import type { ThreadOutcome, ThreadTask } from './protocol.ts'

type Handler = (job: ThreadJob) => unknown

/**
 * The entry of a sandbox thread: runs one attempt. It never rejects, and answers with plain data
 * only: what the platform cannot copy would end the thread.
 */
export async function runModule(task: ThreadTask): Promise<ThreadOutcome> {
  const job = new ThreadJob(task)
  let handler: Handler
  try {
    handler = await loadHandler(task.module)
  } catch (error) {
    return { type: 'unloadable', error: packError(error) }
  }
  try {
    job.throwIfCancelled()
    return toOutcome(await handler(job))
  } catch (error) {
    return { type: 'failed', error: packError(error) }
  } finally {
    job.end()
  }
}

async function loadHandler(url: string): Promise<Handler> {
  const module = await import(url) as { readonly default?: unknown }
  const found = [module.default, (module.default as { default?: unknown } | undefined)?.default]
  // The second one: CommonJS that was compiled from an ES module.
  const handler = found.find((each) => typeof each === 'function')
  if (handler) return handler as Handler
  const received = show(module.default)
  throw new TroupeErrorOf(
    'invalid-option', `the default export must be the handler, a function; it is ${received}`,
    { path: 'module', expected: 'a function as default export', received },
  )
}

function toOutcome(value: unknown): ThreadOutcome {
  try {
    // Its size is for the queue to judge.
    const result = value === undefined
      ? undefined : toJson(value, 'result', Number.POSITIVE_INFINITY)
    return { type: 'completed', result }
  } catch (error) {
    // The work is done; doing it again would give the same result.
    return { type: 'failed', error: packUnrecoverable(error) }
  }
}
