import { resolveImport, type Source, type Violation } from './files.ts'

interface Edge {
  readonly to: string
  readonly line: number
}

type Graph = ReadonlyMap<string, readonly Edge[]>

function graphOf(sources: readonly Source[]): Graph {
  const known = new Set(sources.map((file) => file.path))
  return new Map(
    sources.map((file) => [
      file.path,
      file.imports.flatMap(({ specifier, line }) => {
        const to = resolveImport(file.path, specifier)
        return to !== undefined && known.has(to) ? [{ to, line }] : []
      }),
    ]),
  )
}

/** One violation per import that closes a cycle; type imports count. */
export function checkCycles(sources: readonly Source[]): Violation[] {
  const graph = graphOf(sources)
  const found: Violation[] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): void => {
    path.push(file)
    for (const { to, line } of graph.get(file) ?? []) {
      const start = path.indexOf(to)
      if (start >= 0) {
        found.push({ file, line, rule: 'cycle', detail: [...path.slice(start), to].join(' > ') })
      } else if (!done.has(to)) {
        visit(to)
      }
    }
    path.pop()
    done.add(file)
  }
  for (const file of graph.keys()) if (!done.has(file)) visit(file)
  return found
}

/** Every file is reached by imports from an entry of the package. */
export function checkOrphans(sources: readonly Source[], entries: readonly string[]): Violation[] {
  const graph = graphOf(sources)
  const reached = new Set<string>()
  const open = entries.filter((entry) => graph.has(entry))
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (reached.has(file)) continue
    reached.add(file)
    open.push(...(graph.get(file) ?? []).map((edge) => edge.to))
  }
  return [
    ...entries
      .filter((entry) => !graph.has(entry))
      .map((file) => ({ file, line: 1, rule: 'entry', detail: 'in package.json, but no file' })),
    ...[...graph.keys()]
      .filter((file) => !reached.has(file))
      .map((file) => ({ file, line: 1, rule: 'orphan', detail: 'no entry imports it' })),
  ]
}

/** The sources behind `exports` and `bin` of package.json. */
export function entriesOf(manifest: { exports?: unknown; bin?: unknown }): string[] {
  const targets: string[] = []
  const collect = (value: unknown): void => {
    if (typeof value === 'string') targets.push(value)
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(collect)
  }
  collect(manifest.exports)
  collect(manifest.bin)
  const sources = targets.flatMap((target) => {
    const match = /^(?:\.\/)?dist\/(.+)\.js$/.exec(target)
    return match?.[1] === undefined ? [] : [`${match[1]}.ts`]
  })
  return [...new Set(sources)]
}
