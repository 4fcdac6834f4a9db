import {
  jobEventDescriptions, jobMachine, queueEventDescriptions, queueMachine,
} from '../machines/index.ts'
import { mermaid } from '../src/cli/mermaid.ts'
import type { ChartNode } from '../src/cli/mermaid.ts'

/** The generated parts of docs/concepts.md, by the name in their markers. */
export function chartSections(): ReadonlyMap<string, string> {
  const job = jobMachine.root as unknown as ChartNode
  const queue = queueMachine.root as unknown as ChartNode
  return new Map([
    ['job-chart', diagram(job)],
    ['job-states', stateTable(job)],
    ['job-events', eventTable(jobEventDescriptions)],
    ['queue-chart', diagram(queue)],
    ['queue-states', stateTable(queue)],
    ['queue-events', eventTable(queueEventDescriptions)],
  ])
}

/** Puts each section between its markers; a page without one of the markers is a mistake. */
export function replaceSections(page: string, sections: ReadonlyMap<string, string>): string {
  let text = page
  for (const [name, content] of sections) {
    const begin = `<!-- ${name}: made by npm run docs:charts -->`
    const end = `<!-- end of ${name} -->`
    const from = text.indexOf(begin)
    const to = text.indexOf(end)
    if (from < 0 || to < from) throw new Error(`the page has no markers for ${name}`)
    text = `${text.slice(0, from)}${begin}\n${content}\n${text.slice(to)}`
  }
  return text
}

function diagram(root: ChartNode): string {
  return ['```mermaid', mermaid(root), '```'].join('\n')
}

function stateTable(root: ChartNode): string {
  const rows: string[] = []
  const visit = (node: ChartNode): void => {
    if (node !== root) {
      const name = node.parent === root ? node.key : `${node.parent?.key ?? ''}.${node.key}`
      rows.push(`| \`${name}\` | ${node.description ?? ''} |`)
    }
    Object.values(node.states).forEach(visit)
  }
  visit(root)
  return ['| state | what it means |', '|---|---|', ...rows].join('\n')
}

function eventTable(descriptions: Readonly<Record<string, string>>): string {
  const rows = Object.entries(descriptions).map(([event, text]) => `| \`${event}\` | ${text} |`)
  return ['| event | what it says |', '|---|---|', ...rows].join('\n')
}
