import * as fc from 'fast-check'
import { parentFailurePolicies } from '../../machines/vocabulary.ts'
import type { Json } from '../../machines/vocabulary.ts'
import type { Duration } from '../duration.ts'
import type { ScheduleRule } from '../orchestrator/schedules/schedules.ts'
import { catchUps, overlaps } from '../records/schedule.ts'
import type { AddOptions, DedupeOption } from '../records/options.ts'
import type { BackoffOption } from '../records/policy.ts'
import { jsonValues, names, plain } from './json-values.ts'

/** A job of `addMany`: the task, its input, and options of `add`. */
export type AnyJob<Task extends string> = AddOptions & {
  readonly task: Task
  readonly input: Json
}

/** A graph of jobs without a cycle: `after` says which come after which. */
export interface AnyFlow<Task extends string> {
  readonly jobs: Readonly<Record<string, AnyJob<Task>>>
  readonly after: Readonly<Record<string, readonly string[]>>
}

/** What `schedules.upsert` takes, with the key. */
export type AnySchedule<Task extends string> = ScheduleRule & {
  readonly key: string
  readonly task: Task
  readonly input: Json
  readonly overlap?: (typeof overlaps)[number]
  readonly catchUp?: (typeof catchUps)[number]
}

export { chartEvents } from './chart-events.ts'
export { jsonValues } from './json-values.ts'

const key = names()

/** Durations as numbers and as text, up to `maxMs`. */
export function durations(maxMs = 3_600_000): fc.Arbitrary<Duration> {
  const seconds = fc.nat(Math.floor(maxMs / 1000)).map((each): Duration => `${each}s`)
  return fc.oneof(fc.nat(maxMs), fc.nat(maxMs).map((each): Duration => `${each}ms`), seconds)
}

const positive = durations(600_000).filter((each) => each !== 0 && !/^0/.test(String(each)))

const dedupe: fc.Arbitrary<DedupeOption> = fc.oneof(
  fc.record({ key, mode: fc.constantFrom('simple', 'supersede') }, plain),
  fc.record({ key, mode: fc.constantFrom('throttle', 'debounce'), window: positive }, plain),
)

const backoff: fc.Arbitrary<BackoffOption> = fc.oneof(
  durations(60_000),
  fc.record({
    type: fc.constant('fixed' as const), delay: durations(60_000),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  }, { requiredKeys: ['type', 'delay'], ...plain }),
)

/** Options of `add` that it takes, in any combination; no ids, and no parents. */
export function addOptions(): fc.Arbitrary<AddOptions> {
  const options = fc.record({
    priority: fc.integer({ min: -1000, max: 1000 }), retries: fc.nat(5), backoff,
    timeout: positive, ttl: positive, maxStalls: fc.nat(3), cancelGrace: durations(60_000),
    delay: durations(), onParentFailure: fc.constantFrom(...parentFailurePolicies),
    partition: key, label: key, meta: jsonValues(), dedupe,
  }, { requiredKeys: [], ...plain })
  // A debounce sets the time by itself.
  return options.map(({ delay, ...rest }) =>
    (delay === undefined || rest.dedupe?.mode === 'debounce' ? rest : { ...rest, delay }))
}

/** Jobs of these tasks; `inputs` makes their inputs. */
export function jobs<const Task extends string>(
  tasks: readonly Task[], inputs: fc.Arbitrary<Json> = jsonValues(),
): fc.Arbitrary<AnyJob<Task>> {
  return fc.tuple(fc.constantFrom(...tasks), inputs, addOptions())
    .map(([task, input, options]) => ({ ...options, task, input }))
}

/** Graphs of up to `maxJobs` jobs, whose edges lead from earlier jobs to later ones. */
export function flows<const Task extends string>(
  tasks: readonly Task[], maxJobs = 8, inputs: fc.Arbitrary<Json> = jsonValues(),
): fc.Arbitrary<AnyFlow<Task>> {
  const plan = jobs(tasks, inputs).map(({ dedupe: _, ...job }) => job as AnyJob<Task>)
  const node = fc.tuple(plan, fc.array(fc.nat(maxJobs), { maxLength: 3 }))
  return fc.array(node, { minLength: 1, maxLength: maxJobs }).map((nodes) => ({
    jobs: Object.fromEntries(nodes.map(([job], index) => [`job${index}`, job])),
    after: Object.fromEntries(nodes.flatMap(([, edges], index) => {
      const parents = index === 0 ? [] : [...new Set(edges.map((each) => `job${each % index}`))]
      return parents.length === 0 ? [] : [[`job${index}`, parents]]
    })),
  }))
}

const crons = [
  '* * * * *', '*/5 * * * *', '0 * * * *', '30 4 * * *', '0 0 * * 1', '0 12 1 * *', '15 8 * * 1-5',
  '@hourly', '@daily', '*/10 * * * * *',
] as const
const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata'] as const

const rules: fc.Arbitrary<ScheduleRule> = fc.oneof(
  fc.record({ every: fc.integer({ min: 100, max: 86_400_000 }), limit: fc.integer({
    min: 1, max: 50,
  }) }, { requiredKeys: ['every'], ...plain }),
  fc.record({ cron: fc.constantFrom(...crons), timeZone: fc.constantFrom(...zones) }, {
    requiredKeys: ['cron'], ...plain,
  }),
)

/** Schedules of these tasks, with a key each. */
export function schedules<const Task extends string>(
  tasks: readonly Task[], inputs: fc.Arbitrary<Json> = jsonValues(),
): fc.Arbitrary<AnySchedule<Task>> {
  const rest = fc.record({
    key: fc.integer({ min: 1, max: 20 }).map((each) => `schedule-${each}`),
    task: fc.constantFrom(...tasks), input: inputs,
    overlap: fc.constantFrom(...overlaps), catchUp: fc.constantFrom(...catchUps),
  }, { requiredKeys: ['key', 'task', 'input'], ...plain })
  return fc.tuple(rules, rest).map(([rule, each]) => ({ ...rule, ...each }))
}
