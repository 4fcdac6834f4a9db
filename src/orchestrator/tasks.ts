import { invalidOption } from '../errors.ts'
import type { Policy } from '../../machines/vocabulary.ts'
import { integer, parseName, parsePolicyFields, unknownOption } from '../records/options.ts'
import type { PolicyFields } from '../records/options.ts'
import { builtInPolicy, resolvePolicy } from '../records/policy.ts'
import type { BackoffFunction, BackoffOption, PolicyOptions } from '../records/policy.ts'
import type { InferInput, InferOutput, StandardSchemaV1 } from '../records/standard-schema.ts'
import type { Job, Middleware, RunningJob } from './job.ts'
import { wrap } from './middleware.ts'
import type { Sandbox } from './sandbox/sandbox.ts'

/** Options that a task or a queue sets for its jobs; `add` overrides them. */
export interface TaskDefaults extends Omit<PolicyFields, 'backoff'> {
  /** As for `add`, or a function that computes each wait. */
  readonly backoff?: BackoffOption | BackoffFunction
}

export type AnyHandler = (job: Job<never>) => unknown

export interface TaskObject extends TaskDefaults {
  readonly input?: StandardSchemaV1
  readonly handler: AnyHandler
  readonly module?: never
}

/** A task whose handler is a module of its own, which runs in a thread. */
export interface ModuleObject extends TaskDefaults {
  readonly input?: StandardSchemaV1
  /**
   * A file: URL; its default export is the handler, `(job: Job<Input>) => Result`. In place of a
   * handler: `new URL('./resize.js', import.meta.url)`. Needs the package `piscina`.
   */
  readonly module: URL | string
  /**
   * How many MiB of JavaScript objects the thread may hold, 16 or more; a job that needs more
   * fails with a `SandboxError`. Default: as Node decides.
   */
  readonly memoryMb?: number
  readonly handler?: never
}

/** The tasks of a queue, by name: handlers, or what `task()` returns. */
export type Tasks = Record<string, AnyHandler | TaskObject | ModuleObject>

declare const inputType: unique symbol
declare const resultType: unique symbol
/** What `task()` returns: it remembers the type that `add` takes. */
export type Task<Input, Result> = TaskDefaults & {
  readonly input?: StandardSchemaV1
  readonly handler: (job: Job<never>) => Result
  readonly [inputType]?: (input: Input) => void
}

/** What `task()` returns for a module: it remembers the types that nothing can be inferred from. */
export type ModuleTask<Input, Result> = ModuleObject & {
  readonly [inputType]?: (input: Input) => void
  readonly [resultType]?: () => Result
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
/** A task whose handler is a module: say what it takes and gives, `task<Input, Result>({ … })`. */
export function task<Input = undefined, Result = unknown>(
  definition: ModuleObject & { readonly input?: StandardSchemaV1<Input, unknown> },
): ModuleTask<Input, Result>
export function task(definition: TaskObject | ModuleObject): TaskObject | ModuleObject {
  return definition
}

type HandlerOf<T> = T extends { readonly handler: infer H } ? H : T

/** The input that `add` takes for a task. */
export type InputOf<T> = T extends ModuleTask<infer Input, unknown>
  ? Input
  : T extends Task<infer Input, unknown>
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
export type ResultOf<T> = T extends ModuleTask<never, infer R>
  ? NothingToNull<Awaited<R>>
  : HandlerOf<T> extends (job: Job<never>) => infer R
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

/** The field of a job's description that holds its input. */
export type InputField<Input> = undefined extends Input
  ? { readonly input?: JsonSafe<Input> }
  : { readonly input: JsonSafe<Input> }

/** A task as the queue runs it. */
export interface TaskDefinition {
  readonly name: string
  /** The handler, with what goes around it. */
  readonly run: (job: RunningJob) => unknown
  readonly schema: StandardSchemaV1 | null
  readonly policy: Policy
  readonly computeBackoff: BackoffFunction | null
}

/** What the tasks of a queue have in common. */
interface Shared extends Around {
  readonly policy: Policy
  readonly computeBackoff: BackoffFunction | null
}

/** What the handlers of a process run in. */
export interface Around {
  readonly middleware: readonly Middleware[]
  readonly sandbox: Sandbox
}

/** Checks the `tasks` of a queue; their rules go before the queue's, and those before built-in. */
export function parseTasks(
  tasks: unknown, defaults: unknown, around: Around, path: string,
): ReadonlyMap<string, TaskDefinition> {
  if (typeof tasks !== 'object' || tasks === null) {
    throw invalidOption(path, 'an object of handlers by task name', tasks)
  }
  const queueLevel = splitBackoff(defaults, `${path.replace(/tasks$/, '')}defaults`)
  const shared: Shared = {
    policy: resolvePolicy(queueLevel.options, builtInPolicy), computeBackoff: queueLevel.compute,
    middleware: around.middleware, sandbox: around.sandbox,
  }
  return new Map(Object.entries(tasks).map(([name, given]) => {
    parseName(name, `${path} (the name ${JSON.stringify(name)})`)
    return [name, parseTask(name, given, `${path}.${name}`, shared)]
  }))
}

function parseTask(name: string, given: unknown, path: string, shared: Shared): TaskDefinition {
  const { policy, computeBackoff, middleware } = shared
  if (typeof given === 'function') {
    const run = wrap(middleware, given as TaskDefinition['run'])
    return { name, run, schema: null, policy, computeBackoff }
  }
  if (typeof given !== 'object' || given === null) {
    throw invalidOption(path, 'a handler or task({ handler, … })', given)
  }
  const { handler, module, memoryMb, input, ...rest } = given as Record<string, unknown>
  const run = module === undefined && memoryMb === undefined
    ? parseHandler(handler, `${path}.handler`)
    : parseModule({ handler, module, memoryMb }, path, shared.sandbox)
  if (input !== undefined && !isSchema(input)) {
    throw invalidOption(`${path}.input`, 'a Standard Schema (zod, valibot, arktype …)', input)
  }
  const { options, compute } = splitBackoff(rest, path)
  return {
    name,
    run: wrap(middleware, run),
    schema: input ?? null,
    policy: resolvePolicy(options, policy),
    computeBackoff: compute ?? (options.backoff ? null : computeBackoff),
  }
}

function parseHandler(handler: unknown, path: string): TaskDefinition['run'] {
  if (typeof handler !== 'function') throw invalidOption(path, 'a function', handler)
  return handler as TaskDefinition['run']
}

function parseModule(
  { handler, module, memoryMb }: Readonly<Record<'handler' | 'module' | 'memoryMb', unknown>>,
  path: string, sandbox: Sandbox,
): TaskDefinition['run'] {
  if (module !== undefined && handler !== undefined) {
    throw invalidOption(`${path}.module`, 'left out when there is a handler', module)
  }
  const url = module instanceof URL || (typeof module === 'string' && URL.canParse(module))
    ? new URL(module) : null
  if (url?.protocol !== 'file:') {
    throw invalidOption(
      `${path}.module`, "a file: URL, such as new URL('./resize.js', import.meta.url)", module,
    )
  }
  return sandbox.handler(
    url.href, memoryMb === undefined ? null : integer(memoryMb, `${path}.memoryMb`, 16, 1_048_576),
  )
}

/** Checks a list of middleware. */
export function parseMiddleware(given: unknown, path: string): readonly Middleware[] {
  if (given === undefined) return []
  if (!Array.isArray(given)) throw invalidOption(path, 'an array of functions', given)
  for (const [index, each] of given.entries()) {
    if (typeof each !== 'function') throw invalidOption(`${path}[${index}]`, 'a function', each)
  }
  return given as readonly Middleware[]
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
