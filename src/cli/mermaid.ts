/** A state of a machine, as XState builds it. */
export interface ChartNode {
  readonly id: string
  readonly key: string
  readonly parent: ChartNode | undefined
  readonly description: string | undefined
  readonly states: Readonly<Record<string, ChartNode>>
  readonly initial: { readonly target: readonly ChartNode[] } | undefined
  readonly transitions: ReadonlyMap<string, readonly ChartDefinition[]>
}

interface ChartDefinition {
  readonly guard?: unknown
  readonly target: readonly ChartNode[] | undefined
}

/** A Mermaid state diagram: one arrow for each pair of states, labelled with all its events. */
export function mermaid(root: ChartNode): string {
  const lines = ['stateDiagram-v2', ...statesOf(root, '  ')]
  for (const [arrow, events] of arrows(root)) lines.push(`  ${arrow}: ${[...events].join(', ')}`)
  return lines.join('\n')
}

function statesOf(node: ChartNode, indent: string): string[] {
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

function arrows(root: ChartNode): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  const visit = (node: ChartNode): void => {
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
