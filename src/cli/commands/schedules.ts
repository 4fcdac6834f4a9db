import { Command } from 'commander'
import type { Schedule, ScheduleRule } from '../../orchestrator/schedules/schedules.ts'
import { createTroupe } from '../../orchestrator/troupe.ts'
import { catchUps, overlaps } from '../../records/schedule.ts'
import { systemEnv } from '../../env.ts'
import { exitCodes, Refusal, usageError } from '../exit.ts'
import { parseCount, parseMoment } from '../filter-flags.ts'
import type { Fleet, FleetSchedules, Typed } from '../fleet.ts'
import { policyOf, withPolicy } from '../job-flags.ts'
import type { PolicyFlags } from '../job-flags.ts'
import { readJson } from '../job-input.ts'
import { ago, iso, plain, table } from '../rendering.ts'
import type { Shell } from '../shell.ts'
import { didYouMean, oneOf } from '../suggest.ts'

interface RuleFlags {
  readonly every?: string
  readonly cron?: string
  readonly timeZone?: string
  readonly startAt?: string
  readonly endAt?: string
  readonly limit?: string
  readonly overlap?: string
  readonly catchUp?: string
}

export function schedulesCommand(shell: Shell): Command {
  return new Command('schedules')
    .description('Show and change the stored rules that add jobs.')
    .addCommand(listSchedules(shell))
    .addCommand(showSchedule(shell))
    .addCommand(setSchedule(shell))
    .addCommand(previewSchedule(shell))
    .addCommand(verb(shell, 'pause', 'Let a schedule fire no more until it is resumed.', 'paused'))
    .addCommand(verb(shell, 'resume', 'Let a paused schedule fire again.', 'resumed'))
    .addCommand(verb(shell, 'trigger', 'Add a job of a schedule now.', 'created'))
    .addCommand(verb(shell, 'remove', 'Take a schedule out; its jobs stay.', 'removed'))
    .addHelpText('after', `
Examples:
  troupe schedules list reports
  troupe schedules set reports nightly make --cron '0 3 * * *' --time-zone Europe/Berlin`)
}

function listSchedules(shell: Shell): Command {
  return new Command('list')
    .description('List the schedules, of one queue or of all.')
    .argument('[queue]', 'only of this queue')
    .addHelpText('after', `
Example:
  troupe schedules list reports`)
    .action(async (name: string | undefined) => {
      await shell.withFleet(async (fleet) => {
        const names = name === undefined ? await fleet.names() : [name]
        const rows: (readonly string[])[] = []
        for (const queue of names) {
          for (const schedule of await fleet.queue(queue).schedules.list()) {
            if (shell.json) await shell.say({ queue, ...schedule }, '')
            else rows.push(rowOf(queue, schedule))
          }
        }
        if (shell.json) return
        const titles = ['QUEUE', 'KEY', 'TASK', 'RULE', 'NEXT', 'FIRED']
          .map((title) => shell.terminal.paint('dim', title))
        await shell.say(rows, rows.length === 0 ? 'no schedules' : table([titles, ...rows]))
      })
    })
}

function rowOf(queue: string, schedule: Schedule): readonly string[] {
  const { key, task, rule, paused, nextAt, fired } = schedule
  const text = rule.cron === undefined
    ? `every ${rule.every} ms` : `${rule.cron} (${rule.timeZone ?? 'UTC'})`
  const next = paused ? 'paused' : nextAt === null ? 'never' : ago(nextAt, systemEnv.now())
  return [plain(queue), plain(key), plain(task), text, next, String(fired)]
}

function showSchedule(shell: Shell): Command {
  return new Command('show')
    .description('Show all of a schedule.')
    .argument('<queue>', 'the queue')
    .argument('<key>', 'the key of the schedule')
    .addHelpText('after', `
Example:
  troupe schedules show reports nightly`)
    .action(async (queue: string, key: string) => {
      await shell.withFleet(async (fleet) => {
        const schedule = await known(fleet, queue, key)
        const rows = Object.entries({ queue, ...schedule }).map(([name, value]) => {
          const time = /At$/.test(name) && typeof value === 'number' ? iso(value) : null
          return [name, plain(time ?? JSON.stringify(value))]
        })
        await shell.say({ queue, ...schedule }, table(rows))
      })
    })
}

async function known(fleet: Fleet, queue: string, key: string): Promise<Schedule> {
  const { schedules } = fleet.queue(queue)
  return await schedules.get(key) ?? unknown(schedules, queue, key)
}

async function unknown(schedules: FleetSchedules, queue: string, key: string): Promise<never> {
  const keys = (await schedules.list()).map((each) => each.key)
  throw new Refusal(
    exitCodes.failed, `the queue ${queue} has no schedule "${key}"${didYouMean(key, keys)}`,
  )
}

function withRule(command: Command): Command {
  return command
    .option('--every <duration>', 'an interval: 10m, 1h')
    .option('--cron <expression>', "five fields, six with seconds, or @daily and the like")
    .option('--time-zone <zone>', 'whose clock the cron goes by; default UTC')
    .option('--start-at <time>', 'no occurrence before')
    .option('--end-at <time>', 'no occurrence after')
}

function toRule(flags: RuleFlags): ScheduleRule {
  const { every, cron, timeZone, startAt, endAt } = flags
  if ((every === undefined) === (cron === undefined)) {
    throw usageError('give either --every or --cron')
  }
  const rule: Typed = {
    ...(every !== undefined && { every }),
    ...(cron !== undefined && { cron }),
    ...(timeZone !== undefined && { timeZone }),
    ...(startAt !== undefined && { startAt: parseMoment(startAt, '--start-at') }),
    ...(endAt !== undefined && { endAt: parseMoment(endAt, '--end-at') }),
  }
  return rule as unknown as ScheduleRule
}

function setSchedule(shell: Shell): Command {
  return withPolicy(withRule(new Command('set')))
    .description('Store a schedule, or change the one with this key in place.')
    .argument('<queue>', 'the queue')
    .argument('<key>', 'the key of the schedule')
    .argument('<task>', 'what is to be done')
    .argument('[input]', 'JSON, @file with JSON, or - for standard input; default null')
    .option('--limit <count>', 'so many jobs at most, ever')
    .option('--overlap <what>', `while a job of it goes on: ${overlaps.join(', ')}`)
    .option('--catch-up <what>', `of missed occurrences: ${catchUps.join(', ')}`)
    .addHelpText('after', `
Examples:
  troupe schedules set reports nightly make --cron '0 3 * * *' --time-zone Europe/Berlin
  troupe schedules set feeds poll fetch '{"feed":7}' --every 10m --overlap skip`)
    .action(async (
      queue: string, key: string, task: string, given: string | undefined,
      flags: RuleFlags & PolicyFlags,
    ) => {
      const { limit, overlap, catchUp } = flags
      const input = await readJson(given, 'the input', shell.terminal)
      const spec: Typed = {
        ...toRule(flags), ...policyOf(flags), task, ...(input !== undefined && { input }),
        ...(limit !== undefined && { limit: parseCount(limit, '--limit') }),
        ...(overlap !== undefined && { overlap: oneOf(overlaps, overlap, '--overlap') }),
        ...(catchUp !== undefined && { catchUp: oneOf(catchUps, catchUp, '--catch-up') }),
      }
      await shell.withFleet(async (fleet) => {
        const answer = await fleet.queue(queue).schedules.upsert(key, spec)
        await shell.say({ queue, key, answer }, `${queue} ${key} ${answer}`)
      }, { creates: true })
    })
}

function previewSchedule(shell: Shell): Command {
  return withRule(new Command('preview'))
    .description('Show the next occurrences, of a stored schedule or of a rule.')
    .argument('[queue]', 'the queue')
    .argument('[key]', 'the key of a stored schedule; or give a rule')
    .option('--count <count>', 'so many', '10')
    .addHelpText('after', `
Examples:
  troupe schedules preview reports nightly
  troupe schedules preview --cron '0 3 * * 1-5' --count 3`)
    .action(async (
      queue: string | undefined, key: string | undefined,
      flags: RuleFlags & { readonly count: string },
    ) => {
      const count = parseCount(flags.count, '--count')
      const say = (times: readonly number[]): Promise<void> =>
        shell.say(times, times.length === 0 ? 'never' : times.map(iso).join('\n'))
      if (queue === undefined) return say(await previewRule(toRule(flags), count))
      if (key === undefined) throw usageError('give the key of a schedule, or a rule without queue')
      await shell.withFleet(async (fleet) => {
        await known(fleet, queue, key)
        await say(await fleet.queue(queue).schedules.preview(key, count))
      })
    })
}

/** A rule needs no store to be reckoned with. */
async function previewRule(rule: ScheduleRule, count: number): Promise<readonly number[]> {
  const troupe = await createTroupe()
  try {
    return await troupe.queue('preview').schedules.preview(rule, count)
  } finally {
    await troupe.stop()
  }
}

type Verb = 'pause' | 'resume' | 'trigger' | 'remove'

function verb(shell: Shell, name: Verb, description: string, good: string): Command {
  return new Command(name)
    .description(description)
    .argument('<queue>', 'the queue')
    .argument('<key>', 'the key of the schedule')
    .addHelpText('after', `
Example:
  troupe schedules ${name} reports nightly${name === 'remove' ? ' --yes' : ''}`)
    .action(async (queue: string, key: string) => {
      await shell.withFleet(async (fleet) => {
        const { schedules } = fleet.queue(queue)
        await known(fleet, queue, key)
        if (name === 'remove') await shell.confirm(`Remove the schedule ${key} of ${queue}?`)
        if (name === 'trigger') {
          const { id, created } = await schedules.trigger(key)
          if (!created) shell.saidNo()
          const found = created ? '' : ' (goes on already)'
          await shell.say({ queue, key, id, created }, `${id}${found}`)
          return
        }
        const answer = await schedules[name](key)
        if (answer !== good) shell.saidNo()
        await shell.say({ queue, key, answer }, `${queue} ${key} ${answer}`)
      })
    })
}
