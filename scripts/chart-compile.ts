import type {
  ChartGeometry, EdgeGeometry, LabelGeometry, WireChart, WireChartEdge,
} from '../src/gateway/fleet-protocol.ts'
import { fleetCharts } from '../src/gateway/fleet/chart.ts'
import { queueNarrow, queueWide } from './chart-plan-queue.ts'
import { jobCompact, jobNarrow, jobWide } from './chart-plan.ts'
import type { Plan, PlannedLabel, Point } from './chart-plan.ts'

/** Widths of 12 px type at its widest, by the letter and of a rate such as `99.9k/s`. */
const letterWidth = 6.4
const rateWidth = 48
const gap = 5
/** Above and below the baseline. */
const ascent = 11
const descent = 3

/** The charts and the coordinates of what is in them, as JSON. */
export function geometryFile(): string {
  const { job, queue } = fleetCharts
  return `${print({
    jobChart: job,
    queueChart: queue,
    jobGeometry: {
      wide: compile(jobWide, job), compact: compile(jobCompact, job),
      narrow: compile(jobNarrow, job),
    },
    // A queue's chart has one line of a label an edge, and is small as it is.
    queueGeometry: {
      wide: compile(queueWide, queue), compact: compile(queueWide, queue),
      narrow: compile(queueNarrow, queue),
    },
  }, '')}\n`
}

/** A plan as the page draws it; throws where the plan and the chart do not fit. */
function compile(plan: Plan, chart: WireChart): ChartGeometry {
  const { width, height, cornerRadius } = plan
  const nodes = chart.nodes.map(({ id, parent }) => {
    const box = plan.nodes[id]
    if (!box) throw new Error(`the plan has no place for the state ${id}`)
    return [id, { x: box[0], y: box[1], width: box[2], height: box[3], parent }] as const
  })
  const edges = chart.edges.map((edge) => {
    const planned = plan.edges[edge.id]
    if (!planned) throw new Error(`the plan has no way for the edge ${edge.id}`)
    const geometry: EdgeGeometry = {
      path: toPath(planned.points, cornerRadius),
      points: planned.points,
      joins: (planned.joins ?? []).map((points) => toPath(points, cornerRadius)),
      labels: (planned.labels ?? []).map((label) => toLabel(label, edge)),
      badge: middleOf(planned.points),
    }
    return [edge.id, geometry] as const
  })
  return {
    width, height, cornerRadius,
    nodes: Object.fromEntries(nodes), edges: Object.fromEntries(edges),
  }
}

/** Straight parts with an arc at each corner, smaller where there is no room. */
function toPath(points: readonly Point[], radius: number): string {
  const parts = [`M${at(points[0])}`]
  for (let index = 1; index < points.length - 1; index += 1) {
    const [before, corner, after] = points.slice(index - 1, index + 2) as [Point, Point, Point]
    const room = Math.min(radius, distance(before, corner) / 2, distance(corner, after) / 2)
    parts.push(`L${at(toward(corner, before, room))}`)
    parts.push(`Q${at(corner)} ${at(toward(corner, after, room))}`)
  }
  parts.push(`L${at(points.at(-1))}`)
  return parts.join('')
}

function at(point: Point | undefined): string {
  return point ? `${point[0]} ${point[1]}` : ''
}

function distance([x, y]: Point, [otherX, otherY]: Point): number {
  return Math.abs(x - otherX) + Math.abs(y - otherY)
}

function toward([x, y]: Point, [otherX, otherY]: Point, by: number): Point {
  return [x + Math.sign(otherX - x) * by, y + Math.sign(otherY - y) * by]
}

function middleOf(points: readonly Point[]): Point {
  let best: readonly [Point, Point] = [points[0] ?? [0, 0], points[1] ?? [0, 0]]
  for (let index = 1; index < points.length; index += 1) {
    const pair = [points[index - 1] ?? [0, 0], points[index] ?? [0, 0]] as const
    if (distance(...pair) > distance(...best)) best = pair
  }
  const [[x, y], [otherX, otherY]] = best
  return [(x + otherX) / 2, (y + otherY) / 2]
}

function toLabel([x, y, anchor, what]: PlannedLabel, edge: WireChartEdge): LabelGeometry {
  const [, events, first, last, hasGuard, hasRate] =
    /^(e(\d)?(?:-(\d))?)?(g)?(r)?$/.exec(what) ?? []
  const from = Number(first ?? 0)
  const to = first === undefined ? edge.events.length : Number(last ?? first) + 1
  const names = events === undefined ? [] : edge.events.slice(from, to)
  const text = names.map(({ label }) => label).join(' · ')
  const guard = hasGuard === undefined ? null : edge.guard
  const widths = [
    ...(text === '' ? [] : [text.length * letterWidth]),
    ...(guard === null ? [] : [(guard.length + 2) * letterWidth]),
    ...(hasRate === undefined ? [] : [rateWidth]),
  ]
  const width = Math.ceil(widths.reduce((sum, each) => sum + each + gap, -gap))
  const left = anchor === 'start' ? x : anchor === 'end' ? x - width : x - width / 2
  return {
    x, y, anchor, text, guard, hasRate: hasRate !== undefined,
    box: { x: left, y: y - ascent, width, height: ascent + descent },
  }
}

/** JSON in lines that a reader of a change can follow. */
function print(value: unknown, indent: string): string {
  const flat = JSON.stringify(value)
  if (flat.length + indent.length <= 100 || typeof value !== 'object' || value === null) return flat
  const deeper = `${indent} `
  const inner = Array.isArray(value)
    ? value.map((each) => `${deeper}${print(each, deeper)}`)
    : Object.entries(value).map(([key, each]) => `${deeper}"${key}": ${print(each, deeper)}`)
  const [begin, end] = Array.isArray(value) ? ['[', ']'] : ['{', '}']
  return `${begin}\n${inner.join(',\n')}\n${indent}${end}`
}
