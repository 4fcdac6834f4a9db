import { usageError } from './exit.ts'

/** Letters that may be wrong in a name of this length. */
const faultsIn = (name: string): number => (name.length > 5 ? 3 : name.length > 2 ? 2 : 1)

/** ` (did you mean "photos"?)`, or nothing when no name is near. */
export function didYouMean(given: string, known: Iterable<string>): string {
  const near = [...known]
    .map((name) => ({ name, distance: distanceOf(given.toLowerCase(), name.toLowerCase()) }))
    .filter(({ distance }) => distance <= faultsIn(given))
    .sort((one, other) => one.distance - other.distance)
  return near[0] === undefined ? '' : ` (did you mean "${near[0].name}"?)`
}

/** One of the known words, or a usage error that names them. */
export function oneOf<T extends string>(known: readonly T[], given: string, flag: string): T {
  const found = known.find((name) => name === given)
  if (found !== undefined) return found
  throw usageError(
    `${flag} "${given}" is not known${didYouMean(given, known)}; known: ${known.join(', ')}`,
  )
}

/** Letters to insert, leave out, change or swap. */
function distanceOf(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, column) => column)]
  const at = (row: number, column: number): number => rows[row]?.[column] ?? 0
  for (let row = 1; row <= one.length; row += 1) {
    rows[row] = [row]
    for (let column = 1; column <= other.length; column += 1) {
      const same = one[row - 1] === other[column - 1]
      const swapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
      rows[row]?.push(Math.min(
        at(row - 1, column) + 1, at(row, column - 1) + 1, at(row - 1, column - 1) + (same ? 0 : 1),
        row > 1 && column > 1 && swapped ? at(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY,
      ))
    }
  }
  return at(one.length, other.length)
}
