import { Command } from 'commander'
import type { Shell } from '../shell.ts'

export function pauseCommand(shell: Shell): Command {
  return new Command('pause')
    .description('Let no process claim jobs of a queue; what runs goes on.')
    .argument('<queue>', 'the queue')
    .addHelpText('after', `
Example:
  troupe pause photos`)
    .action(async (name: string) => {
      await shell.withFleet(async (fleet) => {
        await say(shell, name, await fleet.queue(name).pause(), 'paused')
      })
    })
}

export function resumeCommand(shell: Shell): Command {
  return new Command('resume')
    .description('Take back a pause, or a limit that a handler has reported.')
    .argument('<queue>', 'the queue')
    .addHelpText('after', `
Example:
  troupe resume photos`)
    .action(async (name: string) => {
      await shell.withFleet(async (fleet) => {
        await say(shell, name, await fleet.queue(name).resume(), 'resumed')
      })
    })
}

async function say(shell: Shell, queue: string, answer: string, good: string): Promise<void> {
  if (answer !== good) shell.saidNo()
  await shell.say({ queue, answer }, `${queue} ${answer}`)
}
