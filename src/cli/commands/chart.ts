import { Command } from 'commander'
import type { ChartGeometries, WireChart } from '../../gateway/fleet-protocol.ts'
import { mermaid } from '../mermaid.ts'
import type { ChartNode } from '../mermaid.ts'
import type { Shell } from '../shell.ts'
import { oneOf } from '../suggest.ts'
import { svg } from '../svg.ts'

const machines = ['job', 'queue'] as const
type Machine = (typeof machines)[number]
const formats = ['mermaid', 'svg'] as const

export function chartCommand(shell: Shell): Command {
  return new Command('chart')
    .description('Print the state machine of jobs or of queues as a Mermaid diagram or as SVG.')
    .argument('[machine]', machines.join(' or '), 'job')
    .option('--format <format>', formats.join(' or '), 'mermaid')
    .addHelpText('after', `
Examples:
  troupe chart queue > queue.mmd
  troupe chart job --format svg > job.svg`)
    .action(async (name: string, flags: { readonly format: string }) => {
      const machine = oneOf(machines, name, 'the machine')
      const format = oneOf(formats, flags.format, '--format')
      const text = format === 'svg' ? await drawn(machine) : await written(machine)
      await shell.say({ machine, format, text }, text)
    })
}

async function written(machine: Machine): Promise<string> {
  const { jobMachine, queueMachine } = await import('../../../machines/index.ts')
  const { root } = machine === 'job' ? jobMachine : queueMachine
  return mermaid(root as unknown as ChartNode)
}

async function drawn(machine: Machine): Promise<string> {
  const { default: made } = await import('../../gateway/fleet/geometry.json', {
    with: { type: 'json' },
  })
  const { jobChart, queueChart, jobGeometry, queueGeometry } = made as unknown as {
    readonly jobChart: WireChart
    readonly queueChart: WireChart
    readonly jobGeometry: ChartGeometries
    readonly queueGeometry: ChartGeometries
  }
  return machine === 'job' ? svg(jobChart, jobGeometry.wide) : svg(queueChart, queueGeometry.wide)
}
