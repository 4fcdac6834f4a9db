import { Command } from 'commander'
import { systemEnv } from '../../env.ts'
import { exitCodes, Refusal, usageError } from '../exit.ts'
import type { Shell } from '../shell.ts'
import { Import } from '../transfer.ts'
import { parseLine } from '../transfer-lines.ts'

export function importCommand(shell: Shell): Command {
  return new Command('import')
    .description('Carry over an export: settled jobs and the log, and other jobs as fresh adds.')
    .option('--dry-run', 'read and count, and write nothing')
    .addHelpText('after', `
Reads standard input. What is there already is left: repeat it when it was cut short. Settled jobs
and the log need --store: no gateway takes them.

Examples:
  troupe import --store postgres://localhost/app < jobs.jsonl
  troupe import --url http://127.0.0.1:7070 --dry-run < jobs.jsonl`)
    .action(async (flags: { readonly dryRun?: boolean }) => {
      if (process.stdin.isTTY) throw usageError('import reads standard input: troupe import < file')
      await shell.withFleet(async (fleet) => {
        const dryRun = flags.dryRun === true
        const work = new Import(fleet, systemEnv.now(), dryRun, (text) => {
          shell.terminal.note(text)
        })
        let number = 0
        let ended = false
        for await (const text of shell.terminal.lines()) {
          if (text.trim() === '') continue
          const line = parseLine(text, number += 1)
          ended = line.type === 'end'
          await work.take(line)
        }
        if (number === 0) throw usageError('standard input is empty: give the lines of an export')
        await work.end()
        const { added, settled, present, refused, transitions, left } = work.figures
        if (refused > 0) shell.saidNo()
        await shell.say({ dryRun, ...work.figures },
          `${dryRun ? 'would be ' : ''}added: ${added} jobs; carried over: ${settled} settled ` +
          `jobs, ${transitions} transitions; ${present} were there, ${refused} refused; left: ` +
          `${left.jobs} settled jobs, ${left.transitions} transitions`)
        if (!ended) {
          throw new Refusal(exitCodes.failed, 'the export was cut short: its last line is missing')
        }
      }, { creates: true })
    })
}
