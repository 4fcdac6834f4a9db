import { Command } from 'commander'
import { parentFailurePolicies } from '../../../machines/vocabulary.ts'
import { dedupeModes } from '../../records/job.ts'
import { usageError } from '../exit.ts'
import { collect, parseMoment } from '../filter-flags.ts'
import type { JobView, Typed } from '../fleet.ts'
import { policyOf, withPolicy } from '../job-flags.ts'
import type { PolicyFlags } from '../job-flags.ts'
import { readJson } from '../job-input.ts'
import { plain, progressText } from '../rendering.ts'
import type { Shell } from '../shell.ts'
import { oneOf } from '../suggest.ts'

interface AddFlags extends PolicyFlags {
  readonly id?: string
  readonly delay?: string
  readonly runAt?: string
  readonly after?: string[]
  readonly onParentFailure?: string
  readonly dedupe?: string
  readonly dedupeMode?: string
  readonly dedupeWindow?: string
  readonly wait?: boolean
}

export function addCommand(shell: Shell): Command {
  return withPolicy(new Command('add'))
    .description('Add a job.')
    .argument('<queue>', 'the queue; it is made when it is not there')
    .argument('<task>', 'what is to be done')
    .argument('[input]', 'JSON, @file with JSON, or - for standard input; default null')
    .option('--id <id>', 'an id of your own; the same one twice adds one job')
    .option('--delay <duration>', 'not before this has passed: 10s, 5m, 2h')
    .option('--run-at <time>', 'not before: an ISO date or epoch milliseconds')
    .option('--after <ids>', 'ids of jobs that must have completed before', collect)
    .option('--on-parent-failure <what>', `one of ${parentFailurePolicies.join(', ')}`)
    .option('--dedupe <key>', 'jobs with this key are the same work')
    .option('--dedupe-mode <mode>', `one of ${dedupeModes.join(', ')}; default simple`)
    .option('--dedupe-window <duration>', 'of throttle and debounce')
    .option('--wait', 'wait for the end: prints the result, ends with 1 when there is none')
    .addHelpText('after', `
Examples:
  troupe add photos resize '{"file":"a.jpg"}' --retries 3 --label a.jpg
  troupe add photos resize @order.json --delay 10m --meta user=ann
  echo '[1,2]' | troupe add sums add - --wait`)
    .action(async (name: string, task: string, given: string | undefined, flags: AddFlags) => {
      const options = toOptions(flags)
      const input = await readJson(given, 'the input', shell.terminal)
      await shell.withFleet(async (fleet) => {
        if (flags.wait && !fleet.isShared) {
          throw usageError(`--wait: nobody works on ${fleet.name} while this command holds it`)
        }
        const queue = fleet.queue(name)
        const added = await queue.add(task, input, options)
        const { id, created, foundIn } = added
        if (flags.wait) await sayEnd(shell, await fleet.settled(name, id))
        else {
          const found = created ? '' : ` (was there already: ${foundIn ?? 'unknown'})`
          await shell.say({ id, queue: name, created, foundIn }, `${id}${found}`)
        }
      }, { creates: true })
    })
}

function toOptions(flags: AddFlags): Typed {
  const { id, delay, runAt, after, onParentFailure, dedupe, dedupeMode, dedupeWindow } = flags
  if (dedupe === undefined && (dedupeMode !== undefined || dedupeWindow !== undefined)) {
    throw usageError('--dedupe-mode and --dedupe-window need --dedupe <key>')
  }
  return {
    ...policyOf(flags),
    ...(id !== undefined && { id }),
    ...(delay !== undefined && { delay }),
    ...(runAt !== undefined && { runAt: parseMoment(runAt, '--run-at') }),
    ...(after && { dependsOn: after }),
    ...(onParentFailure !== undefined && {
      onParentFailure: oneOf(parentFailurePolicies, onParentFailure, '--on-parent-failure'),
    }),
    ...(dedupe !== undefined && {
      dedupe: {
        key: dedupe,
        mode: oneOf(dedupeModes, dedupeMode ?? 'simple', '--dedupe-mode'),
        ...(dedupeWindow !== undefined && { window: dedupeWindow }),
      },
    }),
  }
}

async function sayEnd(shell: Shell, job: JobView | null): Promise<void> {
  if (job?.state !== 'completed') shell.saidNo()
  if (shell.json) await shell.say(job, '')
  else if (job?.state === 'completed') await shell.say(null, JSON.stringify(job.result))
  else {
    const why = job ? [job.reason, job.error?.message, progressText(job.progress)] : []
    const text = why.filter((part) => part !== undefined && part !== null && part !== '')
    const end = [job?.state ?? 'was removed', ...(text.length > 0 ? [text.join('; ')] : [])]
    shell.terminal.note(plain(`troupe: the job ${end.join(': ')}`))
  }
}
