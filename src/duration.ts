import { invalidOption } from './errors.ts'

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
export type DurationUnit = keyof typeof unitMs

/** Milliseconds, or a number with a unit: `'250ms'`, `'10s'`, `'5m'`, `'1.5h'`, `'2d'`, `'1w'`. */
export type Duration = number | `${number}${DurationUnit}`

const pattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/
/** A hundred years. Longer waits are mistakes, and dates past the year 275760 do not exist. */
const maxMs = 100 * 365 * unitMs.d

/** Milliseconds of `value`, rounded up; throws `invalid-option` that names `path`. */
export function parseDuration(value: unknown, path: string): number {
  const ms = typeof value === 'string' ? fromText(value) : value
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0 || ms > maxMs) {
    throw invalidOption(
      path, "milliseconds (0 or more) or a duration such as '250ms', '10s', '5m', '2h'", value,
    )
  }
  return Math.ceil(ms)
}

function fromText(text: string): number {
  const match = pattern.exec(text)
  if (!match) return Number.NaN
  // 4.03 * 1000 is a little more than 4030, and would be rounded up to 4031.
  return Number((Number(match[1]) * unitMs[match[2] as DurationUnit]).toFixed(3))
}
