import { Command } from 'commander'
import { systemEnv } from '../../env.ts'
import { onSignals } from '../../orchestrator/signals.ts'
import type { Transition } from '../../records/transition.ts'
import { exitCodes, Refusal } from '../exit.ts'
import type { Fleet } from '../fleet.ts'
import { knownQueue, queueOf } from '../shell.ts'
import type { Shell } from '../shell.ts'
import { transitionLine } from '../watch-lines.ts'
import { WatchScreen } from '../watch-screen.ts'

export function watchCommand(shell: Shell): Command {
  return new Command('watch')
    .description('Show what happens, live: bars on a terminal, else a line for each transition.')
    .argument('[queue]', 'only this queue')
    .option('--job <id>', 'only this job, until it settles; ends with 1 unless it completed')
    .addHelpText('after', `
Examples:
  troupe watch photos
  troupe watch --json | jq -r '[.jobId, .event] | @tsv'
  troupe watch --job 4f9aTq`)
    .action(async (name: string | undefined, flags: { readonly job?: string }) => {
      await shell.withFleet(async (fleet) => {
        if (!fleet.isShared) {
          throw new Refusal(exitCodes.unreachable,
            `no other process works on ${fleet.name}: start one (troupe start), then watch it`)
        }
        const { job } = flags
        const queue = job === undefined
          ? name === undefined ? null : (await knownQueue(fleet, name)).name
          : (await queueOf(fleet, job, name)).name
        await watch(shell, fleet, queue, job ?? null)
      })
    })
}

async function watch(
  shell: Shell, fleet: Fleet, queue: string | null, job: string | null,
): Promise<void> {
  let fail = (_error: unknown): void => undefined
  let finish = (): void => undefined
  const over = new Promise<void>((resolve, reject) => {
    fail = reject
    finish = resolve
  })
  const view = shell.terminal.isScreen && !shell.json && job === null
    ? new WatchScreen(shell.terminal, fleet, queue, fail) : lines(shell, fail)
  const stop = fleet.transitions(queue, {
    next: (transition) => {
      if (job === null || transition.jobId === job) view.next(transition)
    },
    error: fail,
    complete: finish,
  })
  if (job !== null && queue !== null) {
    fleet.settled(queue, job).then(async (last) => {
      if (last?.state !== 'completed') shell.saidNo()
      if (!shell.json) await shell.say(null, `${job} ${last?.state ?? 'is gone'}`)
      finish()
    }).catch(fail)
  }
  try {
    view.begin().catch(fail)
    await onSignals(systemEnv, ['SIGINT', 'SIGTERM'], () => Promise.resolve(), over)
  } finally {
    stop()
    await view.end()
  }
}

function lines(
  shell: Shell, fail: (error: unknown) => void,
): Pick<WatchScreen, 'begin' | 'next' | 'end'> {
  let written = Promise.resolve()
  return {
    begin: () => Promise.resolve(),
    next: (transition: Transition) => {
      written = written
        .then(() => shell.say(transition, transitionLine(transition, shell.terminal.paint)))
      written.catch(fail)
    },
    end: () => written.catch(() => undefined),
  }
}
