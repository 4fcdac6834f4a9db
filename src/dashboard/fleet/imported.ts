import { importLimit } from '../../gateway/fleet-protocol.ts'
import type { WireChartEdge } from '../../gateway/fleet-protocol.ts'
import { readExport } from '../../gateway/fleet/recording.ts'
import type { ImportFault } from '../../gateway/fleet/recording.ts'
import { count } from '../shell/words.ts'
import type { History } from './history.ts'

function faultWords({ line, why }: ImportFault): string {
  if (why === 'too-many-lines') {
    return `the log is longer: its first ${count(importLimit)} are shown`
  }
  return `line ${count(line)} is no ${why === 'no-json' ? 'JSON' : 'transition'}`
}

interface Imported {
  readonly history: History
  readonly transitions: number
  /** What is wrong with it; null: nothing. */
  readonly fault: string | null
}

/** An exported log as a history of its own: folded here, nothing leaves the page. */
export async function importLog(
  file: File, edges: readonly WireChartEdge[],
): Promise<Imported> {
  const { recording, fault } = readExport((await file.text()).split('\n'), edges)
  const { begin, end } = recording
  if (begin === null || end === null) {
    throw new Error(`${file.name} is no exported log: ${fault ? faultWords(fault) : 'it is empty'}`)
  }
  const { edges: taken } = recording.moment(end, end - begin + 1)
  const history: History = {
    taken: new Set(taken.map(([place]) => edges[place]?.id ?? '')),
    edges: edges.map(({ id }) => id),
    end,
    keptFrom: begin,
    moment: (time, windowMs) => Promise.resolve(recording.moment(Math.round(time), windowMs)),
    series: (from, to, points) => Promise.resolve(recording.series(from, to + 1, points)),
    lines: () => Promise.resolve(file),
  }
  return { history, transitions: recording.length, fault: fault && faultWords(fault) }
}
