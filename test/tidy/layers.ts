import { resolveImport, type Source, type Violation } from './files.ts'

/** DESIGN section 7: a room imports its own layer and those below. First match wins. */
const rooms: readonly (readonly [prefix: string, layer: number])[] = [
  ['machines/', 0],
  ['src/records/', 1],
  ['src/errors.ts', 1],
  ['src/env.ts', 1],
  ['src/duration.ts', 1],
  ['src/stores/', 2],
  ['src/observe/', 3],
  ['src/orchestrator/', 4],
  ['src/gateway/', 5],
  ['src/otel/', 5],
  ['src/client/', 5],
  ['src/index.ts', 5],
  ['src/cli/', 6],
  ['src/dashboard/', 6],
  ['src/testing/', 6],
]

const xstateDoors = new Set(['src/orchestrator/actors.ts', 'src/observe/actor-ref.ts'])

function layerOf(path: string): number | undefined {
  return rooms.find(([room]) => (room.endsWith('/') ? path.startsWith(room) : path === room))?.[1]
}

/** Imports point down or stay; `xstate` has three doors; `machines/` knows nothing of ours. */
export function checkLayers(sources: readonly Source[]): Violation[] {
  const known = new Set(sources.map((file) => file.path))
  return sources.flatMap((file) => {
    const layer = layerOf(file.path)
    if (layer === undefined) {
      return [{ file: file.path, line: 1, rule: 'room', detail: 'belongs to no room of DESIGN 7' }]
    }
    return file.imports.flatMap(({ specifier, line }) => {
      const fault = faultOf(file.path, layer, specifier, known)
      return fault === undefined ? [] : [{ file: file.path, line, ...fault }]
    })
  })
}

function faultOf(
  path: string,
  layer: number,
  specifier: string,
  known: ReadonlySet<string>,
): Pick<Violation, 'rule' | 'detail'> | undefined {
  const target = resolveImport(path, specifier)
  if (target === undefined) return packageFault(path, specifier)
  if (target.endsWith('.json')) return undefined // data of a room
  const targetLayer = layerOf(target)
  if (!known.has(target)) return { rule: 'import', detail: `${specifier} is no source file` }
  if (targetLayer === undefined || targetLayer <= layer) return undefined
  return {
    rule: 'layer',
    detail: `layer ${String(layer)} imports ${target} of layer ${String(targetLayer)}`,
  }
}

function packageFault(path: string, name: string): Pick<Violation, 'rule' | 'detail'> | undefined {
  const inMachines = path.startsWith('machines/')
  const isXstate = name === 'xstate' || name.startsWith('xstate/') || name.startsWith('@xstate/')
  if (name === 'troupe' || name.startsWith('troupe/')) {
    return { rule: 'import', detail: `${name}: the package imports itself` }
  }
  if (inMachines && !isXstate) return { rule: 'machines', detail: `machines/ imports ${name}` }
  if (isXstate && !inMachines && !xstateDoors.has(path)) {
    const doors = [...xstateDoors].join(' and ')
    return { rule: 'xstate', detail: `${name} is for machines/, ${doors} only` }
  }
  return undefined
}
