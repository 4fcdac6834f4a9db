import type { Env } from '../../env.ts'
import { memoryStore } from '../../stores/memory.ts'
import type { Store } from '../../stores/store.ts'
import { Life } from '../mortal.ts'
import { VirtualEnv } from '../virtual-env.ts'

/** One process of the simulation, with its own view of the world. */
export interface Process {
  readonly life: Life
  readonly env: Env
  readonly store: Store
  /** The same store for the eyes of the test. */
  readonly plain: Store
}

/** Where the jobs of a model live. */
export interface Place {
  readonly clock: VirtualEnv
  /** The one store that outlives all processes, if it is so. */
  readonly store: Store | null
  /**
   * Several processes share it, and none hears all: what a dead one was about to tell is found by
   * the others within so many milliseconds. 0: each hears all at once.
   */
  readonly patienceMs: number
  start(): Process
  /** The power goes at the nth change of the disk from now, if it comes to that. */
  cutAt(change: number): void
  /** Ends a process from one moment to the next. Answers all that died of it. */
  crash(process: Process): readonly Process[]
}

/**
 * Several processes with one store object, which outlives them all; each dies alone. `wrap` gives
 * each process its own view of the store. Default: a memory store, as it is.
 */
export function memoryPlace(
  seed: number, wrap: (store: Store) => Store = (each) => each, store: Store = memoryStore(),
): Place {
  const clock = new VirtualEnv({ seed })
  return {
    clock,
    store,
    patienceMs: 0,
    start: () => {
      const life = new Life()
      const env = life.env(clock, clock.disk)
      return { life, env, store: life.store(wrap(store)), plain: store }
    },
    cutAt: () => undefined,
    crash: (process) => {
      process.life.kill()
      return [process]
    },
  }
}
