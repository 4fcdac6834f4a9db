import type { Command } from 'commander'
import { phases, states } from '../../machines/vocabulary.ts'
import { parseDuration } from '../duration.ts'
import { systemEnv } from '../env.ts'
import { TroupeError } from '../errors.ts'
import type { JobFilterOptions, TimeSpan } from '../orchestrator/filter.ts'
import { usageError } from './exit.ts'
import { parseMeta } from './job-input.ts'
import { oneOf } from './suggest.ts'

export interface FilterFlags {
  readonly state?: string[]
  readonly phase?: string
  readonly task?: string
  readonly partition?: string
  readonly meta?: string[]
  readonly text?: string
  readonly createdAfter?: string
  readonly createdBefore?: string
  readonly settledAfter?: string
  readonly settledBefore?: string
}

/** For an option that may be given more than once, or with commas. */
export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...before ?? [], ...value.split(',')]
}

export function collectWhole(value: string, before: readonly string[] | undefined): string[] {
  return [...before ?? [], value]
}

/** Which jobs: the same flags for every command that takes a filter. */
export function withFilter(command: Command): Command {
  return command
    .option('--state <states>', `any of ${states.join(', ')}`, collect)
    .option('--phase <phase>', `of queued jobs: ${phases.join(', ')}`)
    .option('--task <task>', 'only of this task')
    .option('--partition <name>', 'only of this partition')
    .option('--meta <key=value>', 'whose meta has this; may be repeated', collectWhole)
    .option('--text <text>', 'in id, label, input, meta, result or error')
    .option('--created-after <time>', 'a date, or how long ago: 2026-01-31, 2h')
    .option('--created-before <time>', 'a date, or how long ago')
    .option('--settled-after <time>', 'a date, or how long ago')
    .option('--settled-before <time>', 'a date, or how long ago')
}

export function toFilter(flags: FilterFlags): JobFilterOptions {
  const createdAt = spanOf(flags.createdAfter, flags.createdBefore, 'created')
  const settledAt = spanOf(flags.settledAfter, flags.settledBefore, 'settled')
  return {
    ...(flags.state && { state: flags.state.map((name) => oneOf(states, name, '--state')) }),
    ...(flags.phase !== undefined && { phase: oneOf(phases, flags.phase, '--phase') }),
    ...(flags.task !== undefined && { task: flags.task }),
    ...(flags.partition !== undefined && { partition: flags.partition }),
    ...(flags.meta && { meta: parseMeta(flags.meta) }),
    ...(flags.text !== undefined && { text: flags.text }),
    ...(createdAt && { createdAt }),
    ...(settledAt && { settledAt }),
  }
}

function spanOf(
  after: string | undefined, before: string | undefined, what: string,
): TimeSpan | null {
  if (after === undefined && before === undefined) return null
  return {
    ...(after !== undefined && { from: parsePast(after, `--${what}-after`) }),
    ...(before !== undefined && { to: parsePast(before, `--${what}-before`) }),
  }
}

/** A date, or a duration that has passed since. */
function parsePast(text: string, flag: string): number {
  const duration = durationOf(text)
  return duration === null ? parseMoment(text, flag) : systemEnv.now() - duration
}

/** A date as ISO 8601 or epoch milliseconds. */
export function parseMoment(text: string, flag: string): number {
  const time = /^\d{10,}$/.test(text) ? Number(text) : new Date(text).getTime()
  if (Number.isFinite(time) && time >= 0) return time
  throw usageError(`${flag} "${text}" is no time; write 2026-01-31, 2026-01-31T08:00:00Z or 2h`)
}

export function parseCount(text: string, flag: string, min = 1): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count >= min && text.trim() !== '') return count
  throw usageError(`${flag} "${text}" must be a whole number from ${min} on`)
}

export function durationOf(text: string): number | null {
  try {
    return parseDuration(text, 'time')
  } catch (error) {
    if (error instanceof TroupeError) return null
    throw error
  }
}
