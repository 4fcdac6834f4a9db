import { AssertionError } from 'node:assert'
import { inspect } from 'node:util'

/** An assertion that has failed; test runners show `actual` against `expected`. */
export function failure(message: string, actual?: unknown, expected?: unknown): AssertionError {
  const operator = 'troupe'
  return new AssertionError({ message, actual, expected, operator, stackStartFn: failure })
}

export function show(value: unknown): string {
  return inspect(value, { depth: 6, breakLength: 80, sorted: true })
}

/**
 * The parts of `actual` that `expected` speaks of, in its shape: equal to it when all of them are
 * as expected. Properties of objects are picked; lists are taken whole.
 */
export function pick(actual: unknown, expected: unknown): unknown {
  if (!isPlain(actual) || !isPlain(expected)) return actual
  return Object.fromEntries(
    Object.entries(expected).map(([key, value]) => [key, pick(actual[key], value)]),
  )
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Two lists of lines, one under the other: `-` was expected, `+` is there. */
export function differing(actual: readonly string[], expected: readonly string[]): string {
  const common = commonLines(actual, expected)
  const lines: string[] = []
  let a = 0
  let e = 0
  for (const line of [...common, null]) {
    while (e < expected.length && expected[e] !== line) lines.push(`  - ${expected[e++] ?? ''}`)
    while (a < actual.length && actual[a] !== line) lines.push(`  + ${actual[a++] ?? ''}`)
    if (line === null) break
    lines.push(`    ${line}`)
    a += 1
    e += 1
  }
  return lines.join('\n')
}

/** The longest list of lines that both have, in this order. */
function commonLines(one: readonly string[], other: readonly string[]): string[] {
  const lengths = Array.from({ length: one.length + 1 }, () =>
    new Array<number>(other.length + 1).fill(0))
  const length = (i: number, j: number): number => lengths[i]?.[j] ?? 0
  for (let i = one.length - 1; i >= 0; i -= 1) {
    const row = lengths[i] ?? []
    for (let j = other.length - 1; j >= 0; j -= 1) {
      row[j] = one[i] === other[j]
        ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1))
    }
  }
  const common: string[] = []
  for (let i = 0, j = 0; i < one.length && j < other.length;) {
    const line = one[i]
    if (line !== undefined && line === other[j]) {
      common.push(line)
      i += 1
      j += 1
    } else if (length(i + 1, j) >= length(i, j + 1)) i += 1
    else j += 1
  }
  return common
}
