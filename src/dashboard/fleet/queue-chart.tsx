import type { WireChart } from '../../gateway/fleet-protocol.ts'
import { ChartEdge, EdgeLabels } from '../chart/chart-edge.tsx'
import type { EdgeFigures } from '../chart/chart-edge.tsx'
import { charts } from '../chart/charts.ts'
import { queueGeometry } from '../chart/geometry.ts'
import { counted } from '../shell/words.ts'
import type { FleetFeed } from './feed.ts'

const unknown: EdgeFigures = { perSecond: null, isNever: false, taken: 0 }
const looks: Readonly<Record<string, string>> = { accepting: 'is-running', paused: 'is-cancelling' }

/** The control chart of a queue in one process. How many queues are paused is known of all. */
export function QueueChart({ feed, isNarrow }: {
  readonly feed: FleetFeed
  readonly isNarrow: boolean
}) {
  const chart = charts.value.queue
  const lines = [...feed.lines.value.values()]
  const paused = lines.filter((line) => line[5] === 1).length
  const figures: Readonly<Record<string, string>> = feed.opened.value === null ? {} : {
    accepting: counted(lines.length - paused, 'queue'),
    paused: counted(paused, 'queue'),
  }
  return (
    <>
      <QueueDrawing chart={chart} figures={figures} isNarrow={isNarrow} />
      <p class="chart-note">
        What each process does with each of its queues. A pause holds for every process; which
        of them drain or stop is known to them alone.
      </p>
    </>
  )
}

interface Shown {
  readonly isNarrow: boolean
  readonly chart: WireChart
  readonly figures: Readonly<Record<string, string>>
}

function QueueDrawing({ chart, figures, isNarrow }: Shown) {
  const geometry = isNarrow ? queueGeometry.narrow : queueGeometry.wide
  const { width, height, nodes, edges } = geometry
  const start = nodes['start']
  const lines = chart.edges.flatMap((one) => {
    const line = edges[one.id]
    return line ? [{ one, line }] : []
  })
  return (
    <svg class="chart" viewBox={`0 0 ${width} ${height}`} role="group" aria-label="Control chart">
      {chart.nodes.map(({ id, kind, description }) => {
        const box = nodes[id]
        if (!box || kind === 'start') return null
        const { x, y, width: wide, height: high } = box
        const foot = y + high - (isNarrow ? 10 : 20)
        return (
          <g key={id} class={looks[id] ?? 'is-cancelled'} role="img"
            aria-label={`${id}${figures[id] ? `, ${figures[id]}` : ''}. ${description}`}>
            <title>{description}</title>
            <rect class="box" x={x} y={y} width={wide} height={high} rx="10" />
            <text class="name" x={x + 14} y={y + (isNarrow ? 20 : 26)}>{id}</text>
            {kind === 'final' && <text class="ages" x={x + 14} y={foot}>the end</text>}
            {figures[id] && (
              <text class="count" x={x + 14} y={foot} font-size={isNarrow ? 13 : 17}>
                {figures[id]}
              </text>
            )}
          </g>
        )
      })}
      {lines.map(({ one, line }) => (
        <ChartEdge
          key={one.id} edge={one} line={line} chart={geometry} figures={unknown} href={null}
          mayPulse={false} isCurrent={false}
        />
      ))}
      {start && (
        <circle
          class="start" cx={start.x + start.width / 2} cy={start.y + start.height / 2} r="5"
        />
      )}
      {lines.map(({ one, line }) => (
        <EdgeLabels key={one.id} edge={one} line={line} figures={unknown} />
      ))}
    </svg>
  )
}
