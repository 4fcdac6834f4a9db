import type { ChartBox, WireChartNode } from '../../gateway/fleet-protocol.ts'
import { sparkPaths } from '../parts/sparkline.tsx'
import { count, counted, span } from '../shell/words.ts'

/** What is known of a state now. */
export interface NodeFigures {
  /** Null: not known. */
  readonly count: number | null
  /** p50 and p95, milliseconds; null: not known. */
  readonly ages: readonly [number, number] | null
  /** Counts of the last minute, the oldest first. */
  readonly past: readonly number[]
}

/** Counts that keep clear of the line beside them: from a million on, three digits. */
function shortCount(value: number | null): string {
  if (value === null) return '–'
  if (value < 1_000_000) return count(value)
  return `${(value / 1_000_000).toFixed(value < 10_000_000 ? 2 : value < 100_000_000 ? 1 : 0)} M`
}

function nodeName(id: string, { count: jobs, ages }: NodeFigures): string {
  const times = ages ? `, p50 age ${span(ages[0])}, p95 ${span(ages[1])}` : ''
  return `${id}${jobs === null ? '' : `, ${counted(jobs, 'job')}`}${times}`
}

/** Room that the count of a wide node takes at most, and where the line beside it begins. */
const countRoom = 118

export function ChartNode({ node, box, figures, href }: {
  readonly node: WireChartNode
  readonly box: ChartBox
  readonly figures: NodeFigures
  readonly href: string
}) {
  const { id } = node
  const { x, y, width, height } = box
  const isWide = width >= 150
  const side = isWide ? 14 : 9
  const mark = isWide ? 13 : 11
  const isTall = height >= 110
  const size = isTall ? 28 : isWide ? 20 : 17
  const middle = y + height / 2 + (isTall ? 9 : isWide ? 7 : 5)
  const [p50, p95] = figures.ages ?? [null, null]
  const { line, area } = sparkPaths(
    isWide ? figures.past : [], x + countRoom, middle - 22, width - countRoom - side, 24,
  )
  return (
    <g class={`node is-${id}${isWide ? '' : ' small'}`}>
      <a href={href} aria-label={nodeName(id, figures)}>
        <title>{node.description}</title>
        <rect class="box" x={x} y={y} width={width} height={height} rx="10" />
      </a>
      <g class="said" aria-hidden="true">
        <use href={`#i-${id}`} x={x + side} y={y + 11} width={mark} height={mark} />
        <text class="name" x={x + side + mark + (isWide ? 6 : 4)} y={y + 22}>{id}</text>
        <text class="count" x={x + side} y={middle} font-size={size}>
          {shortCount(figures.count)}
        </text>
        {line !== '' && <path class="spark-fill" d={area} />}
        {line !== '' && <path class="spark-line" d={line} />}
        <text class="ages" x={x + side} y={y + height - 12}>
          p50 <tspan class="v">{p50 === null ? '–' : span(p50)}</tspan>
          {isWide && <tspan x={x + side + 78}>p95 </tspan>}
          {isWide && <tspan class="v">{p95 === null ? '–' : span(p95)}</tspan>}
        </text>
      </g>
    </g>
  )
}

/** `queued`: its phases are inside; its own total stands at the top right. */
export function ChartFrame({ node, box, jobs, href }: {
  readonly node: WireChartNode
  readonly box: ChartBox
  readonly jobs: number | null
  readonly href: string
}) {
  const { id } = node
  const { x, y, width, height } = box
  return (
    <g class={`node is-${id}`}>
      <a href={href} aria-label={nodeName(id, { count: jobs, ages: null, past: [] })}>
        <title>{node.description}</title>
        <rect class="box group" x={x} y={y} width={width} height={height} rx="14" />
      </a>
      <g class="said" aria-hidden="true">
        <use href={`#i-${id}`} x={x + 16} y={y + 12} width="13" height="13" />
        <text class="name" x={x + 36} y={y + 23}>{id}</text>
        <text class="count" x={x + width - 16} y={y + 24} text-anchor="end" font-size="15">
          {shortCount(jobs)}
        </text>
      </g>
    </g>
  )
}
