import { TroupeErrorOf } from '../errors.ts'

/** `cycle` begins and ends with the same name; each waits for the next one. */
export function cycleError(cycle: readonly string[]): TroupeErrorOf<'dependency-cycle'> {
  return new TroupeErrorOf(
    'dependency-cycle', `jobs wait for each other in a circle: ${cycle.join(' → ')}`, { cycle },
  )
}

/** `path` leads to the parent that is not in the store. */
export function unknownParent(path: string, id: string): TroupeErrorOf<'unknown-parent'> {
  return new TroupeErrorOf(
    'unknown-parent', `${path}: there is no job ${JSON.stringify(id)} in the store`, { path, id },
  )
}
