import { settledStates } from '../../../machines/vocabulary.ts'
import { TroupeError } from '../../errors.ts'
import type { Transition } from '../../records/transition.ts'
import { leaves } from '../fleet-protocol.ts'
import type { Phase } from '../protocol.ts'

/** A transition of the past, with the phase that only its job's past tells. */
export interface Told {
  readonly transition: Transition
  readonly left: Phase | undefined
}

const settledPlaces: ReadonlySet<number> = new Set(
  settledStates.map((state) => leaves.indexOf(state)),
)

/**
 * What a log has told, and what was there before it, as counts. Retention removes settled jobs and
 * tells nobody. Where more were settled than are there now, as many are taken to have been there
 * as there are now, and never more than were settled.
 */
export function absolute(
  counts: readonly number[], base: readonly number[], present: readonly number[], isWhole: boolean,
): number[] {
  return counts.map((count, place) => {
    const before = base[place] ?? 0
    if (!settledPlaces.has(place)) return Math.max(0, isWhole ? count : count + before)
    return before < 0 ? Math.min(count, present[place] ?? 0) : Math.max(0, count + before)
  })
}

export function toFolded({ transition, left }: Told): Transition & { readonly left?: Phase } {
  return left === undefined ? transition : { ...transition, left }
}

/** The log is not the one that it was: trimmed past the place, or begun anew. */
export function isGone(error: unknown): boolean {
  return error instanceof TroupeError &&
    (error.code === 'cursor-too-old' || error.code === 'invalid-cursor')
}
