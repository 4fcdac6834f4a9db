import * as fc from 'fast-check'
import { expect, vi } from 'vitest'
import { runs } from '../runs.ts'
import { commands } from './commands.ts'
import type { Place } from './places.ts'
import { Model } from './steps.ts'
import { World } from './world.ts'

/**
 * Runs random commands against a troupe on a place; each step must keep every promise. `asFound`:
 * what breaks one is not made shorter, as that takes minutes where each step is a round trip.
 */
export async function runModel(
  place: (seed: number) => Place | Promise<Place>,
  { times, size, asFound = false }: {
    readonly times: number; readonly size: number; readonly asFound?: boolean
  },
): Promise<void> {
  const silent = silence()
  await fc.assert(
    fc.asyncProperty(fc.nat(), commands(size), async (seed, steps) => {
      const world = await World.open(await place(seed))
      await fc.asyncModelRun(() => ({ model: new Model(), real: world }), steps)
      await world.end()
      silent.check()
    }),
    { ...runs(times), endOnFailure: asFound },
  )
}

/** Nothing may go to the console by itself: XState says there what should not have happened. */
export function silence(): { check(): void } {
  const spies = (['warn', 'error'] as const).map((method) => vi.spyOn(console, method))
  return {
    check: () => {
      for (const spy of spies) {
        const { calls } = spy.mock
        spy.mockClear()
        expect(calls).toEqual([])
      }
    },
  }
}
