import type { Command } from 'commander'
import { collectWhole, durationOf, parseCount } from './filter-flags.ts'
import type { Typed } from './fleet.ts'
import { parseJson, parseMeta } from './job-input.ts'

/** What a job and a schedule can be given alike. */
export interface PolicyFlags {
  readonly priority?: string
  readonly retries?: string
  readonly backoff?: string
  readonly timeout?: string
  readonly ttl?: string
  readonly maxStalls?: string
  readonly cancelGrace?: string
  readonly partition?: string
  readonly label?: string
  readonly meta?: string[]
}

export function withPolicy(command: Command): Command {
  return command
    .option('--priority <number>', 'from -1000 to 1000; lower runs first; default 5')
    .option('--retries <count>', 'further attempts after a failure; default 0')
    .option('--backoff <wait>', 'between attempts: a duration, or JSON of the option backoff')
    .option('--timeout <duration>', 'the longest that one attempt may take')
    .option('--ttl <duration>', 'fail when not started this long after it could run')
    .option('--max-stalls <count>', 'starts after a lost worker; default 1')
    .option('--cancel-grace <duration>', 'for a handler whose signal aborted; default 30s')
    .option('--partition <name>', 'a tenant or user: limits and turns go by it')
    .option('--label <text>', 'a line for people')
    .option('--meta <key=value>', 'kept with the job; may be repeated', collectWhole)
}

export function policyOf(flags: PolicyFlags): Typed {
  const whole = ['priority', 'retries', 'maxStalls'] as const
  const asTyped = ['timeout', 'ttl', 'cancelGrace', 'partition', 'label'] as const
  const options: Record<string, unknown> = {}
  for (const name of whole) {
    const text = flags[name]
    if (text !== undefined) options[name] = parseCount(text, `--${kebab(name)}`, -1000)
  }
  for (const name of asTyped) if (flags[name] !== undefined) options[name] = flags[name]
  if (flags.backoff !== undefined) {
    options['backoff'] = durationOf(flags.backoff) ?? parseJson(flags.backoff, '--backoff')
  }
  if (flags.meta) options['meta'] = parseMeta(flags.meta)
  return options
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
