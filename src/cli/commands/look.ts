import { Command } from 'commander'
import { phases, states } from '../../../machines/vocabulary.ts'
import { systemEnv } from '../../env.ts'
import type { FleetQueue } from '../fleet.ts'
import { ago, iso, plain, table } from '../rendering.ts'
import { knownQueue, queueOf } from '../shell.ts'
import type { Shell } from '../shell.ts'

export function countsCommand(shell: Shell): Command {
  return new Command('counts')
    .description('Count jobs by state and phase, and say which queues are paused.')
    .argument('[queue]', 'only of this queue')
    .addHelpText('after', `
Examples:
  troupe counts
  troupe counts photos --json | jq .running`)
    .action(async (name: string | undefined) => {
      await shell.withFleet(async (fleet) => {
        const queues = name === undefined
          ? (await fleet.names()).map((each) => fleet.queue(each))
          : [await knownQueue(fleet, name)]
        const rows = await Promise.all(queues.map(countsOf))
        if (shell.json) for (const row of rows) await shell.say(row, '')
        else if (rows.length === 0) await shell.say([], 'no queues')
        else {
          const names = [...states, ...phases]
          const titles = ['QUEUE', ...names.map((each) => each.toUpperCase()), '']
          await shell.say(rows, table([
            titles.map((title) => shell.terminal.paint('dim', title)),
            ...rows.map((row) => [
              plain(row.queue), ...names.map((each) => String(row[each])),
              row.paused ? shell.terminal.paint('yellow', 'paused') : '',
            ]),
          ]))
        }
      })
    })
}

async function countsOf(queue: FleetQueue) {
  const [counts, { paused }] = await Promise.all([queue.counts(), queue.status()])
  return { queue: queue.name, paused, ...counts }
}

export function workersCommand(shell: Shell): Command {
  return new Command('workers')
    .description('Show the workers that are alive; ends with 1 when there is none.')
    .addHelpText('after', `
Example:
  troupe workers`)
    .action(async () => {
      await shell.withFleet(async (fleet) => {
        const workers = await fleet.workers()
        if (workers.length === 0) shell.saidNo()
        if (shell.json) for (const worker of workers) await shell.say(worker, '')
        else if (workers.length === 0) await shell.say([], 'no worker is alive')
        else {
          const now = systemEnv.now()
          const titles = ['WORKER', 'RUNNING', 'STARTED', 'VERSION', 'QUEUES']
          await shell.say(workers, table([
            titles.map((title) => shell.terminal.paint('dim', title)),
            ...workers.map(({ worker, running, startedAt, version, queues }) => [
              plain(worker), String(running), ago(startedAt, now), version,
              plain(queues.map(({ name, tasks }) => `${name} (${tasks.join(', ')})`).join(', ')),
            ]),
          ]))
        }
      })
    })
}

export function explainCommand(shell: Shell): Command {
  return new Command('explain')
    .description('Say why a job does not run, or since when it does.')
    .argument('<id>', 'the id of a job')
    .option('--queue <queue>', 'the queue of the job; default: the one that has it')
    .addHelpText('after', `
Example:
  troupe explain 4f9aTq`)
    .action(async (id: string, flags: { readonly queue?: string }) => {
      await shell.withFleet(async (fleet) => {
        const answer = await (await queueOf(fleet, id, flags.queue)).explain(id)
        if (answer.why === 'unknown') shell.saidNo()
        const until = answer.until === null ? '' : ` (until ${iso(answer.until)})`
        await shell.say(answer, `${answer.why}: ${plain(answer.text)}${until}`)
      })
    })
}

const levelStyles = { ok: 'green', warning: 'yellow', error: 'red' } as const

export function doctorCommand(shell: Shell): Command {
  return new Command('doctor')
    .description('Look for what is amiss with the store; ends with 1 when an error is found.')
    .addHelpText('after', `
Example:
  troupe doctor --store postgres://localhost/app`)
    .action(async () => {
      await shell.withFleet(async (fleet) => {
        const findings = await fleet.doctor()
        if (findings.some(({ level }) => level === 'error')) shell.saidNo()
        if (shell.json) for (const finding of findings) await shell.say(finding, '')
        else {
          await shell.say(findings, findings.map(({ level, check, found, advice }) => {
            const line = `${shell.terminal.paint(levelStyles[level], level)} ${check}: ${found}`
            return advice === null ? line : `${line}\n  → ${advice}`
          }).join('\n'))
        }
      })
    })
}
