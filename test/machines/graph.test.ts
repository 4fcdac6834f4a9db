import { describe, expect, it } from 'vitest'
import type { AnyStateNode } from 'xstate'
import { getAdjacencyMap } from 'xstate/graph'
import { jobEventDescriptions } from '../../machines/job-events.ts'
import { jobMachine } from '../../machines/job.ts'
import type { JobEvent } from '../../machines/job-events.ts'
import { queueEventDescriptions, queueMachine } from '../../machines/queue.ts'
import { phases, settledStates, states } from '../../machines/vocabulary.ts'
import {
  contextOf, eventTypes, jobEvent, leaves, now, recordIn, valueOf,
} from '../../src/testing/records.ts'
import type { Leaf } from '../../src/testing/records.ts'

/** Each event in the forms that the guards tell apart; in the future all times have passed. */
const events: readonly JobEvent[] = [
  ...eventTypes.map((type) => jobEvent(type)),
  ...eventTypes.map((type) => jobEvent(type, { now: 99_000 })),
  jobEvent('fail', { retryable: false }),
  jobEvent('reschedule', { runAt: now }),
]

function nameOf(value: unknown): Leaf {
  return (typeof value === 'object' && value !== null ? Object.values(value)[0] : value) as Leaf
}

/** Leaf → the leaves that one event leads to, walked by XState from that leaf. */
function neighbours(leaf: Leaf): ReadonlySet<Leaf> {
  const input = { ...contextOf(recordIn(leaf)), expiresAt: 90_000 }
  const fromState = jobMachine.resolveState({ value: valueOf(recordIn(leaf)), context: input })
  const map = getAdjacencyMap(jobMachine, {
    input, fromState, events, limit: 1_000,
    serializeState: (snapshot) => nameOf(snapshot.value),
    stopWhen: (snapshot) => nameOf(snapshot.value) !== leaf,
  })
  const steps = Object.values(map[leaf as keyof typeof map]?.transitions ?? {})
  return new Set(steps.map(({ state }) => nameOf(state.value)))
}

const edges = new Map(leaves.map((leaf) => [leaf, neighbours(leaf)]))

function reachable(from: Leaf): ReadonlySet<Leaf> {
  const seen = new Set<Leaf>([from])
  for (const leaf of seen) edges.get(leaf)?.forEach((next) => seen.add(next))
  return seen
}

const nodesOf = (node: AnyStateNode): AnyStateNode[] =>
  [node, ...Object.values(node.states).flatMap(nodesOf)]
const jobNodes = nodesOf(jobMachine.root)
const nodeOf = (leaf: Leaf): AnyStateNode | undefined =>
  jobNodes.find(({ id }) => id.endsWith(`.${leaf}`))

describe('the job\'s graph', () => {
  it('reaches every leaf from queued.ready, but blocked: only add puts a job there', () => {
    const others = leaves.filter((leaf) => leaf !== 'blocked')
    expect([...reachable('ready')].sort()).toEqual([...others].sort())
    expect([...reachable('blocked')].sort()).toEqual([...leaves].sort())
    const entered = others.filter((leaf) => edges.get(leaf)?.has('blocked'))
    expect(entered).toEqual([])
  })

  it.each(leaves)('can end from %s', (leaf) => {
    expect(settledStates.some((settled) => reachable(leaf).has(settled))).toBe(true)
  })

  it('can complete from everywhere, and completed has no way out', () => {
    for (const leaf of leaves) expect(reachable(leaf).has('completed'), leaf).toBe(true)
    expect([...reachable('completed')]).toEqual(['completed'])
    expect(nodeOf('completed')?.ownEvents).toEqual([])
  })

  it('leaves failed and cancelled by retry only', () => {
    for (const leaf of ['failed', 'cancelled'] as const) {
      expect(nodeOf(leaf)?.ownEvents).toEqual(['retry'])
      expect([...edges.get(leaf) ?? []].sort()).toEqual(['ready', leaf].sort())
    }
  })

  it('goes from running to each of these, and from cancelling to an end only', () => {
    expect([...edges.get('running') ?? []].sort())
      .toEqual(['cancelling', 'completed', 'delayed', 'failed', 'ready', 'running'])
    expect([...edges.get('cancelling') ?? []].sort())
      .toEqual(['cancelled', 'cancelling', 'completed'])
  })
})

describe('the job chart\'s form', () => {
  it('has exactly the six states and three phases', () => {
    expect(Object.keys(jobMachine.root.states)).toEqual(states)
    expect(Object.keys(jobMachine.root.states['queued']?.states ?? {})).toEqual(phases)
  })

  it('uses no final state: it would swallow retry', () => {
    expect(jobNodes.filter(({ type }) => type === 'final')).toEqual([])
  })

  it('tags the settled states, and the live ones', () => {
    const tagged = (tag: string): string[] =>
      jobNodes.filter(({ tags }) => tags.includes(tag)).map(({ id }) => id)
    expect(tagged('settled')).toEqual(settledStates.map((state) => `job.${state}`))
    expect(tagged('live')).toEqual(['job.running', 'job.cancelling'])
  })

  it('does not wait, invoke or spawn: time lives in the record', () => {
    const delayed = JSON.stringify(jobMachine.config)
    expect(delayed).not.toMatch(/"(after|invoke|always)"/)
  })
})

describe.each([
  { machine: 'job', nodes: jobNodes, events: jobMachine.events, words: jobEventDescriptions },
  {
    machine: 'queue', nodes: nodesOf(queueMachine.root), events: queueMachine.events,
    words: queueEventDescriptions,
  },
])('the words of the $machine chart', ({ nodes, events: known, words }) => {
  it('describe every state in a sentence', () => {
    for (const { id, description } of nodes) expect(description, id).toMatch(/^[A-Z].+\.$/)
  })

  it('describe every event in a sentence, and no event that is not there', () => {
    expect(Object.keys(words).sort()).toEqual([...known].sort())
    for (const [event, text] of Object.entries(words)) expect(text, event).toMatch(/^[A-Z].+\.$/)
  })
})
