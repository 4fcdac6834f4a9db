import { Command } from 'commander'
import type { BulkAnswer, CleanAnswer } from '../../orchestrator/bulk.ts'
import type { JobFilterOptions } from '../../orchestrator/filter.ts'
import { usageError } from '../exit.ts'
import { parseMoment, toFilter, withFilter } from '../filter-flags.ts'
import type { FilterFlags } from '../filter-flags.ts'
import type { Fleet, FleetQueue } from '../fleet.ts'
import { knownQueue, queueOf } from '../shell.ts'
import type { Shell } from '../shell.ts'

interface ActFlags extends FilterFlags {
  readonly queue?: string
  readonly all?: boolean
  readonly dryRun?: boolean
  readonly reason?: string
}

const dryRunText = 'say how many jobs it would touch, and change nothing'

export function cancelCommand(shell: Shell): Command {
  return withFilter(new Command('cancel'))
    .description('Cancel jobs, wherever they run: by id, or all that a filter finds.')
    .argument('[ids...]', 'ids of jobs')
    .option('--queue <queue>', 'the queue; needed without ids')
    .option('--all', 'without a filter: every job of the queue that has not settled')
    .option('--reason <text>', 'kept with the jobs')
    .option('--dry-run', dryRunText)
    .addHelpText('after', `
Examples:
  troupe cancel 4f9aTq --reason 'wrong file' --yes
  troupe cancel --queue photos --meta user=ann --dry-run`)
    .action(async (ids: string[], flags: ActFlags) => {
      await shell.withFleet((fleet) => oneByOneOrMany(shell, fleet, ids, flags, {
        verb: 'Cancel', asks: true, good: ['cancelled', 'cancelling'],
        one: (queue, id) => queue.cancel(id, flags.reason),
        many: (queue, filter, options) => queue.cancelMany(filter, {
          ...options, ...(flags.reason !== undefined && { reason: flags.reason }),
        }),
      }))
    })
}

export function retryCommand(shell: Shell): Command {
  return withFilter(new Command('retry'))
    .description('Give failed or cancelled jobs a new life: by id, or all that a filter finds.')
    .argument('[ids...]', 'ids of jobs')
    .option('--queue <queue>', 'the queue; needed without ids')
    .option('--all', 'without a filter: every failed or cancelled job of the queue')
    .option('--dry-run', dryRunText)
    .addHelpText('after', `
Examples:
  troupe retry 4f9aTq
  troupe retry --queue photos --state failed --settled-after 1h`)
    .action(async (ids: string[], flags: ActFlags) => {
      await shell.withFleet((fleet) => oneByOneOrMany(shell, fleet, ids, flags, {
        verb: 'Retry', asks: false, good: ['retried'],
        one: (queue, id) => queue.retry(id),
        many: (queue, filter, options) => queue.retryMany(filter, options),
      }))
    })
}

export function removeCommand(shell: Shell): Command {
  return new Command('remove')
    .description('Take jobs that do not run out of the store, by id. For many: clean.')
    .argument('<ids...>', 'ids of jobs')
    .option('--queue <queue>', 'the queue of the jobs; default: the one that has them')
    .option('--dry-run', dryRunText)
    .addHelpText('after', `
Example:
  troupe remove 4f9aTq --yes`)
    .action(async (ids: string[], flags: ActFlags) => {
      await shell.withFleet((fleet) => oneByOne(shell, fleet, ids, flags, {
        verb: 'Remove', asks: true, good: ['removed'], one: (queue, id) => queue.remove(id),
      }))
    })
}

export function cleanCommand(shell: Shell): Command {
  return withFilter(new Command('clean'))
    .description('Remove all jobs that a filter finds: settled ones, unless it names a state.')
    .argument('<queue>', 'the queue')
    .option('--all', 'without a filter: every settled job of the queue')
    .option('--dry-run', dryRunText)
    .addHelpText('after', `
Examples:
  troupe clean photos --state completed --settled-before 7d --dry-run
  troupe clean photos --all --yes`)
    .action(async (name: string, flags: ActFlags) => {
      const filter = boundedFilter(flags)
      await shell.withFleet(async (fleet) => {
        await many(shell, await knownQueue(fleet, name), filter, flags, {
          verb: 'Remove', asks: true,
          many: (queue, which, options) => queue.clean(which, options),
        })
      })
    })
}

export function rescheduleCommand(shell: Shell): Command {
  return new Command('reschedule')
    .description('Move a queued job to another time.')
    .argument('<id>', 'the id of a job')
    .argument('<when>', 'now, a duration from now (10m), an ISO date or epoch milliseconds')
    .option('--queue <queue>', 'the queue of the job; default: the one that has it')
    .addHelpText('after', `
Example:
  troupe reschedule 4f9aTq 10m`)
    .action(async (id: string, when: string, flags: ActFlags) => {
      const time = when === 'now' || /^\d+(\.\d+)?(ms|s|m|h|d|w)$/.test(when)
        ? when as 'now' : parseMoment(when, '<when>')
      await shell.withFleet((fleet) => oneByOne(shell, fleet, [id], flags, {
        verb: 'Reschedule', asks: false, good: ['rescheduled'],
        one: (queue) => queue.reschedule(id, time),
      }))
    })
}

interface OneVerb {
  readonly verb: string
  readonly asks: boolean
  /** Answers that are no refusal. */
  readonly good: readonly string[]
  readonly one: (queue: FleetQueue, id: string) => Promise<string>
}

interface ManyVerb {
  readonly verb: string
  readonly asks: boolean
  readonly many: (
    queue: FleetQueue, filter: JobFilterOptions, options: { readonly dryRun: boolean },
  ) => Promise<BulkAnswer | CleanAnswer>
}

async function oneByOneOrMany(
  shell: Shell, fleet: Fleet, ids: readonly string[], flags: ActFlags, verb: OneVerb & ManyVerb,
): Promise<void> {
  const filter = toFilter(flags)
  const hasFilter = Object.keys(filter).length > 0
  if (ids.length > 0) {
    if (hasFilter || flags.all) throw usageError('give ids, or a filter with --queue, not both')
    return oneByOne(shell, fleet, ids, flags, verb)
  }
  if (flags.queue === undefined) throw usageError('give ids of jobs, or --queue with a filter')
  const bounded = boundedFilter(flags)
  return many(shell, await knownQueue(fleet, flags.queue), bounded, flags, verb)
}

/** An empty filter means every job, which somebody must have said. */
function boundedFilter(flags: ActFlags): JobFilterOptions {
  const filter = toFilter(flags)
  const hasFilter = Object.keys(filter).length > 0
  if (hasFilter && flags.all) throw usageError('--all is for no filter at all: leave one of them')
  if (hasFilter || flags.all) return filter
  throw usageError('there is no filter: say which jobs (--state, --task, …), or --all')
}

async function oneByOne(
  shell: Shell, fleet: Fleet, ids: readonly string[], flags: ActFlags, verb: OneVerb,
): Promise<void> {
  const { one, good, asks } = verb
  const queues = new Map<string, FleetQueue>()
  for (const id of ids) queues.set(id, await queueOf(fleet, id, flags.queue))
  const named = ids.length === 1 ? `the job ${ids.join()}` : `${ids.length} jobs`
  if (asks && !flags.dryRun) await shell.confirm(`${verb.verb} ${named}?`)
  for (const [id, queue] of queues) {
    const answer = flags.dryRun ? (await queue.get(id))?.state ?? 'unknown' : await one(queue, id)
    if (flags.dryRun ? answer === 'unknown' : !good.includes(answer)) shell.saidNo()
    await shell.say(
      { id, queue: queue.name, [flags.dryRun ? 'state' : 'answer']: answer },
      `${id} ${flags.dryRun ? `would be asked to; it is ${answer} now` : answer}`,
    )
  }
}

async function many(
  shell: Shell, queue: FleetQueue, filter: JobFilterOptions, flags: ActFlags, verb: ManyVerb,
): Promise<void> {
  const dryRun = flags.dryRun === true
  if (verb.asks && !dryRun) {
    const { matched } = await verb.many(queue, filter, { dryRun: true })
    await shell.confirm(`${verb.verb} ${matched} job${matched === 1 ? '' : 's'} of ${queue.name}?`)
  }
  const answer = await verb.many(queue, filter, { dryRun })
  const awaited = 'awaited' in answer && answer.awaited > 0
    ? `, ${answer.awaited} stay because others depend on them` : ''
  await shell.say({ queue: queue.name, dryRun, ...answer }, dryRun
    ? `${queue.name}: ${answer.matched} would be touched`
    : `${queue.name}: ${answer.matched} matched, ${answer.done} done${awaited}`)
}
