import { jobMachine } from '../../machines/job.ts'
import type { JobContext, JobEvent, JobEventType } from '../../machines/job-events.ts'
import type { Phase, State } from '../../machines/vocabulary.ts'
import { timelineLimit } from './job.ts'
import type { JobRecord, TimelineEntry } from './job.ts'
import { toLogEntry } from './transition.ts'
import type { LogEntry } from './transition.ts'

/** A job that moved: its next record, and the fact for the log (not numbered yet). */
export interface Moved {
  readonly record: JobRecord
  readonly transition: LogEntry
}

/** The event came at the wrong time: nothing changed. */
export const ignored = 'ignored'

type Args = { readonly context: JobContext; readonly event: JobEvent }
type Guard = (args: Args) => boolean
type Assignment = (args: Args) => Partial<JobContext>

interface Candidate {
  readonly guard: Guard | null
  readonly state: State
  readonly phase: Phase | null
  readonly assignments: readonly Assignment[]
}

type Leaf = Exclude<State, 'queued'> | Phase
type Row = Partial<Record<JobEventType, readonly Candidate[]>>
type Table = Record<Leaf, Row>

/** The part of an XState node that the compiler reads. */
interface Node {
  readonly key: string
  readonly parent: Node | undefined
  readonly states: Readonly<Record<string, Node>>
  readonly initial: { readonly target: readonly Node[] } | undefined
  readonly transitions: ReadonlyMap<string, readonly Definition[]>
  readonly entry: readonly unknown[]
  readonly exit: readonly unknown[]
  readonly always?: readonly unknown[] | undefined
  readonly invoke: readonly unknown[]
  readonly type: string
}
interface Definition {
  readonly eventType: string
  readonly guard?: unknown
  readonly target: readonly Node[] | undefined
  readonly actions: readonly unknown[]
}

/**
 * The chart as a table: leaf → event → candidates in the order in which XState tries them (the
 * leaf's own first, then its parents'). The interpreter costs 5 to 30 µs a step, the table a
 * fraction of one; a property test holds the two equal.
 */
function compile(): Table {
  const { guards, actions } = jobMachine.implementations as unknown as Record<
    'guards' | 'actions', Record<string, unknown>
  >
  const candidateOf = (source: Node, definition: Definition): Candidate => {
    const leaf = enter(definition.target?.[0] ?? source)
    const guard = definition.guard === undefined
      ? null
      : named(guards, definition.guard) as Guard
    const assignments = definition.actions.map((action) => {
      const { assignment } = named(actions, action) as { assignment?: Assignment }
      if (typeof assignment !== 'function') {
        throw new Error(`action ${String(action)} of the chart is no assign() with a function`)
      }
      return assignment
    })
    const queued = leaf.parent?.key === 'queued'
    return {
      guard,
      state: (queued ? 'queued' : leaf.key) as State,
      phase: queued ? (leaf.key as Phase) : null,
      assignments,
    }
  }
  const rowOf = (leaf: Node): Row => {
    const row: Record<string, Candidate[]> = {}
    for (let node: Node | undefined = leaf; node; node = node.parent) {
      refuseUnknownFeatures(node)
      for (const [event, definitions] of node.transitions) {
        const found = definitions.map((definition) =>
          candidateOf(definition.target ? node : leaf, definition))
        row[event] = [...(row[event] ?? []), ...found]
      }
    }
    return row
  }
  const root = jobMachine.root as unknown as Node
  return Object.fromEntries(leavesOf(root).map((leaf) => [leaf.key, rowOf(leaf)])) as Table
}

function leavesOf(node: Node): Node[] {
  const children = Object.values(node.states)
  return children.length === 0 ? [node] : children.flatMap(leavesOf)
}

function enter(node: Node): Node {
  const next = node.initial?.target[0]
  return next ? enter(next) : node
}

function named(registry: Record<string, unknown>, reference: unknown): unknown {
  const name = typeof reference === 'string'
    ? reference
    : (reference as { readonly type?: unknown }).type
  const found = typeof name === 'string' ? registry[name] : undefined
  if (!found) throw new Error(`the chart names ${String(name)}, which setup() does not define`)
  return found
}

/** What the table cannot express must not slip into the chart unseen. */
function refuseUnknownFeatures(node: Node): void {
  const lists = [node.entry, node.exit, node.always ?? [], node.invoke]
  const oddType = node.type === 'parallel' || node.type === 'history'
  if (oddType || lists.some((list) => list.length > 0)) {
    throw new Error(`state ${node.key} uses a feature that step() cannot compile`)
  }
}

const table = compile()

/** The name of the chart's leaf that a record is in. */
export function leafOf(record: Pick<JobRecord, 'state' | 'phase'>): Leaf {
  return record.phase ?? (record.state as Exclude<State, 'queued'>)
}

/**
 * Decides: what `event` makes of `record`, by the chart and nothing else. Pure. `operation` is the
 * id of the commit that will write it, if it travels as one.
 */
export function step(
  record: JobRecord, event: JobEvent, operation: string | null = null,
): Moved | typeof ignored {
  const candidate = choose(record, event)
  if (!candidate) return ignored
  const next = { ...record } as { -readonly [K in keyof JobRecord]: JobRecord[K] }
  for (const assignment of candidate.assignments) {
    Object.assign(next, assignment({ context: next, event }))
  }
  next.state = candidate.state
  next.phase = candidate.phase
  next.rev = record.rev + 1
  next.operation = operation
  if (event.type !== 'progress') next.timeline = extend(record.timeline, next, event)
  const transition = toLogEntry(next, event.type, record.state, event.now, event.by)
  return { record: next, transition }
}

/** Whether `event` would move `record` now. */
export function can(record: JobRecord, event: JobEvent): boolean {
  return choose(record, event) !== undefined
}

function choose(record: JobRecord, event: JobEvent): Candidate | undefined {
  const candidates = table[leafOf(record)][event.type]
  if (!candidates) return undefined
  const args = { context: record, event }
  return candidates.find(({ guard }) => guard === null || guard(args))
}

function extend(
  timeline: readonly TimelineEntry[], record: JobRecord, event: JobEvent,
): readonly TimelineEntry[] {
  const entry: TimelineEntry = {
    at: event.now, event: event.type, to: leafOf(record), attempt: record.attempt, by: event.by,
  }
  return timeline.length < timelineLimit
    ? [...timeline, entry]
    : [...timeline.slice(1 - timelineLimit), entry]
}
