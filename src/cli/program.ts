import { Command, CommanderError } from 'commander'
import { version } from '../orchestrator/leases.ts'
import { addCommand } from './commands/add.ts'
import {
  cancelCommand, cleanCommand, removeCommand, rescheduleCommand, retryCommand,
} from './commands/act.ts'
import { chartCommand } from './commands/chart.ts'
import { pauseCommand, resumeCommand } from './commands/control.ts'
import { exportCommand } from './commands/export.ts'
import { importCommand } from './commands/import.ts'
import { listCommand } from './commands/list.ts'
import {
  countsCommand, doctorCommand, explainCommand, workersCommand,
} from './commands/look.ts'
import { serveCommand, startCommand, workCommand } from './commands/run.ts'
import { schedulesCommand } from './commands/schedules.ts'
import { showCommand } from './commands/show.ts'
import { watchCommand } from './commands/watch.ts'
import { completionScript, shells } from './completions.ts'
import { exitCodeOf, exitCodes, messageOf, ReaderGone } from './exit.ts'
import { plain } from './rendering.ts'
import { Shell } from './shell.ts'
import { oneOf } from './suggest.ts'

/** Whom a command belongs to, in the order of the help. */
const makers = {
  'Run': [startCommand, serveCommand, workCommand],
  'Jobs': [
    addCommand, listCommand, showCommand, watchCommand, cancelCommand, retryCommand,
    rescheduleCommand, removeCommand, cleanCommand, explainCommand,
  ],
  'Queues': [countsCommand, pauseCommand, resumeCommand, schedulesCommand, workersCommand],
  'Store': [doctorCommand, exportCommand, importCommand],
  'Other': [chartCommand, completionsCommand],
} as const

/** The program with all its commands; nothing is read or opened before one of them runs. */
export function createProgram(): { readonly program: Command; readonly shell: Shell } {
  const program = new Command('troupe')
  const shell = new Shell(program)
  program
    .description('Run, watch and steer the queues of Troupe.')
    .option('--store <url>', 'file:<path>, postgres://… or memory: (TROUPE_STORE)')
    .option('--url <url>', 'the gateway of a process, http://… (TROUPE_URL)')
    .option('--token <token>', 'for the gateway (TROUPE_TOKEN)')
    .option('--json', 'one JSON value, or one in each line')
    .option('-y, --yes', 'do it without asking')
    .option('--debug', 'show the stack of an error')
    .option('--no-color', 'without colours (NO_COLOR)')
    .version(version, '-V, --version', 'Show the version.')
    .helpOption('-h, --help', 'Show help.')
    .helpCommand(false)
    .addHelpText('after', `
Examples:
  troupe start queues.ts --store file:data/jobs.json
  troupe add photos resize '{"file":"a.jpg"}' --store file:data/jobs.json
  troupe watch photos --url http://127.0.0.1:7070
  troupe <command> --help

Exit codes: 0 done, 1 refused or failed, 2 wrong command line, 3 target not to be reached.`)
  for (const [group, commands] of Object.entries(makers)) {
    program.commandsGroup(`${group}:`)
    for (const make of commands) program.addCommand(make(shell))
  }
  prepare(program, program)
  return { program, shell }
}

/** The same manners for every command: no exit from within, one line for an error. */
function prepare(command: Command, program: Command): void {
  command
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({ outputError: () => undefined })
  if (command !== program) command.helpOption('-h, --help', 'Show help.')
  if (command.commands.length > 0) command.helpCommand(false)
  for (const child of command.commands) prepare(child, program)
}

function completionsCommand(shell: Shell): Command {
  const command = new Command('completions')
  return command
    .description('Print a script that completes commands and options in your shell.')
    .argument('<shell>', shells.join(', '))
    .addHelpText('after', `
Examples:
  source <(troupe completions bash)
  troupe completions fish | source`)
    .action(async (name: string) => {
      const { parent } = command
      if (!parent) throw new Error('the command belongs to no program')
      const script = completionScript(parent, oneOf(shells, name, 'the shell'))
      await shell.say({ shell: name, script }, script)
    })
}

/** Runs one command line; what went wrong is told in one line of standard error. */
export async function runProgram(
  args: readonly string[],
): Promise<{ readonly exitCode: number; readonly isLeaving: boolean }> {
  const { program, shell } = createProgram()
  try {
    if (args.length === 0) program.help({ error: true })
    await program.parseAsync(args, { from: 'user' })
    return { exitCode: shell.exitCode, isLeaving: shell.isLeaving }
  } catch (error) {
    return { exitCode: tell(error, shell), isLeaving: shell.isLeaving }
  }
}

function tell(error: unknown, shell: Shell): number {
  if (error instanceof ReaderGone) return exitCodes.ok
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.ok
    if (error.code !== 'commander.help') {
      const text = messageOf(error).replace(/^error: /, '')
      shell.terminal.note(`troupe: ${text}; see troupe --help`)
    }
    return exitCodes.usage
  }
  if (shell.options.debug && error instanceof Error) shell.terminal.note(error.stack ?? '')
  else shell.terminal.note(plain(`troupe: ${messageOf(error)}`))
  return exitCodeOf(error)
}
