import { useEffect, useRef } from 'preact/hooks'
import type { WireSeries } from '../../gateway/fleet-protocol.ts'
import { now } from '../page-env.ts'
import { clockTime, dayOf, fullTime, shortTime } from '../shell/words.ts'
import { moment, travelTo } from './travel.ts'

const width = 1000
const height = 46
const axisParts = 6

/** The log as an area of what was completed, bars of what failed, and hatching where it ends. */
export function Scrubber({ series, end }: {
  readonly series: WireSeries
  /** Where the hand stands when now is shown. */
  readonly end: number
}) {
  const { from, to } = series
  const time = moment.value ?? end
  const track = useRef<HTMLDivElement>(null)
  const hand = useRef<HTMLDivElement>(null)
  const share = Math.min(1, Math.max(0, (time - from) / (to - from)))
  useEffect(() => {
    if (hand.current) hand.current.style.left = `${String(share * 100)}%`
  }, [share])
  const drag = (event: PointerEvent): void => {
    const box = track.current?.getBoundingClientRect()
    if (box) travelTo(from + ((event.clientX - box.left) / box.width) * (to - from))
  }
  const line = pointsOf(series)
  const gone = goneOf(series)
  return (
    <div class="scrub-body">
      <div
        ref={track} class="track" role="slider" tabIndex={0} aria-label="Moment of the log"
        aria-valuemin={0} aria-valuemax={1000} aria-valuenow={Math.round(share * 1000)}
        aria-valuetext={`${clockTime(time)} ${dayOf(time, now())}`} title={fullTime(time)}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId)
          drag(event)
        }}
        onPointerMove={(event) => { if (event.buttons === 1) drag(event) }}
        onKeyDown={(event) => { moveByKey(event, series, time) }}
      >
        <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
          <defs>
            <pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse">
              <path class="gone-hatch" d="M-1 8L8 -1M-1 1L1 -1M6 8L8 6" />
            </pattern>
          </defs>
          {gone > 0 && <rect class="gone" width={gone * width} height={height} />}
          {gone > 0 && <rect fill="url(#hatch)" width={gone * width} height={height} />}
          <path class="flow" d={areaOf(line)} />
          <path class="flow-line" d={pathOf(line)} />
          <path class="bad" d={barsOf(series)} />
          <path class="axis" d={`M0 ${height - 0.5}H${width}`} />
        </svg>
        <div ref={hand} class="hand" aria-hidden="true"><i /></div>
      </div>
      <div class="axis-text" aria-hidden="true">
        {Array.from({ length: axisParts + 1 }, (_part, index) => (
          <span key={index}>{axisText(from + ((to - from) * index) / axisParts, series)}</span>
        ))}
      </div>
    </div>
  )
}

/** The share of the time shown that the log no longer keeps. */
function goneOf({ completed }: WireSeries): number {
  const first = completed.findIndex((value) => value !== null)
  return first < 0 ? 1 : first / completed.length
}

function axisText(time: number, series: WireSeries): string {
  const { from, to } = series
  if (time === from && goneOf(series) > 1 / axisParts) return 'not kept'
  return to - from < axisParts * 120_000 ? clockTime(time) : shortTime(time)
}

function moveByKey(event: KeyboardEvent, { from, to }: WireSeries, time: number): void {
  const part = (to - from) / 200
  const moves: Readonly<Record<string, number>> = {
    ArrowLeft: time - part, ArrowDown: time - part, ArrowRight: time + part, ArrowUp: time + part,
    PageDown: time - part * 20, PageUp: time + part * 20, Home: from, End: to,
  }
  const target = moves[event.key]
  if (target === undefined) return
  event.preventDefault()
  travelTo(target)
}

type Point = readonly [x: number, y: number]

/** Spans of time become points of a line, as far as they are kept. */
function pointsOf({ completed }: WireSeries): readonly Point[] {
  const most = Math.max(1, ...completed.map((value) => value ?? 0))
  const step = width / Math.max(1, completed.length - 1)
  return completed.flatMap((value, index): Point[] => (
    value === null ? [] : [[index * step, height - 2 - (value / most) * (height - 10)]]))
}

function pathOf(points: readonly Point[]): string {
  if (points.length === 0) return ''
  return `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}`
}

function areaOf(points: readonly Point[]): string {
  const [first] = points
  return first ? `${pathOf(points)}V${height}H${first[0].toFixed(1)}Z` : ''
}

/** Failures stand on the ground; the tallest is half as high as the area. */
function barsOf({ failed }: WireSeries): string {
  const most = Math.max(4, ...failed.map((value) => value ?? 0))
  const step = width / failed.length
  const bar = Math.max(2, step * 0.8)
  return failed.map((value, index) => {
    if (!value) return ''
    const tall = 2 + (value / most) * (height / 2 - 2)
    const x = (index * step).toFixed(1)
    return `M${x} ${height}v-${tall.toFixed(1)}h${bar.toFixed(1)}v${tall.toFixed(1)}Z`
  }).join('')
}
