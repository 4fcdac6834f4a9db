import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { invalidOption, show, TroupeErrorOf } from '../errors.ts'
import { parentFailurePolicies } from '../../machines/vocabulary.ts'
import type { Json, ParentFailurePolicy } from '../../machines/vocabulary.ts'
import { toJson } from './json.ts'
import { dedupeModes } from './job.ts'
import type { Dedupe, NewJob } from './job.ts'
import { parseBackoff } from './policy.ts'
import type { BackoffOption, PolicyOptions } from './policy.ts'

/** Options of `add`. What is left out is resolved when the job is claimed. */
export interface AddOptions {
  /** Your own id, unique in the store, 1 to 128 characters. Default: a random one. */
  readonly id?: string
  /** An integer from -1000 to 1000; lower runs first. Default 5. */
  readonly priority?: number
  /** Run this long from now at the earliest. Not with `runAt`. */
  readonly delay?: Duration
  /** Run then at the earliest: epoch milliseconds or a Date. Not with `delay`. */
  readonly runAt?: number | Date
  /** Further attempts after the first has failed. Default 0. */
  readonly retries?: number
  /** Wait between attempts. Default exponential from 1 s to 5 min, jitter 0.2. */
  readonly backoff?: BackoffOption
  /** The longest that one attempt may take. Default: no limit. */
  readonly timeout?: Duration
  /** Fail with reason `expired` when not started this long after it could run. Default: never. */
  readonly ttl?: Duration
  /** How often the job may lose its worker and start again. Default 1. */
  readonly maxStalls?: number
  /** How long a handler may go on after its signal aborted. Default 30 s. */
  readonly cancelGrace?: Duration
  /**
   * Ids or handles of up to 1,000 jobs of the same store, of any queue: the job runs when all of
   * them have completed. With a delay as well, it runs at the later of the two.
   */
  readonly dependsOn?: readonly (string | { readonly id: string })[]
  /**
   * When a parent fails, is cancelled or is removed: `'fail'` (default) fails the job with reason
   * `dependency`, `'run'` runs it all the same, `'wait'` waits for a retry of the parent.
   */
  readonly onParentFailure?: ParentFailurePolicy
  /** What happens when a job with the same key is there already. */
  readonly dedupe?: DedupeOption
  /** A tenant, a user: limits and fairness go by it, and partitions take turns. */
  readonly partition?: string
  /** Any JSON up to 16 KiB; stored, shown, never interpreted. */
  readonly meta?: unknown
  /** A line for people, up to 256 characters. */
  readonly label?: string
}

/**
 * Jobs of one queue and task with the same `key` (1 to 128 characters) are the same work:
 * - `simple`: while one is not settled, `add` answers with that one.
 * - `throttle`: for `window` after one was added, `add` answers with that one, settled or not.
 * - `debounce`: the job runs `window` after the latest add, with the input and options of the
 *   latest one; only a job that has not started yet is replaced.
 * - `supersede`: `add` cancels the one that waits or runs; the new job starts when it has settled.
 */
export type DedupeOption =
  | { readonly key: string; readonly mode: 'simple' | 'supersede' }
  | { readonly key: string; readonly mode: 'throttle' | 'debounce'; readonly window: Duration }

/** The options that a task or a queue can set for all its jobs. */
export type PolicyFields = Pick<
  AddOptions, 'retries' | 'backoff' | 'timeout' | 'maxStalls' | 'cancelGrace'
>

const metaLimit = 16 * 1024
/** Epoch milliseconds beyond this are no date. */
const latestTime = 8.64e15

/** Each option: checks the value and writes its part of the job. The one definition there is. */
type Draft = { -readonly [K in keyof NewJob]?: NewJob[K] } & { policy: Mutable<PolicyOptions> }
type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Rule = (value: unknown, path: string, draft: Draft) => void

const policyRules: { readonly [K in keyof PolicyFields]-?: Rule } = {
  retries: (value, path, draft) => { draft.policy.retries = integer(value, path, 0, 1_000_000) },
  backoff: (value, path, draft) => { draft.policy.backoff = parseBackoff(value, path) },
  timeout: (value, path, draft) => { draft.policy.timeoutMs = positive(value, path) },
  maxStalls: (value, path, draft) => {
    draft.policy.maxStalls = integer(value, path, 0, 1_000_000)
  },
  cancelGrace: (value, path, draft) => { draft.policy.cancelGraceMs = parseDuration(value, path) },
}

const addRules: { readonly [K in keyof AddOptions]-?: Rule } = {
  ...policyRules,
  id: (value, path, draft) => { draft.id = parseName(value, path) },
  priority: (value, path, draft) => { draft.priority = integer(value, path, -1000, 1000) },
  delay: (value, path, draft) => { draft.delayMs = parseDuration(value, path) },
  runAt: (value, path, draft) => { draft.runAt = parseTime(value, path) },
  ttl: (value, path, draft) => { draft.ttlMs = positive(value, path) },
  partition: (value, path, draft) => { draft.partition = parseName(value, path) },
  dependsOn: (value, path, draft) => { draft.dependsOn = parseParents(value, path) },
  onParentFailure: (value, path, draft) => {
    draft.onParentFailure = oneOf(parentFailurePolicies, value, path)
  },
  dedupe: (value, path, draft) => { draft.dedupe = parseDedupe(value, path) },
  label: (value, path, draft) => { draft.label = parseName(value, path, 256) },
  meta: (value, path, draft) => { draft.meta = toJson(value, path, metaLimit) },
}

/** The names of all add options. */
export const addOptionNames = Object.keys(addRules) as readonly (keyof AddOptions)[]

const noPolicy: PolicyOptions = Object.freeze({})

/** What `add` knows about a job besides its options. */
export interface JobSource {
  readonly id: () => string
  readonly queue: string
  readonly task: string
  readonly input: Json
  readonly by: string
  readonly trace: string | null
}

/** Checks the options of `add` and makes the job that a store can insert. */
export function toNewJob(source: JobSource, options: unknown, path = 'options'): NewJob {
  const draft = check(options, path, addRules)
  if (draft.delayMs !== undefined && draft.runAt !== undefined) {
    throw invalidOption(path, 'either delay or runAt', 'both')
  }
  refuseBesideDebounce(draft, path)
  return {
    id: draft.id ?? source.id(),
    hasOwnId: draft.id !== undefined,
    queue: source.queue,
    task: source.task,
    input: source.input,
    priority: draft.priority ?? 5,
    delayMs: draft.delayMs ?? null,
    runAt: draft.runAt ?? null,
    ttlMs: draft.ttlMs ?? null,
    label: draft.label ?? null,
    meta: draft.meta ?? null,
    partition: draft.partition ?? null,
    dependsOn: draft.dependsOn ?? [],
    parentKeys: null,
    onParentFailure: draft.onParentFailure ?? 'fail',
    dedupe: draft.dedupe ?? null,
    trace: source.trace,
    options: Object.keys(draft.policy).length === 0 ? noPolicy : Object.freeze(draft.policy),
    by: source.by,
  }
}

/** Checks the job options that a task or a queue sets. */
export function parsePolicyFields(fields: unknown, path: string): PolicyOptions {
  return check(fields, path, policyRules).policy
}

function check(
  given: unknown, path: string, rules: Readonly<Record<string, Rule>>,
): Draft {
  const draft: Draft = { policy: {} }
  if (given === undefined) return draft
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidOption(path, 'an object', given)
  }
  for (const [name, value] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (!rule) throw unknownOption(`${path}.${name}`, Object.keys(rules))
    if (value !== undefined) rule(value, `${path}.${name}`, draft)
  }
  return draft
}

/** The error for a name that nothing knows. */
export function unknownOption(
  path: string, known: readonly string[],
): TroupeErrorOf<'invalid-option'> {
  const expected = `one of ${known.join(', ')}`
  return new TroupeErrorOf(
    'invalid-option', `${path} is not an option; known: ${known.join(', ')}`,
    { path, expected, received: 'an unknown option' },
  )
}

/** Names of queues and tasks, ids, partitions: 1 to `max` characters without control characters. */
export function parseName(value: unknown, path: string, max = 128): string {
  const ok = typeof value === 'string' && value.length > 0 && value.length <= max &&
    !/[\u0000-\u001f\u007f]/.test(value) && value.isWellFormed()
  if (!ok) {
    throw invalidOption(path, `text of 1 to ${max} characters without control characters`, value)
  }
  return value
}

/** A point in time: epoch milliseconds or a Date. */
export function parseTime(value: unknown, path: string): number {
  const time = value instanceof Date ? value.getTime() : value
  if (typeof time !== 'number' || !(time >= 0 && time <= latestTime)) {
    const shown = value instanceof Date ? 'an invalid Date' : show(value)
    throw new TroupeErrorOf(
      'invalid-option', `${path} must be epoch milliseconds or a Date; received ${shown}`,
      { path, expected: 'epoch milliseconds or a Date', received: shown },
    )
  }
  return Math.ceil(time)
}

export function integer(value: unknown, path: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw invalidOption(path, `an integer from ${min} to ${max}`, value)
  }
  return value
}

export function oneOf<T extends string>(known: readonly T[], value: unknown, path: string): T {
  const found = known.find((name) => name === value)
  if (found === undefined) {
    throw invalidOption(path, known.map((name) => `'${name}'`).join(', '), value)
  }
  return found
}

/** A job waits for so many others at most. */
export const parentsLimit = 1000

function parseParents(value: unknown, path: string): readonly string[] {
  if (!Array.isArray(value) || value.length > parentsLimit) {
    throw invalidOption(path, `an array of up to ${parentsLimit} ids or handles`, value)
  }
  const ids = value.map((parent: unknown, index) => {
    const id = typeof parent === 'object' && parent !== null && 'id' in parent ? parent.id : parent
    return parseName(id, `${path}[${index}]`)
  })
  return [...new Set(ids)]
}

function parseDedupe(value: unknown, path: string): Dedupe {
  if (typeof value !== 'object' || value === null) {
    throw invalidOption(path, 'an object with key and mode', value)
  }
  const { key, mode, window, ...rest } = value as Record<string, unknown>
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw unknownOption(`${path}.${unknown}`, ['key', 'mode', 'window'])
  const checked = oneOf(dedupeModes, mode, `${path}.mode`)
  const timed = checked === 'throttle' || checked === 'debounce'
  if (!timed && window !== undefined) {
    throw invalidOption(`${path}.window`, `left out in mode ${checked}`, window)
  }
  const windowMs = timed ? positive(window, `${path}.window`) : null
  return { key: parseName(key, `${path}.key`), mode: checked, windowMs }
}

/** A debounced job is replaced where it waits: its time is its window, and it has no parents. */
function refuseBesideDebounce(draft: Draft, path: string): void {
  if (draft.dedupe?.mode !== 'debounce') return
  const beside = { delayMs: 'delay', runAt: 'runAt', dependsOn: 'dependsOn' } as const
  for (const [field, name] of Object.entries(beside)) {
    if (draft[field as keyof typeof beside] === undefined) continue
    throw invalidOption(`${path}.${name}`, "left out beside dedupe mode 'debounce'", 'both')
  }
}

function positive(value: unknown, path: string): number {
  const ms = parseDuration(value, path)
  if (ms === 0) throw invalidOption(path, 'longer than 0 ms', value)
  return ms
}
