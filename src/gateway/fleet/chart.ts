import { jobEventDescriptions } from '../../../machines/job-events.ts'
import { jobMachine } from '../../../machines/job.ts'
import { queueEventDescriptions, queueMachine } from '../../../machines/queue.ts'
import type {
  WireChart, WireChartEdge, WireChartEvent, WireChartNode, WireCharts,
} from '../fleet-protocol.ts'

/** A state of a machine, as XState builds it. */
interface StateNode {
  readonly key: string
  readonly type: string
  readonly parent: StateNode | undefined
  readonly description: string | undefined
  readonly tags: readonly string[]
  readonly states: Readonly<Record<string, StateNode>>
  readonly initial: { readonly target: readonly StateNode[] } | undefined
  readonly transitions: ReadonlyMap<string, readonly Definition[]>
}
interface Definition {
  readonly guard?: unknown
  readonly target: readonly StateNode[] | undefined
}

/** One transition of a machine: an arrow before arrows are put together. */
interface Arrow {
  readonly source: string
  readonly target: string
  readonly event: string
  readonly guard: string | null
  /** What the label says when the event leads elsewhere too; null when it always leads here. */
  readonly choice: string | null
  readonly moves: readonly string[]
}

/** What a guard says, and what it says when it does not hold. */
const guardWords: { readonly [guard: string]: readonly [yes: string, no: string] } = {
  isDue: ['due', 'not yet due'],
  isReadyNow: ['now', 'later'],
  hasExpired: ['expired', 'not expired'],
  isFresh: ['not expired', 'expired'],
  mayRetry: ['retries left', 'none left'],
  neverStarted: ['never started', 'started'],
  mayStall: ['stalls left', 'none left'],
  isBlocked: ['parents open', 'no parent open'],
  failsWithParent: ['by policy', 'by policy'],
  isPaused: ['paused', 'not paused'],
}

/** Events whose arrows from several states are drawn as one, that joins them. */
const gathered: ReadonlySet<string> = new Set(['retry', 'stop'])
const failing: ReadonlySet<string> = new Set(['fail', 'timeout', 'stall', 'expire', 'parentFailed'])

/** What begins a chart is no event of its machine. */
const others: Readonly<Record<string, string>> = {
  add: 'Somebody adds the job.', declare: 'The process declares the queue.',
}

/** Both charts, made from the machines that run. */
export const fleetCharts: WireCharts = {
  job: toChart(jobMachine.root as unknown as StateNode, jobEventDescriptions, {
    source: 'start', target: 'queued', event: 'add', guard: null, choice: null,
    moves: ['ready', 'delayed', 'blocked'].map((leaf) => `add:>${leaf}`),
  }),
  queue: toChart(queueMachine.root as unknown as StateNode, queueEventDescriptions, {
    source: 'start', target: 'idle', event: 'declare', guard: null, choice: null, moves: [],
  }),
}

function toChart(
  root: StateNode, descriptions: Readonly<Record<string, string>>, first: Arrow,
): WireChart {
  const all = nodesBelow(root)
  const arrows = [first, ...all.flatMap((node) => arrowsFrom(node))]
  const start: WireChartNode = {
    id: 'start', parent: null, description: '', kind: 'start', tags: [],
  }
  return {
    id: root.key,
    description: root.description ?? '',
    nodes: [start, ...all.map((node) => toNode(node, root))],
    edges: toEdges(hoist(arrows, all), { ...others, ...descriptions }),
  }
}

function nodesBelow(node: StateNode): StateNode[] {
  return Object.values(node.states).flatMap((child) => [child, ...nodesBelow(child)])
}

function toNode(node: StateNode, root: StateNode): WireChartNode {
  const isFrame = Object.keys(node.states).length > 0
  return {
    id: node.key,
    parent: node.parent === root ? null : node.parent?.key ?? null,
    description: node.description ?? '',
    kind: node.type === 'final' ? 'final' : isFrame ? 'frame' : 'state',
    tags: [...node.tags],
  }
}

function arrowsFrom(node: StateNode): Arrow[] {
  const isFrame = Object.keys(node.states).length > 0
  return [...node.transitions].flatMap(([event, definitions]) =>
    definitions.map((definition, place) => {
      const target = definition.target?.[0] ?? node
      return {
        source: node.key, target: target.key, event,
        guard: typeof definition.guard === 'string' ? definition.guard : null,
        choice: choiceOf(definitions, place, target),
        moves: movesOf(node, target, event, isFrame),
      }
    }))
}

function choiceOf(
  definitions: readonly Definition[], place: number, target: StateNode,
): string | null {
  const elsewhere = definitions.filter((each) => each.target?.[0] !== target)
  if (elsewhere.length === 0) return null
  const own = definitions[place]?.guard
  if (typeof own === 'string') return guardWords[own]?.[0] ?? own
  const before = elsewhere.at(-1)?.guard
  return typeof before === 'string' ? guardWords[before]?.[1] ?? `not ${before}` : null
}

/** A job's log tells the state that was left, and the leaf that was reached. */
function movesOf(
  node: StateNode, target: StateNode, event: string, isFrame: boolean,
): readonly string[] {
  const from = node.parent?.parent ? node.parent.key : node.key
  // The frame's own transition without a target leaves the job in the leaf in which it is.
  const to = isFrame && target === node ? Object.keys(node.states) : [target.key]
  return to.map((leaf) => `${event}:${from}>${leaf}`)
}

/**
 * Arrows into, out of and within a frame that mean the same for all its states are the frame's: a
 * job that is moved stays in it, a new life begins in it, and what ends jobs in it leads out of it.
 */
function hoist(arrows: readonly Arrow[], nodes: readonly StateNode[]): Arrow[] {
  const frames = new Map(nodes.flatMap((node) =>
    Object.keys(node.states).map((child) => [child, node.key] as const)))
  const ownOfFrames = new Set(arrows.flatMap(({ source, event }) =>
    ([...frames.values()].includes(source) ? [`${source}:${event}`] : [])))
  const intoFrame = new Map<string, Set<string>>()
  for (const { source, event, target } of arrows) {
    const key = `${source}:${event}`
    if (!frames.has(source)) intoFrame.set(key, (intoFrame.get(key) ?? new Set()).add(target))
  }
  return arrows.map((arrow) => {
    const { source, target, event } = arrow
    const frame = frames.get(source)
    const toFrame = frames.get(target)
    if (frame !== undefined && ownOfFrames.has(`${frame}:${event}`)) {
      return { ...arrow, source: frame, target: toFrame === frame ? frame : target, choice: null }
    }
    if (source === toFrame) return { ...arrow, target: source, choice: null }
    if (frame !== undefined && toFrame === undefined && failing.has(event)) {
      return { ...arrow, source: frame, choice: null }
    }
    const targets = intoFrame.get(`${source}:${event}`) ?? new Set()
    const isSplit = toFrame !== undefined && targets.size > 1 &&
      [...targets].every((each) => frames.get(each) === toFrame)
    return isSplit ? { ...arrow, target: toFrame, choice: null } : arrow
  })
}

/** Puts together what shares source, target and meaning, and the same event to the same place. */
function toEdges(
  arrows: readonly Arrow[], descriptions: Readonly<Record<string, string>>,
): WireChartEdge[] {
  const bundles = new Map<string, Arrow[]>()
  for (const arrow of arrows) {
    const { source, target, event } = arrow
    const meaning = source === target ? event : kindOf(arrow)
    const key = gathered.has(event)
      ? `*>${target}:${event}` : `${source}>${target}:${meaning}`
    bundles.set(key, [...bundles.get(key) ?? [], arrow])
  }
  return [...bundles.values()].map((bundle) => toEdge(bundle, descriptions))
}

function toEdge(
  bundle: readonly Arrow[], descriptions: Readonly<Record<string, string>>,
): WireChartEdge {
  const [first] = bundle as readonly [Arrow, ...Arrow[]]
  const choices = new Set(bundle.map(({ choice }) => choice))
  const names = [...new Set(bundle.map(({ event }) => event))]
  return {
    id: `${first.source}-${first.target}-${first.event}`,
    sources: [...new Set(bundle.map(({ source }) => source))],
    target: first.target,
    kind: kindOf(first),
    events: names.map((name) => toEvent(name, bundle, descriptions[name] ?? '')),
    guard: choices.size === 1 ? [...choices][0] ?? null : null,
    moves: [...new Set(bundle.flatMap(({ moves }) => moves))],
  }
}

function toEvent(name: string, bundle: readonly Arrow[], description: string): WireChartEvent {
  const guards = bundle.flatMap(({ event, guard }) =>
    (event === name && guard !== null ? [guard] : []))
  // `parentFailed` is read as `parent failed`.
  const label = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return { name, label, description, guards: [...new Set(guards)] }
}

function kindOf({ source, target, event }: Arrow): WireChartEdge['kind'] {
  if (event === 'claim') return 'claim'
  if (event === 'complete') return 'complete'
  if (target === 'failed') return 'failure'
  return failing.has(event) && source === 'running' && target === 'delayed' ? 'failure' : 'plain'
}
