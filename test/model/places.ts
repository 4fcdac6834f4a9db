import { lowdbStore } from 'troupe/stores/lowdb'
import { Life } from '../../src/testing/mortal.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import type { Place, Process } from '../../src/testing/model/places.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'

export { memoryPlace } from '../../src/testing/model/places.ts'
export type { Place, Process } from '../../src/testing/model/places.ts'

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
    patienceMs: 0,
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
