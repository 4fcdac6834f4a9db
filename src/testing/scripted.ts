import type { Json } from '../../machines/vocabulary.ts'
import { parseDuration } from '../duration.ts'
import type { Duration } from '../duration.ts'
import { invalidOption, show, UnrecoverableError } from '../errors.ts'
import type { Job } from '../orchestrator/job.ts'
import type { VirtualEnv } from './virtual-env.ts'

/** What a scripted handler does at one start of a job. */
export type ScriptStep<Input = unknown> =
  /** Returns null; throws an error, which may be retried; throws one that is final. */
  | 'succeed' | 'fail' | 'fatal'
  /** Goes on until it is released or its signal aborts. */
  | 'hang'
  /** Goes on until it is released, whatever its signal says. */
  | 'deaf'
  /** The process dies here: nothing of it is heard again, and its lease has to lapse. */
  | 'crash'
  | { readonly succeed: Json }
  /** Throws this. */
  | { readonly fail: unknown }
  /** The first so many starts of each job fail. What comes behind in the script is for the rest. */
  | { readonly failTimes: number }
  | { readonly snooze: Duration }
  /** Works this long, heeding its signal; then goes on with `then`, by default `'succeed'`. */
  | { readonly take: Duration; readonly then?: ScriptStep<Input> }
  /** Blocks the event loop this long: clocks go on, and no timer fires meanwhile. */
  | { readonly block: Duration; readonly then?: ScriptStep<Input> }
  /** Decides by the job's input. */
  | { readonly byInput: (input: Input, job: Job<Input>) => ScriptStep<Input> }

/** One start of a scripted handler. */
export interface ScriptedStart<Input = unknown> {
  readonly id: string
  readonly input: Input
  readonly attempt: number
  /** Epoch milliseconds. */
  readonly at: number
}

/** A handler that does what its script says, and remembers its starts. */
export interface ScriptedHandler<Input = unknown> {
  (job: Job<Input>): Promise<Json>
  /** All starts, oldest first. */
  readonly starts: readonly ScriptedStart<Input>[]
  /**
   * Lets those that hang go on, of one job or of all: they do `step`, by default `'succeed'`.
   * Answers how many there were.
   */
  release(step?: ScriptStep<Input>, id?: string): number
}

/** What a script needs of the process that it runs in. */
export interface Theatre {
  readonly env: VirtualEnv
  crash(): void
}

interface Held<Input> {
  readonly id: string
  readonly go: (step: ScriptStep<Input>) => void
}

/**
 * A handler for tests. The steps are for the first, second, third … start of each job; the last
 * one is for all further starts; without any it succeeds.
 */
export function scripted<Input>(
  theatre: Theatre, script: readonly ScriptStep<Input>[],
): ScriptedHandler<Input> {
  const steps = stepsOf(script)
  const starts: ScriptedStart<Input>[] = []
  const held = new Set<Held<Input>>()
  const handler = async (job: Job<Input>): Promise<Json> => {
    const { id, input, attempt } = job
    const before = starts.filter((start) => start.id === id).length
    starts.push({ id, input, attempt, at: theatre.env.now() })
    return perform(steps[Math.min(before, steps.length - 1)] ?? 'succeed', job, theatre, held)
  }
  return Object.assign(handler, {
    starts,
    release: (step: ScriptStep<Input> = 'succeed', id?: string): number => {
      const chosen = [...held].filter((each) => id === undefined || each.id === id)
      for (const each of chosen) each.go(step)
      return chosen.length
    },
  })
}

/** One step for each start; behind failures that are counted comes what follows, or success. */
function stepsOf<Input>(script: readonly ScriptStep<Input>[]): readonly ScriptStep<Input>[] {
  const steps = script.flatMap((step) => (isCounted(step)
    ? Array.from({ length: step.failTimes }, (): ScriptStep<Input> => 'fail') : [step]))
  const last = script.at(-1)
  return last === undefined || isCounted(last) ? [...steps, 'succeed'] : steps
}

function isCounted<Input>(
  step: ScriptStep<Input>,
): step is Extract<ScriptStep<Input>, { readonly failTimes: number }> {
  return typeof step === 'object' && 'failTimes' in step
}

async function perform<Input>(
  step: ScriptStep<Input>, job: Job<Input>, theatre: Theatre, held: Set<Held<Input>>,
): Promise<Json> {
  const next = (then: ScriptStep<Input> | undefined): Promise<Json> =>
    perform(then ?? 'succeed', job, theatre, held)
  switch (step) {
    case 'succeed': return null
    case 'fail': throw new Error(`scripted to fail: attempt ${job.attempt}`)
    case 'fatal': throw new UnrecoverableError(`scripted to fail for good: attempt ${job.attempt}`)
    case 'hang': return next(await released(job, held, true))
    case 'deaf': return next(await released(job, held, false))
    case 'crash':
      theatre.crash()
      return new Promise(() => undefined)
    default:
  }
  if ('succeed' in step) return step.succeed
   
  if ('fail' in step) throw step.fail
  if ('snooze' in step) return job.snooze(step.snooze)
  if ('byInput' in step) return next(step.byInput(job.input, job))
  if ('take' in step) {
    await passed(theatre.env, parseDuration(step.take, 'take'), job.signal)
    return next(step.then)
  }
  if ('block' in step) {
    theatre.env.freeze(parseDuration(step.block, 'block'))
    return next(step.then)
  }
  throw invalidOption('script', 'steps that a scripted handler knows', show(step))
}

function released<Input>(
  { id, signal }: Job<Input>, held: Set<Held<Input>>, heeds: boolean,
): Promise<ScriptStep<Input>> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      held.delete(entry)
      signal.removeEventListener('abort', abort)
    }
    const abort = (): void => {
      end()
      reject(signal.reason as Error)
    }
    const entry: Held<Input> = { id, go: (step) => { end(); resolve(step) } }
    held.add(entry)
    if (heeds && signal.aborted) abort()
    else if (heeds) signal.addEventListener('abort', abort)
  })
}

function passed(env: VirtualEnv, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      timer.cancel()
      reject(signal.reason as Error)
    }
    const timer = env.after(ms, () => {
      signal.removeEventListener('abort', abort)
      resolve()
    })
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
  })
}
