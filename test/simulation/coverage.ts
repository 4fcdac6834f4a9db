import { jobMachine } from '../../machines/job.ts'
import { queueMachine } from '../../machines/queue.ts'
import type { LogEntry } from '../../src/records/transition.ts'

/** `from --event--> to` of a chart, with states as dotted paths below the root. */
type Edge = string

const edge = (from: string, event: string, to: string): Edge => `${from} --${event}--> ${to}`

/** A node of a chart, as far as its edges need it. */
interface ChartNode {
  readonly type: string
  readonly path: readonly string[]
  readonly states: Readonly<Record<string, ChartNode>>
  readonly initial?: { readonly target: readonly ChartNode[] }
  readonly transitions: ReadonlyMap<string, readonly {
    readonly eventType: string
    readonly target: readonly ChartNode[] | undefined
  }[]>
}

const isLeaf = ({ states }: ChartNode): boolean => Object.keys(states).length === 0

function leavesOf(node: ChartNode): ChartNode[] {
  return isLeaf(node) ? [node] : Object.values(node.states).flatMap(leavesOf)
}

function entered(node: ChartNode): ChartNode {
  const first = isLeaf(node) ? undefined : node.initial?.target[0]
  return first ? entered(first) : node
}

/** Every transition that a chart has, from each leaf on that it may be taken in. */
function edgesOf(root: ChartNode): Set<Edge> {
  const edges = new Set<Edge>()
  const visit = (node: ChartNode): void => {
    for (const [event, transitions] of node.transitions) {
      for (const leaf of leavesOf(node)) {
        // What is final takes nothing any more.
        if (leaf.type === 'final') continue
        if (isOverruled(root, leaf, node, event)) continue
        for (const { target } of transitions) {
          const to = target?.[0] ? entered(target[0]) : leaf
          edges.add(edge(leaf.path.join('.'), event, to.path.join('.')))
        }
      }
    }
    Object.values(node.states).forEach(visit)
  }
  visit(root)
  return edges
}

/** A state closer to the leaf takes the event itself. */
function isOverruled(root: ChartNode, leaf: ChartNode, taker: ChartNode, event: string): boolean {
  let node: ChartNode | undefined = root
  let last = root
  for (const step of leaf.path) {
    node = node?.states[step]
    if (node?.transitions.has(event)) last = node
  }
  return last !== taker
}

export const jobEdges: ReadonlySet<Edge> = edgesOf(jobMachine.root)
export const queueEdges: ReadonlySet<Edge> = edgesOf(queueMachine.root)

/** What a number of simulations has seen of the charts and of fate. */
export class Coverage {
  readonly jobEdges = new Map<Edge, number>()
  readonly queueEdges = new Map<Edge, number>()
  readonly faults = new Map<string, number>()
  readonly acts = new Map<string, number>()
  readonly commands = new Map<string, number>()
  runs = 0
  jobs = 0
  events = 0
  transitions = 0

  fault(kind: string): void { count(this.faults, kind) }
  act(kind: string): void { count(this.acts, kind) }
  command(kind: string): void { count(this.commands, kind) }

  queueMoved(from: string, event: string, to: string): void {
    const moved = edge(from, event, to)
    // What a chart does not know leaves it where it is.
    if (from !== to || queueEdges.has(moved)) count(this.queueEdges, moved)
  }

  /** Adds what a log tells. */
  follow(log: readonly LogEntry[]): void {
    const places = new Map<string, string>()
    for (const { jobId, event, to, phase } of log) {
      const place = phase ? `${String(to)}.${phase}` : String(to)
      const from = places.get(jobId)
      places.set(jobId, place)
      if (event === 'add') this.jobs += 1
      if (event === 'add' || event === 'remove' || from === undefined) continue
      count(this.jobEdges, edge(from, event, place))
    }
    this.transitions += log.length
  }

  add(other: Coverage): void {
    for (const key of ['jobEdges', 'queueEdges', 'faults', 'acts', 'commands'] as const) {
      for (const [name, times] of other[key]) count(this[key], name, times)
    }
    for (const key of ['runs', 'jobs', 'events', 'transitions'] as const) this[key] += other[key]
  }

  /** Edges of both charts that nothing has gone along, but should have. */
  get missing(): Edge[] {
    return [
      ...[...jobEdges].filter((each) => !this.jobEdges.has(each)).map((each) => `job: ${each}`),
      ...[...queueEdges].filter((each) => !this.queueEdges.has(each))
        .map((each) => `queue: ${each}`),
    ]
  }

  /** Moves that a log tells of and the charts do not know. */
  get unknown(): Edge[] {
    return [
      ...[...this.jobEdges.keys()].filter((each) => !jobEdges.has(each)),
      ...[...this.queueEdges.keys()].filter((each) => !queueEdges.has(each)),
    ]
  }
}

function count(map: Map<string, number>, key: string, times = 1): void {
  map.set(key, (map.get(key) ?? 0) + times)
}
