import { assign, setup } from 'xstate'

/** What the control chart of a queue knows. */
export interface QueueContext {
  /** Slots: at most this many handlers run in this process. */
  readonly concurrency: number
  /** Paused in the store, for every process. */
  readonly paused: boolean
}

export type QueueEvent =
  | { readonly type: 'start' }
  /** The store says: no claims, anywhere. */
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  /** This process: stop claiming, let what runs end, stay paused here. */
  | { readonly type: 'drain' }
  | { readonly type: 'stop' }
  /** The last running handler of this queue in this process has ended. */
  | { readonly type: 'emptied' }

export const queueEventDescriptions: { readonly [T in QueueEvent['type']]: string } = {
  start: 'The process begins to work.',
  pause: 'The queue was paused in the store, for every process.',
  resume: 'The pause was taken back.',
  drain: 'This process shall claim no more and end paused.',
  stop: 'This process shall end.',
  emptied: 'Nothing of this queue runs here any more.',
}

/** The control chart of one queue in one process. Claims are made in `accepting` only. */
export const queueMachine = setup({
  types: {
    context: {} as QueueContext,
    events: {} as QueueEvent,
    input: {} as QueueContext,
    tags: {} as 'claiming',
  },
  guards: { isPaused: ({ context }) => context.paused },
  actions: {
    notePause: assign({ paused: true }),
    noteResume: assign({ paused: false }),
  },
}).createMachine({
  id: 'queue',
  description: 'What one process does with one queue.',
  context: ({ input }) => input,
  initial: 'idle',
  on: { pause: { actions: 'notePause' }, resume: { actions: 'noteResume' } },
  states: {
    idle: {
      description: 'Jobs can be added and watched; this process does not work yet.',
      on: {
        start: [{ guard: 'isPaused', target: 'paused' }, { target: 'accepting' }],
        stop: 'stopping',
      },
    },
    accepting: {
      description: 'Ready jobs are claimed while a slot is free.',
      tags: ['claiming'],
      on: {
        pause: { target: 'paused', actions: 'notePause' },
        drain: 'draining',
        stop: 'stopping',
      },
    },
    paused: {
      description: 'Nothing is claimed; what runs goes on.',
      on: {
        resume: { target: 'accepting', actions: 'noteResume' },
        drain: 'draining',
        stop: 'stopping',
      },
    },
    draining: {
      description: 'Nothing is claimed; waits for what runs here.',
      on: {
        resume: { target: 'accepting', actions: 'noteResume' },
        emptied: 'paused',
        stop: 'stopping',
      },
    },
    stopping: {
      description: 'Waits for what runs here, for its grace, before the process lets go.',
      on: { emptied: 'stopped' },
    },
    stopped: { description: 'This process is done with the queue.', type: 'final' },
  },
})
