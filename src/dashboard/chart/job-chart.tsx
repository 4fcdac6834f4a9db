import type { ChartGeometry, WireChart } from '../../gateway/fleet-protocol.ts'
import { ChartEdge, EdgeLabels } from './chart-edge.tsx'
import type { EdgeFigures } from './chart-edge.tsx'
import { ChartFrame, ChartNode } from './chart-node.tsx'
import type { NodeFigures } from './chart-node.tsx'

/** The chart of jobs with figures: the definition says what, the geometry where. */
export function JobChart({
  chart, geometry, node, edge, queued, mayPulse, current, stateHref, edgeHref,
}: {
  readonly chart: WireChart
  readonly geometry: ChartGeometry
  readonly node: (id: string) => NodeFigures
  readonly edge: (id: string) => EdgeFigures
  readonly queued: number | null
  readonly mayPulse: boolean
  /** The id of the edge that is looked at. */
  readonly current: string | null
  readonly stateHref: (id: string) => string
  readonly edgeHref: (id: string) => string
}) {
  const { width, height, nodes, edges } = geometry
  const placed = chart.nodes.flatMap((one) => {
    const box = nodes[one.id]
    return box ? [{ one, box }] : []
  })
  const lines = chart.edges.flatMap((one) => {
    const line = edges[one.id]
    return line ? [{ one, line, figures: edge(one.id) }] : []
  })
  const start = nodes['start']
  return (
    <svg class="chart" viewBox={`0 0 ${width} ${height}`} role="group" aria-label="Job chart">
      {placed.map(({ one, box }) => one.kind === 'frame' && (
        <ChartFrame key={one.id} node={one} box={box} jobs={queued} href={stateHref(one.id)} />
      ))}
      {placed.map(({ one, box }) => (one.kind === 'state' || one.kind === 'final') && (
        <ChartNode
          key={one.id} node={one} box={box} figures={node(one.id)} href={stateHref(one.id)}
        />
      ))}
      {lines.map(({ one, line, figures }) => (
        <ChartEdge
          key={one.id} edge={one} line={line} chart={geometry} figures={figures}
          href={edgeHref(one.id)} mayPulse={mayPulse} isCurrent={one.id === current}
        />
      ))}
      {start && (
        <circle
          class="start" cx={start.x + start.width / 2} cy={start.y + start.height / 2} r="5"
        />
      )}
      {lines.map(({ one, line, figures }) => (
        <EdgeLabels key={one.id} edge={one} line={line} figures={figures} />
      ))}
    </svg>
  )
}
