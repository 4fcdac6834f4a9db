import { useEffect, useRef } from 'preact/hooks'
import type { ChartGeometry, EdgeGeometry, LabelGeometry, WireChartEdge } from
  '../../gateway/fleet-protocol.ts'
import { prefersStillness } from '../page-env.ts'
import { rate } from '../shell/words.ts'
import { arrowHead, edgeWidth, headLength, roundedPath } from './draw.ts'

/** What is known of an edge now. */
export interface EdgeFigures {
  /** Null: nothing is known of rates here. */
  readonly perSecond: number | null
  /** Not once, as far as the log goes back. */
  readonly isNever: boolean
  /** Times it was taken, ever growing: a pulse runs for each while there are few. */
  readonly taken: number
}

/** `fail, timeout, retries left, 0.62 a second`. */
export function edgeName(
  { events, guard }: WireChartEdge, { perSecond, isNever }: EdgeFigures,
): string {
  const names = events.map(({ label }) => label)
  const speed = perSecond ? [rate(perSecond).replace('/s', ' a second')] : []
  return [...names, ...(guard === null ? [] : [guard]), ...(isNever ? ['not taken'] : speed)]
    .join(', ')
}

const kinds = {
  failure: 'e-fail', claim: 'e-main is-running', complete: 'e-main is-completed', plain: 'e-quiet',
} as const

export function ChartEdge({ edge, line, chart, figures, href, mayPulse, isCurrent }: {
  readonly edge: WireChartEdge
  readonly line: EdgeGeometry
  readonly chart: ChartGeometry
  readonly figures: EdgeFigures
  readonly href: string | null
  readonly mayPulse: boolean
  readonly isCurrent: boolean
}) {
  const { perSecond, isNever } = figures
  const width = edgeWidth(perSecond ?? 0)
  const path = roundedPath(line.points, chart.cornerRadius, headLength(width) - 1)
  const name = edgeName(edge, figures)
  const said = edge.events.map(({ label, description }) => `${label}: ${description}`).join('\n')
  const inner = (
    <g aria-hidden="true">
      <title>{said}</title>
      <path class="e" d={path} stroke-width={width.toFixed(1)} />
      {line.joins.map((join) => (
        <path key={join} class="e" d={join} stroke-width={width.toFixed(1)} />
      ))}
      <path class="head" d={arrowHead(line.points, width)} />
      <Pulses path={path} width={width + 2.6} taken={figures.taken} may={mayPulse} />
      <path class="e-hit" d={path} />
    </g>
  )
  const look = `${isNever ? 'e-never' : kinds[edge.kind]}${isCurrent ? ' e-current' : ''}`
  if (href === null) return <g class={look} role="img" aria-label={name}>{inner}</g>
  return <a class={look} href={href} aria-label={name}>{inner}</a>
}

/** Texts of an edge; above all lines, so that none runs through a word. */
export function EdgeLabels({ edge, line, figures }: {
  readonly edge: WireChartEdge
  readonly line: EdgeGeometry
  readonly figures: EdgeFigures
}) {
  const look = figures.isNever ? 'e-never' : kinds[edge.kind]
  return (
    <g class={`labels ${look}`} aria-hidden="true">
      {line.labels.map((label, index) => (
        <EdgeLabel key={index} label={label} figures={figures} />
      ))}
    </g>
  )
}

function EdgeLabel({ label, figures: { perSecond, isNever } }: {
  readonly label: LabelGeometry
  readonly figures: EdgeFigures
}) {
  const { x, y, anchor, text, guard, hasRate } = label
  const speed = hasRate && !isNever && perSecond !== null && perSecond > 0 ? rate(perSecond) : ''
  return (
    <text class="lab" x={x} y={y} text-anchor={anchor}>
      {text}
      {guard !== null && <tspan class="g">{text === '' ? '' : ' '}[{guard}]</tspan>}
      {speed !== '' && <tspan class="r" dx={text === '' && guard === null ? 0 : 5}>{speed}</tspan>}
    </text>
  )
}

/** Of one frame, and of one edge at a time. */
const mostPulses = 6
const frameMs = 250

/** A pulse for each time that the edge was taken since the last frame, spread over the frame. */
function Pulses({ path, width, taken, may }: {
  readonly path: string
  readonly width: number
  readonly taken: number
  readonly may: boolean
}) {
  const group = useRef<SVGGElement>(null)
  const before = useRef(taken)
  useEffect(() => {
    const fresh = Math.min(taken - before.current, mostPulses)
    before.current = taken
    const place = group.current
    if (!place || !may || fresh <= 0 || document.hidden || prefersStillness()) return
    for (let index = 0; index < fresh; index += 1) {
      if (place.childElementCount > mostPulses * 2) return
      const pulse = document.createElementNS('http://www.w3.org/2000/svg', 'path')
      pulse.setAttribute('class', 'pulse')
      pulse.setAttribute('d', path)
      pulse.setAttribute('pathLength', '100')
      pulse.setAttribute('stroke-width', width.toFixed(1))
      pulse.style.animationDelay = `${String((index * frameMs) / fresh)}ms`
      pulse.addEventListener('animationend', () => { pulse.remove() })
      place.append(pulse)
    }
  }, [taken])
  return <g ref={group} aria-hidden="true" />
}
