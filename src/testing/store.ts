import { it } from 'vitest'
import type { Place } from './model/places.ts'
import { runModel } from './model/run-model.ts'

export { storeContract } from './contract/store-contract.ts'
export type { StoreFactory, StoreHome } from './contract/bench.ts'
export { memoryPlace } from './model/places.ts'
export type { Place, Process } from './model/places.ts'
export { Life } from './mortal.ts'

export interface ModelOptions {
  /** Random runs. Default 50; the variable `TROUPE_RUNS` multiplies it. */
  readonly times?: number
  /** Commands in a run, at most. Default 60. */
  readonly size?: number
}

/**
 * A test that lets several troupes work on a store while random commands, crashes and stops come
 * in between, and sees after each one that every promise holds. `place` makes an empty place from
 * a seed. A failure tells seed and path, and the shortest list of commands that was found.
 */
export function storeModel(
  name: string, place: (seed: number) => Place | Promise<Place>,
  { times = 50, size = 60 }: ModelOptions = {},
): void {
  it(`${name} keeps every promise, whatever is done`, async () => {
    await runModel(place, { times, size })
  }, 300_000)
}
