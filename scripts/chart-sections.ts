import {
  jobEventDescriptions, jobMachine, queueEventDescriptions, queueMachine,
} from '../machines/index.ts'

interface Definition {
  readonly guard?: unknown
  readonly target: readonly Node[] | undefined
}
interface Node {
  readonly id: string
  readonly key: string
  readonly parent: Node | undefined
  readonly description: string | undefined
  readonly states: Readonly<Record<string, Node>>
  readonly initial: { readonly target: readonly Node[] } | undefined
  readonly transitions: ReadonlyMap<string, readonly Definition[]>
}

/** The generated parts of docs/concepts.md, by the name in their markers. */
export function chartSections(): ReadonlyMap<string, string> {
  const job = jobMachine.root as unknown as Node
  const queue = queueMachine.root as unknown as Node
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

/** A Mermaid state diagram: one arrow for each pair of states, labelled with all its events. */
function diagram(root: Node): string {
  const lines = ['```mermaid', 'stateDiagram-v2', ...statesOf(root, '  ')]
  for (const [arrow, events] of arrows(root)) lines.push(`  ${arrow}: ${[...events].join(', ')}`)
  return [...lines, '```'].join('\n')
}

function statesOf(node: Node, indent: string): string[] {
  const initial = node.initial?.target[0]
  const lines = initial ? [`${indent}[*] --> ${initial.key}`] : []
  for (const child of Object.values(node.states)) {
    if (Object.keys(child.states).length === 0) lines.push(`${indent}${child.key}`)
    else {
      lines.push(`${indent}state ${child.key} {`, ...statesOf(child, `${indent}  `), `${indent}}`)
    }
  }
  return lines
}

function arrows(root: Node): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  const visit = (node: Node): void => {
    for (const [event, definitions] of node.transitions) {
      for (const { guard, target } of definitions) {
        // The root's own transitions change what the chart knows, not where it is.
        if (node === root) continue
        const to = target?.[0] ?? node
        const arrow = `${node.key} --> ${to.key}`
        const label = typeof guard === 'string' ? `${event} [${guard}]` : event
        found.set(arrow, (found.get(arrow) ?? new Set()).add(label))
      }
    }
    Object.values(node.states).forEach(visit)
  }
  visit(root)
  return found
}

function stateTable(root: Node): string {
  const rows: string[] = []
  const visit = (node: Node): void => {
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
