import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { invalidOption } from '../errors.ts'
import { defaultSizeLimit } from '../records/json.ts'
import { integer, parseName } from '../records/options.ts'
import type { Retention } from '../stores/store.ts'
import type { QueueSettings } from './queue-actor.ts'
import { checkNames, parseTasks } from './tasks.ts'
import type { TaskDefaults, Tasks } from './tasks.ts'

/** How much of what is settled a queue keeps. */
export interface RetentionOptions {
  /** The newest completed jobs. Default 1,000. */
  readonly completed?: number
  /** The newest failed and cancelled jobs together. Default 10,000. */
  readonly failed?: number
  /** Nothing is pruned earlier than this after it settled. Default 60 s. */
  readonly minAge?: Duration
  /** The newest transitions in the log. Default 20,000. */
  readonly log?: number
  /** Transitions older than this leave the log. Default 7 days. */
  readonly logAge?: Duration
}

export interface QueueOptions<T extends Tasks = Tasks> {
  /** Handlers by task name. Without them this process adds and watches only. */
  readonly tasks?: T
  /** At most so many handlers run at once, in this process. Default 3. */
  readonly concurrency?: number
  /** Job options for all tasks that say nothing themselves. */
  readonly defaults?: TaskDefaults
  readonly retention?: RetentionOptions
  /** Inputs and results may be this large, in bytes of JSON. Default 1 MiB. */
  readonly maxBytes?: number
}

const optionNames = ['tasks', 'concurrency', 'defaults', 'retention', 'maxBytes']
const retentionNames = ['completed', 'failed', 'minAge', 'log', 'logAge']
const dayMs = 24 * 60 * 60 * 1000

/** Checks the name and the options of a queue. */
export function parseQueueOptions(name: unknown, options: QueueOptions): QueueSettings {
  const checked = parseName(name, 'queue name')
  const path = `queue ${JSON.stringify(checked)}`
  if (typeof options !== 'object' || options === null) {
    throw invalidOption(`${path} options`, 'an object', options)
  }
  checkNames(options, optionNames, path)
  const { concurrency = 3, maxBytes = defaultSizeLimit, tasks = {}, defaults = {} } = options
  return {
    name: checked,
    concurrency: integer(concurrency, `${path}.concurrency`, 1, 100_000),
    resultLimit: integer(maxBytes, `${path}.maxBytes`, 1, 256 * 1024 * 1024),
    tasks: parseTasks(tasks, defaults, `${path}.tasks`),
    retention: parseRetention(options.retention ?? {}, `${path}.retention`),
  }
}

function parseRetention(given: RetentionOptions, path: string): Retention {
  if (typeof given !== 'object' || given === null) throw invalidOption(path, 'an object', given)
  checkNames(given, retentionNames, path)
  const { completed = 1000, failed = 10_000, minAge = 60_000, log = 20_000 } = given
  const count = (value: unknown, name: string): number =>
    integer(value, `${path}.${name}`, 0, 100_000_000)
  return {
    completed: count(completed, 'completed'),
    failed: count(failed, 'failed'),
    log: count(log, 'log'),
    minAgeMs: parseDuration(minAge, `${path}.minAge`),
    logAgeMs: parseDuration(given.logAge ?? 7 * dayMs, `${path}.logAge`),
  }
}
