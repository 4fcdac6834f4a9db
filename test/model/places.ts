import { memoryStore } from 'troupe'
import { lowdbStore } from 'troupe/stores/lowdb'
import type { Env } from '../../src/env.ts'
import type { Store } from '../../src/stores/store.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { Life } from '../support/mortal.ts'
import { VirtualEnv } from '../support/virtual-env.ts'

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
  start(): Process
  /** The power goes at the nth change of the disk from now, if it comes to that. */
  cutAt(change: number): void
  /** Ends a process from one moment to the next. Answers all that died of it. */
  crash(process: Process): readonly Process[]
}

/** Several processes on one store in memory; each dies alone. */
export function memoryPlace(
  seed: number, wrap: (store: Store) => Store = (store) => store,
): Place {
  const clock = new VirtualEnv({ seed })
  const store = memoryStore()
  return {
    clock,
    store,
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

/** A file, and one real process that holds it: a power cut ends everything at once. */
export function lowdbPlace(seed: number): Place {
  const clock = new VirtualEnv({ seed })
  const sizes = { checkpointBytes: 4000, segmentBytes: 3000 }
  let disk = new MemoryDisk()
  let left: MemoryDisk | null = null
  let pid = 10_000_001
  const processes: Process[] = []
  const cut = (): void => {
    for (const { life } of processes) life.kill()
    left = disk.powerCut(clock.random, pid += 1)
  }
  return {
    clock,
    store: null,
    start: () => {
      const life = new Life()
      const store = life.store(lowdbStore('/data/jobs.json', sizes))
      const process = { life, env: life.env(clock, disk), store, plain: store }
      processes.push(process)
      return process
    },
    cutAt: (change) => {
      const at = disk.changes + change
      disk.before = ({ index }) => {
        if (index === at) cut()
        return undefined
      }
    },
    crash: () => {
      if (!left) cut()
      disk = left ?? disk
      left = null
      return processes.splice(0)
    },
  }
}
