import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { invalidOption } from '../errors.ts'
import { defaultSizeLimit } from '../records/json.ts'
import { integer, parseName } from '../records/options.ts'
import type { Limits, Retention } from '../stores/store.ts'
import type { Middleware } from './job.ts'
import type { QueueSettings } from './workshop.ts'
import { checkNames, parseMiddleware, parseTasks } from './tasks.ts'
import type { Around, TaskDefaults, Tasks } from './tasks.ts'

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
  /**
   * Never more than `max` starts in any window of `per`, in all processes together: of the whole
   * queue, or with `perPartition` of each partition. `max: 0` stops all starts. Every process
   * that works on the queue must declare the same.
   */
  readonly rateLimit?: RateLimitOption
  /** At most so many jobs of one partition run, in all processes together. Default: no bound. */
  readonly concurrencyPerPartition?: number
  /** `add` is refused with `queue-full` when more jobs would be queued. Default: no bound. */
  readonly maxQueued?: number
  /** Goes around each attempt of this queue, inside that of the troupe; the first is outermost. */
  readonly middleware?: readonly Middleware[]
  /** Inputs and results may be this large, in bytes of JSON. Default 1 MiB. */
  readonly maxBytes?: number
}

/** Jobs without a partition count as one partition. */
export interface RateLimitOption {
  readonly max: number
  readonly per: Duration
  /** Default false. */
  readonly perPartition?: boolean
}

const optionNames = [
  'tasks', 'concurrency', 'defaults', 'retention', 'rateLimit', 'concurrencyPerPartition',
  'maxQueued', 'middleware', 'maxBytes',
]
const retentionNames = ['completed', 'failed', 'minAge', 'log', 'logAge']
const dayMs = 24 * 60 * 60 * 1000

/** Checks the name and the options of a queue. */
export function parseQueueOptions(
  name: unknown, options: QueueOptions, { middleware, sandbox }: Around,
): QueueSettings {
  const checked = parseName(name, 'queue name')
  const path = `queue ${JSON.stringify(checked)}`
  if (typeof options !== 'object' || options === null) {
    throw invalidOption(`${path} options`, 'an object', options)
  }
  checkNames(options, optionNames, path)
  const { concurrency = 3, maxBytes = defaultSizeLimit, tasks = {}, defaults = {} } = options
  const { rateLimit, concurrencyPerPartition: perPartition, maxQueued } = options
  const own = parseMiddleware(options.middleware, `${path}.middleware`)
  const around = { middleware: [...middleware, ...own], sandbox }
  return {
    name: checked,
    concurrency: integer(concurrency, `${path}.concurrency`, 1, 100_000),
    resultLimit: integer(maxBytes, `${path}.maxBytes`, 1, 256 * 1024 * 1024),
    tasks: parseTasks(tasks, defaults, around, `${path}.tasks`),
    limits: {
      rate: rateLimit === undefined ? null : parseRate(rateLimit, `${path}.rateLimit`),
      perPartition: perPartition === undefined
        ? null : integer(perPartition, `${path}.concurrencyPerPartition`, 1, 100_000),
    },
    maxQueued: maxQueued === undefined
      ? null : integer(maxQueued, `${path}.maxQueued`, 0, 100_000_000),
    retention: parseRetention(options.retention ?? {}, `${path}.retention`),
  }
}

function parseRate(given: RateLimitOption, path: string): NonNullable<Limits['rate']> {
  if (typeof given !== 'object' || given === null) {
    throw invalidOption(path, 'an object with max and per', given)
  }
  checkNames(given, ['max', 'per', 'perPartition'], path)
  const { max, per, perPartition = false } = given
  if (typeof perPartition !== 'boolean') {
    throw invalidOption(`${path}.perPartition`, 'true or false', perPartition)
  }
  const perMs = parseDuration(per, `${path}.per`)
  if (perMs === 0) throw invalidOption(`${path}.per`, 'longer than 0 ms', per)
  return { max: integer(max, `${path}.max`, 0, 1_000_000), perMs, perPartition }
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
