import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { geometryFile } from '../../scripts/chart-compile.ts'
import {
  jobChart, jobGeometry, queueChart, queueGeometry,
} from '../../src/dashboard/chart/geometry.ts'
import type { ChartBox, ChartGeometry, WireChart } from '../../src/gateway/fleet-protocol.ts'
import { fleetCharts } from '../../src/gateway/fleet/chart.ts'

type Box = Omit<ChartBox, 'parent'>
type Point = readonly [x: number, y: number]

/** The corners of a path: its ends, and where it would turn without its arcs. */
function corners(path: string): Point[] {
  const parts = [...path.matchAll(/([MLQ])([\d.]+) ([\d.]+)/g)]
    .map(([, kind, x, y]) => ({ kind, point: [Number(x), Number(y)] as const }))
  return parts.filter(({ kind }, place) =>
    kind !== 'L' || place === parts.length - 1).map(({ point }) => point)
}

function segments(points: readonly Point[]): Box[] {
  return points.slice(1).map(([x, y], place) => {
    const [fromX, fromY] = points[place] ?? [x, y]
    return {
      x: Math.min(x, fromX), y: Math.min(y, fromY),
      width: Math.abs(x - fromX), height: Math.abs(y - fromY),
    }
  })
}

/** Whether the insides of two boxes meet, or come nearer than `room`. */
function meet(a: Box, b: Box, room = 0): boolean {
  return a.x < b.x + b.width + room && b.x < a.x + a.width + room &&
    a.y < b.y + b.height + room && b.y < a.y + a.height + room
}

function isInside(inner: Box, outer: Box): boolean {
  return inner.x >= outer.x && inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
}

function isOnBorder([x, y]: Point, { x: left, y: top, width, height }: Box): boolean {
  const right = left + width
  const bottom = top + height
  const isWithin = x >= left && x <= right && y >= top && y <= bottom
  return isWithin && (x === left || x === right || y === top || y === bottom)
}

const variants: readonly (readonly [string, WireChart, ChartGeometry])[] =
  (['wide', 'compact', 'narrow'] as const).flatMap((name) => [
    [`job, ${name}`, jobChart, jobGeometry[name]] as const,
    [`queue, ${name}`, queueChart, queueGeometry[name]] as const,
  ])

describe('the charts of the dashboard', () => {
  test('are those of the machines, and the file is the one that the script makes', () => {
    expect({ job: jobChart, queue: queueChart }).toEqual(fleetCharts)
    const file = new URL('../../src/gateway/fleet/geometry.json', import.meta.url)
    expect(readFileSync(file, 'utf8'), 'npm run docs:layout makes it').toBe(geometryFile())
  })

  test('are narrow enough for the narrowest page', () => {
    for (const { narrow } of [jobGeometry, queueGeometry]) {
      expect(narrow.width).toBeLessThanOrEqual(344)
    }
  })
})

describe.each(variants)('%s', (_name, chart, { nodes, edges, width, height }) => {
  const frames = new Set(chart.nodes.filter(({ kind }) => kind === 'frame').map(({ id }) => id))
  const boxOf = (id: string): ChartBox => nodes[id] as ChartBox
  const page: Box = { x: 0, y: 0, width, height }
  const drawn = chart.edges.map((edge) => {
    const geometry = edges[edge.id]
    if (!geometry) throw new Error(`no way for ${edge.id}`)
    return { edge, geometry, lines: [geometry.path, ...geometry.joins].map(corners) }
  })
  const labels = drawn.flatMap(({ edge, geometry }) =>
    geometry.labels.map((label) => ({ id: edge.id, ...label })))

  test('has a place for each state, and one frame around its phases', () => {
    expect(Object.keys(nodes).sort()).toEqual(chart.nodes.map(({ id }) => id).sort())
    for (const { id, parent } of chart.nodes) {
      expect(isInside(boxOf(id), parent === null ? page : boxOf(parent)), id).toBe(true)
      for (const other of chart.nodes) {
        if (other.id === id || other.parent === id || other.id === parent) continue
        expect(meet(boxOf(id), boxOf(other.id)), `${id} and ${other.id}`).toBe(false)
      }
    }
  })

  test('has a way for each edge, from its sources to its target, and straight', () => {
    expect(Object.keys(edges).sort()).toEqual(chart.edges.map(({ id }) => id).sort())
    for (const { edge, geometry, lines } of drawn) {
      expect(lines[0], edge.id).toEqual(geometry.points)
      expect(lines.length, edge.id).toBe(edge.sources.length)
      const begun = lines.map(([first]) =>
        edge.sources.find((id) => first && isOnBorder(first, boxOf(id))))
      expect(begun.sort(), edge.id).toEqual([...edge.sources].sort())
      const last = geometry.points.at(-1) as Point
      expect(isOnBorder(last, boxOf(edge.target)), edge.id).toBe(true)
      for (const part of lines.flatMap(segments)) {
        expect(Math.min(part.width, part.height), edge.id).toBe(0)
        expect(isInside(part, page), edge.id).toBe(true)
        for (const { id } of chart.nodes) {
          const isOwn = frames.has(id) || id === 'start'
          expect(!isOwn && meet(part, boxOf(id)), `${edge.id} through ${id}`).toBe(false)
        }
      }
    }
  })

  test('has labels that touch no state, no edge and no other label', () => {
    const parts = drawn.flatMap(({ edge, lines }) =>
      lines.flatMap(segments).map((part) => ({ id: edge.id, part })))
    for (const [place, label] of labels.entries()) {
      const what = `${label.id} "${label.text}"`
      expect(isInside(label.box, page), what).toBe(true)
      for (const { id } of chart.nodes) {
        if (frames.has(id) && isInside(label.box, boxOf(id))) continue
        expect(meet(label.box, boxOf(id)), `${what} on ${id}`).toBe(false)
      }
      for (const { id, part } of parts) {
        expect(meet(label.box, part, 1), `${what} on ${id}`).toBe(false)
      }
      for (const other of labels.slice(place + 1)) {
        expect(meet(label.box, other.box), `${what} on ${other.id}`).toBe(false)
      }
    }
  })

  test('names events and guards as the chart has them', () => {
    for (const { edge, geometry } of drawn) {
      const text = geometry.labels.map((label) => label.text).filter((part) => part !== '')
      if (text.length === 0) continue
      expect(text.join(' · '), edge.id).toBe(edge.events.map(({ label }) => label).join(' · '))
    }
  })
})
