import type {
  ChartBox, ChartGeometry, EdgeGeometry, LabelGeometry, Leaf, WireChart, WireChartEdge,
} from '../../../gateway/fleet-protocol.ts'
import { EdgeLabels } from '../../chart/chart-edge.tsx'
import { arrowHead, headLength, roundedPath } from '../../chart/draw.ts'
import { span } from '../../shell/words.ts'
import type { Step } from './steps.ts'

const litWidth = 2.3
const dimWidth = 1.3
const shownDiscs = 4
const discGap = 22
const noFigures = { perSecond: null, isNever: false, taken: 0 }

/** The chart with the path of one job: edges that it took, with the numbers of its transitions. */
export function PathChart({ chart, geometry, isNarrow, steps, here, times, attempt }: {
  readonly chart: WireChart
  readonly geometry: ChartGeometry
  readonly isNarrow: boolean
  /** Up to the one that is looked at. */
  readonly steps: readonly Step[]
  readonly here: Leaf | null
  readonly times: ReadonlyMap<Leaf, number>
  readonly attempt: number
}) {
  const { width, height, nodes, edges } = geometry
  const taken = byEdge(steps)
  const lines = chart.edges.flatMap((edge) => {
    const line = edges[edge.id]
    return line ? [{ edge, line, by: taken.get(edge.id) ?? [] }] : []
  })
  const order =
    [...lines.filter(({ by }) => by.length === 0), ...lines.filter(({ by }) => by.length > 0)]
  const start = nodes['start']
  return (
    <svg
      class="chart path" viewBox={`0 0 ${String(width)} ${String(height)}`} role="group"
      aria-label="Path of the job"
    >
      {chart.nodes.map(({ id, kind }) => {
        const box = nodes[id]
        return box && kind === 'frame' && <Frame key={id} id={id} box={box} />
      })}
      {chart.nodes.map(({ id, kind }) => {
        const box = nodes[id]
        if (!box || kind === 'frame' || kind === 'start') return null
        const ms = times.get(id as Leaf)
        return (
          <Place
            key={id} id={id} box={box} isHere={id === here} ms={ms ?? null}
            attempt={id === 'running' && id === here ? attempt : null}
          />
        )
      })}
      {order.map(({ edge, line, by }) => (
        <Line key={edge.id} edge={edge} line={line} radius={geometry.cornerRadius} by={by} />
      ))}
      {start && (
        <circle
          class="start" cx={start.x + start.width / 2} cy={start.y + start.height / 2} r="5"
        />
      )}
      {lines.map(({ edge, line, by }) => by.length > 0 && (
        <g key={edge.id}>
          {!isNarrow && (
            <EdgeLabels
              edge={edge} line={withRoom(line, textsOf(line, by, false))}
              figures={noFigures}
            />
          )}
          <Discs line={line} by={by} look={lookOf(edge)} isNarrow={isNarrow} />
        </g>
      ))}
    </svg>
  )
}

function byEdge(steps: readonly Step[]): ReadonlyMap<string, readonly Step[]> {
  const found = new Map<string, Step[]>()
  for (const step of steps) {
    if (step.edge !== null) found.set(step.edge, [...found.get(step.edge) ?? [], step])
  }
  return found
}

function lookOf({ kind }: WireChartEdge): string {
  if (kind === 'failure') return 'is-failed'
  if (kind === 'claim') return 'is-running'
  return kind === 'complete' ? 'is-completed' : 'is-queued'
}

function Frame({ id, box: { x, y, width, height } }: {
  readonly id: string
  readonly box: ChartBox
}) {
  return (
    <g class={`is-${id}`}>
      <rect class="box group" x={x} y={y} width={width} height={height} rx="14" />
      <use href={`#i-${id}`} x={x + 16} y={y + 11} width="13" height="13" />
      <text class="name" x={x + 36} y={y + 22}>{id}</text>
    </g>
  )
}

function Place({ id, box: { x, y, width, height }, isHere, ms, attempt }: {
  readonly id: string
  readonly box: ChartBox
  readonly isHere: boolean
  readonly ms: number | null
  readonly attempt: number | null
}) {
  const isSmall = width < 150
  const isTall = height >= 60 || isSmall
  const side = isSmall ? 9 : 14
  const time = ms === null || ms === 0 ? '' : span(ms)
  const text = attempt === null || isSmall ? time : `${time}, attempt ${String(attempt)}`
  const middle = isTall ? y + (isSmall ? 24 : 28) : y + height / 2 + 4.5
  const spent = ms === null ? ', not reached' : text === '' ? '' : `, ${text}`
  const said = `${id}${isHere ? ', here' : ''}${spent}`
  const look = isHere ? 'here' : ms === null ? 'off' : 'was'
  return (
    <g
      class={`node is-${id}${isSmall ? ' small' : ''} ${look}`}
      role="img" aria-label={said}
    >
      <rect class="box" x={x} y={y} width={width} height={height} rx="10" />
      <use
        href={`#i-${id}`} x={x + side} y={middle - 11} width={isSmall ? 11 : 13}
        height={isSmall ? 11 : 13}
      />
      <text class="name" x={x + side + (isSmall ? 14 : 20)} y={middle}>{id}</text>
      {text !== '' && (isTall
        ? <text class="ages" x={x + side + (isSmall ? 0 : 20)} y={middle + 20}>
            <tspan class="v">{text}</tspan>
          </text>
        : <text class="ages" x={x + width - 14} y={middle} text-anchor="end">
            <tspan class="v">{text}</tspan>
          </text>)}
    </g>
  )
}

function Line({ edge, line, radius, by }: {
  readonly edge: WireChartEdge
  readonly line: EdgeGeometry
  readonly radius: number
  readonly by: readonly Step[]
}) {
  const isLit = by.length > 0
  const width = isLit ? litWidth : dimWidth
  const path = roundedPath(line.points, radius, headLength(width) - 1)
  const names = edge.events.map(({ label }) => label).join(', ')
  return (
    <g class={isLit ? `lit ${lookOf(edge)}` : 'dim'}>
      <title>{names}</title>
      <path class="e" d={path} stroke-width={width} />
      {!isLit && line.joins.map((join) => (
        <path key={join} class="e" d={join} stroke-width={width} />
      ))}
      <path class="head" d={arrowHead(line.points, width)} />
    </g>
  )
}

/** Numbered discs on an edge: the transitions that ran along it, the newest few. */
function Discs({ line, by, look, isNarrow }: {
  readonly line: EdgeGeometry
  readonly by: readonly Step[]
  readonly look: string
  readonly isNarrow: boolean
}) {
  const { x, y, isUpright } = placeOfDiscs(line, isNarrow)
  const texts = textsOf(line, by, isNarrow)
  const sizes = texts.map((text) => (isUpright ? discGap : sizeOf(text)))
  let at = -sizes.reduce((sum, size) => sum + size, 0) / 2
  return (
    <g class={`lit ${look}`} aria-label={`transitions ${texts.join(', ')}`} role="img">
      {texts.map((text, index) => {
        const size = sizes[index] ?? discGap
        const off = at + size / 2
        at += size
        const cx = isUpright ? x : x + off
        const cy = isUpright ? y + off : y
        const half = sizeOf(text) / 2 - 2
        return (
          <g key={text}>
            <rect class="disc" x={cx - half} y={cy - 9} width={half * 2} height="18" rx="9" />
            <text class="disc-n" x={cx} y={cy + 3.9} text-anchor="middle">{text}</text>
          </g>
        )
      })}
    </g>
  )
}

/** The room that a disc takes along a level line, the gap to the next included. */
function sizeOf(text: string): number {
  return text.length <= 2 ? discGap : 12 + text.length * 6.5
}

/** What stands in the discs: as many of the newest as there is room for, and how many more. */
function textsOf(line: EdgeGeometry, by: readonly Step[], isNarrow: boolean): readonly string[] {
  const { isUpright, room } = placeOfDiscs(line, isNarrow)
  const texts = by.map(({ rev }) => (rev === null ? '·' : String(rev)))
  for (let count = Math.min(shownDiscs, room, texts.length); count > 1; count -= 1) {
    const more = texts.length - count
    const all = more > 0 ? [`+${String(more + 1)}`, ...texts.slice(1 - count)] : texts
    const size = all.reduce((sum, text) => sum + sizeOf(text), 0)
    if (isUpright || size <= room * discGap) return all
  }
  return texts.slice(-1)
}

/** Where the discs of an edge stand, and how many there is room for; abreast on a short upright. */
function placeOfDiscs({ badge, points }: EdgeGeometry, isNarrow: boolean) {
  let middle: readonly [number, number] = points[0] ?? [0, 0]
  let isUpright = false
  let longest = -1
  for (const [index, [x, y]] of points.entries()) {
    const before = points[index - 1]
    if (!before) continue
    const length = Math.hypot(x - before[0], y - before[1])
    if (length <= longest) continue
    longest = length
    middle = [(x + before[0]) / 2, (y + before[1]) / 2]
    isUpright = x === before[0]
  }
  const [x, y] = badge[0] === 0 && badge[1] === 0 ? middle : badge
  const fits = Math.max(1, Math.floor((longest - 12) / discGap))
  if (isUpright && fits < 2) return { x, y, isUpright: false, room: isNarrow ? 1 : 3 }
  return { x, y, isUpright, room: fits }
}

/** Labels that a disc would touch stand aside; above the chart there is no room for them. */
function withRoom(line: EdgeGeometry, discs: readonly string[]): EdgeGeometry {
  const { x, y, isUpright } = placeOfDiscs(line, false)
  const half = discs.reduce((sum, text) => sum + sizeOf(text), 0) / 2
  const isNear = (label: LabelGeometry): boolean =>
    Math.abs(label.y - y) < 18 && Math.abs(label.x - x) < 80
  if (!line.labels.some(isNear)) return line
  const beside = isUpright ? 6 : half - 3
  const labels = line.labels.map((label): LabelGeometry => {
    if (label.anchor === 'start') return { ...label, x: label.x + beside }
    if (label.anchor === 'end') return { ...label, x: label.x - beside }
    if (label.y >= y) return { ...label, y: Math.max(label.y, y + 24) }
    const above = Math.min(label.y, y - 12.5)
    return above >= 12 ? { ...label, y: above }
      : { ...label, anchor: 'start', x: x + half + 6 }
  })
  return { ...line, labels }
}
