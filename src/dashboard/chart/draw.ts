type Point = readonly [x: number, y: number]

/** Width of an edge by its events a second: the log keeps a flood from hiding everything else. */
export function edgeWidth(perSecond: number): number {
  return Math.min(6, 1.2 + 1.6 * Math.log10(1 + 4 * perSecond))
}

/** How long an arrow head is on a line of this width. */
export function headLength(width: number): number {
  return 5.5 + width * 0.9
}

/** A line through corners, rounded; its last part ends `cut` pixels before the last point. */
export function roundedPath(points: readonly Point[], radius: number, cut: number): string {
  const ends = shortened(points, cut)
  const first = ends[0]
  const last = ends.at(-1)
  if (!first || !last) return ''
  let path = `M${at(first)}`
  for (let index = 1; index < ends.length - 1; index += 1) {
    const [before, corner, behind] = [ends[index - 1], ends[index], ends[index + 1]]
    if (!before || !corner || !behind) continue
    const r = Math.min(radius, length(before, corner) / 2, length(corner, behind) / 2)
    path += `L${at(towards(corner, before, r))}Q${at(corner)} ${at(towards(corner, behind, r))}`
  }
  return `${path}L${at(last)}`
}

/** The triangle at the end of a line. */
export function arrowHead(points: readonly Point[], width: number): string {
  const tip = points.at(-1)
  const before = points.at(-2)
  if (!tip || !before) return ''
  const [x, y] = tip
  const size = headLength(width)
  const half = 3.2 + width * 0.55
  const [bx, by] = towards(tip, before, size)
  const dx = (x - bx) / size
  const dy = (y - by) / size
  const left = at([bx - dy * half, by + dx * half])
  const right = at([bx + dy * half, by - dx * half])
  return `M${at(tip)}L${left}L${right}Z`
}

function shortened(points: readonly Point[], cut: number): readonly Point[] {
  const last = points.at(-1)
  const before = points.at(-2)
  if (!last || !before || cut === 0) return points
  const room = length(before, last)
  return [...points.slice(0, -1), towards(last, before, Math.min(cut, room))]
}

function length([ax, ay]: Point, [bx, by]: Point): number {
  return Math.hypot(bx - ax, by - ay)
}

/** The point `distance` away from `from` on the way to `to`. */
function towards(from: Point, to: Point, distance: number): Point {
  const whole = length(from, to)
  if (whole === 0) return from
  const share = distance / whole
  return [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share]
}

function at([x, y]: Point): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`
}
