import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createActor } from 'xstate'
import { queueMachine } from '../../machines/queue.ts'
import type { QueueEvent } from '../../machines/queue.ts'

/**
 * Written by hand: the state that each event reaches from each state; `-` where it is ignored,
 * `note` where only the store's pause is remembered. Behind `/`: what the store had said before.
 */
const grid = `
               idle      accepting paused    draining  stopping stopped
start          accepting -         -         -         -        -
start/paused   paused    -         -         -         -        -
pause          note      paused    note      note      note     -
pause/paused   note      paused    note      note      note     -
resume         note      note      accepting accepting note     -
resume/paused  note      note      accepting accepting note     -
drain          -         draining  draining  -         -        -
drain/paused   -         draining  draining  -         -        -
stop           stopping  stopping  stopping  stopping  -        -
stop/paused    stopping  stopping  stopping  stopping  -        -
emptied        -         -         -         paused    stopped  -
emptied/paused -         -         -         paused    stopped  -
`
const [head = [], ...rows] = grid.trim().split('\n').map((line) => line.trim().split(/\s+/))
const columns = head as State[]

type State = 'idle' | 'accepting' | 'paused' | 'draining' | 'stopping' | 'stopped'

/** Real events only: how a queue gets there. */
const ways: { readonly [S in State]: readonly QueueEvent['type'][] } = {
  idle: [],
  accepting: ['start'],
  paused: ['start', 'drain', 'emptied'],
  draining: ['start', 'drain'],
  stopping: ['start', 'stop'],
  stopped: ['start', 'stop', 'emptied'],
}

function actorIn(state: State, paused: boolean) {
  const walker = createActor(queueMachine, { input: { concurrency: 3, paused: false } }).start()
  for (const type of ways[state]) walker.send({ type })
  const { value, context } = walker.getSnapshot()
  expect(value).toBe(state)
  const snapshot = queueMachine.resolveState({ value, context: { ...context, paused } })
  return createActor(queueMachine, { snapshot, input: context }).start()
}

const cells = rows.flatMap(([row = '', ...reached]) => columns.map((from, column) => {
  const [type = '', before] = row.split('/')
  return { row, type: type as QueueEvent['type'], paused: before === 'paused', from,
    to: reached[column] ?? '' }
}))

describe('the queue\'s table', () => {
  // XState warns when an event reaches an actor that has stopped, as some cells do on purpose.
  beforeEach(() => { vi.spyOn(console, 'warn').mockImplementation(() => undefined) })
  afterEach(() => { vi.restoreAllMocks() })

  it('has every state and every event', () => {
    expect(columns).toEqual(Object.keys(queueMachine.root.states))
    expect(new Set(cells.map(({ type }) => type))).toEqual(new Set(queueMachine.events))
  })

  it.each(cells)('$row in $from: $to', ({ type, paused, from, to }) => {
    const actor = actorIn(from, paused)
    actor.send({ type })
    const { value, context } = actor.getSnapshot()
    expect(value).toBe(to === '-' || to === 'note' ? from : to)
    const heard = to !== '-'
    const expected = heard && type === 'pause' ? true : heard && type === 'resume' ? false : paused
    expect(context).toEqual({ concurrency: 3, paused: expected })
  })
})

describe('the queue', () => {
  it('claims in accepting and nowhere else', () => {
    for (const state of columns) {
      expect(actorIn(state, false).getSnapshot().hasTag('claiming')).toBe(state === 'accepting')
    }
  })

  it('is done when it stopped', () => {
    expect(actorIn('stopping', false).getSnapshot().status).toBe('active')
    expect(actorIn('stopped', false).getSnapshot().status).toBe('done')
  })

  it('remembers a pause that came before the start, or while it drains', () => {
    const early = createActor(queueMachine, { input: { concurrency: 1, paused: false } }).start()
    early.send({ type: 'pause' })
    early.send({ type: 'start' })
    expect(early.getSnapshot().value).toBe('paused')
    const draining = actorIn('draining', false)
    draining.send({ type: 'pause' })
    draining.send({ type: 'emptied' })
    expect(draining.getSnapshot()).toMatchObject({ value: 'paused', context: { paused: true } })
  })

  it('starts paused when the store says so', () => {
    const actor = createActor(queueMachine, { input: { concurrency: 1, paused: true } }).start()
    actor.send({ type: 'start' })
    expect(actor.getSnapshot().value).toBe('paused')
  })
})
