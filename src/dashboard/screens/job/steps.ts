import { moveOf, placeOf } from '../../../gateway/fleet/fold.ts'
import { leaves } from '../../../gateway/fleet-protocol.ts'
import type { Leaf, WireChartEdge } from '../../../gateway/fleet-protocol.ts'
import type { JobError, Progress, WireJob, WireTransition } from '../../../gateway/protocol.ts'

/** One transition of the job that is looked at. */
export interface Step {
  /** Null where only the record's own history tells of it. */
  readonly rev: number | null
  readonly at: number
  readonly event: string
  /** Where it led; null: out of the store. */
  readonly leaf: Leaf | null
  readonly attempt: number
  readonly by: string
  readonly fence: number | null
  readonly reason: string | null
  readonly progress: Progress | null
  readonly error: Pick<JobError, 'name' | 'message'> | null
  /** The edge of the chart that it ran along. */
  readonly edge: string | null
  /** Reports of progress in a row are one step. */
  readonly times: number
}

export type Edges = ReadonlyMap<string, string>

/** The id of the edge that each move runs along. */
export function edgeIds(edges: readonly WireChartEdge[]): Edges {
  return new Map(edges.flatMap(({ id, moves }) => moves.map((move) => [move, id] as const)))
}

/** What the log tells, and before it what the record itself remembers. */
export function stepsOf(
  job: WireJob | null, log: readonly WireTransition[], edges: Edges,
): readonly Step[] {
  const known = new Set(log.map(({ at, event }) => `${String(at)} ${event}`))
  const first = log[0]?.at ?? Infinity
  const timeline = (job?.timeline ?? []).filter(({ at, event }) =>
    at <= first && !known.has(`${String(at)} ${event}`))
  const steps: Step[] = []
  for (const [index, { at, event, to, attempt, by }] of timeline.entries()) {
    const before = steps.at(-1)?.leaf ?? null
    const rev = timeline[0]?.event === 'add' && (index === 0 || timeline.length === job?.rev)
      ? index + 1 : null
    steps.push({
      rev, at, event, leaf: to, attempt, by, fence: null, reason: null, progress: null, error: null,
      edge: edges.get(moveOfLeaves(event, before, to)) ?? null, times: 1,
    })
  }
  for (const one of log) {
    const { rev, at, event, attempt, by, fence, reason, progress, error } = one
    const last = steps.at(-1)
    const step: Step = {
      rev, at, event, attempt, by, fence, reason, progress, error,
      leaf: one.to === null ? null : leaves[placeOf(one.to, one.phase)] ?? null,
      edge: edges.get(moveOf(one)) ?? null, times: 1,
    }
    if (event === 'progress' && last?.event === 'progress') {
      steps[steps.length - 1] = { ...step, times: last.times + 1 }
    } else steps.push(step)
  }
  return steps
}

function moveOfLeaves(event: string, from: Leaf | null, to: Leaf): string {
  return `${event}:${from === null ? '' : stateOf(from)}>${to}`
}

const phases: ReadonlySet<string> = new Set(['ready', 'delayed', 'blocked'])

function stateOf(leaf: Leaf): string {
  return phases.has(leaf) ? 'queued' : leaf
}

/** Where the last life begins: with the add, or with a retry. */
export function lifeStart(steps: readonly Step[]): number {
  return Math.max(0, steps.findLastIndex(({ event }) => event === 'retry'))
}

/** One thing that a transition changed. */
export interface Change {
  readonly name: string
  readonly from: string
  readonly to: string
}

/** What a step changed against the one before it. */
export function changesOf(step: Step, before: Step | null): readonly Change[] {
  const changes: Change[] = []
  const put = (name: string, from: string | number | null, to: string | number | null): void => {
    if (from !== to) changes.push({ name, from: String(from ?? 'none'), to: String(to ?? 'none') })
  }
  put('state', placeName(before?.leaf ?? null), placeName(step.leaf))
  put('attempt', before?.attempt ?? 0, step.attempt)
  if (step.fence !== null) put('fence', before ? before.fence : 0, step.fence)
  put('lease', leaseOf(before), leaseOf(step))
  put('reason', before?.reason ?? null, step.reason)
  put('error', errorText(before), errorText(step))
  put('progress', progressText(before?.progress ?? null), progressText(step.progress))
  if (step.rev !== null) put('rev', before ? before.rev : 0, step.rev)
  return changes
}

function placeName(leaf: Leaf | null): string | null {
  if (leaf === null) return null
  return phases.has(leaf) ? `queued.${leaf}` : leaf
}

function leaseOf(step: Step | null): string | null {
  if (step?.leaf !== 'running' && step?.leaf !== 'cancelling') return null
  return step.event === 'claim' ? step.by : 'held'
}

function errorText(step: Step | null): string | null {
  return step?.error ? `${step.error.name}: ${step.error.message.slice(0, 160)}` : null
}

export function progressText(progress: Progress | null): string | null {
  if (!progress) return null
  const { current, total, message } = progress
  return `${String(current)}${total === null ? '' : ` of ${String(total)}`}${
    message === null ? '' : `, ${message}`}`
}

/** A stretch of time in one leaf. */
export interface Stretch {
  readonly leaf: Leaf
  readonly from: number
  /** Null: it goes on. */
  readonly to: number | null
}

/** One attempt: what it waited before, and how it ran. */
export interface Attempt {
  readonly number: number
  readonly waits: readonly Stretch[]
  readonly run: Stretch | null
  /** The event that ended it; null while it goes on. */
  readonly end: string | null
  readonly isBad: boolean
}

const badEnds: ReadonlySet<string> = new Set(['fail', 'timeout', 'stall', 'abandon'])
const settled: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled'])

/** The attempts of one life. */
export function attemptsOf(steps: readonly Step[]): readonly Attempt[] {
  const attempts: Attempt[] = []
  let waits: Stretch[] = []
  let run: { from: number; number: number } | null = null
  for (const [index, step] of steps.entries()) {
    const { leaf, at, event } = step
    const to = steps[index + 1]?.at ?? null
    const isHeld = leaf === 'running' || leaf === 'cancelling'
    if (isHeld) run ??= { from: at, number: step.attempt }
    else if (run) {
      attempts.push({
        number: run.number, waits, end: event, isBad: badEnds.has(event),
        run: { leaf: 'running', from: run.from, to: at },
      })
      run = null
      waits = []
    }
    if (leaf !== null && !isHeld && !settled.has(leaf)) waits = [...waits, { leaf, from: at, to }]
  }
  if (run) {
    attempts.push({
      number: run.number, waits, end: null, isBad: false,
      run: { leaf: 'running', from: run.from, to: null },
    })
  } else if (waits.length > 0) {
    const number = (attempts.at(-1)?.number ?? 0) + 1
    attempts.push({ number, waits, run: null, end: null, isBad: false })
  }
  return attempts
}

/** How long it was in each leaf in all, and in the one in which it is since it came there. */
export function timeIn(steps: readonly Step[], now: number): ReadonlyMap<Leaf, number> {
  const times = new Map<Leaf, number>()
  for (const [index, { leaf, at }] of steps.entries()) {
    if (leaf === null) continue
    if (settled.has(leaf)) {
      times.set(leaf, 0)
      continue
    }
    const to = steps[index + 1]?.at ?? now
    times.set(leaf, (times.get(leaf) ?? 0) + Math.max(0, to - at))
  }
  const last = steps.at(-1)?.leaf
  const since = steps[steps.findLastIndex(({ leaf }) => leaf !== last) + 1]
  if (last && since && !settled.has(last)) times.set(last, Math.max(0, now - since.at))
  return times
}

/** Transitions that say that something went wrong. */
export const badEvents: ReadonlySet<string> = new Set([
  'fail', 'timeout', 'stall', 'abandon', 'expire', 'parentFailed',
])
