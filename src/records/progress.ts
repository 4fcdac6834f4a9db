import { invalidOption } from '../errors.ts'
import { toJson } from './json.ts'
import type { Progress } from '../../machines/vocabulary.ts'

/** What a handler gives to `job.progress()`: a number is `current` of 100. */
export type ProgressInput =
  | number
  | { readonly current: number; readonly total?: number; readonly message?: string }

const messageLimit = 4096
const fields: readonly string[] = ['current', 'total', 'message']

/** Checks and completes a progress report; `percent` follows from `current` and `total`. */
export function toProgress(input: unknown): Progress {
  const given = typeof input === 'number' ? { current: input, total: 100 } : input
  if (typeof given !== 'object' || given === null) {
    throw invalidOption('progress', 'a number or { current, total?, message? }', input)
  }
  for (const key of Object.keys(given)) {
    if (!fields.includes(key)) throw invalidOption(`progress.${key}`, 'left out', 'an extra field')
  }
  const { current, total, message } = given as Partial<Record<keyof Progress, unknown>>
  checkAmount(current, 'progress.current')
  if (total !== undefined) checkAmount(total, 'progress.total')
  if (message !== undefined && (typeof message !== 'string' || message.length > messageLimit)) {
    throw invalidOption('progress.message', `text of at most ${messageLimit} characters`, message)
  }
  // A character takes at most six bytes of JSON, so that only its content can be refused here.
  if (message !== undefined) toJson(message, 'progress.message', messageLimit * 6 + 2)
  return Object.freeze({
    current,
    total: total ?? null,
    message: message ?? null,
    percent: percentOf(current, total ?? null),
  })
}

function checkAmount(value: unknown, path: string): asserts value is number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw invalidOption(path, 'a number of 0 or more', value)
  }
}

function percentOf(current: number, total: number | null): number | null {
  if (total === null) return null
  if (total === 0) return 100
  return Math.min(100, Math.round((current / total) * 1000) / 10)
}
