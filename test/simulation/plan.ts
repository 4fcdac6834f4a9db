import type { AddOptions, Schedule } from 'troupe'
import type { Mishap } from './link.ts'

/** How a handler ends that does so when it is told to, or when its time has come. */
export type Word = 'complete' | 'fail' | 'snooze' | 'limit'

/** What the handler of one attempt does. */
export type Act =
  | { readonly act: 'complete' | 'fail' | 'fatal' | 'snooze' | 'limit' | 'report' }
  /** Until it is told how to end, or its signal aborts. */
  | { readonly act: 'hang' }
  /** Until it is told how to end, whatever its signal says. */
  | { readonly act: 'deaf' }
  /** It takes its time, whatever its signal says. */
  | { readonly act: 'slow'; readonly ms: number; readonly end: Word }
  /** The event loop of its process stands still for so long. */
  | { readonly act: 'block'; readonly ms: number }
  /** Its process dies of it. */
  | { readonly act: 'crash' }
  /** It throws before it has given a promise. */
  | { readonly act: 'throw' }
  /** It throws what is no error. */
  | { readonly act: 'throw nothing' }
  /** It returns what is no JSON. */
  | { readonly act: 'unfit' }

export interface Input {
  /** One for each attempt; what comes behind the last one completes. */
  readonly acts: readonly Act[]
}

export interface JobPlan {
  readonly id: string
  readonly acts: readonly Act[]
  readonly options: Omit<AddOptions, 'id' | 'dependsOn'>
  readonly parents: readonly string[]
}

/** `scratch` is the one that may be obliterated; its history has no beginning. */
export const queueNames = ['images', 'scratch'] as const
export type QueueName = (typeof queueNames)[number]

export interface SchedulePlan {
  /** Milliseconds; of a cron expression whole seconds. */
  readonly every: number
  readonly cron: boolean
  /** No occurrence later than so long after the beginning. */
  readonly untilMs: number
  readonly limit: number | null
  readonly overlap: Schedule['overlap']
  readonly catchUp: Schedule['catchUp']
  readonly acts: readonly Act[]
  /** Another one for each version of a schedule. */
  readonly label: string
}

type OnNode = { readonly node: number }
type OnJob = OnNode & { readonly id: string }
type OnKey = OnNode & { readonly queue: QueueName; readonly key: string }

export type ScheduleCommand =
  | (OnKey & { readonly type: 'schedule'; readonly schedule: SchedulePlan })
  | (OnKey & {
      readonly type: 'unschedule' | 'pause schedule' | 'resume schedule' | 'trigger'
    })

/** What is done to the queue that may be obliterated. */
export type ScratchCommand =
  | (OnNode & { readonly type: 'fill'; readonly jobs: readonly JobPlan[] })
  | (OnNode & { readonly type: 'obliterate'; readonly force: boolean })

/** What users, operators and handlers' friends do. */
export type Command =
  | ScheduleCommand
  | ScratchCommand
  | (OnNode & { readonly type: 'add'; readonly jobs: readonly JobPlan[] })
  /** One, two that wait for it, and one that waits for both. */
  | (OnNode & { readonly type: 'flow'; readonly jobs: readonly JobPlan[] })
  | (OnJob & { readonly type: 'cancel' | 'retry' | 'remove' | 'wait for' })
  | (OnJob & { readonly type: 'reschedule'; readonly ms: number })
  | (OnNode & { readonly type: 'pause' | 'resume' | 'drain' | 'clean' })
  /** A process begins, unless it is there. */
  | (OnNode & { readonly type: 'join' })
  | (OnNode & { readonly type: 'cancel many' | 'retry many' })
  /** A handler that waits for a word is told to end. */
  | { readonly type: 'finish'; readonly which: number; readonly how: Word }

/** What fate does. */
export type Fault =
  | (OnNode & { readonly type: 'call'; readonly method: string | null; readonly mishap: Mishap })
  | (OnNode & { readonly type: 'crash'; readonly backMs: number | null })
  | (OnNode & { readonly type: 'stop'; readonly graceMs: number; readonly backMs: number | null })
  | (OnNode & { readonly type: 'freeze'; readonly ms: number })
  | (OnNode & { readonly type: 'cut'; readonly how: 'refusing' | 'silent'; readonly ms: number })
  | (OnNode & { readonly type: 'clock jump'; readonly ms: number })
  /** The power goes at the nth change of the disk from now, and torn writes with it. */
  | { readonly type: 'power cut'; readonly change: number }
  /** The nth change of the disk from now fails; part of an append is done. */
  | { readonly type: 'disk error'; readonly change: number; readonly code: string;
      readonly part: number }
  /** The nth sync from now says that all is well, and has done nothing. */
  | { readonly type: 'lying sync'; readonly change: number }

export type Step = { readonly at: number } & (Command | Fault)

/** One simulation, whole: it can be written down, changed and run again. */
export interface Plan {
  readonly seed: number
  readonly store: 'memory' | 'lowdb'
  /** For each process, how fast its clock runs. */
  readonly rates: readonly number[]
  /** Processes that add and watch, and never start; 0 is none of them. */
  readonly clients: readonly number[]
  readonly leaseMs: number
  readonly concurrency: number
  readonly rate: { readonly max: number; readonly per: number } | null
  readonly perPartition: number | null
  readonly maxQueued: number | null
  readonly pruned: boolean
  /** From then on nothing goes wrong any more. */
  readonly faultsEndAt: number
  readonly steps: readonly Step[]
}

const faultTypes: readonly Step['type'][] = [
  'call', 'crash', 'stop', 'freeze', 'cut', 'clock jump', 'power cut', 'disk error', 'lying sync',
]

export function isFault(step: Step): step is Step & Fault {
  return faultTypes.includes(step.type)
}

/** Whether there is a second queue. */
export function hasScratch({ steps }: Plan): boolean {
  return steps.some((step) => 'queue' in step ? step.queue === 'scratch'
    : step.type === 'fill' || step.type === 'obliterate')
}

/** When the first thing goes wrong; handlers that block or kill their process count. */
export function trouble(plan: Plan): number {
  const first = plan.steps.find((step) => isFault(step) || ('jobs' in step && step.jobs.some(
    ({ acts }) => acts.some(({ act }) => act === 'block' || act === 'crash'))))
  return first?.at ?? Infinity
}

/** Calls may take effect once more, later; null: of any method. */
export function repeats({ steps }: Plan, method: string): boolean {
  return steps.some((step) => step.type === 'call' && step.mishap.type === 'repeated' &&
    (step.method === null || step.method === method))
}
