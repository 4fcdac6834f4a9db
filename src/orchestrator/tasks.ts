import { invalidOption } from '../errors.ts'
import type { Policy } from '../../machines/vocabulary.ts'
import { parseName, parsePolicyFields, unknownOption } from '../records/options.ts'
import type { PolicyFields } from '../records/options.ts'
import { builtInPolicy, resolvePolicy } from '../records/policy.ts'
import type { BackoffFunction, BackoffOption, PolicyOptions } from '../records/policy.ts'
import type { InferInput, InferOutput, StandardSchemaV1 } from '../records/standard-schema.ts'
import type { Duration } from '../duration.ts'
import type { ProgressInput } from '../records/progress.ts'

/** What a handler gets: one attempt of one job. */
export interface Job<out Input = unknown> {
  readonly id: string
  readonly queue: string
  readonly task: string
  /** A copy of the stored input (or the schema's output); the handler may change it. */
  readonly input: Input
  /** 1 for the first start. */
  readonly attempt: number
  /**
   * Rises with every claim in the store and never repeats: hand it to an outside system, and let
   * that refuse a write with a smaller one.
   */
  readonly fence: number
  readonly label: string | null
  readonly meta: unknown
  readonly partition: string | null
  /** Aborts on cancel, timeout, a lost lease or stop; its `reason` is a `TroupeError`. */
  readonly signal: AbortSignal
  /**
   * Reports how far the job is; never waits. A number means percent. The latest report wins: at
   * most one is stored each 100 ms, and the last one always. Throws `invalid-option` for a report
   * that makes no sense; does nothing after the attempt has ended.
   */
  progress(report: ProgressInput): void
  /** Throws `signal.reason` once the signal has aborted: call it between steps. */
  throwIfCancelled(): void
  /** Ends this attempt and runs the job again after `wait`, without spending a retry. */
  snooze(wait: Duration): never
}

/** Options that a task or a queue sets for its jobs; `add` overrides them. */
export interface TaskDefaults extends Omit<PolicyFields, 'backoff'> {
  /** As for `add`, or a function that computes each wait. */
  readonly backoff?: BackoffOption | BackoffFunction
}

export type AnyHandler = (job: Job<never>) => unknown

export interface TaskObject extends TaskDefaults {
  readonly input?: StandardSchemaV1
  readonly handler: AnyHandler
}

/** The tasks of a queue, by name: handlers, or what `task()` returns. */
export type Tasks = Record<string, AnyHandler | TaskObject>

declare const inputType: unique symbol
/** What `task()` returns: it remembers the type that `add` takes. */
export type Task<Input, Result> = TaskDefaults & {
  readonly input?: StandardSchemaV1
  readonly handler: (job: Job<never>) => Result
  readonly [inputType]?: (input: Input) => void
}

/** A task with options, and with a schema that checks the input at the door and at each attempt. */
export function task<S extends StandardSchemaV1, Result>(
  definition: TaskDefaults & {
    readonly input: S
    readonly handler: (job: Job<InferOutput<S>>) => Result
  },
): Task<InferInput<S>, Result>
/** A task with options. */
export function task<Input = undefined, Result = unknown>(
  definition: TaskDefaults & { readonly handler: (job: Job<Input>) => Result },
): Task<Input, Result>
export function task(definition: TaskObject): TaskObject {
  return definition
}

type HandlerOf<T> = T extends { readonly handler: infer H } ? H : T

/** The input that `add` takes for a task. */
export type InputOf<T> = T extends Task<infer Input, unknown>
  ? T extends AnyHandler ? HandlerInput<T> : Input
  : HandlerInput<HandlerOf<T>>

type HandlerInput<H> = H extends (...args: infer A) => unknown
  ? A extends readonly [Job<infer Input>, ...unknown[]] ? Input : undefined
  : never

/** Refuses handlers that take a job and do not say of what: their `job.input` would be `never`. */
export type Annotated<T> = {
  readonly [K in keyof T]: [InputOf<T[K]>] extends [never] ? 'annotate: (job: Job<Input>)' : unknown
}

/** What `result()` resolves to: a handler that returns nothing stores `null`. */
export type ResultOf<T> = HandlerOf<T> extends (job: Job<never>) => infer R
  ? NothingToNull<Awaited<R>>
  : never
type NothingToNull<R> = [R] extends [never] ? never : R extends void | undefined ? null : R

/** An input type with what JSON cannot carry turned into `never`, so that `add` refuses it. */
export type JsonSafe<T> = unknown extends T
  ? T
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends NotJson
      ? never
      : { [K in keyof T]: JsonSafe<T[K]> }
type NotJson =
  | bigint | symbol | Date | RegExp | Error | ArrayBuffer | ArrayBufferView | Promise<unknown>
  | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | WeakMap<object, unknown>
  | ((...args: never[]) => unknown)

/** A task as the queue runs it. */
export interface TaskDefinition {
  readonly name: string
  readonly handler: AnyHandler
  readonly schema: StandardSchemaV1 | null
  readonly policy: Policy
  readonly computeBackoff: BackoffFunction | null
}

/** Checks the `tasks` of a queue; their rules go before the queue's, and those before built-in. */
export function parseTasks(
  tasks: unknown, defaults: unknown, path: string,
): ReadonlyMap<string, TaskDefinition> {
  if (typeof tasks !== 'object' || tasks === null) {
    throw invalidOption(path, 'an object of handlers by task name', tasks)
  }
  const queueLevel = splitBackoff(defaults, `${path.replace(/tasks$/, '')}defaults`)
  const base = resolvePolicy(queueLevel.options, builtInPolicy)
  return new Map(Object.entries(tasks).map(([name, given]) => {
    parseName(name, `${path} (the name ${JSON.stringify(name)})`)
    return [name, parseTask(name, given, `${path}.${name}`, base, queueLevel.compute)]
  }))
}

function parseTask(
  name: string, given: unknown, path: string, base: Policy, queueBackoff: BackoffFunction | null,
): TaskDefinition {
  if (typeof given === 'function') {
    return {
      name, handler: given as AnyHandler, schema: null, policy: base, computeBackoff: queueBackoff,
    }
  }
  if (typeof given !== 'object' || given === null) {
    throw invalidOption(path, 'a handler or task({ handler, … })', given)
  }
  const { handler, input, ...rest } = given as Record<string, unknown>
  if (typeof handler !== 'function') throw invalidOption(`${path}.handler`, 'a function', handler)
  if (input !== undefined && !isSchema(input)) {
    throw invalidOption(`${path}.input`, 'a Standard Schema (zod, valibot, arktype …)', input)
  }
  const { options, compute } = splitBackoff(rest, path)
  return {
    name,
    handler: handler as AnyHandler,
    schema: input ?? null,
    policy: resolvePolicy(options, base),
    computeBackoff: compute ?? (options.backoff ? null : queueBackoff),
  }
}

function isSchema(value: unknown): value is StandardSchemaV1 {
  return (typeof value === 'object' || typeof value === 'function') && value !== null &&
    '~standard' in value
}

/** A backoff function stays in the process; the stored policy only says that there is one. */
function splitBackoff(
  given: unknown, path: string,
): { readonly options: PolicyOptions; readonly compute: BackoffFunction | null } {
  if (typeof given === 'object' && given !== null && 'backoff' in given &&
      typeof given.backoff === 'function') {
    const { backoff, ...rest } = given
    const options = { ...parsePolicyFields(rest, path), backoff: { type: 'custom' } as const }
    return { options, compute: backoff as BackoffFunction }
  }
  return { options: parsePolicyFields(given, path), compute: null }
}

/** Refuses options that nothing knows, so that a slip of the pen is not ignored in silence. */
export function checkNames(given: object, known: readonly string[], path: string): void {
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) throw unknownOption(`${path}.${name}`, known)
  }
}
